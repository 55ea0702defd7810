"""A replica's heap of finishes: who of its batch ends next, found without looking at the whole batch.

A binary heap by (key, seat). A preempted sequence leaves its entry behind; an entry counts only while its seat still
stops at that key. When the heap is full of leftovers it is swept, which costs nothing per request on average.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model.compiled import compiled

SPARE = 2
"""Room in a heap, in entries per seat."""


@compiled
def push(heaps: Any, seats: Any, replica: Any, capacity: int, key: float, seat: int) -> None:
    """Add an entry; sweep the heap first if leftovers fill it."""
    if replica["heap"] == capacity:
        sweep(heaps, seats, replica)
    first = replica["heap0"]
    place = replica["heap"]
    replica["heap"] += 1
    while place > 0:
        parent = (place - 1) >> 1
        above = heaps[first + parent]
        if above["key"] < key or (above["key"] == key and above["seat"] < seat):
            break
        heaps[first + place]["key"] = above["key"]
        heaps[first + place]["seat"] = above["seat"]
        place = parent
    heaps[first + place]["key"] = key
    heaps[first + place]["seat"] = seat


@compiled
def pop(heaps: Any, replica: Any) -> int:
    """Remove the least entry and return its seat."""
    first = replica["heap0"]
    seat = heaps[first]["seat"]
    replica["heap"] -= 1
    size = replica["heap"]
    last_key = heaps[first + size]["key"]
    last_seat = heaps[first + size]["seat"]
    _sift_down(heaps, first, size, 0, last_key, last_seat)
    return int(seat)


@compiled
def next_stop(heaps: Any, seats: Any, replica: Any) -> float:
    """Key of the next finish, leftovers dropped on the way; inf when nobody is left."""
    first = replica["heap0"]
    while replica["heap"] > 0:
        key = heaps[first]["key"]
        if seats[heaps[first]["seat"]]["stop"] == key:
            return float(key)
        pop(heaps, replica)
    return math.inf


@compiled
def sweep(heaps: Any, seats: Any, replica: Any) -> None:
    """Drop every leftover and order the rest again."""
    first = replica["heap0"]
    kept = 0
    for place in range(replica["heap"]):
        key = heaps[first + place]["key"]
        seat = heaps[first + place]["seat"]
        if seats[seat]["stop"] == key:
            seats[seat]["stop"] = -1.0  # a leftover that equals a kept entry is dropped too
            heaps[first + kept]["key"] = key
            heaps[first + kept]["seat"] = seat
            kept += 1
    replica["heap"] = kept
    for place in range(kept):
        seats[heaps[first + place]["seat"]]["stop"] = heaps[first + place]["key"]
    for place in range((kept >> 1) - 1, -1, -1):
        _sift_down(heaps, first, kept, place, heaps[first + place]["key"], heaps[first + place]["seat"])


@compiled
def _sift_down(heaps: Any, first: int, size: int, place: int, key: float, seat: int) -> None:
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size:
            left = heaps[first + child]
            right = heaps[first + child + 1]
            if right["key"] < left["key"] or (right["key"] == left["key"] and right["seat"] < left["seat"]):
                child += 1
        below = heaps[first + child]
        if key < below["key"] or (key == below["key"] and seat < below["seat"]):
            break
        heaps[first + place]["key"] = below["key"]
        heaps[first + place]["seat"] = below["seat"]
        place = child
    if size > 0:
        heaps[first + place]["key"] = key
        heaps[first + place]["seat"] = seat
