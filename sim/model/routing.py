"""Which ready replica of the pool takes a request: one compiled function a router, the union at the bottom.

Routers that rank (least outstanding, tokens, KV) keep their key in the pool's tournament tree, so that choosing costs
the same for eight replicas and for a thousand; ties go to the lowest row. Routers that draw use the request's own
ticket, so a change of fleet never shifts anybody else's luck.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import tournament
from sim.model.compiled import compiled
from sim.model.tables import NONE, State

ROUND_ROBIN, RANDOM, POWER_OF_TWO, LEAST_OUTSTANDING, LEAST_TOKENS, LEAST_KV, FREE_SLOT, FREE_MEMORY = range(8)
FIRST_RANKED = LEAST_OUTSTANDING

# The union is the registry: scenario files, error texts and the choice below know the routers by these names.
ROUTERS = {
    "round_robin": ROUND_ROBIN,
    "random": RANDOM,
    "power_of_two": POWER_OF_TWO,
    "least_outstanding": LEAST_OUTSTANDING,
    "least_tokens": LEAST_TOKENS,
    "least_kv": LEAST_KV,
}


@compiled
def choose(s: State, pool_row: int, r: int, over_row: int, now_s: float) -> int:
    """The replica row for request r; NONE when none is ready (central queue: none has a free seat).

    Iterations that end exactly now are over for replicas up to `over_row`.
    """
    pool = s.pools[pool_row]
    ready = int(pool["ready"])
    if ready == 0:
        return NONE
    router = int(pool["router"])
    if router >= FIRST_RANKED:
        return least(pool, s.routes)
    first = int(pool["replica0"])
    if router == ROUND_ROBIN:
        return round_robin(pool, s.lists, first, ready)
    ticket = s.requests[r]["ticket"]
    if router == RANDOM:
        return int(s.lists[first + min(int(ticket * ready), ready - 1)])
    return power_of_two(s.lists, s.replicas, first, ready, ticket)


@compiled
def least(pool: Any, routes: Any) -> int:
    """The replica with the least key: requests outstanding, prompt tokens outstanding, or KV tokens in use."""
    top = routes[int(pool["tree0"]) + 1]
    if top["key"] == math.inf:
        return NONE
    return int(pool["replica0"] + top["row"])


@compiled
def round_robin(pool: Any, ready_rows: Any, first: int, ready: int) -> int:
    """Each ready replica in turn."""
    place = int(pool["cursor"]) % ready
    pool["cursor"] = place + 1
    return int(ready_rows[first + place])


@compiled
def power_of_two(ready_rows: Any, replicas: Any, first: int, ready: int, ticket: float) -> int:
    """Two different replicas drawn by lot, the one with fewer outstanding requests wins (Mitzenmacher 2001)."""
    scaled = ticket * ready
    one = min(int(scaled), ready - 1)
    if ready == 1:
        return int(ready_rows[first])
    other = min(int((scaled - one) * (ready - 1)), ready - 2)
    if other >= one:
        other += 1
    a = int(ready_rows[first + one])
    b = int(ready_rows[first + other])
    if replicas[b]["outstanding"] < replicas[a]["outstanding"]:
        return b
    return a


@compiled
def refresh(s: State, row: int, now_s: float) -> None:
    """Tell the tournament what has become of a replica: to be called when what it ranks by changes, at that time."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    router = int(pool["router"])
    if router < FIRST_RANKED:
        return
    key = math.inf
    if replica["ready"] == 1:
        if router == LEAST_OUTSTANDING:
            key = float(replica["outstanding"])
        elif router == LEAST_TOKENS:
            key = float(replica["tokens"])
        elif router == LEAST_KV:
            # in use when the batch last changed (a router reads a metric, not the engine's mind), and on its way
            key = float(replica["noted_blocks"] + s.queues[len(s.pools) + row]["blocks"])
        elif replica["outstanding"] < pool["seats"]:
            # a central queue's head goes to a replica with a free seat: the one with fewest requests or prompt tokens
            key = float(replica["outstanding"] if router == FREE_SLOT else replica["tokens"])
    tournament.update(s.routes, int(pool["tree0"]), int(pool["leaves"]), int(row - pool["replica0"]), key)
