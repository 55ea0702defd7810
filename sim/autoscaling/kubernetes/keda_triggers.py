"""What a ScaledObject watches: metrics and windows of the calendar; and what to do when watching fails."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sim.autoscaling.base import Replicas
from sim.autoscaling.kubernetes.cron import Cron
from sim.autoscaling.kubernetes.hpa_metrics import Asked, Metric, usual_across
from sim.autoscaling.kubernetes.quantity import QUANTITY
from sim.autoscaling.observation import Across
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import Count


class MetricTrigger(Asked):
    """A metric that keeps a pool awake, and that its HPA holds at a threshold."""

    threshold: Annotated[
        float,
        QUANTITY.positive(),
        Field(description="The HPA's target, such as 5."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ]
    activation_threshold: Annotated[float, QUANTITY, Field(description="Active above this, not at it.")] = 0.0
    type: Annotated[
        Literal["AverageValue", "Value"], Field(description="AverageValue: a replica. Value: of the pool.")
    ] = "AverageValue"
    ignore_null_values: Annotated[
        bool, Field(description="Read a metric without a value as 0; otherwise that is an error.")
    ] = True

    @cached_property
    def metric_spec(self) -> Metric:
        """The metric of the HPA that KEDA makes of it."""
        return Metric(
            metric=self.metric,
            how=self.how,
            over_s=self.over_s,
            across=self.across,
            type=self.type,
            target=self.threshold,
            source="external",
        )

    @property
    def _usual(self) -> Across:
        return usual_across(self.metric, self.type)

    @model_validator(mode="after")
    def _of_the_pool(self) -> Self:
        if self.across == "each":
            raise said("must be sum, mean or max: a trigger reads one value", "across")
        return self


class CronTrigger(BaseModel):
    """A window of the calendar that keeps a pool awake."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: Annotated[Cron, Field(description="When, and how many replicas.")]


def _which(value: Any) -> str:
    has_cron = "cron" in value if isinstance(value, Mapping) else isinstance(value, CronTrigger)
    return "cron" if has_cron else "metric"


Trigger = Annotated[
    Annotated[MetricTrigger, Tag("metric")] | Annotated[CronTrigger, Tag("cron")], Discriminator(_which)
]


class Fallback(BaseModel):
    """Replicas to run when a trigger keeps failing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    failure_threshold: Annotated[Count, Field(description="Failures in a row to put up with.")]
    replicas: Annotated[Replicas, Field(description="Wanted after one more.")]
