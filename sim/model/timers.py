"""What will happen to single requests at known times: KV caches that arrive at the pool that decodes.

A binary heap by (time, request), in the rows of the heap table behind those of the replicas.
"""

from __future__ import annotations

import math

from sim.model import heaps
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import State


@compiled_apart
def add(s: State, at_s: float, r: int) -> None:
    """Something will happen to request r at `at_s`; a request has one timer at most."""
    run = s.run[0]
    first = int(run["timer0"])
    place = int(run["timers"])
    run["timers"] += 1
    while place > 0:
        parent = (place - 1) >> 1
        if heaps.before(s.heaps, first + parent, at_s, r):
            break
        heaps.move(s.heaps, first + place, first + parent)
        place = parent
    heaps.put(s.heaps, first + place, at_s, r, 0)


@compiled
def next_s(s: State) -> float:
    """When the next one is due; inf when there is none."""
    run = s.run[0]
    return float(s.heaps[run["timer0"]]["key"]) if run["timers"] > 0 else math.inf


@compiled
def pop(s: State) -> int:
    """The request of the next one, which is then over."""
    run = s.run[0]
    first = int(run["timer0"])
    r = 0 + int(s.heaps[first]["request"])  # 64 bits wide, as requests are elsewhere
    run["timers"] -= 1
    size = int(run["timers"])
    last = s.heaps[first + size]
    heaps.sift_down(s.heaps, first, size, 0, last["key"], last["request"], last["seat"])
    return r
