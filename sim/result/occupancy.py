"""How many requests wait and run, as exact integrals over time, from the rows alone.

A request waits from its arrival to its start and runs from its start to its finish. The integral of a count over a bin
is what was there at the bin's first edge, for the whole bin, plus the time of each request that comes and goes in it,
plus for each other one that comes the rest of the bin, minus for each other one that goes the rest of the bin. Large
terms are few, so nothing cancels however long the run or the bin is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import UNFINISHED

if TYPE_CHECKING:
    from sim.result.log import RunLog

CHUNK_ROWS = 1 << 19
"""Rows looked at together: bounds the memory, whatever the size of the run."""


@dataclass(frozen=True)
class Occupancy:
    """Request-seconds in each bin, shape (bins,), of the requests that wait and of those that run."""

    waiting_s: NDArray[np.float64]
    running_s: NDArray[np.float64]
    waiting_at: NDArray[np.int64]
    """Requests that wait just before each edge, shape (bins + 1,)."""
    running_at: NDArray[np.int64]


class _Stay:
    """From when to when requests were somewhere: how many, by bin, came and went, and their seconds in those bins."""

    def __init__(self, edges_s: NDArray[np.float64]) -> None:
        self.edges_s = edges_s
        self.change = np.zeros(len(edges_s) + 1, np.int64)
        self.rest_s = np.zeros(len(edges_s) + 1)
        # Instants before the first edge count in full; those after the last one (and NaN, "never") do not count.
        self._close_s = np.concatenate((edges_s, edges_s[-1:]))

    def add(self, from_s: NDArray[np.float64], to_s: NDArray[np.float64]) -> None:
        came, went = (np.searchsorted(self.edges_s, at_s, side="right") for at_s in (from_s, to_s))  # NaN sorts last
        passing = came != went
        # who comes and goes in one bin is told by the difference, which is exact; `rest_s` of a long bin is not
        self._sum(came[~passing], to_s[~passing] - from_s[~passing])
        came, went = came[passing], went[passing]
        self._sum(came, self._rest_s(came, from_s[passing]))
        self._sum(went, -self._rest_s(went, to_s[passing]))
        self.change += np.bincount(came, minlength=len(self.change)) - np.bincount(went, minlength=len(self.change))

    def _sum(self, bins: NDArray[np.int64], weights_s: NDArray[np.float64]) -> None:
        self.rest_s += np.bincount(bins, weights=weights_s, minlength=len(self.rest_s))

    def _rest_s(self, bins: NDArray[np.int64], at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(bins == len(self.edges_s), 0.0, self._close_s[bins] - at_s)

    def integral(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Request-seconds in each bin, and requests just before each edge."""
        bins = len(self.edges_s) - 1
        there = np.cumsum(self.change)[: bins + 1]
        return there[:-1] * np.diff(self.edges_s) + self.rest_s[1 : bins + 1], there


def occupancy_of(log: RunLog, edges_s: NDArray[np.float64], pool: int | None = None) -> Occupancy:
    """`occupancy` of a run, whether its rows are kept or not."""
    if log.tally is not None:
        return log.tally.occupancy(edges_s, pool)
    return occupancy(log.requests, edges_s, pool, log.calls)


def occupancy(
    requests: NDArray[np.void],
    edges_s: NDArray[np.float64],
    pool: int | None = None,
    calls: NDArray[np.void] | None = None,
) -> Occupancy:
    """Integrate the waiting and the running requests over the bins between `edges_s` (seconds, non-decreasing).

    With `pool`, only the requests sent there. A request still there at the end of the run stays for ever; one that was
    turned away never waited. With `calls` (beside the requests), one whose client gave it up runs until its replica is
    rid of it.
    """
    waiting, running = _Stay(edges_s), _Stay(edges_s)
    for first in range(0, len(requests), CHUNK_ROWS):
        rows = requests[first : first + CHUNK_ROWS]
        finish_s = rows["finish_s"].copy()
        if calls is not None:
            left_s = calls["left_s"][first : first + CHUNK_ROWS]
            finish_s = np.where(np.isnan(left_s), finish_s, left_s)
        if pool is not None:
            chosen = rows["pool"] == pool
            rows, finish_s = rows[chosen], finish_s[chosen]
        start_s = rows["start_s"]
        started = ~np.isnan(start_s)
        given_up_s = np.where(np.isnan(finish_s), rows["arrival_s"], finish_s)
        given_up_s[rows["outcome"] == UNFINISHED] = np.nan
        waiting.add(rows["arrival_s"], np.where(started, start_s, given_up_s))
        running.add(start_s[started], finish_s[started])
    waiting_s, waiting_at = waiting.integral()
    running_s, running_at = running.integral()
    return Occupancy(waiting_s, running_s, waiting_at, running_at)
