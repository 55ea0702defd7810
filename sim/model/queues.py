"""Where requests wait for a replica: a place is a pool's own queue, or that of a replica.

The row of a place holds what waits there in all. Places are numbered by their row in the queue table: pool p's is p,
that of a replica `len(pools) + row`.
"""

from __future__ import annotations

from sim.model import lines
from sim.model.compiled import compiled
from sim.model.tables import State


@compiled
def push_back(s: State, place: int, r: int, blocks: int) -> None:
    """Request r comes to wait; it will need this many blocks of KV memory."""
    lines.append(s.queues, s.requests, place, r)
    count(s, place, r, blocks, 1)


@compiled
def push_front(s: State, place: int, r: int, blocks: int) -> None:
    """Request r comes back and goes before the others: it was served before and was preempted."""
    lines.prepend(s.queues, s.requests, place, r)
    count(s, place, r, blocks, 1)


@compiled
def first(s: State, place: int) -> int:
    """Who goes next, at a place where somebody waits."""
    return int(lines.head(s.queues, s.requests, place))


@compiled
def pop_front(s: State, place: int, r: int, blocks: int) -> None:
    """Request r, which is first, leaves with its blocks."""
    lines.pop(s.queues, s.requests, place)
    count(s, place, r, blocks, -1)


@compiled
def take_out(s: State, place: int, r: int, blocks: int) -> None:
    """Request r leaves from wherever it stands; by the end of this transition it must have an outcome."""
    s.queues[place]["length"] -= 1
    count(s, place, r, blocks, -1)


@compiled
def count(s: State, place: int, r: int, blocks: int, sign: int) -> None:
    """Request r has come (1) or gone (-1): what waits here in blocks and prompt tokens."""
    queue = s.queues[place]
    queue["blocks"] += sign * blocks
    queue["tokens"] += sign * s.requests[r]["prompt_tokens"]
