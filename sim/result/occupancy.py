"""How many requests wait and run, as exact integrals over time, from the rows alone.

A request waits from its arrival to its start and runs from its start to its finish. The integral of a count over a bin
is what was there at the bin's first edge, for the whole bin, plus for each request that comes in the rest of the bin,
minus for each that goes the rest of the bin. Every term is small, so nothing cancels however long the run is.
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


class _Flow:
    """Counts instants by bin, with the seconds left in the bin after each."""

    def __init__(self, edges_s: NDArray[np.float64]) -> None:
        self.edges_s = edges_s
        self.count = np.zeros(len(edges_s) + 1, np.int64)
        self.rest_s = np.zeros(len(edges_s) + 1)
        # Instants before the first edge count in full; those after the last one (and NaN, "never") do not count.
        self._close_s = np.concatenate((edges_s, edges_s[-1:]))

    def add(self, at_s: NDArray[np.float64]) -> None:
        bins = np.searchsorted(self.edges_s, at_s, side="right")  # NaN sorts last
        rest_s = self._close_s[bins] - at_s
        rest_s[bins == len(self.edges_s)] = 0.0
        self.count += np.bincount(bins, minlength=len(self.count))
        self.rest_s += np.bincount(bins, weights=rest_s, minlength=len(self.rest_s))


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
    came, started, left, gone_waiting = (_Flow(edges_s) for _ in range(4))
    for first in range(0, len(requests), CHUNK_ROWS):
        rows = requests[first : first + CHUNK_ROWS]
        finish_s = rows["finish_s"].copy()
        if calls is not None:
            left_s = calls["left_s"][first : first + CHUNK_ROWS]
            finish_s = np.where(np.isnan(left_s), finish_s, left_s)
        if pool is not None:
            chosen = rows["pool"] == pool
            rows, finish_s = rows[chosen], finish_s[chosen]
        start_s = rows["start_s"].copy()
        never_started = np.isnan(start_s)
        came.add(rows["arrival_s"])
        started.add(start_s)
        if never_started.any():
            given_up_s = np.where(np.isnan(finish_s), rows["arrival_s"], finish_s)
            given_up_s[rows["outcome"] == UNFINISHED] = np.nan
            gone_waiting.add(given_up_s[never_started])
            finish_s = finish_s[~never_started]
        left.add(finish_s)
    waiting_s, waiting_at = _integral(came, (started, gone_waiting))
    running_s, running_at = _integral(started, (left,))
    return Occupancy(waiting_s, running_s, waiting_at, running_at)


def _integral(came: _Flow, gone: tuple[_Flow, ...]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    bins = len(came.edges_s) - 1
    count = came.count - sum(flow.count for flow in gone)
    rest_s = came.rest_s - sum(flow.rest_s for flow in gone)
    there = np.cumsum(count)[: bins + 1]  # just before each edge
    return there[:-1] * np.diff(came.edges_s) + rest_s[1 : bins + 1], there
