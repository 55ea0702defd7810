"""Requests leave: answered, turned away, given up, or lost with their replica."""

from __future__ import annotations

import math

from sim.model import clients, lines, timers
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import ABANDONED, COMPLETED, FAILED, REJECTED, TIMED_OUT, UNFINISHED, State

EXTRAS = True
"""False while compiled for runs that have none of these (see compiled.widen)."""


@compiled
def finish(s: State, r: int, client_s: float, now_s: float) -> None:
    """Request r is answered; `client_s` is when the client has all of it."""
    request = s.requests[r]
    run = s.run[0]
    run["last_finish_s"] = max(run["last_finish_s"], client_s)
    if EXTRAS and run["calls"] == 1:
        finish_call(s, r, client_s, now_s)
        return
    request["finish_s"] = client_s
    request["outcome"] = COMPLETED
    gone(s)
    answer(s, r)


@compiled_apart
def finish_call(s: State, r: int, client_s: float, now_s: float) -> None:
    """Request r is answered; its client may have gone, or may go before the answer gets to it."""
    request = s.requests[r]
    gone(s)
    if request["outcome"] != UNFINISHED:
        in_vain(s, r, now_s)
        return
    late_s = clients.deadline_s(s, r, client_s)
    if s.calls[r]["beaten"] == 1:
        request["outcome"] = ABANDONED
        request["finish_s"] = now_s
        in_vain(s, r, now_s)
    elif late_s < math.inf:
        request["outcome"] = TIMED_OUT
        request["finish_s"] = late_s
        in_vain(s, r, now_s)
    else:
        request["outcome"] = COMPLETED
        request["finish_s"] = client_s
    if request["outcome"] != COMPLETED and request["first_token_s"] > request["finish_s"]:
        request["first_token_s"] = math.nan  # its client has not seen it
    call = s.calls[r]
    if request["outcome"] == COMPLETED and call["thens"] == 0 and call["twin"] == r:
        timers.drop(s, r)  # as nearly all are: nothing follows
    else:
        clients.over(s, r, now_s, float(request["finish_s"]))
    answer(s, r)


@compiled
def in_vain(s: State, r: int, now_s: float) -> None:
    """Request r has been served to its end, for nobody."""
    request = s.requests[r]
    s.calls[r]["left_s"] = now_s
    s.calls[r]["prefilled"] = request["prompt_tokens"] - request["cached_tokens"]
    request["done_tokens"] = request["output_tokens"]


@compiled
def reject(s: State, r: int, silent: int, now_s: float) -> None:
    """Request r is turned away at once; after its prefill, if the pool that decodes has no place for it.

    `silent`: 1 if nobody tells its client. It then hears of it when the next of its timeouts is over, if it has any
    (patience is none); what it does then is settled now, and what it held back may go now.
    """
    request = s.requests[r]
    request["outcome"] = REJECTED
    if now_s > request["arrival_s"] or not math.isnan(request["start_s"]):
        request["finish_s"] = now_s
    gone(s)
    if EXTRAS and s.run[0]["calls"] == 1:
        reject_call(s, r, silent, now_s)
    answer(s, r)


@compiled_apart
def reject_call(s: State, r: int, silent: int, now_s: float) -> None:
    """The client of a rejected request hears of it: at once, or when it would have given up, if nobody tells it."""
    request = s.requests[r]
    call = s.calls[r]
    heard_s = now_s
    if math.isnan(request["start_s"]):
        call["left_s"] = now_s
    if silent == 1 and call["beaten"] == 0:
        limit_s = min(float(request["arrival_s"] + call["total_timeout_s"]), float(call["token_due_s"]))
        first_s = float(request["arrival_s"] + call["first_token_timeout_s"])
        if first_s < limit_s and not clients.first_token_seen(s, r, first_s):
            limit_s = first_s
        if now_s < limit_s < math.inf:
            heard_s = limit_s
    if heard_s > request["arrival_s"]:
        request["finish_s"] = heard_s
    clients.over(s, r, now_s, heard_s)
    s.run[0]["retry_after_s"] = 0.0


@compiled_apart
def give_up(s: State, r: int, outcome: int, now_s: float) -> None:
    """The client of request r has had enough: for it, that is the end. Where the request is is another matter."""
    request = s.requests[r]
    request["outcome"] = outcome
    request["finish_s"] = now_s
    if request["first_token_s"] > now_s:
        request["first_token_s"] = math.nan  # on its way, or foreseen: its client has not seen it
    run = s.run[0]
    run["last_finish_s"] = max(run["last_finish_s"], now_s)
    clients.over(s, r, now_s, now_s)
    answer(s, r)


def fail(s: State, r: int, now_s: float) -> None:
    """Request r ends with the replica that served it or held it in its queue. Rare, so not compiled by itself."""
    request = s.requests[r]
    request["outcome"] = FAILED
    request["finish_s"] = now_s
    if request["first_token_s"] > now_s:
        request["first_token_s"] = math.nan  # on its way, or foreseen: its client has not seen it
    gone(s)
    run = s.run[0]
    run["last_finish_s"] = max(float(run["last_finish_s"]), now_s)
    if run["calls"] == 1:
        clients.over(s, r, now_s, now_s)
    answer(s, r)


@compiled
def gone(s: State) -> None:
    """A request is in the system no more."""
    run = s.run[0]
    run["in_system"] -= 1
    run["finished"] += 1


@compiled
def answer(s: State, r: int) -> None:
    """The client of request r has heard: one less in flight, and the next one that it held back may go."""
    stream = int(s.requests[r]["stream"])
    line = len(s.pools) + len(s.replicas) + stream
    client = s.queues[line]
    if client["length"] == 0:
        client["in_flight"] -= 1
    else:
        lines.append(s.queues, s.requests, len(s.queues) - 1, lines.pop(s.queues, s.requests, line))
