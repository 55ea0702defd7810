"""The timer of a request rings: its KV cache is there, its client gives up, sends it again, or asks the next thing.

Who is given up leaves its queue or slot now, its batch at the next boundary.
"""

from __future__ import annotations

import math

from sim.model import (
    batching,
    clients,
    memory,
    meters,
    outcomes,
    planning,
    queues,
    routing,
    seats,
    slots,
    timers,
    transfer,
    transitions,
)
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import ABANDONED, NONE, TIMED_OUT, UNFINISHED, State


@compiled
def sends_more(s: State, now_s: float) -> bool:
    """Whether the request of the next timer is sent once more now, for which the table needs another row."""
    r = timers.first(s)
    call = s.calls[r]
    if call["sent"] == 0:
        return False
    return bool(s.requests[r]["outcome"] != UNFINISHED or clients.next_copy_s(s, r) <= now_s)


@compiled_apart
def ring(s: State, now_s: float) -> None:
    """What is due to the request of the next timer happens."""
    r = timers.first(s)
    call = s.calls[r]
    if call["link_s"] <= now_s:
        transitions.deliver(s, r, now_s)
    elif call["beaten"] == 1 and call["sent"] == 0:
        call_off(s, r, now_s)
    elif call["sent"] == 0:
        timers.set_to(s, r, math.inf)
        transitions.arrive_apart(s, r, now_s)
    elif s.requests[r]["outcome"] != UNFINISHED:
        call["retry_s"] = math.inf
        clients.arm(s, r)
        transitions.arrive_apart(s, clients.again(s, r, 0, now_s), now_s)
    else:
        outcome = verdict(s, r, now_s)
        copy_s = clients.next_copy_s(s, r)
        if outcome != NONE:
            outcomes.give_up(s, r, outcome, now_s)
            withdraw(s, r, now_s)
        elif copy_s <= now_s and not clients.first_token_seen(s, r, copy_s):
            hedge(s, r, now_s)
        else:
            clients.arm(s, r)  # what it was set for has come in time after all
    if s.queues[len(s.queues) - 1]["length"] > 0:
        transitions.release(s, len(s.replicas), now_s)


@compiled_apart
def call_off(s: State, r: int, now_s: float) -> None:
    """Copy r is not needed any more, and its client, who held it back, never sends it."""
    request = s.requests[r]
    request["outcome"] = ABANDONED
    request["finish_s"] = now_s
    s.queues[len(s.pools) + len(s.replicas) + int(request["stream"])]["length"] -= 1
    s.run[0]["finished"] += 1
    s.calls[r]["retry_s"] = math.inf
    clients.arm(s, r)


@compiled_apart
def hedge(s: State, r: int, now_s: float) -> None:
    """The client of request r sends a copy of it."""
    s.calls[r]["hedged"] += 1
    copy = clients.again(s, r, 0 + int(s.calls[r]["hedged"]), now_s)
    s.calls[copy]["twin"] = s.calls[r]["twin"]
    s.calls[r]["twin"] = copy
    s.run[0]["expected"] += 1
    clients.arm(s, r)
    transitions.arrive_apart(s, copy, now_s)


@compiled
def verdict(s: State, r: int, now_s: float) -> int:
    """The outcome of request r if its client gives it up now; NONE if it does not."""
    call = s.calls[r]
    request = s.requests[r]
    sent_s = float(request["arrival_s"])
    if call["beaten"] == 1:
        return ABANDONED
    if now_s >= sent_s + call["patience_s"] and math.isnan(request["start_s"]):
        return ABANDONED
    if now_s >= sent_s + call["total_timeout_s"] or now_s >= call["token_due_s"]:
        return TIMED_OUT
    limit_s = sent_s + call["first_token_timeout_s"]
    if now_s >= limit_s and not clients.first_token_seen(s, r, limit_s):
        return TIMED_OUT
    return NONE


@compiled_apart
def withdraw(s: State, r: int, now_s: float) -> None:
    """Request r, whose client has gone, leaves its queue or slot now, its batch at the next boundary."""
    request = s.requests[r]
    if request["handed"] == transfer.SENT and s.calls[r]["link_s"] < math.inf:
        return  # it is on a link, and dropped when it has crossed
    row = 0 + int(request["replica"])
    if row == NONE or (request["handed"] == transfer.SENT and not here(s, r, row)):
        leave_pool(s, r, now_s)
        return
    seat = seat_of(s, r, row)
    if seat == NONE:
        leave_queue(s, r, row, now_s)
        return
    s.calls[r]["given_up"] = 1
    make = s.pools[s.replicas[row]["pool"]]
    if make["cancels"] == 0:
        return
    if make["batching"] == 1:
        s.replicas[row]["given_up"] += 1
        batching.cut(s.replicas[row], now_s, True)
        transitions.touch(s, row)
    else:
        leave_slot(s, r, row, seat, now_s)


@compiled
def seat_of(s: State, r: int, row: int) -> int:
    """The seat of request r at replica `row`; NONE if it waits there."""
    seat = 0 + int(s.replicas[row]["newest"])
    while seat != NONE and s.seats[seat]["request"] != r:
        seat = 0 + int(s.seats[seat]["older"])
    return seat


@compiled
def pool_of(s: State, r: int) -> int:
    """The pool that request r is in: its own, or where it decodes after its prefill there."""
    own = 0 + int(s.requests[r]["pool"])
    return own if s.requests[r]["handed"] == transfer.HERE else 0 + int(s.pools[own]["next_pool"])


@compiled
def here(s: State, r: int, row: int) -> bool:
    """Whether replica `row` is one of the pool that request r is in, not the one that it came from."""
    return int(s.pools[s.replicas[row]["pool"]]["home"]) == pool_of(s, r)


@compiled
def leave_pool(s: State, r: int, now_s: float) -> None:
    """Request r leaves the queue of its pool; if it was the first, the next may be served."""
    pool_row = pool_of(s, r)
    pool = s.pools[pool_row]
    was_first = queues.take_out(s, pool_row, r, memory.needed(pool, s.requests[r]))
    outcomes.gone(s)
    if pool["metered"] == 1:
        meters.go(s, pool_row, now_s)
    if was_first and pool["batching"] == 1 and pool["central"] == 1 and s.queues[pool_row]["length"] > 0:
        transitions.dispatch(s, pool_row, len(s.replicas), len(s.replicas), now_s)


@compiled
def leave_queue(s: State, r: int, row: int, now_s: float) -> None:
    """Request r leaves the queue of replica `row`; if it was the first, the next may fit in its batch."""
    replica = s.replicas[row]
    make = s.pools[replica["pool"]]
    line = len(s.pools) + row
    was_first = queues.take_out(s, line, r, memory.needed(make, s.requests[r]))
    replica["outstanding"] -= 1
    replica["tokens"] -= s.requests[r]["prompt_tokens"]
    if s.requests[r]["preempted"] == 1:
        s.calls[r]["left_s"] = now_s  # it had been in the batch
    outcomes.gone(s)
    if make["metered"] == 1:
        meters.go(s, int(make["home"]), now_s)
    if make["batching"] == 1 and was_first and s.queues[line]["length"] > 0:
        planning.attend(s, row, now_s, True)
        transitions.touch(s, row)
    left(s, row, now_s)


@compiled
def leave_slot(s: State, r: int, row: int, seat: int, now_s: float) -> None:
    """Request r leaves its slot, and the next one takes it."""
    replica = s.replicas[row]
    make = s.pools[replica["pool"]]
    slots.settle(replica, now_s)
    seats.leave(s.seats, replica, seat)
    replica["running"] -= 1
    replica["outstanding"] -= 1
    replica["tokens"] -= s.requests[r]["prompt_tokens"]
    s.calls[r]["left_s"] = now_s
    outcomes.gone(s)
    if make["metered"] == 1:
        meters.go(s, int(make["home"]), now_s)
    slots.fill(s, row, now_s)
    slots.next_wake(s, row)
    transitions.touch(s, row)
    left(s, row, now_s)


@compiled
def left(s: State, row: int, now_s: float) -> None:
    """Replica `row` has one request less: routers see it, and control if it was the last of one that drains."""
    routing.refresh(s, row, now_s)
    make = s.pools[s.replicas[row]["pool"]]
    if make["central"] == 1 and make["batching"] == 1 and s.queues[int(make["home"])]["length"] > 0:
        transitions.dispatch(s, int(make["home"]), len(s.replicas), len(s.replicas), now_s)
    if s.replicas[row]["ready"] == 0:
        transitions.drained(s, row, now_s)
