"""What every policy that changes the fleet has: bounds, a first size, defaults for the rest of the protocol."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from sim.autoscaling import observation
from sim.autoscaling.observation import Decision, Observation, Pipeline, Query
from sim.config.catalogue import nearest
from sim.config.frozen import Frozen
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import COUNT

Replicas = Annotated[int, COUNT.between(0, 100_000)]

Item = TypeVar("Item")


def _some(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise said("must have at least 1 item, got none")
    return items


# Not `min_length`: that would also complain, of no items, where every item has a complaint of its own.
Some = Annotated[tuple[Item, ...], AfterValidator(_some), Field(json_schema_extra={"minItems": 1})]
"""A list that is not empty."""

GAUGES = (
    observation.WAITING,
    observation.RUNNING,
    observation.KV_USAGE,
    observation.CONCURRENCY,
    observation.BUSY_SHARE,
)
"""Metrics with a value at a time."""
COUNTERS = (observation.REQUESTS, observation.PROMPT_TOKENS, observation.FINISHED, observation.GENERATION_TOKENS)
"""Metrics that only grow: their rate over a window says something."""
HISTOGRAMS = (observation.TTFT, observation.ITL)
"""Metrics with a quantile or a mean over a window."""
METRICS = (*GAUGES, *COUNTERS, *HISTOGRAMS)
"""Names of the metrics that a real system can watch."""


def metric_name(name: str) -> str:
    """The full name of a metric, from its full name or from that without `vllm:`.

    Raises a complaint that holds the nearest right name.
    """
    for full in (name, f"vllm:{name}"):
        if full in METRICS:
            return full
    known = [full.removeprefix("vllm:") for full in METRICS]
    best = nearest(name.removeprefix("vllm:"), known)
    hint = f"did you mean '{best}'?" if best else f"there are: {', '.join(known)}"
    raise said(f"no such metric: {name!r}; {hint}")


MetricName = Annotated[str, AfterValidator(metric_name)]
"""A metric as users write it; the full name once validated."""


def needs_kind(schema: dict[str, Any]) -> None:
    """Marks `kind` as required in a JSON Schema: a mapping without one is `fixed`, whatever its other keys."""
    schema["required"] = ["kind", *schema.get("required", ())]


class Blind(Frozen):
    """A policy that looks at nothing, and is asked at no time but those that it names itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

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
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return "nothing"


class Elastic(Frozen):
    """A policy with bounds. Subclasses are frozen values: all that changes is in the memory they return."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, json_schema_extra=needs_kind)

    min_replicas: Annotated[
        Replicas, Field(description="Never fewer."), Tunable(0.25, 2, times=True, least=1, cheaper=-1)
    ] = 1
    max_replicas: Annotated[
        Replicas, Field(description="Never more."), Tunable(0.5, 1, times=True, least=1, cheaper=-1)
    ] = 10
    start_replicas: Annotated[
        Replicas | None, Field(description="Ready when the run begins. Left out: min_replicas.")
    ] = None

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=15.0)
    """How fresh this family's metrics are in the real system."""

    @property
    def initial_replicas(self) -> int:
        return self.min_replicas if self.start_replicas is None else self.start_replicas

    @property
    def floor_replicas(self) -> int:
        return self.min_replicas

    @property
    def most_replicas(self) -> int:
        return max(self.max_replicas, self.initial_replicas)

    @property
    def pipeline(self) -> Pipeline:
        return self.fresh

    @property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return "nothing"

    @property
    @abstractmethod
    def period_s(self) -> float: ...

    @property
    @abstractmethod
    def queries(self) -> tuple[Query, ...]: ...

    @abstractmethod
    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]: ...

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise said(f"must be at most max_replicas ({self.max_replicas}), got {self.min_replicas}", "min_replicas")
        if self.max_replicas == 0:
            raise said("must be at least 1, got 0", "max_replicas")
        return self

    def bounded(self, replicas: int) -> int:
        """`replicas`, kept within the bounds."""
        return min(max(replicas, self.min_replicas), self.max_replicas)
