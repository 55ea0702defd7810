"""A fleet that never changes."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sim.autoscaling.observation import Decision, Observation, Pipeline, Query
from sim.config.units import COUNT


class Fixed(BaseModel):
    """The same number of replicas from the first second to the last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fixed"] = "fixed"
    replicas: Annotated[int, COUNT.between(1, 100_000), Field(description="Replicas of the pool.")]

    @property
    def period_s(self) -> float:
        return math.inf

    @property
    def queries(self) -> tuple[Query, ...]:
        return ()

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(math.inf)

    @property
    def initial_replicas(self) -> int:
        return self.replicas

    @property
    def floor_replicas(self) -> int:
        return self.replicas

    @property
    def most_replicas(self) -> int:
        return self.replicas

    @property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return "nothing"

    def decide(self, seen: Observation, memory: None) -> tuple[Decision, None]:
        return Decision(self.replicas, f"fixed at {self.replicas}"), None
