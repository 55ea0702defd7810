"""The prefix cache of a replica: blocks of prompts that several requests begin with, and the order to forget them in.

A request names the blocks of its prompt, from the front, by ids that stand for their content; each id has its own
number of tokens. Those that the replica knows need no prefill; those that another running request holds take no memory
twice. Blocks that nobody holds any more stay, in memory that is free otherwise, until it is needed: then those go first
whose last holder left longest ago, and of one request's the last ones. Where a conversation goes on, its answer is a
block too: known, and idle, where it was made.

A request's list of ids ends with NONE, or with `closing(id)` of its answer. An id's row in a replica's part of the
table says how many hold it: ABSENT, or 0 (idle, in the line of those to forget), or more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model import memory
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, PREFIX, State

ABSENT = -1


@compiled
def closing(answer: int) -> int:
    """What closes the list of a request whose answer has this id; and the id, from what closes the list."""
    return -2 - answer


@compiled
def tokens_of(s: State, name: int) -> int:
    """Tokens of the block that an id stands for."""
    return int(s.lists[s.run[0]["prefix_sizes"] + name])


@compiled_apart
def look(s: State, row: int, r: int) -> tuple[int, int, int]:
    """What of request r's prompt replica `row` knows: tokens; and of these, tokens and blocks that others hold."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    at = int(s.run[0]["prefix_lists"] + s.requests[r]["prefix0"])
    known = 0
    shared = 0
    blocks = 0
    while s.lists[at] > NONE:
        holders = s.prefixes[replica["prefix0"] + s.lists[at]]["holders"]
        if holders == ABSENT:
            break
        tokens = tokens_of(s, int(s.lists[at]))
        known += tokens
        if holders > 0:
            shared += tokens
            blocks += memory.blocks_of(pool, tokens)
        at += 1
    return known, shared, blocks


@compiled
def shared_blocks(s: State, row: int, r: int) -> int:
    """Blocks of request r's prompt that others hold at this replica already."""
    request = s.requests[r]
    if request["prefix0"] == NONE or request["handed"] != 0:
        return 0
    return look(s, row, r)[2]


@compiled_apart
def hold(s: State, row: int, r: int) -> None:
    """Request r is admitted: it holds the blocks of its prompt, those that it will compute too."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    at = int(s.run[0]["prefix_lists"] + s.requests[r]["prefix0"])
    while s.lists[at] > NONE:
        place = int(replica["prefix0"] + s.lists[at])
        entry = s.prefixes[place]
        if entry["holders"] == 0:
            unlink(s, place)
            replica["idle_blocks"] -= memory.blocks_of(pool, tokens_of(s, int(s.lists[at])))
        entry["holders"] = max(int(entry["holders"]), 0) + 1
        at += 1


@compiled_apart
def drop(s: State, row: int, r: int, computed: int) -> None:
    """Request r leaves with this much of its prompt computed, and has given back memory as if it had been alone.

    What others hold still is in memory after all; what nobody holds is idle, and was never there if not computed.
    """
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    first = int(s.run[0]["prefix_lists"] + s.requests[r]["prefix0"])
    last = first
    end = 0
    while s.lists[last] > NONE:
        end += tokens_of(s, int(s.lists[last]))
        last += 1
    for at in range(last - 1, first - 1, -1):
        tokens = tokens_of(s, int(s.lists[at]))
        blocks = memory.blocks_of(pool, tokens)
        place = int(replica["prefix0"] + s.lists[at])
        entry = s.prefixes[place]
        entry["holders"] -= 1
        if entry["holders"] > 0:
            replica["kv"] += tokens
            replica["blocks"] += blocks
        elif end > computed:
            entry["holders"] = ABSENT
        else:
            link(s, int(replica["prefix0"] + s.run[0]["prefix_ids"]), place)
            replica["idle_blocks"] += blocks
        end -= tokens


@compiled_apart
def keep(s: State, row: int, r: int) -> None:
    """Request r is answered here: its answer stays, idle, if it has an id. To be called before `drop`.

    Then it is forgotten before the prompt that it follows.
    """
    replica = s.replicas[row]
    at = int(s.run[0]["prefix_lists"] + s.requests[r]["prefix0"])
    while s.lists[at] > NONE:
        at += 1
    if s.lists[at] == NONE:
        return
    name = closing(int(s.lists[at]))
    place = int(replica["prefix0"] + name)
    entry = s.prefixes[place]
    if entry["holders"] != ABSENT:
        return
    entry["holders"] = 0
    link(s, int(replica["prefix0"] + s.run[0]["prefix_ids"]), place)
    replica["idle_blocks"] += memory.blocks_of(s.pools[replica["pool"]], tokens_of(s, name))


@compiled
def link(s: State, line: int, place: int) -> None:
    """A block becomes idle: last in line to be forgotten."""
    newest = int(s.prefixes[line]["older"])
    s.prefixes[place]["older"] = newest
    s.prefixes[place]["newer"] = line
    s.prefixes[newest]["newer"] = place
    s.prefixes[line]["older"] = place


@compiled
def unlink(s: State, place: int) -> None:
    """A block is idle no more."""
    older = int(s.prefixes[place]["older"])
    newer = int(s.prefixes[place]["newer"])
    s.prefixes[older]["newer"] = newer
    s.prefixes[newer]["older"] = older


@compiled_apart
def trim(s: State, row: int) -> None:
    """Forget idle blocks until the rest fits beside what is in use."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    line = int(replica["prefix0"] + s.run[0]["prefix_ids"])
    while replica["idle_blocks"] > 0 and replica["idle_blocks"] > pool["kv_blocks"] - replica["blocks"]:
        place = int(s.prefixes[line]["newer"])
        unlink(s, place)
        s.prefixes[place]["holders"] = ABSENT
        replica["idle_blocks"] -= memory.blocks_of(pool, tokens_of(s, int(place - replica["prefix0"])))


def table(replicas: NDArray[Any], ids: int) -> NDArray[Any]:
    """Rows for `ids` blocks at each replica, nothing known, and one more to begin and end its line of idle ones."""
    rows = np.zeros(len(replicas) * (ids + 1) if ids else 0, PREFIX)
    if ids:
        replicas["prefix0"] = np.arange(len(replicas)) * (ids + 1)
        for first in replicas["prefix0"].tolist():
            forget(rows, first, ids)
    return rows


def forget(rows: NDArray[Any], first: int, ids: int) -> None:
    """A replica whose part of the table begins at `first` knows nothing."""
    rows["holders"][first : first + ids] = ABSENT
    rows["older"][first + ids] = rows["newer"][first + ids] = first + ids
