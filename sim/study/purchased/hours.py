"""How the need of a pool goes over the hours of a month: a few levels of it, and how much of the time each takes.

The load-duration curve, cut into steps that are each as high as their highest hour: never too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sim.result.twin.traffic import horizon_of, traffic_of
from sim.scenario import Scenario
from sim.study.replicated.record import Task, measured

MOST_STEPS = 8
_HOURLY = 3600.0


@dataclass(frozen=True)
class Step:
    """One level."""

    relative: float
    """To the highest one."""
    share: float
    """Of the time."""


FULL = Step(1.0, 1.0)
FLAT = (FULL,)


def hours_of(scenario: Scenario, pool: str, follows: Literal["fleet", "demand"]) -> tuple[Step, ...]:
    """The levels of a pool, highest first, shares summing to 1.

    `fleet`: GPUs that its autoscaler has, in one run; a fixed fleet stays. `demand`: rates of its streams by the hour.
    """
    if follows == "demand":
        return _of_rates(scenario, pool)
    if scenario.pools[pool].autoscaler.kind == "fixed":
        return FLAT
    ladder = (measured(Task(scenario)).summary.get("commitments") or {}).get("ladder", {})
    curve = ladder.get(pool, {}).get("load_duration", [])
    return _of_curve(curve)


def _of_rates(scenario: Scenario, pool: str) -> tuple[Step, ...]:
    homes = zip(scenario.workload.stream_names, scenario.stream_pools, strict=True)
    streams = [stream for stream, home in homes if home == pool]
    traffic = traffic_of(scenario, streams, horizon_of(scenario)) if streams else None
    if traffic is None or not traffic.parts:
        return FLAT
    edges_s = np.arange(0.0, traffic.horizon_s + 1e-6, min(_HOURLY, traffic.horizon_s))
    rates = np.diff(np.interp(edges_s, traffic.at_s, traffic.arrived)) / np.diff(edges_s)
    levels, counts = np.unique(np.round(rates / rates.max(), 9), return_counts=True)
    return cut(levels.tolist(), (counts / counts.sum()).tolist())


def _of_curve(curve: Sequence[Sequence[float]]) -> tuple[Step, ...]:
    """From points of a load-duration curve: GPUs, share of the time with at least so many."""
    if not curve:
        return FLAT
    points = sorted((float(gpus), float(share)) for gpus, share in curve)
    above = [share for _, share in points[1:]] + [0.0]
    shares = [share - over for (_, share), over in zip(points, above, strict=True)]
    top = points[-1][0]
    levels, told = [gpus / top for gpus, _ in points], shares
    if points[0][1] < 1:
        levels, told = [0.0, *levels], [1 - points[0][1], *told]
    return cut(levels, told)


def cut(levels: Sequence[float], shares: Sequence[float], most: int = MOST_STEPS) -> tuple[Step, ...]:
    """At most so many steps, of about equal height, each as high as its highest level; levels rise."""
    size = (levels[-1] - levels[0]) / most
    held: dict[int, tuple[float, float]] = {}
    for level, share in zip(levels, shares, strict=True):
        place = min(int((level - levels[0]) / size), most - 1) if size > 0 else 0
        held[place] = (level, held.get(place, (0.0, 0.0))[1] + share)
    return tuple(Step(*held[place]) for place in sorted(held, reverse=True) if held[place][1] > 0)
