"""The work that a pool's replicas have done up to a time: each request's, spread evenly over the time that it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED, FAILED
from sim.model.work import WorkLaw
from sim.result.attempts import in_vain

if TYPE_CHECKING:
    from sim.result.log import RunLog

CHUNK_ROWS = 1 << 19
"""Rows looked at together: bounds the memory, whatever the size of the run."""


def work_done_s(log: RunLog, place: int, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replica-seconds of work done from the run's start up to each of `edges_s` (non-decreasing), same shape.

    Of requests that were answered: what a replica did for others is wasted or lost. For slots it is exact, at every
    sample and decision, and of all requests: a slot's share of its replica while it is taken.
    """
    law = log.work[place]
    if law.s_per_service_s > 0:
        samples = log.samples[log.samples["pool"] == place]
        decided = [row for row in log.decisions if row.pool == log.pools[place]]
        at_s = np.concatenate((samples["at_s"], [row.at_s for row in decided]))
        running_s = np.concatenate((samples["running_s"], [row.running_s for row in decided]))
        at_s, first = np.unique(at_s, return_index=True)
        return np.asarray(np.interp(edges_s, at_s, running_s[first]) * law.s_per_service_s)
    if log.tally is not None:
        return log.tally.work_done_s(law, edges_s)
    ramps = _Ramps(edges_s)
    for first_row in range(0, len(log.requests), CHUNK_ROWS):
        rows = log.requests[first_row : first_row + CHUNK_ROWS]
        rows = rows[(rows["outcome"] == COMPLETED) & law.comes(rows)]
        _add(ramps, law, rows, rows["finish_s"].copy())
    return ramps.at_edges()


def work_wasted_s(log: RunLog, place: int, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replica-seconds of work, up to each of `edges_s`, done for attempts whose clients had gone or sent them again.

    Of slots it is part of `work_done_s`; of batches it is not. Where clients just wait, nothing.
    """
    if log.calls is None:
        return np.zeros(len(edges_s))
    law = log.work[place]
    ramps = _Ramps(edges_s)
    for first_row in range(0, len(log.requests), CHUNK_ROWS):
        chunk = slice(first_row, first_row + CHUNK_ROWS)
        rows, until_s = _as_far_as_served(law, log.requests[chunk], log.calls[chunk])
        if law.s_per_service_s > 0:
            own = rows["pool"] == law.pool
            ramps.add(rows["start_s"][own], until_s[own], np.full(int(own.sum()), law.s_per_service_s))
            continue
        own = law.comes(rows)
        _add(ramps, law, rows[own], until_s[own])
    return ramps.at_edges()


def phases_of_attempts_s(
    law: WorkLaw, rows: NDArray[np.void], calls: NDArray[np.void] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Replica-seconds that each attempt has taken of a pool, answered or not: in prefill, in decoding; shape (n,) each.

    Slots have no phases: all that they are taken for is in the second.
    """
    answered = rows["outcome"] == COMPLETED
    prefill_s, decode_s = (np.where(answered, each_s, 0.0) for each_s in law.phases_s(rows))
    if calls is None:
        return prefill_s, decode_s
    begun, until_s = _as_far_as_served(law, rows, calls)
    lost, comes = _served_in_vain(law, rows, calls), law.comes(begun)
    taken = law.phases_s(begun)
    if law.s_per_service_s > 0:
        taken = np.zeros(len(begun)), (until_s - begun["start_s"]) * law.s_per_service_s
    prefill_s[lost], decode_s[lost] = (np.where(comes, each_s, 0.0) for each_s in taken)
    return prefill_s, decode_s


def _served_in_vain(law: WorkLaw, rows: NDArray[np.void], calls: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which attempts a replica had worked on when they ended without an answer, shape (n,)."""
    lost = in_vain(rows) & ~np.isnan(_left_s(rows, calls))
    return lost if law.s_per_service_s > 0 else lost & (calls["prefilled"] + rows["done_tokens"] > 0)


def _left_s(rows: NDArray[np.void], calls: NDArray[np.void]) -> NDArray[np.float64]:
    """When attempts without an answer left their replica; NaN for those that were at none.

    Who failed was there until it ended, unless it had come from another one that ended before.
    """
    failed = (rows["outcome"] == FAILED) & (rows["lost"] == 1) & np.isnan(calls["left_s"])
    return np.where(failed, rows["finish_s"], calls["left_s"])


def _as_far_as_served(
    law: WorkLaw, rows: NDArray[np.void], calls: NDArray[np.void]
) -> tuple[NDArray[np.void], NDArray[np.float64]]:
    """The attempts that were worked on in vain, with the tokens that had been computed of them, and when they left."""
    lost = _served_in_vain(law, rows, calls)
    begun, until_s = rows[lost], _left_s(rows, calls)[lost]
    begun["prompt_tokens"] = begun["cached_tokens"] + calls["prefilled"][lost]
    begun["output_tokens"] = begun["done_tokens"]
    return begun, until_s


class _Ramps:
    """Work that is done evenly from one instant to another, summed.

    At an edge such a piece has done rate * (edge - start), as long as that is before its end; so sums of rates, and of
    rates times instants, over those that have begun or ended.
    """

    def __init__(self, edges_s: NDArray[np.float64]) -> None:
        self.edges_s = edges_s
        self.rate, self.moment = np.zeros(len(edges_s) + 1), np.zeros(len(edges_s) + 1)
        self.origin_s = float(edges_s[0])

    def add(self, from_s: NDArray[np.float64], to_s: NDArray[np.float64], rates: NDArray[np.float64]) -> None:
        for at_s, each in ((from_s, rates), (to_s, -rates)):
            bins = np.searchsorted(self.edges_s, at_s, side="left")
            self.rate += np.bincount(bins, weights=each, minlength=len(self.rate))
            self.moment += np.bincount(bins, weights=each * (at_s - self.origin_s), minlength=len(self.rate))

    def at_edges(self) -> NDArray[np.float64]:
        done = np.cumsum(self.rate)[:-1] * (self.edges_s - self.origin_s) - np.cumsum(self.moment)[:-1]
        return np.asarray(done)


def _add(ramps: _Ramps, law: WorkLaw, rows: NDArray[np.void], to_s: NDArray[np.float64]) -> None:
    """The work of requests of a pool that batches, from their start there to their end there.

    Who was handed over went when the first token came, or, if the client had gone by then, at the end.
    """
    went_s = np.where(np.isnan(rows["first_token_s"]), to_s, rows["first_token_s"])
    went_s = np.clip(went_s, rows["start_s"], np.maximum(to_s, rows["start_s"]))
    from_s = np.where(law.handed(rows), went_s, rows["start_s"])
    if law.hands_over:
        to_s = np.where(rows["handed"] > 0, went_s, to_s)
    from_s = np.minimum(from_s, to_s - 1e-9 - 1e-15 * to_s)  # work takes some time, if little
    ramps.add(from_s, to_s, law.work_s(rows) / (to_s - from_s))
