"""Why so many replicas: the lines between the load itself and the fleet of a plan. They sum to the fleet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sim.config.errors import DataError
from sim.result.twin import PoolTwin, twin
from sim.study.planned.result import Plan, PlannedPool


@dataclass(frozen=True)
class Line:
    """Replicas of a pool that are there for one reason."""

    what: str
    replicas: int
    why: str


def headroom(plan: Plan) -> dict[str, tuple[Line, ...]]:
    """By pool: the mean load, its peak, the promises, the loss to survive."""
    assert plan.feasible, "there is no fleet to explain"
    pools = {name: pool.design.with_replicas(pool.need) for name, pool in plan.pools.items()}
    try:
        found = twin(plan.scenario.model_copy(update={"pools": pools, "plan": None})).pools
    except DataError:
        found = {}
    return {name: tuple(_lines(pool, found.get(name))) for name, pool in plan.pools.items()}


def _lines(pool: PlannedPool, told: PoolTwin | None) -> Iterator[Line]:
    left = pool.need
    if told is not None and told.capacity_per_s and told.replicas and not told.closed and not pool.design.elastic:
        each = told.capacity_per_s / told.replicas
        mean = min(math.ceil(told.offered_per_s / each - 1e-9), left)
        peak = min(max(math.ceil(told.peak_per_s / each - 1e-9) - mean, 0), left - mean)
        rate = f"{told.offered_per_s:.3g} requests a second"
        yield Line("mean load", mean, f"{rate} on replicas that are full all the time, {each:.3g} a second each")
        yield Line("peak over the mean", peak, f"{told.peak_per_s:.3g} requests a second at most")
        yield Line(
            "promises", left - mean - peak, "room for requests that come in bunches, so that the objectives hold"
        )
    elif pool.design.elastic:
        yield Line("least that keeps the promises", left, "min_replicas; the autoscaler adds to it as load comes")
    else:
        yield Line("load and promises", left, "theory knows no capacity here, so the two are not told apart")
    spares = pool.spares
    if spares is None:
        yield Line("failure", 0, "nothing is to survive (plan.survive is not given)")
    else:
        many = f", which hold up to {spares.per_domain} each" if spares.per_domain > 1 else ""
        yield Line("failure", spares.spare, f"to survive {spares.domain}{many}: at least {spares.left} are left")
