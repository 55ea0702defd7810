"""The work that a pool's replicas have done up to a time: each request's, spread evenly over the time that it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED

if TYPE_CHECKING:
    from sim.result.log import RunLog

CHUNK_ROWS = 1 << 19
"""Rows looked at together: bounds the memory, whatever the size of the run."""


def work_done_s(log: RunLog, place: int, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replica-seconds of work done from the run's start up to each of `edges_s` (non-decreasing), same shape.

    Of requests that were answered: what a replica did for others is lost. For slots it is exact, at every sample and
    decision: a slot's share of its replica while it is taken.
    """
    law = log.work[place]
    if law.s_per_service_s > 0:
        samples = log.samples[log.samples["pool"] == place]
        decided = [row for row in log.decisions if row.pool == log.pools[place]]
        at_s = np.concatenate((samples["at_s"], [row.at_s for row in decided]))
        running_s = np.concatenate((samples["running_s"], [row.running_s for row in decided]))
        at_s, first = np.unique(at_s, return_index=True)
        return np.asarray(np.interp(edges_s, at_s, running_s[first]) * law.s_per_service_s)
    # a request's work is a ramp from its start to its end: at an edge it has done rate * (edge - start), as long as
    # that is before its end; so sums of rates, and of rates times instants, over those that have begun or ended
    rate, moment = np.zeros(len(edges_s) + 1), np.zeros(len(edges_s) + 1)
    origin_s = float(edges_s[0])
    for first_row in range(0, len(log.requests), CHUNK_ROWS):
        rows = log.requests[first_row : first_row + CHUNK_ROWS]
        rows = rows[(rows["outcome"] == COMPLETED) & law.comes(rows)]
        handed = law.handed(rows)
        from_s = np.where(handed, rows["first_token_s"], rows["start_s"])
        to_s = rows["finish_s"].copy()
        if law.hands_over:
            to_s = np.where(rows["handed"] > 0, rows["first_token_s"], to_s)
        each = law.work_s(rows) / np.maximum(to_s - from_s, 1e-9)
        for at_s, rates in ((from_s, each), (to_s, -each)):
            bins = np.searchsorted(edges_s, at_s, side="left")
            rate += np.bincount(bins, weights=rates, minlength=len(rate))
            moment += np.bincount(bins, weights=rates * (at_s - origin_s), minlength=len(moment))
    return np.asarray(np.cumsum(rate)[:-1] * (edges_s - origin_s) - np.cumsum(moment)[:-1])
