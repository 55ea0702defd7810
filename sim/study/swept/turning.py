"""Where a service turns: the smallest trigger that it does not survive, and the mildest remedy with which it does.

Both are the same search along the values of one key, from a mild end to a severe one: for the first value at which
something holds (the service is collapsed after the burst; it is recovered). Bisection takes for granted that it holds
from there on. That is looked at, not believed: both ends are run, and a value on either side of what is found; what
contradicts it is told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sim.config.errors import ConfigError, Problem
from sim.result.recovery import METASTABLE, NORMAL_SHARE, RECOVERED
from sim.study.swept.sweep import Point, Run, Watch, number, point, run

TOLERANCE_SHARE = 0.02
"""Of the range: the bracket of an answer is at most so wide."""
OPTION = "--along"
SUCH_AS = "such as workload.arrivals.factor=1.5..4.0 or pools.chat.queue.max_waiting=1000..50"

What = Literal["trigger", "escape"]

_VALUE = re.compile(r"\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\d.].*?)?\s*")


@dataclass(frozen=True)
class Range:
    """The values of a key between two ends, in the order of severity; one unit for all."""

    key: str
    mild: float
    severe: float
    unit: str
    whole: bool
    """Written as whole numbers without a unit: there is nothing between two of them."""

    def text(self, value: float) -> str:
        """As it would stand in the file."""
        return f"{value:.6g}{self.unit}"

    @property
    def step(self) -> float:
        """How wide the bracket of an answer may be."""
        wide = TOLERANCE_SHARE * abs(self.severe - self.mild)
        return max(1.0, wide) if self.whole else wide

    def between(self, one: float, other: float) -> float:
        """The middle, or the whole number next to it; `one` itself if there is nothing between."""
        middle = (one + other) / 2
        return float(math.floor(middle)) if self.whole else float(f"{middle:.6g}")


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    what: What
    along: Range
    runs: dict[float, Run]
    """By value."""
    bracket: tuple[float, float] | None
    """The last value at which it does not hold and the first at which it does; None: it holds nowhere.

    Where it holds at the mild end already, both are that.
    """
    against: tuple[float, ...]
    """Values whose runs contradict that it holds from the answer on, and not before."""

    @property
    def answer(self) -> float | None:
        return None if self.bracket is None else self.bracket[1]

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        text = self.along.text
        return {
            "find": self.what,
            "along": self.along.key,
            "from": text(self.along.mild),
            "to": text(self.along.severe),
            "answer": None if self.answer is None else text(self.answer),
            "bracket": None if self.bracket is None else [text(value) for value in self.bracket],
            "contradicted_by": [text(value) for value in self.against],
            "runs": [{**one.plain(), "holds": self.holds(one)} for one in self.in_order()],
        }

    def holds(self, one: Run) -> bool:
        """Whether a run of the search is as it was looked for."""
        return holds(self.what, one, self.runs[self.along.mild])

    def in_order(self) -> list[Run]:
        """The runs from mild to severe."""
        return [self.runs[value] for value in sorted(self.runs, reverse=self.along.severe < self.along.mild)]


def range_of(text: str) -> Range:
    """The range of `KEY=LOW..HIGH`, in the order that is typed. Raises `ConfigError`."""
    key, equals, ends = text.partition("=")
    mild, dots, severe = ends.partition("..")
    first, last = _VALUE.fullmatch(mild), _VALUE.fullmatch(severe)
    if not equals or not key.strip() or not dots or first is None or last is None:
        raise ConfigError(Problem(f"must be KEY=FIRST..LAST, two quantities, {SUCH_AS}; got '{text[:80]}'", OPTION))
    units = {match["unit"] or "" for match in (first, last)}
    if len(units) > 1:
        raise ConfigError(Problem(f"must have one unit at both ends; got '{ends.strip()}'", OPTION))
    low, high = float(first["number"]), float(last["number"])
    if low == high:
        raise ConfigError(Problem(f"must have two different ends; got '{ends.strip()}'", OPTION))
    whole = units == {""} and all(re.fullmatch(r"\d+", match["number"]) for match in (first, last))
    return Range(key.strip(), low, high, units.pop(), whole)


def holds(what: What, one: Run, mild: Run) -> bool:
    """Whether a run is collapsed after its burst (`trigger`), or has recovered from it (`escape`).

    A burst that is too small to be told from what is usual is no burst for a summary. Such a run is collapsed if it
    ends much worse than the one at the mild end of the range does.
    """
    state = number(one.summary or {}, "recovery.state")
    if what == "escape":
        return bool(state == RECOVERED)
    if state is not None:
        return bool(state == METASTABLE)
    end, usual = one.in_time_at_end_share, mild.in_time_at_end_share
    return end is not None and usual is not None and end < NORMAL_SHARE * usual


def find(source: str | Path, sets: Sequence[str], what: What, along: Range, watch: Watch | None = None) -> Found:
    """The first value of a range at which a service is collapsed, or recovers, to `TOLERANCE_SHARE` of the range.

    Raises `ConfigError` for values that the scenario cannot have (both ends are looked at before anything is run), for
    a run that fails, and where there is nothing to find: no burst in any run.
    """
    ends = {value: point(source, sets, {along.key: along.text(value)}) for value in (along.mild, along.severe)}
    search = _Search(what, along, lambda value: point(source, sets, {along.key: along.text(value)}), watch)
    for value, each in ends.items():
        search.run(value, each)
    bracket = search.bracket()
    if bracket is None and all(number(one.summary or {}, "recovery") is None for one in search.runs.values()):
        told = "no run has a burst to recover from; let the workload have one (such as arrivals of kind spike)"
        raise ConfigError(Problem(told, along.key))
    return Found(what, along, search.runs, bracket, search.against(bracket))


class _Search:
    """The runs made, and where the next one has to be."""

    def __init__(self, what: What, along: Range, at: Callable[[float], Point], watch: Watch | None) -> None:
        self.what = what
        self.along = along
        self.at = at
        self.watch = watch
        self.runs: dict[float, Run] = {}

    def run(self, value: float, made: Point | None = None) -> bool:
        """Whether it holds at a value; run if it was not yet."""
        if value not in self.runs:
            one = run(self.at(value) if made is None else made, self.watch)
            if one.error is not None:
                raise ConfigError(Problem(f"the run at {self.along.text(value)} failed: {one.error}", self.along.key))
            self.runs[value] = one
        return self.holds(value)

    def holds(self, value: float) -> bool:
        """The same of a value that has been run."""
        return holds(self.what, self.runs[value], self.runs[self.along.mild])

    def bracket(self) -> tuple[float, float] | None:
        """From where it does not hold to where it does, near enough to each other."""
        along = self.along
        if self.run(along.mild):
            return along.mild, along.mild
        without, held = along.mild, along.severe
        if not self.run(along.severe):
            inside = next((value for value in self._quarters() if self.run(value)), None)
            if inside is None:
                return None
            held = inside
        while abs(held - without) > along.step:
            middle = along.between(without, held)
            if middle in (without, held):
                break
            if self.run(middle):
                held = middle
            else:
                without = middle
        return without, held

    def _quarters(self) -> list[float]:
        """Three values inside the range."""
        middle = self.along.between(self.along.mild, self.along.severe)
        inside = (self.along.between(self.along.mild, middle), middle, self.along.between(middle, self.along.severe))
        return list(dict.fromkeys(inside))

    def against(self, bracket: tuple[float, float] | None) -> tuple[float, ...]:
        """Values that contradict the answer, after a look at the middle of what is on either side of it."""
        if bracket is None:
            return ()
        without, held = bracket
        for one, other in ((self.along.mild, without), (held, self.along.severe)):
            if abs(other - one) > self.along.step:
                self.run(self.along.between(one, other))
        sign = math.copysign(1.0, self.along.severe - self.along.mild)
        wrong = [value for value in self.runs if self.holds(value) != (sign * value >= sign * held)]
        return tuple(sorted(wrong, reverse=sign < 0))
