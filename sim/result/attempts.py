"""Requests as their users see them: what became of each after all its attempts, and how many attempts it took.

An attempt is one sending of a request, and a row of the request table. Latencies count from the first attempt's arrival
to the times of the attempt that brought the answer, or of the one that ended last where none did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED, OUTCOMES, UNFINISHED

if TYPE_CHECKING:
    from sim.result.groups import Group
    from sim.result.log import RunLog
    from sim.result.window import Window

OUTCOME_ORDER = ("completed", "rejected", "abandoned", "timed_out", "failed", "unfinished")
"""The order in which outcomes are shown: what went well first."""

LOGICAL = np.dtype(
    [
        ("arrival_s", "f8"),  # of the first attempt; all the rest is of the attempt that counts
        ("start_s", "f8"),
        ("first_token_s", "f8"),
        ("finish_s", "f8"),
        ("service_s", "f8"),
        ("first", "i4"),  # row of the first attempt
        ("row", "i4"),  # row of the attempt that counts
        ("prompt_tokens", "i4"),
        ("output_tokens", "i4"),
        ("cached_tokens", "i4"),
        ("attempts", "i2"),
        ("pool", "i2"),
        ("stream", "i2"),
        ("outcome", "u1"),
        ("lost", "u1"),  # the most that an attempt lost
    ],
    align=True,
)
"""A request with all its attempts. The columns that the request table has too mean the same here."""

_OF_ANSWER = (
    *("start_s", "first_token_s", "finish_s", "service_s", "prompt_tokens", "output_tokens", "cached_tokens"),
    *("pool", "stream", "outcome"),
)


def logical_rows(requests: NDArray[np.void], calls: NDArray[np.void] | None) -> NDArray[np.void]:
    """Rows of `LOGICAL`, one a first attempt, in arrival order; without `calls` the request table itself.

    `requests`, `calls`: the two tables of a run, row by row, in arrival order.
    """
    if calls is None:
        return requests
    firsts = np.flatnonzero(calls["first"] == np.arange(len(calls)))
    logical = np.zeros(len(firsts), LOGICAL)
    logical["first"] = logical["row"] = firsts
    logical["attempts"] = 1
    logical["lost"] = requests["lost"][firsts]
    for sent in _rounds(calls):
        place = np.searchsorted(firsts, calls["first"][sent])
        best = logical["row"][place]
        logical["row"][place] = np.where(_counts_more(requests, sent, best), sent, best)
        logical["attempts"][place] += 1
        logical["lost"][place] = np.maximum(logical["lost"][place], requests["lost"][sent])
    for name in _OF_ANSWER:
        logical[name] = requests[name][logical["row"]]
    logical["arrival_s"] = requests["arrival_s"][firsts]
    return logical


def _rounds(calls: NDArray[np.void]) -> list[NDArray[np.int64]]:
    """The rows of all but first attempts, in the order of sending, in parts in which no request has two."""
    later = np.flatnonzero(calls["first"] != np.arange(len(calls)))
    # a request has one second attempt and one third, and one first copy and one second of each
    number = calls["attempt"][later].astype(np.int64) * (int(calls["copy"].max(initial=0)) + 1) + calls["copy"][later]
    rounds = np.cumsum(np.bincount(number))
    return [part for part in np.split(later[np.argsort(number, kind="stable")], rounds[:-1]) if len(part)]


def _counts_more(requests: NDArray[np.void], later: NDArray[np.int64], earlier: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether an attempt counts more than an earlier one: one that was completed, else one that ended no sooner."""
    answered = [requests["outcome"][rows] == COMPLETED for rows in (later, earlier)]
    no_sooner = ended_s(requests[later]) >= ended_s(requests[earlier])
    return np.asarray(answered[0] | (no_sooner & ~answered[1]))


def ended_s(rows: NDArray[np.void]) -> NDArray[np.float64]:
    """When attempts were over for their clients, shape (n,): at once if turned away at the door, inf if never."""
    end_s = np.where(np.isnan(rows["finish_s"]), rows["arrival_s"], rows["finish_s"])
    end_s[rows["outcome"] == UNFINISHED] = np.inf
    return np.asarray(end_s)


def attempts_of(log: RunLog, window: Window) -> NDArray[np.bool_] | None:
    """Which rows of the request table are attempts at requests of a window, shape (requests,).

    None where every request is one attempt: the rows of the window are what there is.
    """
    if log.calls is None:
        return None
    firsts = np.append(log.logical["first"], len(log.requests))
    first = log.calls["first"]
    return np.asarray((first >= firsts[window.first]) & (first < firsts[window.last]))


def outcomes(rows: NDArray[np.void], mask: NDArray[np.bool_] | None) -> dict[str, int]:
    """How many rows ended in which way, those of the mask only."""
    outcome = rows["outcome"] if mask is None else rows["outcome"][mask]
    counts = np.bincount(outcome, minlength=len(OUTCOMES)).tolist()
    return {name: counts[OUTCOMES.index(name)] for name in OUTCOME_ORDER}


def attempts_block(
    log: RunLog, group: Group, chosen: NDArray[np.bool_] | None, requests: dict[str, int]
) -> dict[str, Any]:
    """The `attempts` block of a group: all attempts at requests of the window, whenever they were sent.

    `chosen`: as `attempts_of` has them; `requests`: the `requests` block of the same group. Where every request is one
    attempt nothing is counted again.
    """
    ended = {name: requests[name] for name in OUTCOME_ORDER}
    copies, wasted = 0, dict.fromkeys(("attempts", "prompt_tokens", "output_tokens"), 0)
    if log.calls is not None and chosen is not None:
        mask = group.mask(log.requests)
        chosen = chosen if mask is None else chosen & mask
        ended = outcomes(log.requests, chosen)
        copies = int(np.count_nonzero(chosen & (log.calls["copy"] > 0)))
        wasted = _wasted(log.requests, log.calls, chosen)
    sent = sum(ended.values())
    return {
        "sent": sent,
        **ended,
        "amplification": sent / requests["arrived"] if requests["arrived"] else None,
        "hedges": copies,
        "wasted": wasted,
    }


def in_vain(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which attempts were started and ended without an answer, shape (n,)."""
    outcome = rows["outcome"]
    return np.asarray((outcome != COMPLETED) & (outcome != UNFINISHED) & np.isfinite(rows["start_s"]))


def _wasted(rows: NDArray[np.void], calls: NDArray[np.void], chosen: NDArray[np.bool_]) -> dict[str, int]:
    lost = chosen & in_vain(rows)
    return {
        "attempts": int(np.count_nonzero(lost)),
        "prompt_tokens": int(np.sum(calls["prefilled"], where=lost, dtype=np.int64)),
        "output_tokens": int(np.sum(rows["done_tokens"], where=lost, dtype=np.int64)),
    }
