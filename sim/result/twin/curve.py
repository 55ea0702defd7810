"""Spend against waiting by theory: what the same traffic would wait for with more replicas, or with fewer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.pricing.slowness.linear import Linear
from sim.pricing.spans import DAY_S
from sim.result.groups import limited_to
from sim.result.twin.fleet import Twin, twin

if TYPE_CHECKING:
    from sim.scenario import Scenario

WAITS = ("latency.queue_wait_s.mean", "latency.ttft_s.mean", "latency.e2e_s.mean")
"""What is taken for waiting: the first of these that theory gives."""
MOST_POINTS = 14
_PATHS = {"queue_wait": WAITS[0], "ttft": WAITS[1], "e2e": WAITS[2]}


@dataclass(frozen=True)
class Point:
    """One size of the fleet."""

    replicas: int
    wait_s: float
    """Mean of `Curve.path`."""
    fleet_usd_per_day: float | None
    slowness_usd_per_day: float | None
    """What waiting costs; None where it has no price, or one that means do not tell."""

    @property
    def total_usd_per_day(self) -> float | None:
        """Both together."""
        if self.fleet_usd_per_day is None or self.slowness_usd_per_day is None:
            return None
        return self.fleet_usd_per_day + self.slowness_usd_per_day


@dataclass(frozen=True)
class Curve:
    """Fleets of one pool in rising size, all of which carry the traffic."""

    pool: str
    path: str
    method: str
    kind: str
    points: tuple[Point, ...]


def spend_curve(scenario: Scenario, summary: Mapping[str, Any]) -> Curve | None:
    """The curve of a run, by its summary; None where theory has nothing to say of its waits.

    For one pool of a fixed number of replicas that are paid by the hour alone: a contract is paid whatever the fleet.
    """
    told = {each["path"]: each for each in summary.get("theory", ())}
    path = next((path for path in WAITS if path in told), None)
    if path is None or len(scenario.pools) != 1 or scenario.contracts:
        return None
    (name, pool), a_day = next(iter(scenario.pools.items())), summary["cost"]["usd_per_day"]
    if pool.autoscaler.kind != "fixed" or not hasattr(pool.autoscaler, "replicas"):
        return None
    own = pool.autoscaler.replicas
    points = []
    for replicas in _sizes(twin(scenario), name, own):
        values = _values(_resized(scenario, name, replicas))
        if path in values:
            fleet = None if a_day is None else a_day * replicas / own
            points.append(Point(replicas, values[path], fleet, _slowness(scenario, values)))
    if len(points) < 3:
        return None
    return Curve(name, path, told[path]["method"], told[path]["kind"], tuple(points))


def _sizes(found: Twin, name: str, own: int) -> list[int]:
    """At most so many sizes, from the smallest that carries the traffic to well beyond this one and that."""
    of = found.pools[name]
    if of.capacity_per_s is None:
        return []
    least = max(math.floor(of.peak_per_s / (of.capacity_per_s / own)) + 1, 1)
    most = max(math.ceil(1.5 * max(own, least)), least + 6)
    if most - least < MOST_POINTS:
        return list(range(least, most + 1))
    # denser where the curve bends: near the smallest
    steps = [((most - least + 1) ** (at / (MOST_POINTS - 2))) - 1 for at in range(MOST_POINTS - 1)]
    return sorted(
        {least + round(step) for step in steps} | {own} if own >= least else {least + round(s) for s in steps}
    )


def _resized(scenario: Scenario, name: str, replicas: int) -> Scenario:
    pool = scenario.pools[name]
    policy: Any = pool.autoscaler
    changed = pool.model_copy(update={"autoscaler": policy.model_copy(update={"replicas": replicas})})
    return scenario.model_copy(update={"pools": {name: changed}})


def _values(scenario: Scenario) -> dict[str, float]:
    found = twin(scenario)
    (pool,) = found.pools.values()
    values = {each.path: each.value for each in found.figures}
    return values | {"offered_per_s": pool.offered_per_s}


def _slowness(scenario: Scenario, values: Mapping[str, float]) -> float | None:
    """USD a day of prices that are a rate for every hour waited, from the first second on; None with any other."""
    if not scenario.slowness:
        return None
    usd = 0.0
    for price in scenario.slowness:
        path = _PATHS.get(getattr(price, "metric", ""), "")
        if not isinstance(price, Linear) or price.beyond_s > 0 or path not in values or any(limited_to(price)):
            return None
        usd += price.usd_per_hour / 3600 * values[path] * values["offered_per_s"] * DAY_S
    return usd
