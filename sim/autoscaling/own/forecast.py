"""Forecasts of a load from what was seen of it, kept up online: seasonal naive and Holt-Winters over bins of time.

A season is cut into bins (10 minutes of a day). A bin's value is the mean of its samples; it is learned when the first
sample of a later bin comes. All of it is a frozen value of bounded size, so it can be a policy's memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

ERRORS_MOST = 288
"""Past errors that are kept: two days of 10-minute bins."""
ERRORS_LEAST = 20
"""Fewer tell no quantile."""

Slots = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Season:
    """What was learned of a season: one slot a bin. Seasonal naive keeps the bin's last value."""

    slots: Slots

    def learned(self, index: int, value: float) -> Season:
        """After bin `index` (counted from time 0) turned out to be `value`."""
        return Season(_with(self.slots, index, value))

    def at(self, index: int) -> float | None:
        """The forecast for bin `index`; None where no season has been seen."""
        return self.slots[index % len(self.slots)]


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Additive Holt-Winters, in Hyndman's form (Forecasting: Principles and Practice, third edition, 8.3).

    The first season only fills the slots; then they become offsets from its mean, where level starts, with trend 0.
    """

    slots: Slots
    gains: tuple[float, float, float]
    """Of level, trend and season, in [0, 1]."""
    first: int | None = None
    latest: int = 0
    level: float | None = None
    trend: float = 0.0

    def learned(self, index: int, value: float) -> Smoothed:
        """After bin `index` (counted from time 0) turned out to be `value`."""
        first = index if self.first is None else self.first
        if self.level is None:
            if index - first < len(self.slots):
                return Smoothed(_with(self.slots, index, value), self.gains, first, index)
            return self._started(first).learned(index, value)
        alpha, beta, gamma = self.gains
        before = self.level + self.trend * (index - self.latest)  # bins without samples only pass
        offset = self.slots[index % len(self.slots)] or 0.0
        level = alpha * (value - offset) + (1 - alpha) * before
        trend = beta * (level - before + self.trend) + (1 - beta) * self.trend
        slots = _with(self.slots, index, gamma * (value - before) + (1 - gamma) * offset)
        return Smoothed(slots, self.gains, first, index, level, trend)

    def _started(self, first: int) -> Smoothed:
        level = fmean(value for value in self.slots if value is not None)
        slots = tuple(0.0 if value is None else value - level for value in self.slots)
        return Smoothed(slots, self.gains, first, self.latest, level)

    def at(self, index: int) -> float | None:
        """The forecast for bin `index`; None before a season has been seen."""
        if self.first is None or self.latest - self.first < len(self.slots) - 1:
            return None
        known = self if self.level is not None else self._started(self.first)
        assert known.level is not None
        ahead = known.level + known.trend * (index - known.latest)
        return max(ahead + (known.slots[index % len(known.slots)] or 0.0), 0.0)


@dataclass(frozen=True, slots=True)
class Missed:
    """How far forecasts were off: those made and not yet due, and the errors (actual - forecast) of those that were."""

    made: tuple[tuple[int, float], ...] = ()
    """Bin, and its forecast."""
    errors: tuple[float, ...] = ()
    """Oldest first."""
    spare: float | None = None
    """Their quantile, at least 0; None while they are few."""

    def told(self, index: int, value: float, quantile: float) -> Missed:
        """After bin `index` turned out to be `value`."""
        due = [value - forecast for bin_, forecast in self.made if bin_ == index]
        made = tuple(one for one in self.made if one[0] > index)
        if not due:
            return Missed(made, self.errors, self.spare)
        errors = (*self.errors, *due)[-ERRORS_MOST:]
        return Missed(made, errors, spare(errors, quantile) if len(errors) >= ERRORS_LEAST else None)

    def foretold(self, index: int, value: float) -> Missed:
        """After a forecast for bin `index`; the first one made for a bin counts."""
        if any(bin_ == index for bin_, _ in self.made):
            return self
        return Missed((*self.made, (index, value)), self.errors, self.spare)


def spare(errors: tuple[float, ...], quantile: float) -> float:
    """The smallest error that at least `quantile` of them do not exceed, at least 0."""
    ordered = sorted(errors)
    return max(ordered[max(math.ceil(quantile * len(ordered)) - 1, 0)], 0.0)


def _with(slots: Slots, index: int, value: float) -> Slots:
    at = index % len(slots)
    return (*slots[:at], value, *slots[at + 1 :])
