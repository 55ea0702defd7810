"""The scenario of one month: its demand multiplied, a fleet of known size in each pool, of one GPU or of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from sim.autoscaling.fixed import Fixed
from sim.hardware import GpuSheet
from sim.scenario import Pool, Scenario
from sim.scenario.supply import Offer
from sim.workload.scaled import scaled


@dataclass(frozen=True)
class Make:
    """What a replica of a pool may be made of."""

    gpu: GpuSheet | None
    """None: the pool names none (its latency is given)."""
    gpus_per_replica: int

    @property
    def name(self) -> str:
        """The GPU's name."""
        return "gpu" if self.gpu is None else self.gpu.name

    @property
    def gpus_per_node(self) -> int:
        """GPUs of a node, by the sheet; as many as a replica's where it says nothing, or less."""
        link = None if self.gpu is None else self.gpu.interconnect
        return max(getattr(link, "gpus", None) or 1, 1) if link is not None else self.gpus_per_replica


def make_of(pool: Pool) -> Make:
    """What the replicas of a pool are."""
    return Make(pool.gpu, pool.gpus_per_replica)


def made_of(pool: Pool, make: Make) -> Pool:
    """The pool with replicas of another make."""
    if make == make_of(pool):
        return pool
    return pool.as_offered(Offer(name=make.name, gpu=make.gpu, gpus_per_replica=make.gpus_per_replica))


def fits(pool: Pool, make: Make) -> bool:
    """Whether the pool's model can be served by replicas of a make."""
    if make == make_of(pool):
        return True
    made = made_of(pool, make)
    given = {name: value for name in Pool.model_fields if (value := getattr(made, name)) is not None}
    try:
        Pool.model_validate(given)
    except ValidationError:
        return False
    return True


def fixed(pool: Pool, fleet: Mapping[Make, int]) -> Pool:
    """The pool with just these replicas; those of several makes stand behind one router, as offers with quotas."""
    there = {make: number for make, number in fleet.items() if number > 0}
    assert there, "a pool has at least one replica"
    if len(there) == 1:
        ((make, number),) = there.items()
        return _with(made_of(pool, make), autoscaler=Fixed(replicas=number), supply=())
    offers = tuple(
        Offer(name=make.name, gpu=make.gpu, gpus_per_replica=make.gpus_per_replica, most=number)
        for make, number in there.items()
    )
    return _with(pool, autoscaler=Fixed(replicas=sum(there.values())), supply=offers)


def bounded(pool: Pool, most: int) -> Pool:
    """An autoscaled pool with no more replicas than there are."""
    policy = pool.autoscaler
    if not isinstance(policy, BaseModel) or not hasattr(policy, "max_replicas"):
        return pool
    changed = {"max_replicas": most}
    if (getattr(policy, "min_replicas", 0) or 0) > most:
        changed["min_replicas"] = most
    return _with(pool, autoscaler=policy.model_copy(update=changed))


def grown(
    scenario: Scenario, factor: float, pools: Mapping[str, Pool] | None = None, seed: int | None = None
) -> Scenario:
    """The scenario with so much of its demand, other pools in the place of its own, and another seed."""
    update: dict[str, Any] = {
        "workload": scaled(scenario.workload, factor),
        "pools": {**scenario.pools, **(pools or {})},
    }
    if seed is not None:
        update["seed"] = seed
    return scenario.model_copy(update=update)


def _with(pool: Pool, **values: Any) -> Pool:
    """A pool with other values, and nothing that the old one has worked out."""
    fields = {name: getattr(pool, name) for name in Pool.model_fields} | values
    return Pool.model_construct(**fields)
