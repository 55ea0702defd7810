"""The transitions that a calendar calls, each at its time: a request arrives, a replica wakes, a replica opens.

Each changes the tables and lists in `touched` the replicas whose `wake_s` (when they next need attention) it changed.
There is no clock here, no randomness and no I/O.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import (
    admission,
    batching,
    cancelling,
    clients,
    lines,
    memory,
    meters,
    orders,
    outcomes,
    planning,
    preemption,
    queues,
    routing,
    slots,
    spill,
    transfer,
)
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, UNFINISHED, State

EXTRAS = True
"""False while compiled for runs that have none of these (see compiled.widen)."""


@compiled
def arrive(s: State, r: int, now_s: float) -> None:
    """Request r is due: its client sends it, or holds it back while it has too many in flight."""
    if holds_back(s, r):
        return
    submit(s, r, len(s.replicas), now_s)
    if s.queues[len(s.queues) - 1]["length"] > 0:
        release(s, len(s.replicas), now_s)


@compiled_apart
def arrive_apart(s: State, r: int, now_s: float) -> None:
    """`arrive`, for requests that others bring about; whoever calls this looks for those held back."""
    if not holds_back(s, r):
        submit_apart(s, r, len(s.replicas), now_s)


@compiled
def holds_back(s: State, r: int) -> bool:
    """Whether the client of request r keeps it for now; if not, it is in flight."""
    stream = int(s.requests[r]["stream"])
    line = len(s.pools) + len(s.replicas) + stream
    client = s.queues[line]
    if client["in_flight"] >= client["most_in_flight"]:
        lines.append(s.queues, s.requests, line, r)
        return True
    client["in_flight"] += 1
    return False


@compiled_apart
def release(s: State, over_row: int, now_s: float) -> None:
    """Send what clients held back and may send now; from now on, now is when it arrived."""
    line = len(s.queues) - 1
    while s.queues[line]["length"] > 0:
        r = lines.pop(s.queues, s.requests, line)
        s.requests[r]["arrival_s"] = now_s
        submit_apart(s, r, over_row, now_s)


@compiled_apart
def submit_apart(s: State, r: int, over_row: int, now_s: float) -> None:
    """`submit`, for callers that are rare: they call this instead of holding a copy of it all."""
    submit(s, r, over_row, now_s)


@compiled
def submit(s: State, r: int, over_row: int, now_s: float) -> None:
    """The client of request r sends it: to its pool, or to the one that takes what is too much for its pool."""
    if EXTRAS and s.pools[s.requests[r]["pool"]]["spill_to"] != NONE:
        s.requests[r]["pool"] = spill.over(s, r, over_row, now_s)
    if EXTRAS and s.run[0]["calls"] == 1:
        clients.sending(s, r)
    if EXTRAS and admission.refused(s, r, now_s) != admission.WELCOME:
        admission.send_back(s, r, now_s)
    else:
        enter(s, r, over_row, now_s)
    if EXTRAS and s.run[0]["calls"] == 1 and s.requests[r]["outcome"] == UNFINISHED:
        clients.arm_new(s, r)  # it waits no longer than its client will


@compiled_apart
def enter_apart(s: State, r: int, over_row: int, now_s: float) -> None:
    """`enter`, for callers that are rare: they call this instead of holding a copy of it all."""
    enter(s, r, over_row, now_s)


@compiled
def enter(s: State, r: int, over_row: int, now_s: float) -> None:
    """Request r reaches its pool: it is routed, queued, started or rejected.

    Iterations that end exactly now are over for replicas up to `over_row`.
    """
    request = s.requests[r]
    pool_row = int(request["pool"])
    if request["handed"] == transfer.HERE:
        s.run[0]["in_system"] += 1
    else:
        pool_row = int(s.pools[pool_row]["next_pool"])
    pool = s.pools[pool_row]
    blocks = memory.needed(pool, request)
    if pool["metered"] == 1:
        meters.come(s, pool_row, r, now_s)
    row = NONE
    if pool["central"] == 0 or s.queues[pool_row]["length"] == 0:
        row = routing.choose(s, pool_row, r, over_row, now_s)
    asks = pool["central"] == 1 and pool["batching"] == 1 and row != NONE
    if asks and not batching.has_room(s, row, r, now_s, row <= over_row):
        row = NONE
    if row != NONE:
        if EXTRAS and pool["central"] == 1:
            admission.at_once(s, pool_row, r, now_s)
            if pool["fair"] == 1:
                orders.charge(s, pool_row, r)
        enqueue(s, row, r, over_row, now_s)
    elif EXTRAS and s.queues[pool_row]["lines"] > 0:
        stand_in_line(s, pool_row, r, over_row, now_s)
    elif queues.full(s, pool_row, r):
        admission.turn_away(s, pool_row, r, now_s)
    else:
        # a queue of the pool's own; with a queue at each replica, the place where requests wait for the first replica
        queues.push_back(s, pool_row, r, blocks)


@compiled_apart
def stand_in_line(s: State, pool_row: int, r: int, over_row: int, now_s: float) -> None:
    """Request r waits for its pool, at a place of several lines; or others wait, and it goes before them all."""
    pool = s.pools[pool_row]
    row = NONE
    if pool["central"] == 1 and orders.precedes(s, pool_row, r):
        row = place_at_once(s, pool_row, r, over_row, now_s)
    if row != NONE:
        admission.at_once(s, pool_row, r, now_s)
        orders.charge(s, pool_row, r)
        enqueue(s, row, r, over_row, now_s)
    elif queues.full(s, pool_row, r):
        admission.turn_away(s, pool_row, r, now_s)
    else:
        queues.push_back(s, pool_row, r, memory.needed(pool, s.requests[r]))
        if pool["central"] == 1 and pool["batching"] == 1 and queues.comes_first(s, pool_row, r):
            dispatch(s, pool_row, len(s.replicas), over_row, now_s)


@compiled_apart
def place_at_once(s: State, pool_row: int, r: int, over_row: int, now_s: float) -> int:
    """The replica that takes request r from a central queue now, or gives it somebody else's place; NONE: none does."""
    row = routing.choose(s, pool_row, r, over_row, now_s)
    if s.pools[pool_row]["batching"] == 1 and row != NONE and not batching.has_room(s, row, r, now_s, row <= over_row):
        row = NONE
    if row == NONE and s.pools[pool_row]["preemptive"] == 1:
        row = preemption.replica_for(s, pool_row, r, now_s)
    return int(row)


@compiled
def enqueue(s: State, row: int, r: int, over_row: int, now_s: float) -> None:
    """Request r joins replica `row`, or is rejected when it finds no room and a full queue."""
    request = s.requests[r]
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    line = len(s.pools) + row
    waiting = int(s.queues[line]["length"])
    blocks = memory.needed(pool, request)
    if pool["batching"] == 1:
        room = batching.has_room(s, row, r, now_s, row <= over_row)
    else:
        room = bool(replica["seated"] < pool["seats"])
        if EXTRAS and not room and pool["preemptive"] == 1:
            room = preemption.free_slot(s, row, r, now_s)
    full = not room and queues.full(s, line, r)
    if EXTRAS and full:
        full = not preemption.may_displace(s, row, r, now_s)
    if full:
        admission.turn_away(s, int(pool["home"]), r, now_s)
        return
    request["replica"] = row
    if EXTRAS:
        routing.sent(s, row, r, now_s)
    replica["outstanding"] += 1
    replica["tokens"] += request["prompt_tokens"]
    if pool["batching"] == 0 and room:
        if EXTRAS and pool["central"] == 0:
            admission.at_once(s, line, r, now_s)
            if pool["fair"] == 1:
                orders.charge(s, line, r)
        slots.settle(replica, now_s)
        slots.take(s, row, r, now_s)
        touch(s, row)
    else:
        queues.push_back(s, line, r, blocks)
        if EXTRAS and room and s.run[0]["calls"] == 1:
            clients.hope(s, row, r)
        if pool["batching"] == 1 and ((room and waiting == 0) or queues.comes_first(s, line, r)):
            planning.attend(s, row, now_s, row <= over_row)
            touch(s, row)
    routing.refresh(s, row, now_s)


@compiled_apart
def dispatch(s: State, pool_row: int, at_row: int, over_row: int, now_s: float) -> None:
    """The head of a batching pool's central queue goes to a replica with room, again and again while one has.

    Replica `at_row` stands at a boundary and is planned by the caller; others learn of their new request here.
    Iterations that end exactly now are over for replicas up to `over_row`.
    """
    queue = s.queues[pool_row]
    while queue["length"] > 0:
        r = queues.first(s, pool_row)
        blocks = memory.needed(s.pools[pool_row], s.requests[r])
        row = routing.choose(s, pool_row, r, over_row, now_s)
        if row == NONE or not batching.has_room(s, row, r, now_s, row <= over_row):
            row = NONE
            if EXTRAS and s.pools[pool_row]["preemptive"] == 1:
                row = preemption.replica_for(s, pool_row, r, now_s)
            if row == NONE:
                return
        if EXTRAS and admission.late(s, pool_row, r, now_s):
            admission.turn_away_first(s, pool_row, r, blocks, now_s)
            continue
        queues.pop_front(s, pool_row, r, blocks)
        replica = s.replicas[row]
        s.requests[r]["replica"] = row
        replica["outstanding"] += 1
        replica["tokens"] += s.requests[r]["prompt_tokens"]
        queues.push_back(s, len(s.pools) + row, r, blocks)
        routing.refresh(s, row, now_s)
        if row != at_row:
            planning.attend(s, row, now_s, row <= over_row)
            touch(s, row)


@compiled
def wake(s: State, row: int, now_s: float) -> None:
    """Replica `row` reaches its `wake_s`: answers go out, who waits comes in, the next step is planned."""
    pool_row = 0 + int(s.pools[s.replicas[row]["pool"]]["home"])
    if s.pools[pool_row]["batching"] == 1:
        batching.advance(s, row, now_s)
        if EXTRAS and s.replicas[row]["given_up"] > 0:
            cancelling.sweep(s, row, now_s)
        if s.pools[pool_row]["central"] == 1:
            routing.refresh(s, row, now_s)
            if s.queues[pool_row]["length"] > 0:
                dispatch(s, pool_row, row, row, now_s)
        planning.plan(s, row, now_s)
        made_room = s.run[0]["prefix_ids"] > 0 or s.pools[pool_row]["cancels"] == 0
        if EXTRAS and s.pools[pool_row]["ranked"] == 1:
            made_room = True
        if made_room and s.pools[pool_row]["central"] == 1 and s.queues[pool_row]["length"] > 0:
            # who was admitted shares blocks with others, or is outranked by one who waits, as may be one that was
            # preempted, or nobody wanted that one: room for one more
            routing.refresh(s, row, now_s)
            dispatch(s, pool_row, len(s.replicas), row, now_s)
    else:
        slots.wake(s, row, now_s)
    routing.refresh(s, row, now_s)
    touch(s, row)
    if s.replicas[row]["ready"] == 0:
        drained(s, row, now_s)
    if s.queues[len(s.queues) - 1]["length"] > 0:
        release(s, row, now_s)


@compiled_apart
def deliver(s: State, r: int, now_s: float) -> None:
    """A KV cache has crossed its link: its sender's memory is free, and the request reaches the next pool."""
    s.calls[r]["link_s"] = math.inf
    clients.arm(s, r)
    # 64 bits wide, as elsewhere: a transition called with another width would be compiled once more
    row = 0 + int(s.requests[r]["replica"])
    all_rows = len(s.replicas)
    pool_row = 0 + int(s.pools[s.replicas[row]["pool"]]["home"])
    transfer.gone(s, row, r, now_s)
    if s.queues[len(s.pools) + row]["length"] > 0:
        planning.attend(s, row, now_s, row <= all_rows)
        touch(s, row)
    if s.queues[pool_row]["length"] > 0:
        dispatch(s, pool_row, all_rows, all_rows, now_s)
    routing.refresh(s, row, now_s)
    if s.replicas[row]["ready"] == 0:
        drained(s, row, now_s)
    if s.requests[r]["outcome"] == UNFINISHED:
        enter_apart(s, r, all_rows, now_s)
    else:
        # its client has gone meanwhile; its prompt has been computed for nobody
        s.calls[r]["left_s"] = now_s
        s.calls[r]["prefilled"] = s.requests[r]["prompt_tokens"] - s.requests[r]["cached_tokens"]
        outcomes.gone(s)


@compiled
def drained(s: State, row: int, now_s: float) -> None:
    """Tell control when a replica that takes no more requests has none left, and no KV cache to hand over."""
    if empty(s.replicas[row]):
        meters.note(s, now_s)


@compiled
def empty(replica: Any) -> bool:
    """Whether a replica has no request, and no KV cache to hand over."""
    return bool(replica["outstanding"] == 0 and replica["sending"] == 0)


@compiled
def touch(s: State, row: int) -> None:
    """List a replica as touched, once."""
    if s.replicas[row]["touched"] == 0:
        s.replicas[row]["touched"] = 1
        run = s.run[0]
        s.lists[len(s.replicas) + run["touched"]] = row
        run["touched"] += 1


@compiled
def sample(s: State, pool_row: int, now_s: float) -> tuple[float, float, float, float, float, float]:
    """Integrals of a pool from 0 to now: replica-seconds served and busy, seats taken and there, KV tokens in use and
    there.
    """
    pool = s.pools[pool_row]
    ready_s = 0.0
    busy_s = 0.0
    running_s = 0.0
    seats_s = 0.0
    kv_s = 0.0
    capacity_s = 0.0
    for row in range(pool["replica0"], pool["replica0"] + pool["replicas"]):
        replica = s.replicas[row]
        if replica["lives"] == 0:
            continue
        make = s.pools[replica["pool"]]
        if pool["batching"] == 1:
            busy, running, kv = batching.integrals(replica, make, now_s)
        else:
            busy, running, kv = slots.integrals(replica, now_s)
        busy_s += busy
        running_s += running
        kv_s += kv
        ready_s += replica["past_ready_s"]
        seats_s += replica["past_seats_s"]
        capacity_s += replica["past_capacity_s"]
        if replica["serving"] == 1:
            served_s = now_s - replica["ready_s"]
            ready_s += served_s
            seats_s += served_s * make["seats"]
            capacity_s += served_s * (make["kv_blocks"] * make["block_tokens"])
    return ready_s, busy_s, running_s, seats_s, kv_s, capacity_s
