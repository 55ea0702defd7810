"""Spill-over: a pool that has too much to do passes new requests on to another, which may pass them on in turn."""

from __future__ import annotations

from sim.model import admission, batching, orders, preemption, queues, routing
from sim.model.compiled import compiled_apart
from sim.model.tables import NONE, State


@compiled_apart
def over(s: State, r: int, over_row: int, now_s: float) -> int:
    """The pool for new request r: along the chain from its own the first that is not too full, else the last.

    Chains have an end. Iterations that end exactly now are over for replicas up to `over_row`.
    """
    request = s.requests[r]
    pool_row = 0 + int(request["pool"])
    while s.pools[pool_row]["spill_to"] != NONE and is_full(s, pool_row, r, over_row, now_s):
        pool_row = 0 + int(s.pools[pool_row]["spill_to"])
        request["pool"] = pool_row
    return pool_row


@compiled_apart
def is_full(s: State, pool_row: int, r: int, over_row: int, now_s: float) -> bool:
    """Whether its pool passes new request r on.

    It does when no replica is ready, when more requests wait than it is to have a ready replica, or when it would turn
    the request away.
    """
    pool = s.pools[pool_row]
    if pool["ready"] == 0:
        return True
    waiting = int(s.queues[pool_row]["length"])
    for place in range(pool["replica0"], pool["replica0"] + pool["ready"]):
        waiting += int(s.queues[len(s.pools) + s.lists[place]]["length"])
    if waiting > pool["spill_above"] * pool["ready"]:
        return True
    if (pool["shed"] == admission.LOAD or pool["shed"] == admission.ESTIMATED_WAIT) and admission.too_much(s, r):
        return True
    return turns_away(s, pool_row, r, over_row, now_s)


@compiled_apart
def turns_away(s: State, pool_row: int, r: int, over_row: int, now_s: float) -> bool:
    """Whether request r would be rejected if it entered the pool now: it cannot start, and may not wait."""
    pool = s.pools[pool_row]
    line = s.queues[pool_row]
    goes_first = line["length"] == 0 or (line["lines"] > 0 and orders.precedes(s, pool_row, r))
    row = NONE
    if pool["central"] == 0 or goes_first:
        cursor = int(pool["cursor"])
        row = routing.choose(s, pool_row, r, over_row, now_s)
        pool["cursor"] = cursor  # it was only asked
    if not queues.full(s, pool_row if pool["central"] == 1 or row == NONE else len(s.pools) + row, r):
        return False
    if row != NONE:
        make = s.pools[s.replicas[row]["pool"]]
        if make["batching"] == 1:
            room = batching.has_room(s, row, r, now_s, row <= over_row)
        else:
            room = bool(s.replicas[row]["seated"] < make["seats"])
        if room:
            return False
    if pool["preemptive"] == 0:
        return True
    if pool["central"] == 1:
        return bool(not goes_first or preemption.replica_for(s, pool_row, r, now_s) == NONE)
    if pool["batching"] == 1:
        return not preemption.may_displace(s, row, r, now_s)
    return bool(preemption.displaced(s, row, r, now_s) == NONE)
