"""Arithmetic of the Dynamo planner's two loops: replicas for a rate, one more or one fewer for a load.

Source: ai-dynamo/dynamo 1.6.1, planner/core/throughput_scaling.py and load_scaling.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

Load = Literal["prefill", "decode"]
"""What the thresholds are of: queued prefill tokens over the context length, or KV tokens over KV memory."""
Easy = Literal["throughput", "latency"]
Wish = Literal["up", "down", "hold"] | None
"""None: nothing is known."""


class Thresholds(NamedTuple):
    """When one engine is too much, and when all of them are too little."""

    up: float
    down: float


THRESHOLDS: dict[tuple[Load, Easy], Thresholds] = {
    ("prefill", "throughput"): Thresholds(1.0, 0.1),
    ("prefill", "latency"): Thresholds(0.1, 0.0),
    ("decode", "throughput"): Thresholds(1.0, 0.6),
    ("decode", "latency"): Thresholds(0.4, 0.1),
}


def throughput_replicas(
    requests_per_s: float, engine_requests_per_s: float, current: int, least: int, most: int
) -> int:
    """Replicas for a rate, at least `least`, at most `most` away from `current`."""
    needed = max(math.ceil(requests_per_s / engine_requests_per_s), least)
    return min(max(needed, current - most, 0), current + most)


def by_thresholds(load: Load, mode: Easy, ratios: Sequence[float], workers: int, least: int) -> int | None:
    """Replicas of an easy mode: up for any engine, down for all; None for no change, `workers` for a veto.

    The veto: the load of one replica, spread over the others, would call it back. Prefill counts a load at its upper
    threshold and (latency) at its lower one, decode only beyond them.
    """
    up, down = THRESHOLDS[load, mode]
    if any(_above(load, ratio, up) for ratio in ratios):
        return workers + 1
    idle = all(ratio <= down if load == "prefill" and mode == "latency" else ratio < down for ratio in ratios)
    if workers <= 1 or not ratios or not idle:
        return None
    grows = workers / (workers - 1)
    if any(_above(load, ratio * grows, up) for ratio in ratios):
        return workers
    return max(workers - 1, least)


def _above(load: Load, ratio: float, up: float) -> bool:
    return ratio >= up if load == "prefill" else ratio > up


class Estimate(NamedTuple):
    """One engine as the `sla` mode sees it."""

    latency_s: float | None
    """Its TTFT or ITL; None: not known."""
    kv_share: float = 0.0
    """KV memory in use and asked for by its queue, over all of it."""


def by_ttft(engines: Sequence[Estimate], sla_s: float, own_s: float, sensitivity: float) -> Wish:
    """Up when every engine's TTFT is beyond the SLA; down when the queue of one fewer is far enough from it.

    `own_s` is the part of TTFT that is not queueing: it does not change with the number of engines.
    """
    budget_s = (sla_s - own_s) * sensitivity
    grows = _grows(len(engines))

    def safe(engine: Estimate) -> bool:
        return engine.latency_s is not None and max(engine.latency_s - own_s, 0.0) * grows < budget_s

    return _wish(engines, sla_s, all(safe(engine) for engine in engines))


def by_itl(engines: Sequence[Estimate], sla_s: float, sensitivity: float) -> Wish:
    """Up when every engine's ITL is beyond the SLA; down when with one fewer it is far enough below and KV memory fits.

    ITL is taken to grow in proportion to the load of an engine, which overstates it: a batch has a fixed part.
    """
    grows = _grows(len(engines))

    def safe(engine: Estimate) -> bool:
        fits = engine.kv_share * grows < 1.0
        return fits and engine.latency_s is not None and engine.latency_s * grows < sla_s * sensitivity

    return _wish(engines, sla_s, all(safe(engine) for engine in engines))


def _grows(engines: int) -> float:
    return engines / (engines - 1) if engines > 1 else math.inf


def _wish(engines: Sequence[Estimate], sla_s: float, safe: bool) -> Wish:
    known = [engine.latency_s for engine in engines if engine.latency_s is not None]
    if not known:
        return None
    if all(latency_s > sla_s for latency_s in known):
        return "up"
    return "down" if safe and len(engines) > 1 else "hold"


def together(prefill: Wish, decode: Wish) -> Wish:
    """What an aggregated engine does: up if either wants it, down only if both do (or prefill is unknown)."""
    if "up" in (prefill, decode):
        return "up"
    if decode == "down" and prefill in ("down", None):
        return "down"
    return None if prefill is None and decode is None else "hold"
