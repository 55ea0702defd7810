"""What a serving system's own metrics count, pool by pool; and what control must hear of before its next look.

Counters and histograms as vLLM exposes them, kept only for pools whose policy asks for metrics. A pool may have control
told at once when a request reaches it and no replica is ready (HEARS_FIRST), or whenever one comes or goes
(HEARS_CHANGES); and always when a replica that drains has ended its last request.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.config import latency_buckets
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import COMPLETED, State

HEARS_NOTHING, HEARS_FIRST, HEARS_CHANGES = range(3)

TTFT_BOUNDS_S = np.array(latency_buckets.TTFT_S)
ITL_BOUNDS_S = np.array(latency_buckets.ITL_S)
WIDTH = len(TTFT_BOUNDS_S) + 1 + len(ITL_BOUNDS_S) + 1
"""Counts of one pool: TTFT, then ITL, the last of each beyond all bounds."""


@compiled
def note(s: State, now_s: float) -> None:
    """Control must look at this instant, before anything later."""
    run = s.run[0]
    run["noticed"] += 1
    run["noticed_s"] = now_s


@compiled
def settle(pool: Any, now_s: float) -> None:
    """Bring the integral of requests in the pool up to now."""
    pool["present_s"] += pool["present"] * (now_s - pool["since_s"])
    pool["since_s"] = now_s


@compiled
def is_new(request: Any) -> bool:
    """Whether a request that reaches a pool counts as an arrival: not one that was lost and comes from its client
    again. Where it decodes, every KV cache counts.
    """
    return bool(request["lost"] == 0 or request["handed"] == 1)  # 1: transfer.SENT


@compiled_apart
def come(s: State, pool_row: int, r: int, now_s: float) -> None:
    """Request r reaches the pool."""
    pool = s.pools[pool_row]
    settle(pool, now_s)
    pool["present"] += 1
    if is_new(s.requests[r]):
        pool["arrived"] += 1
        pool["arrived_tokens"] += s.requests[r]["prompt_tokens"]
    if pool["hears"] == HEARS_CHANGES or (pool["hears"] == HEARS_FIRST and pool["ready"] == 0):
        pool["told"] = 1
        note(s, now_s)


@compiled_apart
def go(s: State, pool_row: int, now_s: float) -> None:
    """A request leaves the pool."""
    pool = s.pools[pool_row]
    settle(pool, now_s)
    pool["present"] -= 1
    if pool["hears"] == HEARS_CHANGES:
        pool["told"] = 1
        note(s, now_s)


@compiled_apart
def first_token(s: State, pool_row: int, r: int) -> None:
    """The first token of request r is out."""
    pool = s.pools[pool_row]
    ttft_s = s.requests[r]["first_token_s"] - s.requests[r]["arrival_s"]
    pool["ttft_s"] += ttft_s
    place = 0
    while place < len(TTFT_BOUNDS_S) and ttft_s > TTFT_BOUNDS_S[place]:
        place += 1
    s.lists[pool["meter0"] + place] += 1


@compiled_apart
def ended(s: State, pool_row: int, r: int, now_s: float) -> None:
    """Request r has been served to its end here: its client has the answer, unless it has gone."""
    pool = s.pools[pool_row]
    request = s.requests[r]
    go(s, pool_row, now_s)
    if request["outcome"] != COMPLETED:
        return
    pool["answered"] += 1
    pool["answered_tokens"] += request["output_tokens"]
    if request["output_tokens"] > 1:
        itl_s = (request["finish_s"] - request["first_token_s"]) / (request["output_tokens"] - 1)
        pool["itl_s"] += itl_s
        place = 0
        while place < len(ITL_BOUNDS_S) and itl_s > ITL_BOUNDS_S[place]:
            place += 1
        s.lists[pool["meter0"] + len(TTFT_BOUNDS_S) + 1 + place] += 1
