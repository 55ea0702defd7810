"""Rows of requests that nobody needs any more leave the table at its front, and the others move up.

Only a run whose demand comes in chunks does this. Since those who leave are always the first, every number of a row
that is kept anywhere falls by the same count. Called between two transitions, by plain code: once a chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import NONE, UNFINISHED, State


def ended(s: State) -> int:
    """How many of the first requests have their outcome.

    Nobody who stays is linked to one of them: only clients that give up leave lines from anywhere but the head.
    """
    run = s.run[0]
    assert run["calls"] == 0, "clients that act look back at what they asked before"
    still = s.requests["outcome"][: int(run["next_arrival"])] == UNFINISHED
    return int(np.argmax(still)) if still.any() else len(still)


def retire(s: State, count: int) -> None:
    """The first `count` rows leave (see `ended`)."""
    if count == 0:
        return
    run = s.run[0]
    rows = int(run["rows"])
    for table in (s.requests, s.calls):
        if len(table):
            table[: rows - count] = table[count:rows]  # numpy copes with the overlap
    for name in ("next_arrival", "arrivals", "rows"):
        run[name] -= count
    kept = rows - count
    _shift(s.requests["next"][:kept], count)
    for name in ("first", "twin") if len(s.calls) else ():
        s.calls[name][:kept] -= count
    for name in ("head", "tail"):
        s.queues[name] -= count  # of empty lines they mean nothing
    s.seats["request"] -= count  # as in free seats, and in what heaps no longer hold
    s.heaps["request"] -= count


def _shift(links: NDArray[Any], count: int) -> None:
    """Links of a line; those that end it, or lead to rows that leave, end it."""
    links -= count
    links[links < 0] = NONE
