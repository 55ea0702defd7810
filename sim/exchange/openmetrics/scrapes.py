"""When samples are taken, and what counts and histograms of instants come to at those times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Counted(NamedTuple):
    """A histogram at each time of a stretch."""

    upto: Ints
    """Shape (times, edges + 1): values at or below each edge, and all of them."""
    total: Floats
    """Shape (times,): the sum of the values."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive samples of one series."""

    first: int
    """Place of its first sample among all."""
    times_s: Floats

    @property
    def count(self) -> int:
        return len(self.times_s)

    def place(self, at_s: Floats) -> Ints:
        """The first sample at which an instant has been; the last one for what comes later (its numbers are final)."""
        return np.minimum(np.searchsorted(self.times_s, at_s, side="left"), self.count - 1)

    def counter(self, at_s: Floats, by: Floats | Ints | None = None) -> Ints:
        """What has come by each sample: instants, or numbers that come with them."""
        added = np.bincount(self.place(at_s), weights=by, minlength=self.count)
        return np.cumsum(np.rint(added).astype(np.int64))

    def there(self, from_s: Floats, to_s: Floats) -> Ints:
        """How many are there at each sample: from their first instant on, up to their second one."""
        steps = np.zeros(self.count + 1, np.int64)
        for times_s, by in ((from_s, 1), (to_s, -1)):
            steps += by * np.bincount(np.searchsorted(self.times_s, times_s, side="left"), minlength=self.count + 1)
        return np.cumsum(steps)[: self.count]

    def histogram(self, at_s: Floats, value: Floats, edges: tuple[float, ...], weight: Ints | None = None) -> Counted:
        """Values that are observed at instants, so many times each."""
        bucket = np.searchsorted(edges, value, side="left")  # a value on an edge is at or below it
        weights = np.ones(len(value), np.int64) if weight is None else weight
        place = self.place(at_s)
        found = np.zeros((self.count, len(edges) + 1), np.int64)
        np.add.at(found, (place, bucket), weights)
        total = np.bincount(place, weights=value * weights, minlength=self.count)
        return Counted(found.cumsum(axis=0).cumsum(axis=1), np.cumsum(total))

    def spread(self, from_s: Floats, to_s: Floats, number: Ints) -> Ints:
        """What has come by each sample of numbers whose first unit comes at one instant, the others evenly up to
        another."""
        begin = np.searchsorted(self.times_s, from_s, side="left")
        end = np.maximum(np.searchsorted(self.times_s, to_s, side="left"), begin)
        samples = end - begin
        which = np.repeat(np.arange(len(number)), samples)
        place = np.arange(len(which)) - np.repeat(np.cumsum(samples) - samples, samples) + begin[which]
        passed = (self.times_s[place] - from_s[which]) / (to_s[which] - from_s[which])
        so_far = 1 + np.floor((number[which] - 1) * passed).astype(np.int64)
        under_way = np.bincount(place, weights=so_far, minlength=self.count)
        return self.counter(to_s, number) + np.rint(under_way).astype(np.int64)


@dataclass(frozen=True)
class Scrapes:
    """Samples every so many seconds, from 0 to the first at which the run is over."""

    every_s: float
    times_s: Floats

    @classmethod
    def of(cls, every_s: float, end_s: float) -> Scrapes:
        return cls(every_s, np.arange(math.ceil(end_s / every_s) + 1, dtype=np.float64) * every_s)

    def between(self, from_s: float, to_s: float) -> Stretch:
        """From the last sample before something comes (all its counts are 0) to the first at which it is gone."""
        first = max(int(np.searchsorted(self.times_s, from_s, side="right")) - 1, 0)
        last = min(int(np.searchsorted(self.times_s, to_s, side="left")), len(self.times_s) - 1)
        return Stretch(first, self.times_s[first : max(last, first) + 1])

    @property
    def all(self) -> Stretch:
        return Stretch(0, self.times_s)
