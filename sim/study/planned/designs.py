"""The designs that a plan may choose among: of each pool a GPU, how many to a replica, and limits of the engine.

How many replicas is no part of a design: it is what is searched for.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from sim.autoscaling.fixed import Fixed
from sim.config.errors import ConfigError, Problem
from sim.scenario import Pool, Scenario
from sim.scenario.changes import Changes
from sim.scenario.plan import MOST_REPLICAS, PlanSpec, PoolPlan, Replicas
from sim.scenario.replica import Batching
from sim.scenario.supply import Offer

MOST_FLEETS = 256
"""Combinations of what may be chosen for each pool; more would take a sweep of days."""

Fleet = Mapping[str, int]
"""How many replicas each pool has (of an autoscaled one: its min_replicas)."""


@dataclass(frozen=True)
class Design:
    """One way to build the replicas of a pool."""

    pool: Pool
    """With any number of replicas."""
    least: int
    most: int
    """Replicas that it may have."""
    mixed: tuple[str, int] | None = None
    """Of a mix: the GPU of the replicas after the first ones, and how many those are."""
    later_usd_per_hour: float = 0.0
    """What one of the later ones costs."""
    limit: str = ""
    """What sets `most`, in words."""

    @property
    def elastic(self) -> bool:
        """Whether an autoscaler changes the number, so that what is chosen is its min_replicas."""
        return self.pool.autoscaler.kind != "fixed"

    @property
    def replicas_in_words(self) -> str:
        """What it is that is chosen the number of."""
        return "min_replicas" if self.elastic else "replicas"

    @property
    def usd_per_replica_hour(self) -> float | None:
        """By list price; None where no price is known."""
        return self.pool.usd_per_replica_hour if self.pool.priced else None

    def usd_per_hour(self, replicas: int) -> float:
        """Of so many by list price; where no price is known, their GPUs."""
        each = self.usd_per_replica_hour
        each = float(self.pool.gpus_per_replica) if each is None else each
        first = min(self.mixed[1], replicas) if self.mixed is not None else replicas
        return first * each + (replicas - first) * self.later_usd_per_hour

    def with_replicas(self, replicas: int) -> Pool:
        """The pool of this design with so many replicas."""
        policy = self.pool.autoscaler
        assert isinstance(policy, BaseModel), "plan_problems has refused what has no number to choose"
        changes = {"replicas": replicas} if isinstance(policy, Fixed) else {"min_replicas": replicas}
        if replicas > policy.most_replicas and self.elastic:  # spares come on top of what it may have
            changes["max_replicas"] = replicas
        return self.pool.model_copy(update={"autoscaler": policy.model_copy(update=changes)})

    def gpus(self, replicas: int) -> int:
        """GPUs of so many replicas."""
        first = min(self.mixed[1], replicas) if self.mixed is not None else 0
        later = self.pool.offers[-1].gpus_per_replica if self.mixed is not None else None
        return first * self.pool.gpus_per_replica + (replicas - first) * (later or self.pool.gpus_per_replica)

    def as_document(self) -> dict[str, Any]:
        """What is chosen, JSON-ready."""
        pool, replica = self.pool, self.pool.replica
        told: dict[str, Any] = {"gpu": _named(pool), "gpus_per_replica": pool.gpus_per_replica}
        if isinstance(replica, Batching):
            told |= {"max_num_seqs": replica.max_num_seqs, "max_batched_tokens": replica.max_batched_tokens}
        return told

    @property
    def told(self) -> str:
        """In words: `4 x h100-sxm, 256 seqs, 8192 tokens`."""
        pool, replica = self.pool, self.pool.replica
        words = f"{pool.gpus_per_replica} x {_named(pool) or 'GPU'}"
        if isinstance(replica, Batching):
            words += f", {replica.max_num_seqs} seqs, {replica.max_batched_tokens} tokens"
        return f"the first {self.mixed[1]} on {words}, the rest on {self.mixed[0]}" if self.mixed is not None else words


@dataclass(frozen=True)
class Fleets:
    """A design for each pool: fleets that differ in their numbers only."""

    scenario: Scenario
    designs: Mapping[str, Design]

    def scenario_with(self, fleet: Fleet, seed: int) -> Scenario:
        """What is run to try a fleet: the scenario without its plan."""
        pools = {name: design.with_replicas(fleet[name]) for name, design in self.designs.items()}
        return self.scenario.model_copy(update={"pools": pools, "seed": seed, "plan": None})

    def usd_per_hour(self, fleet: Fleet) -> float:
        """By list price, an autoscaled pool with its least."""
        return math.fsum(design.usd_per_hour(fleet[name]) for name, design in self.designs.items())

    @property
    def told(self) -> str:
        """In words."""
        if len(self.designs) == 1:
            return next(iter(self.designs.values())).told
        return "; ".join(f"{name}: {design.told}" for name, design in self.designs.items())


@dataclass(frozen=True)
class Unfit:
    """A design that cannot be built, and why."""

    told: str
    why: str

    def as_document(self) -> dict[str, str]:
        """JSON-ready."""
        return {"design": self.told, "why": self.why}


def fleets(scenario: Scenario) -> tuple[list[Fleets], list[Unfit]]:
    """All combinations of designs, and the designs that cannot be built.

    Raises `ConfigError` where none can be, where there are too many, or where some have a price and others have none.
    """
    plan = scenario.plan or PlanSpec()
    unfit: list[Unfit] = []
    each: dict[str, list[Design]] = {}
    for name, pool in scenario.pools.items():
        found = list(_designs(pool, plan.of_pool(name)))
        each[name] = [one for one in found if isinstance(one, Design)]
        unfit += [one for one in found if isinstance(one, Unfit)]
        if not each[name]:
            told = "; ".join(f"{one.told}: {one.why}" for one in found if isinstance(one, Unfit))
            raise ConfigError(Problem(f"none of its designs can be built: {told}", f"plan.pools.{name}"))
        _check_prices(name, each[name])
    many = math.prod(len(found) for found in each.values())
    if many > MOST_FLEETS:
        told = f"leaves {many:,} combinations of designs, more than {MOST_FLEETS}; leave some candidates out"
        raise ConfigError(Problem(told, "plan.pools"))
    chosen = [dict(zip(each, one, strict=True)) for one in itertools.product(*each.values())]
    return [Fleets(scenario, designs) for designs in chosen], unfit


def _check_prices(name: str, designs: Sequence[Design]) -> None:
    free = [design for design in designs if design.usd_per_replica_hour is None]
    if free and len(free) < len(designs):
        told = f"{free[0].told} has no price, others have one: give it one (`price` in its sheet), or leave it out"
        raise ConfigError(Problem(told, f"plan.pools.{name}.gpu"))


def _designs(pool: Pool, asked: PoolPlan) -> Iterator[Design | Unfit]:
    if asked.fixed:
        pool = pool.model_copy(update={"autoscaler": Fixed(replicas=max(pool.autoscaler.initial_replicas, 1))})
    gpus = asked.gpu or ((pool.gpu,) if pool.gpu is not None else ())
    replica = pool.replica
    seqs = asked.max_num_seqs or ((replica.max_num_seqs,) if isinstance(replica, Batching) else (0,))
    tokens = asked.max_batched_tokens or ((replica.max_batched_tokens,) if isinstance(replica, Batching) else (0,))
    sizes = asked.gpus_per_replica or (pool.gpus_per_replica,)
    for gpu, size, most_seqs, most_tokens in itertools.product(gpus or (None,), sizes, seqs, tokens):
        changes = Changes(gpu=gpu, gpus_per_replica=size)
        limits = {"max_num_seqs": most_seqs, "max_batched_tokens": most_tokens}
        if isinstance(replica, Batching) and most_seqs * replica.verified > most_tokens:
            told = f"{most_seqs} seqs, {most_tokens} tokens"
            yield Unfit(told, "max_num_seqs is above max_batched_tokens: an iteration gives every sequence a token")
            continue
        wanted = replica.model_copy(update=limits) if isinstance(replica, Batching) else replica
        found, problems = pool.varied(changes, wanted)
        design = Design(found, *_bounds(pool, asked.replicas))
        yield Unfit(design.told, problems[0][1]) if problems else design


def _bounds(pool: Pool, asked: Replicas | None) -> tuple[int, int]:
    """The least and the most replicas that may be planned, as far as the pool itself says."""
    policy = pool.autoscaler
    if isinstance(policy, Fixed):
        least, most = 1, MOST_REPLICAS
        quotas = [offer.most for offer in pool.supply]
        given = [quota for quota in quotas if quota is not None]
        if given and len(given) == len(quotas):
            most = sum(given)
    else:
        least, most = min(1, policy.floor_replicas), policy.most_replicas
    if asked is None:
        return least, most
    return (max(asked.least, least), min(asked.most, most))


def mixed(first: Design, second: Design, replicas: int) -> Design:
    """So many replicas of the first design, and after them any number of the second."""
    one, other = first.pool, second.pool
    offers = (
        Offer(name=_named(one) or "first", most=replicas),
        Offer(
            name=_named(other) or "second",
            gpu=other.gpu,
            gpus_per_replica=other.gpus_per_replica,
            price=other.price,
        ),
    )
    return Design(
        one.mixed(offers),
        replicas,
        first.most,
        mixed=(_named(other) or "GPU", replicas),
        later_usd_per_hour=second.usd_per_hour(1),
    )


def _named(pool: Pool) -> str | None:
    return None if pool.gpu is None else pool.gpu.name
