"""A replica with slots: each request is served alone, for its own service time, in one of `concurrency` slots."""

from __future__ import annotations

import math
from typing import Any

from sim.model import admission, heaps, memory, meters, outcomes, queues, seats
from sim.model.compiled import compiled
from sim.model.tables import COMPLETED, State

EXTRAS = True
"""False while compiled for runs that have none of these (see compiled.widen)."""


@compiled
def settle(replica: Any, now_s: float) -> None:
    """Bring the replica's integrals up to now."""
    if replica["seated"] > 0:
        passed_s = now_s - replica["boundary_s"]
        replica["busy_s"] += passed_s
        replica["running_s"] += passed_s * replica["seated"]
    replica["boundary_s"] = now_s


@compiled
def take(s: State, row: int, r: int, now_s: float) -> None:
    """Request r starts in a free slot now."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    request = s.requests[r]
    seat = seats.sit(s.seats, replica, r)
    s.seats[seat]["stop"] = now_s + request["service_s"]
    replica["running"] += 1
    heaps.push(s.heaps, s.seats, replica, heaps.SPARE * int(pool["seats"]), seat)
    if math.isnan(request["start_s"]):
        request["start_s"] = now_s
    if math.isnan(request["first_token_s"]):  # else it goes on where another replica left off
        request["first_token_s"] = now_s + request["first_service_s"] + pool["overhead_s"]
    replica["wake_s"] = heaps.next_stop(s.heaps, s.seats, replica)
    if EXTRAS and pool["shed"] == admission.ESTIMATED_WAIT:
        admission.started(s, int(pool["home"]), now_s)


@compiled
def keep(place: Any, request: Any, now_s: float) -> None:
    """A service breaks off, to go on later: what is left of it is what it takes from then on."""
    left_s = float(place["stop"]) - now_s
    first_s = float(request["first_service_s"]) - (float(request["service_s"]) - left_s)
    request["service_s"] = left_s
    request["first_service_s"] = max(first_s, 0.0)
    if first_s > 0.0:
        request["first_token_s"] = math.nan  # it was only foreseen


@compiled
def wake(s: State, row: int, now_s: float) -> None:
    """Services that end now end; the slots they leave are filled from the replica's queue, then from the pool's."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    settle(replica, now_s)
    while heaps.next_stop(s.heaps, s.seats, replica) <= now_s:
        seat = heaps.pop(s.heaps, replica)
        r = 0 + int(s.seats[seat]["request"])  # 64 bits wide, as requests are elsewhere
        seats.leave(s.seats, replica, seat)
        replica["running"] -= 1
        replica["outstanding"] -= 1
        replica["tokens"] -= s.requests[r]["prompt_tokens"]
        outcomes.finish(s, r, now_s + pool["overhead_s"], now_s)
        if pool["metered"] == 1:
            if s.requests[r]["outcome"] == COMPLETED:
                meters.first_token(s, int(pool["home"]), r)
            meters.ended(s, int(pool["home"]), r, now_s)
    fill(s, row, now_s)
    next_wake(s, row)


@compiled
def next_wake(s: State, row: int) -> None:
    """The replica next needs attention when a service ends."""
    s.replicas[row]["wake_s"] = heaps.next_stop(s.heaps, s.seats, s.replicas[row])


@compiled
def fill(s: State, row: int, now_s: float) -> None:
    """Waiting requests take the free slots, oldest first."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    pool_row = int(pool["home"])
    own = len(s.pools) + row
    while replica["seated"] < pool["seats"]:
        if s.queues[own]["length"] > 0:
            line = own
        elif pool["central"] == 1 and replica["ready"] == 1 and s.queues[pool_row]["length"] > 0:
            line = pool_row
        else:
            break
        r = queues.first(s, line)
        blocks = memory.needed(pool, s.requests[r])
        if EXTRAS and admission.late(s, line, r, now_s):
            admission.turn_away_first(s, line, r, blocks, now_s)
            continue
        queues.pop_front(s, line, r, blocks)
        if line == pool_row:
            s.requests[r]["replica"] = row
            replica["outstanding"] += 1
            replica["tokens"] += s.requests[r]["prompt_tokens"]
        take(s, row, r, now_s)


@compiled
def integrals(replica: Any, now_s: float) -> tuple[float, float, float]:
    """Busy time and slots taken, integrated up to now, without changing anything (no KV memory: 0)."""
    busy_s = float(replica["busy_s"])
    running_s = float(replica["running_s"])
    if replica["seated"] > 0:
        passed_s = now_s - replica["boundary_s"]
        busy_s += passed_s
        running_s += passed_s * replica["seated"]
    return busy_s, running_s, 0.0
