"""Who goes first where a place has several lines: by priority, or so that classes or tenants get their shares.

A place of several lines has rows for them behind the rows of the clients, `lines` from `line0` on; then one a class,
which counts (and, at the place of a pool, holds the limits). What a line is for follows from the pool's `rank_lines`,
`group_lines` and `tenant_lines`: how many rows the next rank, class or tenant is further on.

Shares are start-time fair queueing (Goyal, Vin & Cheng 1996): a line's `tag` is the start tag of its head, its cost
over its weight further on after each start; the `clock` is the tag of the last that started. As each line is first
come, first served, one tag a line is enough: whoever stands behind its head begins where that one's service ends.

Every place counts for itself what has left it to be served: a central queue what it has handed out, the queue of a
replica what has had a seat there. Whoever comes back to a place gives back what it was charged there; who leaves
unserved was charged nothing; a new replica begins anew. Of equals the lower row goes first: the higher level, the class
or tenant named before. A request that finds others waiting takes a place before them by level or age only, never by
its share: then it stands in line, and needs room to wait.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import lines
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, State

FCFS, PRIORITY, WEIGHTED_FAIR = range(3)
ORDERS = {"fcfs": FCFS, "priority": PRIORITY, "weighted_fair": WEIGHTED_FAIR}


@compiled
def line_of(s: State, place: int, r: int) -> int:
    """The row of the line that request r waits in, at a place of several."""
    pool = s.pools[s.queues[place]["home"]]
    sender = s.senders[s.requests[r]["stream"]]
    own = sender["rank"] * pool["rank_lines"] + sender["group"] * pool["group_lines"]
    return int(s.queues[place]["line0"] + own + sender["customer"] * pool["tenant_lines"])


@compiled
def clock_of(s: State, place: int, r: int) -> int:
    """The row that keeps the clock of those that share with request r: the first line of its level, or of the place."""
    pool = s.pools[s.queues[place]["home"]]
    return int(s.queues[place]["line0"] + s.senders[s.requests[r]["stream"]]["rank"] * pool["rank_lines"])


@compiled_apart
def join(s: State, place: int, r: int, blocks: int) -> None:
    """Request r joins the end of its line."""
    row = line_of(s, place, r)
    line = s.queues[row]
    if line["length"] == 0:
        line["tag"] = max(line["tag"], s.queues[clock_of(s, place, r)]["clock"])
    lines.append(s.queues, s.requests, row, r)
    line["blocks"] += blocks
    s.queues[place]["length"] += 1


@compiled_apart
def come_back(s: State, place: int, r: int, blocks: int) -> None:
    """Request r goes to the head of its line; what it was charged for its start is given back."""
    row = line_of(s, place, r)
    lines.prepend(s.queues, s.requests, row, r)
    s.queues[row]["tag"] -= cost(s, place, r)
    s.queues[row]["blocks"] += blocks
    s.queues[place]["length"] += 1


@compiled_apart
def leave(s: State, place: int, r: int, blocks: int) -> None:
    """Request r, the first of the place, leaves it."""
    row = line_of(s, place, r)
    lines.pop(s.queues, s.requests, row)
    s.queues[row]["blocks"] -= blocks
    s.queues[place]["length"] -= 1


@compiled_apart
def charge(s: State, place: int, r: int) -> None:
    """Request r starts: its line has had so much more of its share."""
    if s.pools[s.queues[place]["home"]]["fair"] == 0:
        return
    line = s.queues[line_of(s, place, r)]
    shared = s.queues[clock_of(s, place, r)]
    if line["length"] == 0:  # it never waited
        line["tag"] = max(line["tag"], shared["clock"])
    shared["clock"] = max(shared["clock"], line["tag"])
    line["tag"] += cost(s, place, r)


@compiled
def cost(s: State, place: int, r: int) -> float:
    """What a request takes of its line's share: its tokens over the weight; 1 where requests have none."""
    pool = s.pools[s.queues[place]["home"]]
    if pool["fair"] == 0:
        return 0.0
    request = s.requests[r]
    sender = s.senders[request["stream"]]
    tokens = max(float(request["prompt_tokens"]) + float(request["output_tokens"]), 1.0)
    if pool["order"] == WEIGHTED_FAIR:
        return tokens / float(sender["weight"])
    return tokens / float(s.senders[sender["tenant"]]["weight"]) if sender["tenant"] != NONE else tokens


@compiled
def urgency(s: State, pool: Any, r: int) -> float:
    """What priority goes by: the level; with aging the arrival, so much later for each level."""
    if pool["order"] != PRIORITY:
        return 0.0
    level = float(s.senders[s.requests[r]["stream"]]["level"])
    if pool["aging_s"] == math.inf:
        return level
    return float(s.requests[r]["arrival_s"] + level * pool["aging_s"])


@compiled_apart
def first(s: State, place: int) -> int:
    """The head of the line that goes first; of equals, that of the lower row. NONE: nobody waits."""
    queue = s.queues[place]
    pool = s.pools[queue["home"]]
    found = NONE
    least = math.inf
    least_tag = math.inf
    for row in range(queue["line0"], queue["line0"] + queue["lines"]):
        line = s.queues[row]
        if line["length"] == 0:
            continue
        r = lines.head(s.queues, s.requests, row)
        key = urgency(s, pool, r)
        if key < least or (key == least and line["tag"] < least_tag):
            found = 0 + int(r)
            least = key
            least_tag = line["tag"]
    return found


@compiled_apart
def precedes(s: State, place: int, r: int) -> bool:
    """Whether request r, which has not joined them, goes before all who wait at a place ordered by priority."""
    if s.queues[place]["length"] == 0:
        return True
    pool = s.pools[s.queues[place]["home"]]
    return bool(urgency(s, pool, r) < urgency(s, pool, first(s, place)))


@compiled_apart
def ahead(s: State, place: int, r: int) -> tuple[int, int]:
    """How many wait in lines that go before request r, or in its own, and their blocks of KV memory.

    That is by level: that a lower one may have aged does not count.
    """
    queue = s.queues[place]
    pool = s.pools[queue["home"]]
    if pool["order"] != PRIORITY:
        return int(queue["length"]), int(queue["blocks"])
    length = 0
    blocks = 0
    rows = int((s.senders[s.requests[r]["stream"]]["rank"] + 1) * pool["rank_lines"])
    for row in range(queue["line0"], queue["line0"] + rows):
        length += int(s.queues[row]["length"])
        blocks += int(s.queues[row]["blocks"])
    return length, blocks


@compiled_apart
def book(s: State, place: int, r: int, sign: int) -> None:
    """Request r has come to wait (1) or waits no more (-1): those of its class here, those of its level in the pool."""
    queue = s.queues[place]
    sender = s.senders[s.requests[r]["stream"]]
    own = s.queues[queue["line0"] + queue["lines"] + sender["group"]]
    own["length"] += sign
    own["tokens"] += sign * s.requests[r]["prompt_tokens"]
    s.queues[s.pools[queue["home"]]["level0"] + sender["rank"]]["length"] += sign


@compiled_apart
def left_unserved(s: State, place: int) -> None:
    """If nobody waits in the pool of this place now, others will not have waited all the time since the last start."""
    pool_row = int(s.queues[place]["home"])
    pool = s.pools[pool_row]
    for row in range(pool["level0"], pool["level0"] + pool["ranks"]):
        if s.queues[row]["length"] > 0:
            return
    pool["backlog"] = 0


@compiled_apart
def class_full(s: State, place: int, r: int) -> bool:
    """Whether there are as many of request r's class here as may be."""
    queue = s.queues[place]
    group = int(s.senders[s.requests[r]["stream"]]["group"])
    own = s.queues[queue["line0"] + queue["lines"] + group]
    home = s.queues[queue["home"]]
    limits = s.queues[home["line0"] + home["lines"] + group]
    if own["length"] >= limits["most"]:
        return True
    return bool(own["tokens"] + s.requests[r]["prompt_tokens"] > limits["most_tokens"])
