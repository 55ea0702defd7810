"""AWS target tracking: two alarms a metric, proportional scale-out, careful scale-in.

Source: documentation of Application Auto Scaling and EC2 Auto Scaling. How far a scale-in goes is not published; here
it goes as far as the metric, spread over fewer replicas, stays at or below its target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim.autoscaling.clouds.aws_alarms import Alarm, AwsMemory, AwsPolicy, Points
from sim.autoscaling.clouds.cloud_metric import CloudMetric, PositiveLevel, whole
from sim.autoscaling.observation import Decision, Observation
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import PositiveShare


class TrackedMetric(CloudMetric):
    """One target tracking configuration: a metric that falls as replicas are added, and where to keep it."""

    target: Annotated[
        PositiveLevel,
        Field(description="Value to keep, such as 5, 70% or 600/min."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ]
    disable_scale_in: Annotated[bool, Field(description="Whether this metric may only add replicas.")] = False

    @model_validator(mode="after")
    def _falls_with_replicas(self) -> Self:
        if self.across == "sum":
            raise said("must be mean or max: a total does not fall when replicas are added", "across")
        return self


@dataclass(frozen=True)
class _Wish:
    """What one metric asks for."""

    out: int | None
    """Replicas, when its high alarm is on."""
    less: int | None
    """Replicas, when its low alarm is on and it may scale in."""
    load: int | None
    """Replicas for the newest datapoint, whatever the alarms."""
    says: str


class TargetTracking(AwsPolicy):
    """Keeps each metric near its target; the metric that asks for most replicas wins.

    Out if any metric's high alarm is on, in only if the low alarms of all metrics that may scale in are. A missing
    datapoint never changes anything.
    """

    kind: Literal["aws_target_tracking"] = "aws_target_tracking"
    metrics: Annotated[tuple[TrackedMetric, ...], Field(min_length=1, description="Metrics and their targets.")]
    high_alarm: Annotated[Alarm, Field(description="Datapoints above the target until a scale-out.")] = Alarm(
        datapoints=3, periods=3
    )
    low_alarm: Annotated[Alarm, Field(description="Datapoints below the low threshold until a scale-in.")] = Alarm(
        datapoints=15, periods=15
    )
    low_threshold: Annotated[
        PositiveShare, Field(description="Low threshold as a share of the target. AWS does not publish it.")
    ] = 0.9

    @property
    def watched(self) -> tuple[tuple[CloudMetric, int], ...]:
        length = max(self.high_alarm.periods, self.low_alarm.periods)
        return tuple((metric, length) for metric in self.metrics)

    def decide(self, seen: Observation, memory: AwsMemory | None) -> tuple[Decision, AwsMemory]:
        """One evaluation of all alarms; between two datapoints there is none."""
        if memory is not None and not self.is_new(seen, memory):
            return Decision(self.bounded(seen.current), "no new datapoint"), memory
        state = self.observed(seen, memory)
        base = self.base(seen, state)
        wishes = [
            self._wish(metric, points, base, seen.current)
            for metric, points in zip(self.metrics, state.points, strict=True)
        ]
        loads = [wish.load for wish in wishes if wish.load is not None]
        proposed = max(loads) if loads else None
        wanted, reason = self._combined(seen, state, wishes, base)
        replicas = self.bounded(wanted)
        if replicas != wanted:
            reason = f"{reason}; within {self.min_replicas} to {self.max_replicas}: {replicas}"
        return Decision(replicas, reason, proposed), self.started(seen, state, base, replicas)

    def _wish(self, metric: TrackedMetric, points: Points, base: int, current: int) -> _Wish:
        value, target = points[-1], metric.target
        if value is None:
            return _Wish(None, None, None, f"{metric.metric} has no datapoint")
        load = wanted_replicas(current, value, target)
        shown = f"{metric.metric} {value:.6g}"
        if self.high_alarm.rings(points, lambda point: point > target):
            out = wanted_replicas(base, value, target)
            says = f"{shown} above {target:.6g} in {self.high_alarm} datapoints, {base} replicas: wants {out}"
            return _Wish(out, None, load, says)
        low = self.low_threshold * target
        if not metric.disable_scale_in and self.low_alarm.rings(points, lambda point: point < low):
            less = min(load, current)
            says = f"{shown} below {low:.6g} in {self.low_alarm} datapoints: wants {less}"
            return _Wish(None, less, load, says)
        return _Wish(None, None, load, f"{shown} / {target:.6g}: no alarm")

    def _combined(self, seen: Observation, state: AwsMemory, wishes: list[_Wish], base: int) -> tuple[int, str]:
        outs = [wish for wish in wishes if wish.out is not None]
        if outs:
            most = max(outs, key=lambda wish: wish.out or 0)
            wanted = most.out or 0
            if wanted > seen.current:
                return wanted, most.says
            return seen.current, f"{most.says}; {seen.current} are there or on their way"
        may = [wish for metric, wish in zip(self.metrics, wishes, strict=True) if not metric.disable_scale_in]
        agreed = [wish for wish in may if wish.less is not None]
        if not agreed or len(agreed) < len(may):
            return seen.current, "; ".join(wish.says for wish in wishes)
        most = max(agreed, key=lambda wish: wish.less or 0)
        held = self.held(seen, state)
        return (seen.current, f"{most.says}; {held}") if held else (most.less or 0, most.says)


def wanted_replicas(replicas: int, value: float, target: float) -> int:
    """Replicas over which `value`, a mean over `replicas`, is at most `target`: 10 at 80 for a target of 50 give 16."""
    return whole(replicas * value / target)
