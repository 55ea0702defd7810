"""Which ready replica of the pool takes a request: one compiled function a router, the union at the bottom of this.

Routers that rank (least outstanding, tokens, KV) keep their key in the pool's tournament tree, so that choosing costs
the same for eight replicas and for a thousand; ties go to the lowest row. With loads as of a while ago (see stale), and
where a request's past counts (see affinity), all ready replicas are looked at. Routers that draw use the request's own
ticket, so a change of fleet never shifts anybody else's luck.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import affinity, memory, stale, tournament
from sim.model.compiled import compiled
from sim.model.tables import NONE, State

ROUND_ROBIN, RANDOM, POWER_OF_TWO, SESSION_AFFINITY, PREFIX_AWARE = range(5)
LEAST_OUTSTANDING, LEAST_TOKENS, LEAST_KV, FREE_SLOT, FREE_MEMORY = range(5, 10)
FIRST_RANKED = LEAST_OUTSTANDING

# The union is the registry: scenario files, error texts and the choice below know the routers by these names.
ROUTERS = {
    "round_robin": ROUND_ROBIN,
    "random": RANDOM,
    "power_of_two": POWER_OF_TWO,
    "least_outstanding": LEAST_OUTSTANDING,
    "least_tokens": LEAST_TOKENS,
    "least_kv": LEAST_KV,
    "session_affinity": SESSION_AFFINITY,
    "prefix_aware": PREFIX_AWARE,
}
BLIND = ("round_robin", "random")
"""Routers that look at no load."""
BOUNDED = ("session_affinity", "prefix_aware")
"""Routers that remember, as long as the load of what they remember is within a bound."""

EXTRAS = True
"""False while compiled for runs that have none of these (see compiled.widen)."""


@compiled
def choose(s: State, pool_row: int, r: int, over_row: int, now_s: float) -> int:
    """The replica row for request r; NONE when none is ready (central queue: none has a free seat).

    Iterations that end exactly now are over for replicas up to `over_row`. Nothing of this changes loads: see `sent`.
    """
    pool = s.pools[pool_row]
    ready = int(pool["ready"])
    if ready == 0:
        return NONE
    router = int(pool["router"])
    if router >= FIRST_RANKED:
        if EXTRAS and pool["refresh_s"] > 0.0:
            return stale.least(s, pool_row, now_s)
        return least(pool, s.routes)
    first = int(pool["replica0"])
    if router == ROUND_ROBIN:
        return round_robin(pool, s.lists, first, ready)
    if EXTRAS and router == SESSION_AFFINITY:
        return affinity.of_session(s, pool_row, r, now_s)
    if EXTRAS and router == PREFIX_AWARE:
        return affinity.of_prompt(s, pool_row, r, over_row, now_s)
    ticket = s.requests[r]["ticket"]
    if router == RANDOM:
        return int(s.lists[first + min(int(ticket * ready), ready - 1)])
    return power_of_two(s, pool_row, ticket, now_s)


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
def power_of_two(s: State, pool_row: int, ticket: float, now_s: float) -> int:
    """Two different replicas drawn by lot, the one with fewer outstanding requests wins (Mitzenmacher 2001)."""
    pool = s.pools[pool_row]
    first = int(pool["replica0"])
    ready = int(pool["ready"])
    scaled = ticket * ready
    one = min(int(scaled), ready - 1)
    if ready == 1:
        return int(s.lists[first])
    other = min(int((scaled - one) * (ready - 1)), ready - 2)
    if other >= one:
        other += 1
    a = int(s.lists[first + one])
    b = int(s.lists[first + other])
    if stale.load(pool, s.replicas[b], now_s) < stale.load(pool, s.replicas[a], now_s):
        return b
    return a


@compiled
def load(s: State, pool: Any, row: int) -> int:
    """What the router of a pool ranks its replicas by."""
    replica = s.replicas[row]
    router = int(pool["router"])
    if router in (LEAST_TOKENS, FREE_MEMORY):
        return int(replica["tokens"])
    if router == LEAST_KV:
        # in use when the batch last changed (a router reads a metric, not the engine's mind), and on its way
        return int(replica["noted_blocks"] + s.queues[len(s.pools) + row]["blocks"])
    return int(replica["outstanding"])


@compiled
def refresh(s: State, row: int, now_s: float) -> None:
    """Note what has become of a replica's load: to be called when what its router ranks by changes, at that time."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    if EXTRAS and pool["refresh_s"] > 0.0:
        stale.record(pool, replica, load(s, pool, row), now_s)
        return
    router = int(pool["router"])
    if router < FIRST_RANKED:
        return
    key = math.inf
    # a central queue's head goes to a replica with a free seat: the one with fewest requests or prompt tokens
    if replica["ready"] == 1 and (router < FREE_SLOT or replica["outstanding"] < pool["seats"]):
        key = float(load(s, pool, row))
    tournament.update(s.routes, int(pool["tree0"]), int(pool["leaves"]), int(row - pool["replica0"]), key)


@compiled
def sent(s: State, row: int, r: int, now_s: float) -> None:
    """Request r goes to replica `row`: a router with old loads adds what it has itself sent since they were read."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    if pool["counts_own"] == 0:
        return
    stale.roll(pool, replica, now_s)
    router = int(pool["router"])
    if router == LEAST_TOKENS:
        replica["sent"] += s.requests[r]["prompt_tokens"]
    elif router == LEAST_KV:
        replica["sent"] += memory.needed(pool, s.requests[r])
    else:
        replica["sent"] += 1
