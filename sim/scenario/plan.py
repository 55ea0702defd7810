"""What `fleetcast plan` may choose (`plan:`): GPUs, limits of engines, replicas; and what the fleet must survive.

It changes no run. Every pool is planned, whether it stands here or not: one that does not keeps its GPU and its engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.autoscaling.base import Some
from sim.config.catalogue import did_you_mean
from sim.config.said import Problems, said
from sim.config.units import COUNT, SHARE, PositiveCount, PositiveShare, Share
from sim.hardware import GpuSheet
from sim.scenario.plan_over_time import OverTime
from sim.scenario.replica import Slots

if TYPE_CHECKING:
    from sim.scenario.pool import Pool

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
MOST_REPLICAS = 100_000
TOLERANCE_SHARE = 0.002
"""Where none is given: 0.2 points, but never more than a fifth of what an objective lets miss."""


class Replicas(BaseModel):
    """How many replicas a pool may have."""

    model_config = _CLOSED

    least: Annotated[Annotated[int, COUNT.between(0, MOST_REPLICAS)], Field(description="Never fewer.")] = 1
    most: Annotated[Annotated[int, COUNT.between(1, MOST_REPLICAS)], Field(description="Never more.")] = MOST_REPLICAS

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise said(f"must be at most 'most' ({self.most}), got {self.least}", "least")
        return self


class PoolPlan(BaseModel):
    """What may be chosen of one pool; a key left out is as the pool has it."""

    model_config = _CLOSED

    gpu: Annotated[Some[GpuSheet] | None, Field(description="Candidates: names, paths or sheets inline.")] = None
    gpus_per_replica: Annotated[Some[PositiveCount] | None, Field(description="Candidates.")] = None
    max_num_seqs: Annotated[Some[PositiveCount] | None, Field(description="Candidates, of the engine.")] = None
    max_batched_tokens: Annotated[Some[PositiveCount] | None, Field(description="Candidates, likewise.")] = None
    replicas: Annotated[
        Replicas | None, Field(description="How many there may be; of an autoscaled pool: its min_replicas.")
    ] = None
    mix: Annotated[bool, Field(strict=True, description="Two of the candidates may also serve together.")] = False
    fixed: Annotated[bool, Field(strict=True, description="Plan a fixed fleet, though the pool has an autoscaler.")] = (
        False
    )


class Survive(BaseModel):
    """What may be lost, while the rest still keeps the promises: one of its kinds."""

    model_config = _CLOSED

    replicas: Annotated[PositiveCount | None, Field(description="So many replicas.")] = None
    nodes: Annotated[PositiveCount | None, Field(description="So many nodes, with all replicas on them.")] = None
    gpus_per_node: Annotated[PositiveCount, Field(description="How many GPUs share a node, with `nodes`.")] = 8
    zones: Annotated[PositiveCount | None, Field(description="So many zones.")] = None
    of: Annotated[
        PositiveCount | None,
        Field(description="Zones that replicas are spread over, with `zones`; left out: those of the pool's offers."),
    ] = None
    availability: Annotated[
        Share | None, Field(description="Probability that enough replicas work, with `unit_availability`.")
    ] = None
    unit_availability: Annotated[
        PositiveShare | None, Field(description="Probability that one replica works, each on its own.")
    ] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [name for name in ("replicas", "nodes", "zones", "availability") if getattr(self, name) is not None]
        if len(kinds) != 1:
            got = f"got {' and '.join(kinds)}" if kinds else "got none"
            raise said(f"says what may be lost: one of replicas, nodes, zones, availability; {got}")
        if (self.availability is None) != (self.unit_availability is None):
            missing = "unit_availability" if self.unit_availability is None else "availability"
            raise said("is missing: availability of the fleet and of a unit go together, such as 99%", missing)
        if self.availability == 1:
            raise said("must be below 1: no number of spares always works", "availability")
        if self.of is not None and self.zones is None:
            raise said("says nothing without 'zones'; remove it", "of")
        if self.zones is not None and self.of is not None and self.of <= self.zones:
            raise said(f"must be above the zones that are lost ({self.zones}); got {self.of}", "of")
        return self


class PlanSpec(BaseModel):
    """What the cheapest fleet is looked for among, and how sure one wants to be of it."""

    model_config = _CLOSED

    confidence: Annotated[
        Annotated[float, SHARE.between(0.5, 0.9999)],
        Field(description="That all certificates of a plan are right, together."),
    ] = 0.95
    tolerance: Annotated[
        Annotated[float, SHARE.between(0, 0.5)] | None,
        Field(
            description="Attainment this close to what is promised is not worth deciding, in points of share; left "
            "out: 0.2%, or a fifth of what may miss where that is less."
        ),
    ] = None
    pools: Annotated[dict[str, PoolPlan], Field(description="What may be chosen, by pool.")] = {}
    survive: Annotated[
        Survive | None, Field(description="What may be lost, while the rest still keeps the promises.")
    ] = None

    over_time: Annotated[
        OverTime | None, Field(description="A plan over months: what to buy, when, by which contract.")
    ] = None

    def of_pool(self, name: str) -> PoolPlan:
        """What may be chosen of a pool."""
        return self.pools.get(name, PoolPlan())

    def tolerance_of(self, share: float) -> float:
        """How close to this promised share is not worth deciding."""
        return min(TOLERANCE_SHARE, (1 - share) / 5) if self.tolerance is None else self.tolerance


def plan_problems(plan: PlanSpec | None, pools: Mapping[str, Pool]) -> Problems:
    """What does not fit between a plan and the pools."""
    found: Problems = []
    for name, asked in plan.pools.items() if plan is not None else ():
        pool, at = pools.get(name), ("plan", "pools", name)
        if pool is None:
            found.append((at, f"no pool is called '{name}'{did_you_mean(name, list(pools))}"))
            continue
        found += [((*at, key), told) for key, told in _of_pool(asked, pool)]
    if plan is not None and plan.survive is not None and plan.survive.zones is not None and plan.survive.of is None:
        lost = plan.survive.zones
        few = [name for name, pool in pools.items() if max(offer.zones for offer in pool.offers) <= lost]
        told = (
            f"pool '{few[0]}' is in no more zones than that; say over how many, such as of: {lost + 2}" if few else ""
        )
        found += [(("plan", "survive", "zones"), told)] if told else []
    return found


def _of_pool(asked: PoolPlan, pool: Pool) -> list[tuple[str, str]]:
    told = []
    if isinstance(pool.replica, Slots):
        unused = "says nothing for replicas of kind slots; remove it"
        told += [(key, unused) for key in ("max_num_seqs", "max_batched_tokens") if getattr(asked, key) is not None]
    if asked.fixed and pool.autoscaler.kind == "fixed":
        told.append(("fixed", "the pool has no autoscaler; remove it"))
    if asked.mix and pool.supply:
        told.append(("mix", "the pool has offers of its own ('supply'), which say what is mixed; remove one of them"))
    if asked.mix and pool.autoscaler.kind != "fixed" and not asked.fixed:
        told.append(("mix", "is for fixed fleets: add fixed: true"))
    if pool.autoscaler.kind != "fixed" and not asked.fixed and not hasattr(pool.autoscaler, "min_replicas"):
        told.append(
            ("replicas", f"an autoscaler of kind '{pool.autoscaler.kind}' has no min_replicas; add fixed: true")
        )
    return told
