"""Who gives way to whom, where a pool has priorities: those of the lowest level, and of these the last that came.

A slot goes over at once, and the service that breaks off goes on later where it was. In a batch, places change hands
at iteration boundaries (see planning), and what was computed is computed again. Levels decide, whatever their ages.

For a slot that is asked once, when a request comes to a replica or goes to a pool once more; for a batch whenever
somebody outranks others there and goes first of those who wait.
"""

from __future__ import annotations

import math

from sim.model import clients, memory, queues, seats, slots
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, UNFINISHED, State


@compiled
def rank_of(s: State, r: int) -> int:
    """The level of request r, counted from 0, which goes first."""
    return int(s.senders[s.requests[r]["stream"]]["rank"])


@compiled_apart
def lowest(s: State, row: int) -> int:
    """The seat at replica `row` of the lowest level, of these the last that was taken."""
    seat = 0 + int(s.replicas[row]["newest"])
    found = seat
    worst = -1
    while seat != NONE:
        rank = rank_of(s, 0 + int(s.seats[seat]["request"]))
        if rank > worst:
            worst = rank
            found = seat
        seat = 0 + int(s.seats[seat]["older"])
    return found


@compiled_apart
def displaced(s: State, row: int, r: int, now_s: float) -> int:
    """The seat at replica `row` that request r may take from another; NONE if it outranks nobody there.

    Left alone are those whose client has gone, and services that end now.
    """
    slotted = s.pools[s.replicas[row]["pool"]]["batching"] == 0
    seat = 0 + int(s.replicas[row]["newest"])
    found = NONE
    worst = rank_of(s, r)
    while seat != NONE:
        place = s.seats[seat]
        other = 0 + int(place["request"])
        rank = rank_of(s, other)
        ends = slotted and place["stop"] <= now_s
        if rank > worst and s.requests[other]["outcome"] == UNFINISHED and not ends:
            worst = rank
            found = seat
        seat = 0 + int(place["older"])
    return found


@compiled
def may_displace(s: State, row: int, r: int, now_s: float) -> bool:
    """Whether request r is to have somebody's place in the batch of replica `row`, with nobody waiting before it."""
    pool = s.pools[s.replicas[row]["pool"]]
    if pool["preemptive"] == 0 or pool["batching"] == 0 or queues.ahead(s, len(s.pools) + row, r)[0] > 0:
        return False
    return bool(displaced(s, row, r, now_s) != NONE)


@compiled_apart
def replica_for(s: State, pool_row: int, r: int, now_s: float) -> int:
    """The ready replica where request r may take somebody's place; NONE if it outranks nobody.

    Of several, where the lowest level is, then who began last, then the first of the list.
    """
    pool = s.pools[pool_row]
    found = NONE
    worst = -1
    latest_s = -math.inf
    for i in range(pool["replica0"], pool["replica0"] + pool["ready"]):
        row = 0 + int(s.lists[i])
        if queues.ahead(s, len(s.pools) + row, r)[0] > 0:
            continue  # one that goes before it is on its way to that place
        seat = displaced(s, row, r, now_s)
        if seat == NONE:
            continue
        other = 0 + int(s.seats[seat]["request"])
        rank = rank_of(s, other)
        start_s = float(s.requests[other]["start_s"])
        if rank > worst or (rank == worst and start_s > latest_s):
            found = row
            worst = rank
            latest_s = start_s
    return found


@compiled_apart
def free_slot(s: State, row: int, r: int, now_s: float) -> bool:
    """Free a slot of replica `row` for request r, if it outranks somebody there. Returns whether it does."""
    seat = displaced(s, row, r, now_s)
    if seat == NONE:
        return False
    replica = s.replicas[row]
    home = 0 + int(s.pools[replica["pool"]]["home"])
    place = s.seats[seat]
    other = 0 + int(place["request"])
    request = s.requests[other]
    slots.settle(replica, now_s)
    slots.keep(place, request, now_s)
    seats.leave(s.seats, replica, seat)
    replica["running"] -= 1
    replica["preemptions"] += 1
    request["preempted"] = 1
    line = len(s.pools) + row
    if s.pools[home]["central"] == 1:
        request["replica"] = NONE
        replica["outstanding"] -= 1
        replica["tokens"] -= request["prompt_tokens"]
        line = home
    queues.push_front(s, line, other, memory.needed(s.pools[home], request))
    if s.run[0]["calls"] == 1:
        clients.arm(s, other)  # it may not have its first token in time now
    return True
