"""What a plan says, as values: the pools, the certificates, what was considered, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.scenario import Scenario
from sim.study.planned.certificate import Certificate
from sim.study.planned.designs import Design, Unfit
from sim.study.planned.screen import Bracket
from sim.study.planned.survive import Spares


@dataclass(frozen=True)
class PlannedPool:
    """What one pool is to be."""

    name: str
    design: Design
    need: int
    """Replicas that keep the promises (of an autoscaled pool: min_replicas)."""
    spares: Spares | None
    """None: nothing was said of what it must survive."""

    @property
    def replicas(self) -> int:
        """To have, spares included."""
        return self.need if self.spares is None else self.spares.total

    def as_document(self) -> dict[str, Any]:
        """JSON-ready. `gpus`: of the pool in all."""
        design = self.design
        priced = design.usd_per_replica_hour is not None
        mix = None
        if design.mixed is not None:
            later, first = design.mixed
            mix = {str(design.as_document()["gpu"]): min(first, self.replicas), later: self.replicas - first}
        return {
            "replicas": self.replicas,
            **design.as_document(),
            "gpus": design.gpus(self.replicas),
            "mix": mix,
            "chosen": design.replicas_in_words,
            "need": self.need,
            "spare": self.replicas - self.need,
            "list_usd_per_hour": design.usd_per_hour(self.replicas) if priced else None,
            "survive": None if self.spares is None else self.spares.as_document(),
        }


@dataclass(frozen=True)
class Considered:
    """One design (or one for each pool), and what became of it."""

    told: str
    brackets: Mapping[str, Bracket]
    fleet: Mapping[str, int] | None
    """The smallest that met its promises in the search; None: none was found, or looked for."""
    usd_per_hour: float | None
    """Of that, by list price, or as simulated where an autoscaler decides; in GPUs where no price is known."""
    outcome: str
    """In words."""

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "design": self.told,
            "theory": {
                name: {"least": each.least, "estimate": each.estimate, "why": each.why}
                for name, each in self.brackets.items()
            },
            "replicas": None if self.fleet is None else dict(self.fleet),
            "usd_per_hour": self.usd_per_hour,
            "outcome": self.outcome,
        }


@dataclass(frozen=True)
class Plan:
    """The cheapest fleet that keeps what is promised, and how that is known."""

    scenario: Scenario
    feasible: bool
    pools: dict[str, PlannedPool]
    """Empty where no fleet does."""
    usd_per_hour: float | None
    """The bill of the fleet, spares included, in a fresh run; None where no price is known."""
    certificates: tuple[Certificate, ...]
    """Of the fleet (without spares) first, then of those with one replica fewer, then of others that were tried."""
    reason: str
    """Why no fleet does; empty where one does."""
    considered: tuple[Considered, ...]
    unfit: tuple[Unfit, ...]
    notes: tuple[str, ...]
    confidence: float
    """That the certificates of the fleet and of those with one fewer are right, all together."""
    seed: int
    """Of the search."""
    fresh_seed: int
    """Of the certificates."""
    budget: int
    """Requests that were to be simulated at most, about."""
    runs: int
    requests: int
    """Simulated, those included that a study had kept."""

    @property
    def need(self) -> dict[str, int]:
        """Replicas by pool that keep the promises, spares left out."""
        return {name: pool.need for name, pool in self.pools.items()}

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema_version": 1,
            "name": self.scenario.name,
            "feasible": self.feasible,
            "reason": self.reason or None,
            "pools": {name: pool.as_document() for name, pool in self.pools.items()},
            "usd_per_hour": self.usd_per_hour,
            "certificates": [each.as_document() for each in self.certificates],
            "confidence": self.confidence,
            "seed": self.seed,
            "fresh_seed": self.fresh_seed,
            "notes": list(self.notes),
            "considered": [each.as_document() for each in self.considered],
            "unfit": [each.as_document() for each in self.unfit],
            "budget_requests": self.budget,
            "runs": self.runs,
            "requests": self.requests,
        }
