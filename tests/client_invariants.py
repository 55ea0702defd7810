"""What holds of clients in every run: attempts, twins, deadlines, retries; and of requests with all their attempts.

Part of `tests.invariants`; computed again from the rows, by other means than the code that it checks. A run whose
clients just wait has none of this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import ABANDONED, COMPLETED, FAILED, NONE, REJECTED, TIMED_OUT, UNFINISHED
from sim.result import RunLog
from sim.result.attempts import OUTCOME_ORDER


def clients(log: RunLog, *, held: bool = False) -> None:
    """All of it, for a run whose clients do more than wait; `held`: some of them hold back what they send."""
    if log.calls is None:
        assert log.logical is log.requests
        return
    assert len(log.calls) == len(log.requests)
    links(log.requests, log.calls, held)
    attempts(log.requests, log.calls, held)
    given_up(log.requests, log.calls)
    deadlines(log.requests, log.calls)
    whole = as_users_see(log)
    for name, column in whole.items():
        np.testing.assert_array_equal(log.logical[name], column, err_msg=f"{name} of requests with all attempts")
    assert log.logical["attempts"].sum() == len(log.requests), "an attempt of no request, or of two"


def ended_s(rows: NDArray[Any]) -> NDArray[Any]:
    """When each attempt was over for its client."""
    end_s = rows["finish_s"].copy()
    at_once = (rows["outcome"] == REJECTED) & np.isnan(end_s)
    end_s[at_once] = rows["arrival_s"][at_once]
    end_s[rows["outcome"] == UNFINISHED] = np.inf
    assert not np.isnan(end_s).any(), "an attempt is over, and nobody knows when"
    return np.asarray(end_s)


def links(rows: NDArray[Any], calls: NDArray[Any], held: bool) -> None:
    """Every attempt was sent, and is one at the request of an earlier row that wants the same.

    `held`: some may wait at their clients, if the fleet never serves those before them.
    """
    place = np.arange(len(rows))
    first = calls["first"]
    assert ((first >= 0) & (first <= place)).all(), "a first attempt after a later one"
    assert (first[first] == first).all(), "the first attempt of a first attempt"
    assert np.isfinite(rows["arrival_s"]).all(), "a row that was never sent"
    unsent = rows[calls["sent"] == 0]
    assert held or not len(unsent), "not sent, and in the log"
    assert (unsent["outcome"] == UNFINISHED).all(), "not sent, and over"
    assert np.isnan(unsent["start_s"]).all(), "not sent, and served"
    for name in ("stream", "prompt_tokens", "output_tokens"):
        assert (rows[name] == rows[name][first]).all(), f"attempts at one request differ in {name}"
    for name in ("session", "turn", "patience_s", "first_token_timeout_s", "token_timeout_s", "total_timeout_s"):
        assert (calls[name] == calls[name][first]).all(), f"attempts at one request differ in {name}"
    for name in ("before", "then"):
        known = calls[name] != NONE
        assert ((calls[name] >= 0) & (calls[name] < len(rows)))[known].all(), f"{name} is no row"


def attempts(rows: NDArray[Any], calls: NDArray[Any], held: bool) -> None:
    """Attempts are numbered as they were sent; each after the end of the one before, a copy while its own lasts."""
    end_s = ended_s(rows)
    order = np.lexsort((np.arange(len(rows)), calls["first"]))
    first, attempt, copy = (calls[name][order].astype(int) for name in ("first", "attempt", "copy"))
    arrival_s, end_s, done = rows["arrival_s"][order], end_s[order], rows["outcome"][order] == COMPLETED
    same = np.diff(first) == 0
    begins = np.append(True, ~same)[: len(first)]
    assert ((attempt == 1) & (copy == 0))[begins].all(), "a first attempt that is not the first"
    again, copied = same & (np.diff(copy) <= 0), same & (np.diff(copy) > 0)
    assert ((np.diff(attempt) == 1) & (copy[1:] == 0))[again].all(), "attempts out of order"
    # one that its client held back until another was first is not in the log
    assert (np.diff(attempt) == 0)[copied].all(), "copies out of order"
    if not len(first):
        return
    starts = np.flatnonzero(np.append(True, ~same | again)[: len(first)])
    over_s = np.maximum.reduceat(end_s, starts)
    next_one = starts[1:][again[starts[1:] - 1]]  # those that are sent again, and of the one before
    before = np.searchsorted(starts, next_one) - 1
    assert (arrival_s[next_one] >= over_s[before]).all(), "sent again before the last attempt was over"
    original = starts[np.searchsorted(starts, np.flatnonzero(copy > 0), side="right") - 1]
    assert held or (end_s[original] >= arrival_s[copy > 0]).all(), "a copy of what was over"
    number = np.cumsum(begins) - 1
    assert np.bincount(number[done], minlength=1).max() <= 1, "answered twice"
    last = np.maximum.reduceat(attempt, np.flatnonzero(begins))
    assert (attempt[done] == last[number[done]]).all(), "sent again after an answer"
    answer_s = np.full(len(last), np.inf)
    answer_s[number[done]] = end_s[done]
    # a copy that was rejected unheard ends when its client would have heard
    heard = rows["outcome"][order] != REJECTED
    assert (end_s <= answer_s[number])[heard].all(), "a twin outlived the answer"


def given_up(rows: NDArray[Any], calls: NDArray[Any]) -> None:
    """Who was answered took nothing from anybody; of the others something may have been computed, and left behind."""
    outcome, left_s, start_s = rows["outcome"], calls["left_s"], rows["start_s"]
    left = ~np.isnan(left_s)
    assert not left[outcome == COMPLETED].any(), "answered, and left its replica for nothing"
    assert not (left_s < np.where(np.isnan(start_s), rows["arrival_s"], start_s)).any(), "left before it came"
    assert (calls["prefilled"] >= 0).all()
    failed = outcome == FAILED  # its replica left it
    assert not calls["prefilled"][~left & ~failed].any(), "computed for one that never left a replica"
    assert (calls["prefilled"] <= rows["prompt_tokens"] + rows["output_tokens"]).all(), "computed more than there is"
    assert (rows["done_tokens"] <= rows["output_tokens"])[left].all(), "more tokens done than asked for"
    assert not (calls["given_up"][np.isnan(left_s)] == 1).any(), "still at a replica, and its client has gone"
    gone = (outcome == ABANDONED) | (outcome == TIMED_OUT)
    assert np.isfinite(rows["finish_s"])[gone].all(), "given up, and never"
    for name in ("start_s", "first_token_s"):
        assert not (rows[name] > rows["finish_s"])[gone].any(), f"{name} after its client had gone"


def deadlines(rows: NDArray[Any], calls: NDArray[Any]) -> None:
    """Clients go when they said they would, to the bit; nobody who was answered was to be gone by then."""
    outcome, arrival_s, finish_s = rows["outcome"], rows["arrival_s"], rows["finish_s"]
    due_s = {name: arrival_s + calls[f"{name}_s"] for name in ("patience", "first_token_timeout", "total_timeout")}
    late = outcome == TIMED_OUT
    right = (finish_s == due_s["total_timeout"]) | (finish_s == due_s["first_token_timeout"])
    right |= (calls["token_timeout_s"] < np.inf) & (finish_s > arrival_s + calls["token_timeout_s"])
    assert right[late].all(), "timed out at another time than its own"
    lost = outcome == ABANDONED
    waited = np.isnan(rows["start_s"]) & (finish_s == due_s["patience"])
    numbers = calls["first"].astype(np.int64) * (int(calls["attempt"].max(initial=0)) + 1) + calls["attempt"]
    twins = np.unique(numbers, return_inverse=True, return_counts=True)
    assert (waited | (twins[2][twins[1]] > 1))[lost].all(), "gave up, and neither its patience nor a twin says so"
    assert not (finish_s > due_s["total_timeout"]).any(), "there after its deadline"
    served = outcome == COMPLETED
    seen = calls["answering"] == 1  # of a replica that was lost later
    assert not (rows["first_token_s"] > due_s["first_token_timeout"])[served & ~seen].any(), "a first token too late"
    assert not (rows["start_s"] > due_s["patience"]).any(), "started, and its client had lost patience"


def as_users_see(log: RunLog) -> dict[str, NDArray[Any]]:
    """Columns of requests with all their attempts, one row a first attempt; by a sort of all attempts."""
    rows, calls = log.requests, log.calls
    assert calls is not None
    keys = (calls["copy"], calls["attempt"], ended_s(rows), rows["outcome"] == COMPLETED, calls["first"])
    order = np.lexsort(keys)
    counts = order[np.append(np.diff(calls["first"][order]) != 0, True)[: len(order)]]
    columns = {name: rows[name][counts] for name in ("start_s", "first_token_s", "finish_s", "outcome", "pool")}
    columns["arrival_s"] = rows["arrival_s"][calls["first"][counts]]
    columns["attempts"] = np.bincount(calls["first"], minlength=len(rows))[calls["first"][counts]]
    return columns


def attempts_told(log: RunLog, told: dict[str, Any], start_s: float, end_s: float, whole: bool) -> None:
    """The summary's attempts are all of those at the requests of the window; `whole`: it has no end."""
    block = told["attempts"]
    assert block["sent"] == sum(block[name] for name in OUTCOME_ORDER)
    if log.calls is None:
        assert {name: block[name] for name in OUTCOME_ORDER} == {name: told["requests"][name] for name in OUTCOME_ORDER}
        return
    came_s = log.requests["arrival_s"][log.calls["first"]]
    sent = int(((came_s >= start_s) & ((came_s < end_s) | whole)).sum())
    assert block["sent"] == sent >= told["requests"]["arrived"]
    for pool in told["pools"].values():
        assert pool["attempts"]["sent"] == sum(pool["attempts"][name] for name in OUTCOME_ORDER)
    assert sum(pool["attempts"]["sent"] for pool in told["pools"].values()) == sent
    wasted = block["wasted"]
    assert min(wasted.values()) >= 0
    assert wasted["attempts"] <= sent - told["requests"]["completed"]
