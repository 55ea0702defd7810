"""Seats of a replica: taken and left one at a time, linked in order of admission."""

from __future__ import annotations

from typing import Any

from sim.model.compiled import compiled
from sim.model.tables import NONE


@compiled
def sit(seats: Any, replica: Any, r: int) -> int:
    """Request r takes a free seat, as the newest of the batch. Returns the seat."""
    seat = int(replica["free"])
    place = seats[seat]
    replica["free"] = place["newer"]
    newest = int(replica["newest"])
    place["request"] = r
    place["older"] = newest
    place["newer"] = NONE
    if newest != NONE:
        seats[newest]["newer"] = seat
    replica["newest"] = seat
    replica["seated"] += 1
    return seat


@compiled
def leave(seats: Any, replica: Any, seat: int) -> None:
    """The seat is free again."""
    place = seats[seat]
    older = int(place["older"])
    newer = int(place["newer"])
    if newer == NONE:
        replica["newest"] = older
    else:
        seats[newer]["older"] = older
    if older != NONE:
        seats[older]["newer"] = newer
    place["stop"] = -1.0
    place["newer"] = replica["free"]
    replica["free"] = seat
    replica["seated"] -= 1
