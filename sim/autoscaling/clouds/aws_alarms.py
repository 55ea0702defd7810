"""What AWS's scaling policies share: alarms on one-minute datapoints, cooldowns, machines that warm up.

Source: documentation of Application Auto Scaling, Amazon EC2 Auto Scaling and CloudWatch. Every number is a key: the
alarms that AWS makes for target tracking are documented only by what users see (3 of 3 and 15 of 15 datapoints).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.autoscaling.base import Elastic
from sim.autoscaling.clouds.cloud_metric import CloudMetric, Running, asked_of_replicas, running, settled
from sim.autoscaling.observation import Observation, Pipeline, Query
from sim.autoscaling.unused import refuse_unused
from sim.config.said import said
from sim.config.units import COUNT, Duration, PositiveDuration

Points = tuple[float | None, ...]
"""Datapoints of one alarm's metric, newest last; None: missing."""
_Datapoints = Annotated[int, COUNT.between(1, 1440)]
_TO_NEXT = 1e-6  # seconds that a datapoint may come early: times are sums of floats


class Alarm(BaseModel):
    """When an alarm goes off: so many of the last datapoints breach its threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    datapoints: Annotated[_Datapoints, Field(description="Datapoints that must breach (DatapointsToAlarm).")]
    periods: Annotated[_Datapoints, Field(description="Of so many, back from the newest (EvaluationPeriods).")]

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.datapoints > self.periods:
            raise said(f"must be at most periods ({self.periods}), got {self.datapoints}", "datapoints")
        return self

    def rings(self, points: Points, breaches: Callable[[float], bool]) -> bool:
        """Whether the alarm is on. Without the newest datapoint it has insufficient data, and is not."""
        if not points or points[-1] is None:
            return False
        last = points[-self.periods :]
        return sum(point is not None and breaches(point) for point in last) >= self.datapoints

    def __str__(self) -> str:
        return f"{self.datapoints} of {self.periods}"


@dataclass(frozen=True, slots=True)
class AwsMemory:
    """What a scaling policy of AWS remembers."""

    at_s: float
    """When the newest datapoint was taken."""
    points: tuple[Points, ...]
    """Of each alarm, as far back as it looks."""
    since: Running | None = None
    """Style `asg`: machines and when they were first seen to run."""
    base: int = 0
    """Style `application`: replicas before the scale-out whose cooldown runs."""
    out_until_s: float = -math.inf
    """End of that cooldown."""
    in_until_s: float = -math.inf
    """End of the cooldown after a scale-in."""


class AwsPolicy(Elastic):
    """Keys and bookkeeping of both policies.

    `style: application` (ECS, SageMaker, anything under Application Auto Scaling) waits out cooldowns; `style: asg`
    (EC2 Auto Scaling groups) has an instance warm-up instead. AWS keeps cooldowns per policy, here the pool has one
    pair. What is not simulated has no key: weighted capacity, warm pools, predictive and scheduled scaling, metric
    math.
    """

    style: Annotated[
        Literal["application", "asg"], Field(description="Cooldowns (application) or instance warm-up (asg).")
    ] = "application"
    scale_out_cooldown_s: Annotated[
        Duration,
        Field(
            alias="scale_out_cooldown",
            description="After a scale-out, only what exceeds it is added. Style application.",
        ),
    ] = 300.0
    scale_in_cooldown_s: Annotated[
        Duration,
        Field(alias="scale_in_cooldown", description="After a scale-in, no other one. Style application."),
    ] = 300.0
    instance_warmup_s: Annotated[
        Duration,
        Field(
            alias="instance_warmup",
            description="From the start of a machine until its metrics count; no scale-in meanwhile. Style asg.",
        ),
    ] = 300.0
    datapoint_s: Annotated[
        PositiveDuration, Field(alias="datapoint", description="Between two datapoints, and between evaluations.")
    ] = 60.0
    metric_delay_s: Annotated[
        Duration, Field(alias="metric_delay", description="Until a datapoint can be seen by the alarm.")
    ] = 60.0

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=60.0, delay_s=60.0)

    @model_validator(mode="after")
    def _style_has_its_keys(self) -> Self:
        if self.style == "application":
            refuse_unused(self, ["instance_warmup_s"], "style application has cooldowns, not a warm-up")
        else:
            cooldowns = ("scale_out_cooldown_s", "scale_in_cooldown_s")
            refuse_unused(self, cooldowns, "style asg has an instance_warmup, not cooldowns")
        return self

    @property
    def period_s(self) -> float:
        return self.datapoint_s

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(self.datapoint_s, self.metric_delay_s)

    @property
    def watched(self) -> tuple[tuple[CloudMetric, int], ...]:
        """The metric of each alarm, and how many datapoints back anything looks at it."""
        raise NotImplementedError

    @property
    def queries(self) -> tuple[Query, ...]:
        metrics = [metric for metric, _ in self.watched]
        if self.style == "asg":
            return asked_of_replicas(metrics)
        return tuple(dict.fromkeys(metric.pooled for metric in metrics))

    def is_new(self, seen: Observation, memory: AwsMemory | None) -> bool:
        """Whether another datapoint is due; alarms are evaluated once a datapoint."""
        return memory is None or seen.at_s >= memory.at_s + self.datapoint_s - _TO_NEXT

    def observed(self, seen: Observation, memory: AwsMemory | None) -> AwsMemory:
        """The memory with the newest datapoints in it."""
        before = memory or AwsMemory(-math.inf, ((),) * len(self.watched))
        since, warm = before.since, None
        if self.style == "asg":
            since = running(seen, before.since)
            warm = settled(seen, since, self.instance_warmup_s)
        values = [
            metric.of_pool(seen) if warm is None or not metric.of_replicas else metric.of(warm)
            for metric, _ in self.watched
        ]
        points = tuple(
            (*old, value)[-length:] for old, value, (_, length) in zip(before.points, values, self.watched, strict=True)
        )
        return replace(before, at_s=seen.at_s, points=points, since=since)

    def in_flight(self, seen: Observation, memory: AwsMemory) -> int:
        """Replicas that were ordered and do not count yet: no machine, or one that warms up. Style `asg`."""
        warm = len(settled(seen, memory.since or (), self.instance_warmup_s))
        failed = sum(pod.phase == "failed" for pod in seen.pods)
        return max(seen.current - warm - failed, 0)

    def base(self, seen: Observation, memory: AwsMemory) -> int:
        """Replicas that a scale-out is computed from: those whose load the metric shows."""
        if self.style == "asg":
            return seen.current - self.in_flight(seen, memory)
        return memory.base if seen.at_s < memory.out_until_s else seen.current

    def held(self, seen: Observation, memory: AwsMemory) -> str | None:
        """Why nothing may be removed now; None when it may."""
        if self.style == "asg":
            warming = self.in_flight(seen, memory)
            return f"{warming} replicas warm up" if warming else None
        left_s = memory.in_until_s - seen.at_s
        return f"scale-in cooldown for another {left_s:g} s" if left_s > 0 else None

    def started(self, seen: Observation, memory: AwsMemory, base: int, wanted: int) -> AwsMemory:
        """The memory after a change to `wanted` replicas: its cooldown runs.

        A scale-out during a scale-in's cooldown ends that cooldown. One during a scale-out's cooldown starts it anew
        and leaves its base: the capacity added since is still part of what is wanted next.
        """
        if wanted > seen.current:
            return replace(memory, base=base, out_until_s=seen.at_s + self.scale_out_cooldown_s, in_until_s=-math.inf)
        if wanted < seen.current:
            return replace(memory, in_until_s=seen.at_s + self.scale_in_cooldown_s, out_until_s=-math.inf)
        return memory
