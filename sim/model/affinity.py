"""Routers that remember: a session stays at its replica, a prompt goes where its beginning is known.

Both keep within bounded loads: a replica is chosen for what it remembers only while its requests are at most
`load_bound` times the mean of the ready replicas, rounded up, and one (after Mirrokni, Thorup, Zadimoghaddam 2018:
consistent hashing with bounded loads). Loads are as the router sees them (see stale); what a replica remembers is known
at once. A session is where the last request of it had come to, answered or not, if that is in the same pool; of
several that a request follows, the one that ended last.
"""

from __future__ import annotations

from sim.model import batching, memory, prefix, stale, transfer
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import COMPLETED, NONE, State


@compiled_apart
def limit(s: State, pool_row: int, now_s: float) -> float:
    """Replicas with less load than this are within the bound.

    An integer is at most ceil(x) + 1 when it is below x + 2; x is the bound times the mean.
    """
    pool = s.pools[pool_row]
    total = 0
    for place in range(pool["replica0"], pool["replica0"] + pool["ready"]):
        total += stale.load(pool, s.replicas[s.lists[place]], now_s)
    return float(pool["load_bound"] * total / pool["ready"] + 2.0)


@compiled_apart
def of_session(s: State, pool_row: int, r: int, now_s: float) -> int:
    """The replica that served the request of this session before r, within the bound; else the least loaded."""
    row = served(s, pool_row, r)
    if row != NONE and stale.load(s.pools[pool_row], s.replicas[row], now_s) < limit(s, pool_row, now_s):
        return row
    return stale.least(s, pool_row, now_s)


@compiled
def served(s: State, pool_row: int, r: int) -> int:
    """The ready replica of this pool that served the request which r follows; NONE if there is none, or it is gone."""
    if s.run[0]["calls"] == 0:
        return NONE
    before = 0 + int(s.calls[r]["before"])
    if before == NONE:
        return NONE
    row = 0 + int(s.requests[before]["replica"])
    if row == NONE:
        return NONE
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    # a replica that opened after the answer only has the row of the one that gave it
    ended_s = float(s.requests[before]["finish_s"])
    if s.requests[before]["outcome"] == COMPLETED:
        ended_s -= pool["overhead_s"]
    if pool["home"] == pool_row and replica["ready"] == 1 and replica["ready_s"] <= ended_s:
        return row
    return NONE


@compiled_apart
def of_prompt(s: State, pool_row: int, r: int, over_row: int, now_s: float) -> int:
    """The replica within the bound that knows most tokens of r's prompt; of several the least loaded, then lowest.

    Iterations that end exactly now are over for replicas up to `over_row`.
    """
    request = s.requests[r]
    if request["prefix0"] == NONE or request["handed"] != transfer.HERE:
        return stale.least(s, pool_row, now_s)
    pool = s.pools[pool_row]
    most = limit(s, pool_row, now_s)
    best = NONE
    best_known = 0
    best_load = 0
    for place in range(pool["replica0"], pool["replica0"] + pool["ready"]):
        row = int(s.lists[place])
        load = stale.load(pool, s.replicas[row], now_s)
        if load >= most:
            continue
        forget(s, row, now_s, row <= over_row)
        known = prefix.look(s, row, r)[0]
        if (
            best == NONE
            or known > best_known
            or (known == best_known and (load < best_load or (load == best_load and row < best)))
        ):
            best = row
            best_known = known
            best_load = load
    return best


@compiled_apart
def forget(s: State, row: int, now_s: float, at_now: bool) -> None:
    """Bring a replica's prefix cache up to now: iterations that are over have taken memory from idle blocks.

    They would be forgotten at the end of the jump, the same ones first; so nothing else changes.
    """
    replica = s.replicas[row]
    if replica["idle_blocks"] == 0 or replica["planned"] == 0:
        return
    taken = memory.taken(s, replica, batching.iterations_by(replica, now_s, at_now))
    replica["blocks"] += taken
    prefix.trim(s, row)
    replica["blocks"] -= taken
