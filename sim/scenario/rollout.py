"""A rolling update: replicas are replaced a few at a time, by the same or by another version."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from sim.config.said import said
from sim.config.units import COUNT, SHARE, Duration
from sim.hardware import ModelSheet
from sim.scenario.changes import Changes
from sim.scenario.replica import AnyReplica


def _count_or_share(value: Any) -> int | float:
    """A whole number of replicas, or a share of them: `25%`, or 0.25 once resolved."""
    share = isinstance(value, float) or (isinstance(value, str) and ("%" in value or "." in value))
    return float(SHARE.parse(value)) if share else int(COUNT.parse(value))


_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*\+?[0-9.]+\s*%?\s*$"},
    ],
    "examples": ["25%", 1],
}
CountOrShare = Annotated[int | float, PlainValidator(_count_or_share), WithJsonSchema(_SCHEMA)]


def _of(value: float, replicas: int) -> float:
    """That many replicas, not yet rounded; in whole per cent where that is what was written, as Kubernetes counts."""
    return value if isinstance(value, int) else round(value * 100, 9) * replicas / 100


class NewVersion(Changes):
    """What the new replicas have different; a change of model starts with cold caches like any other."""

    model: Annotated[ModelSheet | None, Field(description="Another model: a name, a path or a sheet inline.")] = None
    replica: Annotated[AnyReplica | None, Field(description="How a replica serves requests.")] = None


class Rollout(BaseModel):
    """Every replica is replaced by a new one, as a Kubernetes Deployment does (strategy RollingUpdate).

    `max_surge` is rounded up and `max_unavailable` down, and if both come to 0, one replica may be unavailable
    (kubernetes/kubernetes, `ResolveFenceposts`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    at_s: Annotated[Duration, Field(alias="at", description="When it begins.")]
    max_surge: Annotated[
        CountOrShare, Field(description="Replicas above the wanted number, or their share (rounded up).")
    ] = 0.25
    max_unavailable: Annotated[
        CountOrShare, Field(description="Replicas short of the wanted number, or their share (rounded down).")
    ] = 0.25
    to: Annotated[
        NewVersion | None, Field(description="What changes; left out: nothing, as with a restart or a new image.")
    ] = None

    def limits(self, replicas: int) -> tuple[int, int]:
        """How many replicas above and how many short of `replicas` there may be."""
        surge = math.ceil(_of(self.max_surge, replicas))
        unavailable = min(math.floor(_of(self.max_unavailable, replicas)), replicas)
        return (surge, unavailable) if surge or unavailable else (0, 1)

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise said("must not be 0 when max_surge is 0: no replica could ever be replaced", "max_unavailable")
        return self
