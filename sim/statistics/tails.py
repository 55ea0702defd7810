"""What is known of many values of one kind, such as all waits of a run: every one of them, or a histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.statistics import histogram
from sim.statistics.histogram import Histogram

MOST_EXACT = 4_000_000
"""Values of one kind that are kept one by one; more become a histogram."""


@dataclass(frozen=True, eq=False)
class Exact:
    """Every value."""

    values: NDArray[np.float64]
    """Shape (count,), in rising order."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def sum(self) -> float:
        """Their sum."""
        return float(self.values.sum())

    @property
    def most(self) -> float:
        """The largest; at least one value."""
        return float(self.values[-1])

    def interpolated(self, share: float) -> float:
        """A quantile, numpy's `linear` to the bit, but of values that stand in order already; at least one value."""
        rank = share * (self.count - 1)
        below = min(math.floor(rank), self.count - 1)
        left, right = self.values[below], self.values[min(below + 1, self.count - 1)]
        part = rank - below
        return float(left + (right - left) * part if part < 0.5 else right - (right - left) * (1 - part))

    def at_most(self, limit: float) -> float:
        """The share of values at or under a limit; at least one value."""
        return int(np.searchsorted(self.values, limit, "right")) / len(self.values)

    def condensed(self) -> Histogram:
        """As a histogram."""
        return histogram.histogram_of(self.values)


Tail = Exact | Histogram


def exact(values: NDArray[np.float64]) -> Exact:
    """Every value of shape (n,), in any order; NaN: not there."""
    return Exact(np.sort(values[~np.isnan(values)]))


def together(tails: Sequence[Tail]) -> Tail:
    """All values of these: one by one where all are known so and they are not too many, else a histogram."""
    known = [tail for tail in tails if isinstance(tail, Exact)]
    if len(known) == len(tails) and sum(tail.count for tail in known) <= MOST_EXACT:
        return Exact(np.sort(np.concatenate([tail.values for tail in known]), kind="stable"))
    return histogram.merged([tail.condensed() if isinstance(tail, Exact) else tail for tail in tails])
