"""Replicas come and go: a row of the table is opened for a replica, drained, closed, and used again by a later one.

Control calls these between two transitions of the data plane. They are rare, and not compiled by themselves: they are
made of transitions that are, and a user would wait seconds for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from sim.model import (
    batching,
    clients,
    gaps,
    memory,
    meters,
    orders,
    outcomes,
    pace,
    planning,
    preemption,
    prefix,
    queues,
    routing,
    seats,
    slots,
    transfer,
    transitions,
)
from sim.model.tables import NONE, UNFINISHED, State

Lost = Literal["retry", "resume", "fail"]
"""What becomes of requests whose replica is closed under them."""


def open_replica(s: State, row: int, now_s: float, make_row: int | None = None) -> None:
    """Replica `row` is ready: it takes requests, first those that wait in its pool's own queue.

    `make_row` is the row of its make in the pool table; None: the make that it has had.
    """
    replica = s.replicas[row]
    assert replica["serving"] == 0, f"replica {row} is open"
    if make_row is not None:
        replica["pool"] = make_row
    make = s.pools[replica["pool"]]
    pool_row = int(make["home"])
    pool = s.pools[pool_row]
    replica["ready"] = replica["serving"] = 1
    replica["lives"] += 1
    replica["ready_s"] = replica["boundary_s"] = now_s
    s.lists[pool["replica0"] + pool["ready"]] = row
    pool["ready"] += 1
    routing.refresh(s, row, now_s)
    if pool["batching"] == 1:
        if pool["central"] == 1:
            transitions.dispatch(s, pool_row, row, len(s.replicas), now_s)
        planning.plan(s, row, now_s)
        if pool["central"] == 1:
            # as after a wake-up: who was admitted shares blocks with others, so there may be room for one more
            routing.refresh(s, row, now_s)
            transitions.dispatch(s, pool_row, len(s.replicas), len(s.replicas), now_s)
    else:
        slots.fill(s, row, now_s)
    routing.refresh(s, row, now_s)
    transitions.touch(s, row)
    if pool["central"] == 0:
        _let_in(s, pool_row, now_s)
    _release(s, now_s)


def drain_replica(s: State, row: int, now_s: float, redirect: bool) -> bool:
    """Replica `row` takes no more requests; with `redirect`, those that it has not begun go to others.

    Returns whether it has nothing left to end, so that it can be closed at once.
    """
    _no_more(s, row, now_s)
    if redirect:
        _redirect(s, row, now_s)
    _offer(s, row, now_s)
    queues.left_unserved(s, len(s.pools) + row)
    if s.replicas[row]["hopes"] != NONE:
        clients.settle_hopes(s, row)
    _release(s, now_s)
    return is_empty(s, row)


def is_empty(s: State, row: int) -> bool:
    """Whether replica `row` has nothing left to end, and no KV cache to hand over."""
    return bool(transitions.empty(s.replicas[row]))


def close_replica(s: State, row: int, now_s: float, lost: Lost) -> int:
    """Replica `row` is gone, whatever it was doing. Returns how many requests that cost their place.

    They begin again elsewhere from the start (`retry`), or go on there (`resume`: what is left of their service; their
    prompt and the tokens made so far are prefilled again), or `fail`. Its caches are empty if the row is used again.
    """
    replica = s.replicas[row]
    assert replica["serving"] == 1, f"replica {row} is not open"
    was_ready = replica["ready"] == 1
    if was_ready:
        _no_more(s, row, now_s)
    make = s.pools[replica["pool"]]
    if make["batching"] == 1:
        replica["busy_s"], replica["running_s"], replica["kv_s"] = batching.integrals(replica, make, now_s)
        if replica["planned"] > 0:
            replica["decoded"] += batching.iterations_by(replica, now_s, True) * int(replica["running"])
    else:
        slots.settle(replica, now_s)
    if lost == "resume" or s.run[0]["calls"] == 1:
        _keep(s, row, now_s, lost)
    if s.run[0]["gaps"] == 1 and replica["planned"] > 0:
        _wait_for_tokens(s, row, now_s)
    replica["boundary_s"] = now_s
    here = [*_leave_seats(s, row, lost), *_leave_queue(s, row)]
    sent = _leave_link(s, row)
    _forget(s, row)
    served_s = now_s - replica["ready_s"]
    replica["serving"] = 0
    replica["past_ready_s"] += served_s
    replica["past_seats_s"] += served_s * make["seats"]
    replica["past_capacity_s"] += served_s * (make["kv_blocks"] * make["block_tokens"])
    transitions.touch(s, row)
    leaving = len(here)
    if s.run[0]["calls"] == 1:
        here, sent = (_with_clients(s, rows, now_s) for rows in (here, sent))
    for r in (*here, *sent):
        s.requests[r]["lost"] = min(int(s.requests[r]["lost"]) + 1, 255)
        if lost == "resume":
            _go_on(s, r)
        elif lost == "retry":
            _start_over(s, r)
        else:
            s.requests[r]["replica"] = NONE
            outcomes.fail(s, r, now_s)
        if s.run[0]["calls"] == 1 and lost != "fail":
            clients.arm(s, r)  # what its client has not seen, and was foreseen, it waits for again
    if make["metered"] == 1:
        for _ in range(leaving):
            meters.go(s, int(make["home"]), now_s)
    if lost != "fail":
        _send_again(s, [*here, *sent], now_s, sent if lost == "resume" else [])
    if was_ready:
        _offer(s, row, now_s)
    queues.left_unserved(s, len(s.pools) + row)
    if replica["hopes"] != NONE:
        clients.settle_hopes(s, row)
    _release(s, now_s)
    return len(here) + len(sent)


def _wait_for_tokens(s: State, row: int, now_s: float) -> None:
    """Those whom a replica leaves in the middle of their answers have had their last tokens; the next may be late.

    To be called before its `boundary_s` moves.
    """
    replica = s.replicas[row]
    last_s = float(replica["boundary_s"]) + batching.span_s(replica, batching.iterations_by(replica, now_s, True))
    seat = int(replica["newest"])
    while seat != NONE:
        if s.seats[seat]["stop"] >= 0:
            gaps.waits(s, int(s.seats[seat]["request"]), last_s)
        seat = int(s.seats[seat]["older"])


def _with_clients(s: State, rows: list[int], now_s: float) -> list[int]:
    """Those whose clients still want them; for the others this is the end, and nobody hears of it."""
    for r in rows:
        call, request = s.calls[r], s.requests[r]
        if request["outcome"] != UNFINISHED:
            call["left_s"] = now_s
            outcomes.gone(s)
        elif request["first_token_s"] <= now_s:
            call["answering"] = 1
    return [r for r in rows if s.requests[r]["outcome"] == UNFINISHED]


def _no_more(s: State, row: int, now_s: float) -> None:
    """Take a replica from the list of ready ones."""
    replica = s.replicas[row]
    assert replica["ready"] == 1, f"replica {row} is not ready"
    pool = s.pools[s.pools[replica["pool"]]["home"]]
    first, ready = int(pool["replica0"]), int(pool["ready"])
    rows = s.lists[first : first + ready]
    place = rows.tolist().index(row)
    rows[place:-1] = rows[place + 1 :].copy()
    pool["ready"] -= 1
    replica["ready"] = 0
    routing.refresh(s, row, now_s)


def _offer(s: State, row: int, now_s: float) -> None:
    """The head of a central queue was kept for this replica, if it was the next in turn; now it is another's turn."""
    make = s.pools[s.replicas[row]["pool"]]
    if make["central"] == 1 and make["batching"] == 1:
        transitions.dispatch(s, int(make["home"]), len(s.replicas), len(s.replicas), now_s)


def _redirect(s: State, row: int, now_s: float) -> None:
    """Who waits at the replica and was never in its batch is routed again; who was keeps its place."""
    replica = s.replicas[row]
    stay: list[int] = []
    go: list[int] = []
    lines = queues.lines_of(s, len(s.pools) + row)
    shares = [s.queues[name][lines].copy() for name in ("tag", "clock")]
    for r in _leave_queue(s, row):
        request = s.requests[r]
        began = request["preempted"] == 1 and request["handed"] != transfer.SENT
        (stay if began else go).append(r)
    for r in stay:
        make = s.pools[replica["pool"]]
        queues.push_back(s, len(s.pools) + row, r, memory.needed(make, s.requests[r]))
    s.queues["tag"][lines], s.queues["clock"][lines] = shares  # nobody has been served
    for r in go:
        replica["outstanding"] -= 1
        replica["tokens"] -= s.requests[r]["prompt_tokens"]
        s.requests[r]["replica"] = NONE
        _meter_gone(s, int(s.pools[replica["pool"]]["home"]), r, now_s)
    _send_again(s, go, now_s)


def _let_in(s: State, pool_row: int, now_s: float) -> None:
    """Those who wait in the pool's own queue go to replicas, as long as one takes them."""
    while s.queues[pool_row]["length"] > 0:
        r = int(queues.first(s, pool_row))
        row = int(routing.choose(s, pool_row, r, len(s.replicas), now_s))
        pool = s.pools[pool_row]
        if row == NONE and pool["preemptive"] == 1 and pool["central"] == 1:
            row = int(preemption.replica_for(s, pool_row, r, now_s))
        if row == NONE:
            return
        queues.pop_front(s, pool_row, r, memory.needed(s.pools[pool_row], s.requests[r]))
        transitions.enqueue(s, row, r, len(s.replicas), now_s)


def _is_over(s: State, r: int, lost: Lost) -> bool:
    """Whether request r ends with its replica, so that what was computed for it is noted as done for nobody."""
    return bool(s.run[0]["calls"] == 1 and (lost == "fail" or s.requests[r]["outcome"] != UNFINISHED))


def _leave_seats(s: State, row: int, lost: Lost) -> list[int]:
    """Empty the batch or the slots; the requests in order of admission."""
    replica = s.replicas[row]
    left: list[int] = []
    while replica["newest"] != NONE:
        seat = int(replica["newest"])
        place = s.seats[seat]
        r = int(place["request"])
        left.append(r)
        if s.pools[replica["pool"]]["batching"] == 1:
            computed = int(place["prompt"]) - int(place["left"]) - int(place["cached"])
            if _is_over(s, r, lost):
                s.calls[r]["prefilled"] += computed
            else:
                replica["recomputed"] += computed
        seats.leave(s.seats, replica, seat)
    return left[::-1]


def _leave_queue(s: State, row: int) -> list[int]:
    replica = s.replicas[row]
    make = s.pools[replica["pool"]]
    line = len(s.pools) + row
    left = []
    while s.queues[line]["length"] > 0:
        r = int(queues.first(s, line))
        queues.pop_front(s, line, r, memory.needed(make, s.requests[r]))
        left.append(r)
    return left


def _leave_link(s: State, row: int) -> list[int]:
    """Requests whose KV cache is on its way from this replica, in the order in which they would arrive."""
    if not len(s.calls):
        return []
    first = int(s.run[0]["timer0"])
    rows = s.heaps["request"][first : first + int(s.run[0]["timers"])]
    on_link = (s.requests["replica"][rows] == row) & (s.calls["link_s"][rows] < math.inf)
    sent = sorted(rows[on_link].tolist(), key=lambda r: (s.calls[r]["link_s"], r))
    for r in sent:
        s.calls[r]["link_s"] = math.inf
        clients.arm(s, r)
    return sent


def _forget(s: State, row: int) -> None:
    """An empty replica: no batch, no plan, no memory, no caches, and a queue that nobody has been in."""
    replica = s.replicas[row]
    make = s.pools[replica["pool"]]
    for name in ("running", "outstanding", "sending", "tokens", "planned", "tick", "context", "kv", "blocks"):
        replica[name] = 0
    replica["idle_blocks"] = replica["given_up"] = replica["noted_blocks"] = replica["heap"] = replica["changed"] = 0
    replica["prefill"] = NONE
    replica["wake_s"] = math.inf
    if make["link_shared"] == 0:  # else the first replica's is the whole pool's, and goes on sending for others
        replica["link_free_s"] = 0.0
    s.lists[replica["phase0"] : replica["phase0"] + make["block_tokens"]] = 0
    queues.forget(s, len(s.pools) + row)
    ids = int(s.run[0]["prefix_ids"])
    if ids:
        prefix.forget(s.prefixes, int(replica["prefix0"]), ids)


def _start_over(s: State, r: int) -> None:
    """Request r has lost its replica and all that was done for it, and begins again."""
    request = s.requests[r]
    request["replica"] = NONE
    request["handed"] = transfer.HERE
    request["preempted"] = 0
    request["done_tokens"] = 0
    request["first_token_s"] = math.nan
    if len(s.calls):  # a service that broke off for others is whole again
        request["service_s"], request["first_service_s"] = s.calls[r]["service_s"], s.calls[r]["first_service_s"]
    if s.run[0]["calls"] == 1 and s.calls[r]["answering"] == 0:
        s.calls[r]["token_due_s"] = math.inf  # its client has seen no token that others could be late after


def _keep(s: State, row: int, now_s: float, lost: Lost) -> None:
    """Note what the requests in the seats of a replica have had of their service, or of their tokens, by now.

    Those that begin again from the start have had nothing. To be called before its `boundary_s` moves.
    """
    replica = s.replicas[row]
    make = s.pools[replica["pool"]]
    made = 0
    if make["batching"] == 1:
        over = batching.iterations_by(replica, now_s, True) if replica["planned"] > 0 else 0
        made = pace.clock(make, replica["tick"] + over)
    seat = int(replica["newest"])
    while seat != NONE:
        place = s.seats[seat]
        r = int(place["request"])
        request = s.requests[r]
        seat = int(place["older"])
        if make["batching"] == 0:
            if lost == "resume":
                slots.keep(place, request, now_s)
        elif place["stop"] >= 0 and (lost == "resume" or _is_over(s, r, lost)):
            request["done_tokens"] += int(place["offset"]) + made - int(place["prompt"])


def _go_on(s: State, r: int) -> None:
    """Request r has lost its replica, and goes on at another: where it decodes, as after a preemption there."""
    request = s.requests[r]
    request["replica"] = NONE
    request["preempted"] = 0
    if request["handed"] != transfer.HERE:
        request["handed"] = transfer.STARTS_OVER


def _send_again(s: State, requests: list[int], now_s: float, new: Sequence[int] = ()) -> None:
    """Requests in their order go to the pool that is to serve them: to the head of its own queue if it has one.

    Those that are `new` there have taken nothing of a share that they could give back.
    """
    run = s.run[0]
    heads: dict[int, list[int]] = {}
    for r in requests:
        pool_row = _pool_row(s, r)
        if s.pools[pool_row]["central"] == 1:
            heads.setdefault(pool_row, []).append(r)
            continue
        if s.requests[r]["handed"] == transfer.HERE:
            run["in_system"] -= 1  # where it enters, it is counted again
        transitions.enter(s, r, len(s.replicas), now_s)
    for pool_row, rows in heads.items():
        pool = s.pools[pool_row]
        for r in reversed(rows):
            queues.push_front(s, pool_row, r, memory.needed(pool, s.requests[r]))
            if r in new and s.queues[pool_row]["lines"] > 0:
                s.queues[orders.line_of(s, pool_row, r)]["tag"] += orders.cost(s, pool_row, r)
            if pool["metered"] == 1:
                meters.come(s, pool_row, r, now_s)
        if pool["batching"] == 1:
            transitions.dispatch(s, pool_row, len(s.replicas), len(s.replicas), now_s)
        else:
            _let_in(s, pool_row, now_s)


def _pool_row(s: State, r: int) -> int:
    """The pool that request r is to be served by next."""
    own = int(s.requests[r]["pool"])
    return own if s.requests[r]["handed"] == transfer.HERE else int(s.pools[own]["next_pool"])


def _meter_gone(s: State, pool_row: int, r: int, now_s: float) -> None:
    """Request r leaves a replica to enter the same pool again, where it is no new arrival."""
    pool = s.pools[pool_row]
    if pool["metered"] == 0:
        return
    meters.go(s, pool_row, now_s)
    if meters.is_new(s.requests[r]):
        pool["arrived"] -= 1
        pool["arrived_tokens"] -= s.requests[r]["prompt_tokens"]


def _release(s: State, now_s: float) -> None:
    """Send what clients held back until now."""
    if s.queues[len(s.queues) - 1]["length"] > 0:
        transitions.release(s, len(s.replicas), now_s)
