"""KV memory of a replica, in blocks: what a sequence takes, and when the decoding ones take more.

A sequence of c tokens takes ceil(c / block_tokens) blocks. While it decodes it takes one more every `block_tokens`
tokens, at a phase of its own; `phases` counts the decoding sequences of a replica by that phase, so that memory
after any number of iterations is known without looking at the sequences.
"""

from __future__ import annotations

from typing import Any

from sim.model import pace
from sim.model.compiled import compiled
from sim.model.tables import State


@compiled
def blocks_of(pool: Any, tokens: int) -> int:
    """Blocks of KV memory that hold this many tokens of one sequence."""
    return int((tokens + pool["block_tokens"] - 1) // max(pool["block_tokens"], 1))


@compiled
def needed(pool: Any, request: Any) -> int:
    """Blocks that a request takes when it is admitted: its prompt, and the tokens it has made."""
    return blocks_of(pool, int(request["prompt_tokens"]) + int(request["done_tokens"]))


@compiled
def settle(replica: Any, now_s: float) -> None:
    """Bring the memory integral of an idle replica up to now: caches that it hands over are still in it."""
    replica["kv_s"] += replica["kv"] * (now_s - replica["boundary_s"])
    replica["boundary_s"] = now_s


@compiled
def phase(pool: Any, replica: Any, place: Any) -> int:
    """Where this decoding sequence is counted: all counted there take their next block at the same token."""
    return int(replica["phase0"] + place["offset"] % pool["block_tokens"])


@compiled
def taken(s: State, replica: Any, k: int) -> int:
    """Blocks that the decoding sequences take in the first k iterations from here: one every `block_tokens` each."""
    pool = s.pools[replica["pool"]]
    size = int(pool["block_tokens"])
    made = pace.clock(pool, replica["tick"])
    tokens = pace.made(pool, replica["tick"], k)
    blocks = (tokens // size) * int(replica["running"])
    place = (-made) % size
    for _ in range(tokens % size):
        blocks += int(s.lists[replica["phase0"] + place])
        place = place - 1 if place > 0 else size - 1
    return blocks


@compiled
def fitting(s: State, replica: Any, spare: int) -> int:
    """How many tokens a sequence can follow before KV memory has run out, with this many blocks to spare."""
    pool = s.pools[replica["pool"]]
    size = int(pool["block_tokens"])
    running = int(replica["running"])
    cycles = spare // running
    k = cycles * size
    spare -= cycles * running
    place = (-pace.clock(pool, replica["tick"])) % size
    while True:
        need = int(s.lists[replica["phase0"] + place])
        place = place - 1 if place > 0 else size - 1
        k += 1
        if need > spare:
            return k
        spare -= need
