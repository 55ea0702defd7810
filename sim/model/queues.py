"""Where requests wait for a replica: a place is a pool's own queue, or that of a replica.

The row of a place holds what waits there in all. Places are numbered by their row in the queue table: pool p's is p,
that of a replica `len(pools) + row`. A place is one line, first come first served, or several (see orders).
"""

from __future__ import annotations

from sim.model import lines, orders
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import UNFINISHED, State

EXTRAS = True
"""False while compiled for runs that have none of these (see compiled.widen)."""


@compiled
def push_back(s: State, place: int, r: int, blocks: int) -> None:
    """Request r comes to wait; it will need this many blocks of KV memory."""
    if EXTRAS and s.queues[place]["lines"] > 0:
        orders.join(s, place, r, blocks)
    else:
        lines.append(s.queues, s.requests, place, r)
    count(s, place, r, blocks, 1)


@compiled
def push_front(s: State, place: int, r: int, blocks: int) -> None:
    """Request r comes back and goes before the others of its line: it was served before and was preempted."""
    if EXTRAS and s.queues[place]["lines"] > 0:
        orders.come_back(s, place, r, blocks)
    else:
        lines.prepend(s.queues, s.requests, place, r)
    count(s, place, r, blocks, 1)


@compiled
def first(s: State, place: int) -> int:
    """Who goes next, at a place where somebody waits."""
    if EXTRAS and s.queues[place]["lines"] > 0:
        return int(orders.first(s, place))
    return int(lines.head(s.queues, s.requests, place))


@compiled_apart
def turn_away(s: State, place: int, r: int, blocks: int) -> None:
    """Request r, which is first, leaves with its blocks, and is not served."""
    if s.queues[place]["lines"] > 0:
        orders.leave(s, place, r, blocks)
    else:
        lines.pop(s.queues, s.requests, place)
    count(s, place, r, blocks, -1)


@compiled
def pop_front(s: State, place: int, r: int, blocks: int) -> None:
    """Request r, which is first, leaves with its blocks, to be served."""
    if EXTRAS and s.queues[place]["lines"] > 0:
        orders.charge(s, place, r)
        orders.leave(s, place, r, blocks)
    else:
        lines.pop(s.queues, s.requests, place)
    count(s, place, r, blocks, -1)


@compiled_apart
def take_out(s: State, place: int, r: int, blocks: int) -> bool:
    """Request r, which has its outcome, leaves from wherever it stands. Returns whether it was the head of its line.

    It stays linked until it would be the next, and is passed over then: whoever has an outcome never comes back.
    """
    line = place
    if s.queues[place]["lines"] > 0:
        line = orders.line_of(s, place, r)
        s.queues[line]["blocks"] -= blocks
        s.queues[place]["length"] -= 1
    before = 0 + int(s.queues[line]["head"])
    while before != r and s.requests[before]["outcome"] != UNFINISHED:
        before = 0 + int(s.requests[before]["next"])
    s.queues[line]["head"] = before  # those passed over need not be looked at again
    s.queues[line]["length"] -= 1
    count(s, place, r, blocks, -1)
    left_unserved(s, place)
    return before == r


@compiled
def left_unserved(s: State, place: int) -> None:
    """Somebody has left here and was not served: it may be that nobody waits in the pool any more."""
    if s.queues[place]["lines"] > 0:
        orders.left_unserved(s, place)


@compiled
def count(s: State, place: int, r: int, blocks: int, sign: int) -> None:
    """Request r has come (1) or gone (-1): what waits here in blocks and prompt tokens."""
    queue = s.queues[place]
    queue["blocks"] += sign * blocks
    queue["tokens"] += sign * s.requests[r]["prompt_tokens"]
    if EXTRAS and queue["lines"] > 0 and s.pools[queue["home"]]["booked"] == 1:
        orders.book(s, place, r, sign)


@compiled
def ahead(s: State, place: int, r: int) -> tuple[int, int]:
    """How many of those who wait would go before request r, and the blocks of KV memory that they will need."""
    queue = s.queues[place]
    if EXTRAS and queue["lines"] > 0 and queue["length"] > 0:
        return orders.ahead(s, place, r)
    return int(queue["length"]), int(queue["blocks"])


@compiled
def comes_first(s: State, place: int, r: int) -> bool:
    """Whether request r, which has just come, goes before all others at a place of several lines."""
    if EXTRAS and s.queues[place]["lines"] > 0:
        return bool(orders.first(s, place) == r)
    return False


@compiled
def full(s: State, place: int, r: int) -> bool:
    """Whether there is no room for request r to wait: limits in requests and in prompt tokens."""
    queue = s.queues[place]
    pool = s.pools[queue["home"]]
    if queue["length"] >= pool["max_waiting"]:
        return True
    if queue["tokens"] + s.requests[r]["prompt_tokens"] > pool["max_waiting_tokens"]:
        return True
    if EXTRAS and queue["lines"] > 0:
        return bool(orders.class_full(s, place, r))
    return False


def lines_of(s: State, place: int) -> slice:
    """The rows of the lines at a place; none where it is one line."""
    first_row = int(s.queues[place]["line0"])
    return slice(first_row, first_row + int(s.queues[place]["lines"]))


def forget(s: State, place: int) -> None:
    """Nobody has ever waited at a place: what its lines have had, and how long waits were, is not known."""
    rows = lines_of(s, place)
    s.queues["tag"][rows] = s.queues["clock"][rows] = 0.0
    queue = s.queues[place]
    queue["least_wait_s"] = queue["until_s"] = 0.0
    queue["overloaded"] = 0
