"""A fleet that follows the clock: a weekly table, as cron triggers and scheduled actions have it."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sim.autoscaling.base import Blind, Replicas, needs_kind
from sim.autoscaling.observation import Decision, Observation
from sim.config.said import said
from sim.config.tunable import Tunable

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S


def _clock_s(text: str) -> int:
    """Seconds since midnight of `08:30`; `24:00` is the end of the day."""
    found = re.fullmatch(r"([01]?\d|2[0-4]):([0-5]\d)", text)
    minutes = 60 * int(found[1]) + int(found[2]) if found else _DAY_S
    if minutes > 24 * 60:
        raise said(f"must be a time of day, such as '08:30'; got '{text}'")
    return 60 * minutes


def _days(text: str) -> tuple[int, ...]:
    """The days of `mon-fri`, `sat, sun` or `daily`, counted from Monday."""
    if text.strip().lower() == "daily":
        return tuple(range(7))
    days: list[int] = []
    for part in text.lower().split(","):
        ends = [day.strip()[:3] if len(day.strip()) >= 3 else "" for day in part.split("-")]
        if len(ends) > 2 or not set(ends) <= set(_DAYS):
            raise said(f"must be days of the week, such as 'mon-fri', 'sat, sun' or 'daily'; got '{text}'")
        first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
        days += [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    return tuple(sorted(set(days)))


def _weekday_s(text: str) -> int:
    """Seconds since Monday 00:00 of `tue 08:30`; without a day it is a Monday's."""
    day, _, clock = text.strip().rpartition(" ")
    days = _days(day or "mon")
    if len(days) != 1:
        raise said(f"must be one day and a time, such as 'tue 08:30'; got '{text}'")
    return (days[0] * _DAY_S + _clock_s(clock)) % _WEEK_S


def _checked(parse: Any) -> AfterValidator:
    """Text that `parse` can read; kept as text."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


class Row(BaseModel):
    """So many replicas on these days between these times."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    days: Annotated[str, _checked(_days), Field(description="Such as 'mon-fri', 'sat, sun', 'daily'.")] = "daily"
    start: Annotated[str, _checked(_clock_s), Field(alias="from", description="Time of day, such as '08:00'.")]
    end: Annotated[
        str, _checked(_clock_s), Field(alias="to", description="Time of day; not after `from`: of the next day.")
    ]
    replicas: Annotated[
        Replicas, Field(description="In this time."), Tunable(0.5, 1.5, times=True, least=1, cheaper=-1)
    ]

    @property
    def spans_s(self) -> list[tuple[int, int]]:
        """Starts and ends since Monday 00:00; an end may lie in the next week."""
        start, end = _clock_s(self.start), _clock_s(self.end)
        lasts = end - start if end > start else end - start + _DAY_S
        return [(day * _DAY_S + start, day * _DAY_S + start + lasts) for day in _days(self.days)]


class Scheduled(Blind):
    """A weekly table: the most of all rows that hold now, else the base. Local time without daylight saving."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, json_schema_extra=needs_kind)

    kind: Literal["scheduled"] = "scheduled"
    replicas: Annotated[
        Replicas, Field(description="When no row holds."), Tunable(0.5, 1.5, times=True, least=1, cheaper=-1)
    ]
    rows: Annotated[tuple[Row, ...], Field(description="When other numbers hold.")]
    start_at: Annotated[
        str, _checked(_weekday_s), Field(description="Weekday and time at which the run begins, such as 'tue 06:00'.")
    ] = "mon 00:00"

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.most_replicas == 0:
            raise said("must be above 0, or a row's replicas must", "replicas")
        return self

    @property
    def initial_replicas(self) -> int:
        return self.at(0.0)[0]

    @property
    def floor_replicas(self) -> int:
        return min(wanted for _, wanted in self._table)

    @property
    def most_replicas(self) -> int:
        return max(wanted for _, wanted in self._table)

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        wanted, next_s = self.at(seen.at_s)
        week_s = (seen.at_s + _weekday_s(self.start_at)) % _WEEK_S
        day, minute = divmod(int(week_s // 60), 24 * 60)
        now = f"{_DAYS[day % 7]} {minute // 60:02}:{minute % 60:02}"
        return Decision(wanted, f"scheduled for {now}: {wanted}", wanted, next_s), None

    def at(self, at_s: float) -> tuple[int, float | None]:
        """The replicas at a time of the run, and when they change next; None if they never do."""
        offset_s = _weekday_s(self.start_at)
        weeks, week_s = divmod(at_s + offset_s, _WEEK_S)
        row = bisect_right(self._table, week_s, key=lambda change: change[0]) - 1
        if len(self._table) == 1:
            return self._table[0][1], None
        next_s = self._table[row + 1][0] if row + 1 < len(self._table) else self._second_week_s
        return self._table[row][1], weeks * _WEEK_S + next_s - offset_s

    @property
    def _second_week_s(self) -> int:
        """When the replicas change first in the next week, since this Monday."""
        same = self._table[0][1] == self._table[-1][1]
        return _WEEK_S + (self._table[1][0] if same else 0)

    @cached_property
    def _table(self) -> list[tuple[int, int]]:
        """Every change of a week: seconds since Monday 00:00, and the replicas from then on; the first is at 0."""
        spans = [(span, row.replicas) for row in self.rows for span in row.spans_s]
        spans += [((start - _WEEK_S, end - _WEEK_S), replicas) for (start, end), replicas in spans]
        table: list[tuple[int, int]] = []
        for at in sorted({0, *(edge for span, _ in spans for edge in span if 0 < edge < _WEEK_S)}):
            holding = [replicas for (start, end), replicas in spans if start <= at < end]
            wanted = max(holding, default=self.replicas)
            if not table or table[-1][1] != wanted:
                table.append((at, wanted))
        return table
