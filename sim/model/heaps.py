"""A replica's heap of finishes: who of its batch ends next, found without looking at the whole batch.

A binary heap by (key, request). A preempted sequence leaves its entry behind; an entry counts only while its seat still
stops at that key. When the heap is full of leftovers it is swept, which costs nothing per request on average.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model.compiled import compiled, compiled_apart

SPARE = 2
"""Room in a heap, in entries per seat."""


@compiled
def before(heaps: Any, place: int, key: float, request: int) -> bool:
    """Whether the entry at `place` goes before one with this key and request."""
    entry = heaps[place]
    return bool(entry["key"] < key or (entry["key"] == key and entry["request"] < request))


@compiled
def put(heaps: Any, place: int, key: float, request: int, seat: int) -> None:
    """Write an entry."""
    entry = heaps[place]
    entry["key"] = key
    entry["request"] = request
    entry["seat"] = seat


@compiled
def move(heaps: Any, place: int, source: int) -> None:
    """Copy an entry from `source` to `place`."""
    entry = heaps[source]
    put(heaps, place, entry["key"], entry["request"], entry["seat"])


@compiled
def push(heaps: Any, seats: Any, replica: Any, capacity: int, seat: int) -> None:
    """Add the entry of a seat that has its `stop`; sweep the heap first if leftovers fill it."""
    if replica["heap"] == capacity:
        sweep(heaps, seats, replica)
    key = float(seats[seat]["stop"])
    request = int(seats[seat]["request"])
    first = int(replica["heap0"])
    place = int(replica["heap"])
    replica["heap"] += 1
    while place > 0:
        parent = (place - 1) >> 1
        if before(heaps, first + parent, key, request):
            break
        move(heaps, first + place, first + parent)
        place = parent
    put(heaps, first + place, key, request, seat)


@compiled
def pop(heaps: Any, replica: Any) -> int:
    """Remove the least entry and return its seat."""
    first = int(replica["heap0"])
    seat = int(heaps[first]["seat"])
    replica["heap"] -= 1
    size = int(replica["heap"])
    last = heaps[first + size]
    sift_down(heaps, first, size, 0, last["key"], last["request"], last["seat"])
    return seat


@compiled
def next_stop(heaps: Any, seats: Any, replica: Any) -> float:
    """Key of the next finish, leftovers dropped on the way; inf when nobody is left."""
    first = int(replica["heap0"])
    while replica["heap"] > 0:
        key = heaps[first]["key"]
        if seats[heaps[first]["seat"]]["stop"] == key:
            return float(key)
        pop(heaps, replica)
    return math.inf


@compiled_apart
def sweep(heaps: Any, seats: Any, replica: Any) -> None:
    """Drop every leftover and order the rest again."""
    first = int(replica["heap0"])
    kept = 0
    for place in range(replica["heap"]):
        entry = heaps[first + place]
        seat = entry["seat"]
        if seats[seat]["stop"] == entry["key"]:
            seats[seat]["stop"] = -1.0  # a leftover that equals a kept entry is dropped too
            move(heaps, first + kept, first + place)
            kept += 1
    replica["heap"] = kept
    for place in range(kept):
        seats[heaps[first + place]["seat"]]["stop"] = heaps[first + place]["key"]
    for place in range((kept >> 1) - 1, -1, -1):
        entry = heaps[first + place]
        sift_down(heaps, first, kept, place, entry["key"], entry["request"], entry["seat"])


@compiled
def sift_down(heaps: Any, first: int, size: int, place: int, key: float, request: int, seat: int) -> None:
    """Put an entry where it belongs at or below `place`, in a heap of `size`."""
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size:
            right = heaps[first + child + 1]
            if not before(heaps, first + child, right["key"], right["request"]):
                child += 1
        if not before(heaps, first + child, key, request):
            break
        move(heaps, first + place, first + child)
        place = child
    if size > 0:
        put(heaps, first + place, key, request, seat)
