"""A fleet that never changes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.autoscaling.base import Blind
from sim.autoscaling.observation import Decision, Observation
from sim.config.tunable import Tunable
from sim.config.units import COUNT


class Fixed(Blind):
    """The same number of replicas from the first second to the last."""

    kind: Literal["fixed"] = "fixed"
    replicas: Annotated[
        int,
        COUNT.between(1, 100_000),
        Field(description="Replicas of the pool."),
        Tunable(0.4, 1.6, times=True, least=1, cheaper=-1),
    ]

    @property
    def initial_replicas(self) -> int:
        return self.replicas

    @property
    def floor_replicas(self) -> int:
        return self.replicas

    @property
    def most_replicas(self) -> int:
        return self.replicas

    def decide(self, seen: Observation, memory: None) -> tuple[Decision, None]:
        return Decision(self.replicas, f"fixed at {self.replicas}"), None
