"""AWS step scaling: alarms of one's own, and how far to go for how large a breach.

Source: documentation of Application Auto Scaling and EC2 Auto Scaling (bounds of steps, rounding of percentages,
capacity in flight).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.autoscaling.clouds.aws_alarms import Alarm, AwsMemory, AwsPolicy, Points
from sim.autoscaling.clouds.cloud_metric import LEVEL, CloudMetric
from sim.autoscaling.observation import Decision, Observation
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import COUNT

Comparison = Literal[
    "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
]
Adjustment = Literal["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"]
_Bound = Annotated[float, Field(allow_inf_nan=False)]


class Step(BaseModel):
    """What to do for a breach (metric minus threshold) between two bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lower: Annotated[_Bound | None, Field(description="Least breach. Left out: no limit.")] = None
    upper: Annotated[_Bound | None, Field(description="Largest breach. Left out: no limit.")] = None
    adjustment: Annotated[
        int, Field(strict=True, description="Replicas, or percent, to add (or to remove, below 0); or to have.")
    ]

    @property
    def least(self) -> float:
        return -math.inf if self.lower is None else self.lower

    @property
    def most(self) -> float:
        return math.inf if self.upper is None else self.upper


class StepPolicy(CloudMetric):
    """One alarm and its steps."""

    threshold: Annotated[
        float,
        LEVEL,
        Field(description="The alarm's threshold, such as 5, 70% or 600/min."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ]
    comparison: Annotated[Comparison, Field(description="CloudWatch's comparison operator.")]
    alarm: Annotated[Alarm, Field(description="Datapoints that breach until the policy acts.")] = Alarm(
        datapoints=1, periods=1
    )
    adjustment_type: Annotated[Adjustment, Field(description="What a step's adjustment means.")] = "ChangeInCapacity"
    min_adjustment_magnitude: Annotated[
        Annotated[int, COUNT.between(1, 10_000)] | None,
        Field(description="Least change in replicas of a PercentChangeInCapacity."),
    ] = None
    steps: Annotated[tuple[Step, ...], Field(min_length=1, description="Steps; no gap, no overlap.")]

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        for index, step in enumerate(self.steps):
            if step.least >= step.most:
                raise said(f"must have a lower bound below the upper one ({step.most:g})", "steps", index, "lower")
            if self.adjustment_type == "ExactCapacity" and step.adjustment < 0:
                raise said(f"must be at least 0, got {step.adjustment}", "steps", index, "adjustment")
        ordered = sorted(self.steps, key=lambda step: step.least)
        for one, other in pairwise(ordered):
            if one.most != other.least:
                word = "overlap" if one.most > other.least else "leave a gap"
                raise said(f"must follow each other: those around {other.least:g} {word}", "steps")
        if self.min_adjustment_magnitude is not None and self.adjustment_type != "PercentChangeInCapacity":
            raise said("must be left out unless adjustment_type is PercentChangeInCapacity", "min_adjustment_magnitude")
        return self

    @property
    def is_high(self) -> bool:
        return self.comparison.startswith("Greater")

    def breached(self, value: float) -> bool:
        """Whether a datapoint is beyond the threshold."""
        if self.comparison == "GreaterThanThreshold":
            return value > self.threshold
        if self.comparison == "GreaterThanOrEqualToThreshold":
            return value >= self.threshold
        return value < self.threshold if self.comparison == "LessThanThreshold" else value <= self.threshold

    def step_for(self, breach: float) -> Step | None:
        """The step for a breach; above the threshold the lower bound belongs to a step, below it the upper one."""
        for step in self.steps:
            inside = step.least <= breach < step.most if self.is_high else step.least < breach <= step.most
            if inside:
                return step
        return None

    def adjusted(self, base: int, adjustment: int) -> int:
        """Replicas after an adjustment of `base`, at least 0."""
        if self.adjustment_type == "ExactCapacity":
            return adjustment
        if self.adjustment_type == "ChangeInCapacity":
            return max(base + adjustment, 0)
        return max(base + percent_change(base, adjustment, self.min_adjustment_magnitude), 0)


class StepScaling(AwsPolicy):
    """Adds or removes replicas by steps; of several policies whose alarms are on, the largest fleet wins.

    An alarm that stays on acts at every datapoint, as AWS's do. An alarm without its newest datapoint does nothing.
    """

    kind: Literal["aws_step_scaling"] = "aws_step_scaling"
    policies: Annotated[tuple[StepPolicy, ...], Field(min_length=1, description="Alarms and their steps.")]

    @property
    def watched(self) -> tuple[tuple[CloudMetric, int], ...]:
        return tuple((policy, policy.alarm.periods) for policy in self.policies)

    def decide(self, seen: Observation, memory: AwsMemory | None) -> tuple[Decision, AwsMemory]:
        """One evaluation of all alarms; between two datapoints there is none."""
        if memory is not None and not self.is_new(seen, memory):
            return Decision(self.bounded(seen.current), "no new datapoint"), memory
        state = self.observed(seen, memory)
        base = self.base(seen, state)
        fired = [
            wish
            for policy, points in zip(self.policies, state.points, strict=True)
            if (wish := self._wish(policy, points, base, seen.current)) is not None
        ]
        wanted, reason = max(fired, key=lambda wish: wish[0]) if fired else (seen.current, self._silence(state))
        proposed = wanted
        held = self.held(seen, state) if wanted < seen.current else None
        if held:
            wanted, reason = seen.current, f"{reason}; {held}"
        replicas = self.bounded(wanted)
        if replicas != wanted:
            reason = f"{reason}; within {self.min_replicas} to {self.max_replicas}: {replicas}"
        return Decision(replicas, reason, proposed), self.started(seen, state, base, replicas)

    def _wish(self, policy: StepPolicy, points: Points, base: int, current: int) -> tuple[int, str] | None:
        """Replicas that a policy asks for, and why; None when its alarm is off or no step is meant."""
        if not policy.alarm.rings(points, policy.breached):
            return None
        value = points[-1]
        assert value is not None, "an alarm does not ring without its newest datapoint"
        step = policy.step_for(value - policy.threshold)
        if step is None:
            return None
        # Capacity in flight counts: a step adds to what was there before, and only what exceeds the fleet is new.
        adds = step.adjustment > 0 and policy.adjustment_type != "ExactCapacity"
        wanted = (
            max(policy.adjusted(base, step.adjustment), current) if adds else policy.adjusted(current, step.adjustment)
        )
        change = f"{step.adjustment:+d}{' %' if policy.adjustment_type == 'PercentChangeInCapacity' else ''}"
        of = f"{change} of {base if adds else current}" if policy.adjustment_type != "ExactCapacity" else "exactly that"
        where = "above" if policy.is_high else "below"
        return (
            wanted,
            f"{policy.metric} {value:.6g} {where} {policy.threshold:.6g} ({policy.alarm}): {of} wants {wanted}",
        )

    def _silence(self, state: AwsMemory) -> str:
        newest = zip(self.policies, state.points, strict=True)
        return "; ".join(
            f"{policy.metric} has no datapoint"
            if points[-1] is None
            else f"{policy.metric} {points[-1]:.6g} / {policy.threshold:.6g}: no step"
            for policy, points in newest
        )


def percent_change(base: int, percent: int, least: int | None = None) -> int:
    """Replicas for a percentage of `base`, whole and signed.

    Above 1 rounded down, between 0 and 1 up to 1, below 0 likewise towards -1 and then towards 0. `least` is the
    MinAdjustmentMagnitude.
    """
    exact = base * percent / 100
    if exact == 0:
        change = 0
    elif abs(exact) < 1:
        change = 1 if exact > 0 else -1
    else:
        change = math.trunc(exact)
    if least is not None and percent != 0 and abs(change) < least:
        change = least if percent > 0 else -least
    return change
