"""What happens to single requests at times known beforehand: a KV cache arrives, a client gives up or asks again.

A heap by (time, request), in the rows of the heap table behind those of the replicas. A request has one entry at most,
for what comes next to it, and knows its place: who is served leaves the heap at once, which so stays small.
"""

from __future__ import annotations

import math

from sim.model import heaps
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, State


@compiled
def next_s(s: State) -> float:
    """When the next one is due; inf when there is none."""
    run = s.run[0]
    return float(s.heaps[run["timer0"]]["key"]) if run["timers"] > 0 else math.inf


@compiled
def first(s: State) -> int:
    """The request of the next one."""
    return 0 + int(s.heaps[s.run[0]["timer0"]]["request"])  # 64 bits wide, as requests are elsewhere


@compiled
def set_to(s: State, r: int, at_s: float) -> None:
    """The next thing happens to request r at `at_s`; inf: nothing does."""
    place = int(s.calls[r]["timer"])
    if place == NONE:
        if at_s == math.inf:
            return
        add(s, r, at_s)
    elif at_s == math.inf:
        drop_apart(s, r)
    else:
        settle(s, place, at_s, r)


@compiled
def add(s: State, r: int, at_s: float) -> None:
    """Something will happen to request r, which has no timer yet."""
    place = int(s.run[0]["timers"])
    s.run[0]["timers"] += 1
    rise(s, place, at_s, r)


@compiled_apart
def drop_apart(s: State, r: int) -> None:
    """`drop`, for callers that are rare."""
    drop(s, r)


@compiled
def drop(s: State, r: int) -> None:
    """Nothing happens to request r of its own accord any more."""
    run = s.run[0]
    place = int(s.calls[r]["timer"])
    if place == NONE:
        return
    s.calls[r]["timer"] = NONE
    run["timers"] -= 1
    size = int(run["timers"])
    if place < size:  # the last entry takes its place
        last = s.heaps[run["timer0"] + size]
        settle(s, place, float(last["key"]), 0 + int(last["request"]))


@compiled
def settle(s: State, place: int, key: float, r: int) -> None:
    """Put an entry in the place of another: it rises, or it sinks."""
    first_row = int(s.run[0]["timer0"])
    if place > 0 and not heaps.before(s.heaps, first_row + ((place - 1) >> 1), key, r):
        rise(s, place, key, r)
    else:
        sink(s, place, key, r)


@compiled
def put(s: State, place: int, key: float, r: int) -> None:
    """Write an entry, and tell its request where it is."""
    heaps.put(s.heaps, int(s.run[0]["timer0"]) + place, key, r, 0)
    s.calls[r]["timer"] = place


@compiled
def rise(s: State, place: int, key: float, r: int) -> None:
    """Put an entry where it belongs at or above `place`."""
    first_row = int(s.run[0]["timer0"])
    while place > 0:
        parent = (place - 1) >> 1
        if heaps.before(s.heaps, first_row + parent, key, r):
            break
        above = s.heaps[first_row + parent]
        put(s, place, float(above["key"]), 0 + int(above["request"]))
        place = parent
    put(s, place, key, r)


@compiled
def sink(s: State, place: int, key: float, r: int) -> None:
    """Put an entry where it belongs at or below `place`."""
    first_row = int(s.run[0]["timer0"])
    size = int(s.run[0]["timers"])
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size:
            right = s.heaps[first_row + child + 1]
            if not heaps.before(s.heaps, first_row + child, float(right["key"]), 0 + int(right["request"])):
                child += 1
        below = s.heaps[first_row + child]
        if not heaps.before(s.heaps, first_row + child, key, r):
            break
        put(s, place, float(below["key"]), 0 + int(below["request"]))
        place = child
    put(s, place, key, r)
