"""Counts of values in buckets that grow by a factor: quantiles of any number of values, in memory that does not grow.

The buckets are those of OpenTelemetry's exponential histogram at scale 5: 32 to a doubling, bucket i holds what is in
(2^(i/32), 2^((i+1)/32)]. The value told for a bucket is within 1.09 % of all that it may hold. Counts are exact, and
merging adds them, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SCALE = 5
PER_DOUBLING: int = 2**SCALE
LEAST_EXPONENT, MOST_EXPONENT = -30, 40
"""Powers of two between which values are told apart: a nanosecond and 30,000 years, in seconds."""
BUCKETS = (MOST_EXPONENT - LEAST_EXPONENT) * PER_DOUBLING
FIRST = LEAST_EXPONENT * PER_DOUBLING
"""OpenTelemetry's index of the first bucket."""


def bucket_of(values: Floats) -> NDArray[np.int64]:
    """Places of positive values, shape (n,), from 0; those out of range are in the first or the last bucket."""
    fraction, exponent = np.frexp(values)  # exact for powers of two, which a logarithm may miss by a hair
    within = np.ceil(np.log2(fraction) * PER_DOUBLING).astype(np.int64)
    places: NDArray[np.int64] = exponent.astype(np.int64) * PER_DOUBLING + within - 1 - FIRST
    return places.clip(0, BUCKETS - 1)


def upper_edges() -> Floats:
    """The largest value of each bucket, shape (BUCKETS,)."""
    edges: Floats = np.exp2((np.arange(BUCKETS) + 1 + FIRST) / PER_DOUBLING)
    return edges


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many values are in each bucket."""

    counts: NDArray[np.int64]
    """Shape (BUCKETS,)."""
    zeros: int
    """Values of 0."""
    sum: float
    least: float
    """Exact; inf of no values."""
    most: float
    """Exact; -inf of no values."""

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.zeros + int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """The value at a rank of share * (count - 1), within 1.09 % of the exact one of that rank; at least one value.

        The middle of its bucket, in the sense that both ends are as far off, relative to themselves.
        """
        return self._at(share * (self.count - 1))

    def linear(self, share: float) -> float:
        """As numpy's `linear`: on the line between the values of the two nearest ranks; within 1.09 % of that."""
        rank = share * (self.count - 1)
        low, high = self._at(math.floor(rank)), self._at(math.ceil(rank))
        return low + (high - low) * (rank - math.floor(rank))

    def _at(self, rank: float) -> float:
        place = self._place(rank)
        if place < 0:
            return 0.0
        low, high = self._edges(place)
        return min(max(2 * low * high / (low + high), self.least), self.most)

    def interpolated(self, share: float) -> float:
        """The same, taking the values of a bucket as spread evenly over it: nearer as a rule, with no such bound."""
        rank = share * (self.count - 1)
        place = self._place(rank)
        if place < 0:
            return 0.0
        below = self.zeros + int(self.counts[:place].sum())
        low, high = self._edges(place)
        low, high = max(low, self.least), min(high, self.most)
        return low + (high - low) * min((rank - below + 0.5) / int(self.counts[place]), 1.0)

    def at_most(self, limit: float) -> float:
        """The share of values at or under a limit, of its own bucket in proportion; at least one value."""
        if limit >= self.most:
            return 1.0
        if limit <= 0:
            return self.zeros / self.count if limit == 0 else 0.0
        place = int(bucket_of(np.array([limit]))[0])
        low, high = self._edges(place)
        part = self.counts[place] * (limit - low) / (high - low)
        return float(self.zeros + self.counts[:place].sum() + part) / self.count

    def _place(self, rank: float) -> int:
        """The bucket of a rank (from 0), -1 for the zeros."""
        if rank < self.zeros:
            return -1
        at_or_below = self.zeros + np.cumsum(self.counts)
        return min(int(np.searchsorted(at_or_below, math.floor(rank), side="right")), BUCKETS - 1)

    @staticmethod
    def _edges(place: int) -> tuple[float, float]:
        return 2.0 ** ((place + FIRST) / PER_DOUBLING), 2.0 ** ((place + 1 + FIRST) / PER_DOUBLING)


def histogram_of(values: Floats) -> Histogram:
    """The histogram of values of at least 0, shape (n,); NaN: not there."""
    values = values[~np.isnan(values)]
    if not len(values):
        return empty()
    positive = values[values > 0]
    counts = np.bincount(bucket_of(positive), minlength=BUCKETS).astype(np.int64)
    zeros = len(values) - len(positive)
    return Histogram(counts, zeros, float(values.sum()), float(values.min()), float(values.max()))


def empty() -> Histogram:
    """The histogram of no values."""
    return Histogram(np.zeros(BUCKETS, np.int64), 0, 0.0, math.inf, -math.inf)


def merged(histograms: Sequence[Histogram]) -> Histogram:
    """The histogram of all values together, whatever the order."""
    if not histograms:
        return empty()
    return Histogram(
        np.sum([each.counts for each in histograms], axis=0),
        sum(each.zeros for each in histograms),
        math.fsum(each.sum for each in histograms),
        min(each.least for each in histograms),
        max(each.most for each in histograms),
    )
