"""Replicas and nodes that fail by themselves."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config.said import said
from sim.config.units import DURATION, PositiveCount
from sim.workload.durations import AnyTime

LLAMA_3_MTBF_S = 50_677 * 3600.0
"""GPU-time for each of the 419 unexpected interruptions of 54 days on 16,384 H100 (Llama Team 2024, "The Llama 3 herd
of models", section 3.3.4): 5.8 GPU-years. Of these, 59 % were the GPU's or its memory's."""


class Crash(BaseModel):
    """A replica, or a node with all replicas on it, fails at a constant hazard, busy or idle.

    The hazard is that of its GPUs together: four GPUs fail four times as often as one. Requests on it are lost (see
    `drain.lost`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: Literal["crash"] = "crash"
    mtbf_s: Annotated[
        Annotated[float, DURATION.between(1, math.inf)],
        Field(alias="mtbf", description="GPU-time between two failures, at least 1s; Llama 3 on H100: 50677h."),
    ] = LLAMA_3_MTBF_S
    scope: Annotated[Literal["replica", "node"], Field(description="What fails together.")] = "replica"
    replicas_per_node: Annotated[
        PositiveCount | None, Field(description="Replicas of the pool that share a node; with `scope: node`.")
    ] = None
    repair_s: Annotated[
        AnyTime | None,
        Field(
            alias="repair",
            description="Until it is back in place, paid meanwhile: a duration or a law. Left out: it is gone, and "
            "another is ordered.",
        ),
    ] = None

    def hazard_per_s(self, gpus_per_replica: int) -> float:
        """Failures per second of one replica, or of one node with scope `node`."""
        return gpus_per_replica * (self.replicas_per_node or 1) / self.mtbf_s

    @model_validator(mode="after")
    def _scope_fits(self) -> Self:
        if self.scope == "node" and self.replicas_per_node is None:
            raise said("is missing: how many replicas fail with a node", "replicas_per_node")
        if self.scope == "replica" and self.replicas_per_node is not None:
            raise said("says nothing for scope 'replica'; remove it, or write scope: node", "replicas_per_node")
        return self
