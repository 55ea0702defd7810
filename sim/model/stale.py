"""Loads as a router knew them at its last look: it reads them every `refresh_s`, and not between.

No event is needed for that. A replica keeps its load, and what that was before its first change in the period of its
last change. So at any time both are known: the load now, and the load when this period began. What happens at the
instant of a look is not in it yet.
"""

from __future__ import annotations

from typing import Any

from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, State


@compiled
def period(pool: Any, now_s: float) -> int:
    """The number of the period that now belongs to; period n begins at n * refresh_s."""
    return int(now_s / pool["refresh_s"])


@compiled
def roll(pool: Any, replica: Any, now_s: float) -> None:
    """Something is about to change at this replica: in a new period, what it was until now is what is seen."""
    here = period(pool, now_s)
    if here > replica["period"]:
        replica["period"] = here
        replica["seen"] = replica["load"]
        replica["sent"] = 0


@compiled
def record(pool: Any, replica: Any, load: int, now_s: float) -> None:
    """The load of a replica from now on. One that opens has been seen with nothing."""
    if replica["ready"] == 0:
        replica["load"] = 0
        replica["seen"] = 0
        replica["sent"] = 0
        replica["period"] = NONE
        return
    roll(pool, replica, now_s)
    replica["load"] = load


@compiled
def load(pool: Any, replica: Any, now_s: float) -> int:
    """What a router sees: requests outstanding; or what it ranks by at its last look, and what it has sent since."""
    if pool["refresh_s"] == 0.0:
        return int(replica["outstanding"])
    if period(pool, now_s) > replica["period"]:
        return int(replica["load"])
    return int(replica["seen"] + replica["sent"])


@compiled_apart
def least(s: State, pool_row: int, now_s: float) -> int:
    """Of the ready replicas (there is one) that which is seen with the least load; the lowest row of several."""
    pool = s.pools[pool_row]
    best = NONE
    best_load = 0
    for place in range(pool["replica0"], pool["replica0"] + pool["ready"]):
        row = int(s.lists[place])
        seen = load(pool, s.replicas[row], now_s)
        if best == NONE or seen < best_load or (seen == best_load and row < best):
            best = row
            best_load = seen
    return best
