"""When charges are: hours or days of a run as instants in UTC, and the calendar months in which they are billed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP_S = {"hour": 3600.0, "day": 86_400.0}


@dataclass(frozen=True)
class Periods:
    """The measured window of a run, cut at whole hours or days; the first and last may be shorter."""

    starts: date
    """The day of the run's hour 0."""
    from_s: float
    to_s: float
    by: str
    """`hour` or `day`."""

    @cached_property
    def edges_s(self) -> Array:
        """Increasing, shape (periods + 1,)."""
        step_s = STEP_S[self.by]
        inner_s = np.arange(math.floor(self.from_s / step_s) + 1, math.ceil(self.to_s / step_s)) * step_s
        return np.concatenate(([self.from_s], inner_s, [self.to_s]))

    @cached_property
    def month_edges_s(self) -> Array:
        """The same window, cut where calendar months begin."""
        edges_s, month = [self.from_s], month_of(self.at(self.from_s))[1]
        while (begins_s := (month - self._origin).total_seconds()) < self.to_s:
            edges_s.append(begins_s)
            month = month_of(month)[1]
        return np.array([*edges_s, self.to_s])

    def at(self, at_s: float) -> datetime:
        """An instant of the run, in UTC."""
        return self._origin + timedelta(seconds=at_s)

    def columns(self, from_s: float, to_s: float) -> dict[str, datetime]:
        """The four columns that say when; ends are exclusive, whole seconds outwards."""
        begins, ends = self.at(math.floor(from_s)), self.at(math.ceil(to_s))
        month, next_month = month_of(begins)
        return {
            "ChargePeriodStart": begins,
            "ChargePeriodEnd": ends,
            "BillingPeriodStart": month,
            "BillingPeriodEnd": next_month,
        }

    def place_of(self, at_s: float) -> int | None:
        """The period that an instant is in, if any."""
        if not self.from_s <= at_s < self.to_s:
            return None
        return int(np.searchsorted(self.edges_s, at_s, side="right")) - 1

    @property
    def _origin(self) -> datetime:
        return datetime.combine(self.starts, time(), UTC)


def month_of(at: datetime) -> tuple[datetime, datetime]:
    """The beginnings of an instant's calendar month and of the next."""
    month = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return month, (month + timedelta(days=32)).replace(day=1)
