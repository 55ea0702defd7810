"""Overload as a fluid: arrivals pour in at a rate that changes, servers let out at most their capacity.

What is random around it is left out, so there is no queue below capacity. It is the limit of large fleets in long
overload (Newell, "Applications of Queueing Theory", 2nd ed. 1982, chapter 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Backlog:
    """How a backlog goes over a grid of instants; requests wait only for capacity."""

    at_s: Floats
    """Shape (instants,), rising."""
    waiting: Floats
    """Shape (instants,): requests beyond what is in service."""
    arrived: Floats
    """Shape (instants,): all that came until then."""
    capacity_per_s: float

    @property
    def peak(self) -> float:
        """The most that wait at once."""
        return float(self.waiting.max())

    @property
    def peak_at_s(self) -> float:
        """When that is."""
        return float(self.at_s[int(self.waiting.argmax())])

    @property
    def grows_from_s(self) -> float | None:
        """When the queue that becomes the longest starts to grow; None if none ever does."""
        if not self.peak > 0:
            return None
        empty = np.flatnonzero(self.waiting[: int(self.waiting.argmax())] <= 0)
        return float(self.at_s[empty[-1]]) if len(empty) else float(self.at_s[0])

    @property
    def worked_off_s(self) -> float | None:
        """When that queue is gone; if arrivals end before, at full capacity after them. None if there is none."""
        if not self.peak > 0:
            return None
        top = int(self.waiting.argmax())
        empty = np.flatnonzero(self.waiting[top:] <= 0)
        if len(empty):
            return float(self.at_s[top + empty[0]])
        return float(self.at_s[-1] + self.waiting[-1] / self.capacity_per_s) if self.capacity_per_s > 0 else None

    @property
    def overloaded_s(self) -> float:
        """How long somebody waits, until arrivals end."""
        gaps = np.diff(self.at_s)
        return float(gaps[(self.waiting[1:] > 0) | (self.waiting[:-1] > 0)].sum())

    @property
    def longest_wait_s(self) -> float:
        """What who comes at the peak waits."""
        return self.peak / self.capacity_per_s

    def mean_wait_s(self, from_s: float = 0.0) -> float:
        """Mean wait of those who come from then on, however long after the end they are served."""
        came, wait_s = self._since(from_s)
        total = float(came.sum())
        return float(came @ wait_s) / total if total > 0 else 0.0

    def wait_exceeds(self, wait_s: float, from_s: float = 0.0) -> float:
        """Share of those who come from then on that wait longer than this."""
        came, waits_s = self._since(from_s)
        total = float(came.sum())
        return float(came[waits_s > wait_s].sum()) / total if total > 0 else 0.0

    def mean_waiting(self, from_s: float = 0.0) -> float:
        """How many wait on average over time, from then to the end of arrivals."""
        kept = self.at_s[1:] > from_s
        gaps = np.diff(self.at_s)[kept]
        middle = ((self.waiting[1:] + self.waiting[:-1]) / 2)[kept]
        return float(gaps @ middle / gaps.sum()) if gaps.sum() > 0 else 0.0

    def _since(self, from_s: float) -> tuple[Floats, Floats]:
        """Who comes between two instants, and what they wait."""
        kept = self.at_s[1:] > from_s
        came = np.diff(self.arrived)[kept]
        middle = ((self.waiting[1:] + self.waiting[:-1]) / 2)[kept]
        return came, middle / self.capacity_per_s


def backlog(at_s: Floats, arrived: Floats, capacity_per_s: float) -> Backlog:
    """The backlog of cumulative arrivals, shape (instants,), served at no more than a capacity in requests a second."""
    spare = arrived - capacity_per_s * at_s
    waiting = spare - np.minimum.accumulate(spare)
    # rounding of a sum of millions must not look like a queue
    waiting[waiting < 1e-9 * max(float(arrived[-1]), 1.0)] = 0.0
    return Backlog(at_s, waiting, arrived, capacity_per_s)
