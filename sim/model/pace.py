"""How many tokens a decoding sequence has after so many iterations: one each, or more with speculative decoding.

With `tokens_per_step` e, a sequence of any age makes `floor(e * (t + 1)) - floor(e * t)` tokens in iteration t of its
replica: e on average, in whole tokens. So all that decode keep one clock of tokens, `floor(e * tick)`, and what is
known ahead (when a sequence ends, when it takes a block of memory) is known on that clock.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model.compiled import compiled


@compiled
def clock(pool: Any, tick: float) -> int:
    """The clock of tokens after `tick` iterations."""
    made: int = math.floor(pool["tokens_per_step"] * tick)
    return made


@compiled
def made(pool: Any, tick: float, k: int) -> int:
    """Tokens that each sequence makes in the k iterations from `tick` on."""
    return clock(pool, tick + k) - clock(pool, tick)


@compiled
def ahead(pool: Any, tick: float) -> float:
    """The part of a token by which the mean is ahead of the clock; 0 without speculation."""
    made = pool["tokens_per_step"] * tick
    return float(made - math.floor(made))


@compiled
def iterations_for(pool: Any, tick: float, tokens: float) -> int:
    """The fewest iterations from `tick` on in which the clock moves by this many tokens (at least 1)."""
    if pool["tokens_per_step"] == 1.0:
        return int(tokens)
    wanted = clock(pool, tick) + tokens
    k = max(int(tokens / pool["tokens_per_step"]) - 1, 1)
    while clock(pool, tick + k) < wanted:
        k += 1
    return k
