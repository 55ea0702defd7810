"""How an HPA tempers what its metrics propose: stabilization windows, rate limits, bounds.

Two paths, as in kubernetes/kubernetes pkg/controller/podautoscaler/horizontal.go: without `behavior` a fixed factor
limits every sync; with it, even empty, each direction has a window and policies, and defaults fill what is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sim.autoscaling.base import Some
from sim.autoscaling.kubernetes.quantity import QUANTITY
from sim.config.tunable import Tunable
from sim.config.units import COUNT, DURATION

Event = tuple[int, float]
"""Replicas, and when: a recommendation, or a change (above 0 in both directions)."""

Select = Literal["Max", "Min", "Disabled"]


class RatePolicy(BaseModel):
    """One limit: so many pods, or percent of them, in a period."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    type: Annotated[Literal["Pods", "Percent"], Field(description="What `value` counts.")]
    value: Annotated[
        int,
        COUNT.between(1, 2**31 - 1),
        Field(description="The most in a period."),
        Tunable(0.25, 4, times=True, log=True, least=1),
    ]
    period_s: Annotated[float, DURATION.between(1, 1800), Field(alias="period", description="The period.")]


_DOUBLE = RatePolicy(type="Percent", value=100, period_s=15.0)
_FOUR = RatePolicy(type="Pods", value=4, period_s=15.0)

Policies = Some[RatePolicy]


class Direction(BaseModel):
    """What is the same for scaling up and down."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    select_policy: Annotated[
        Select, Field(description="Which policy counts: the one with the biggest change, the smallest, or no change.")
    ] = "Max"
    tolerance: Annotated[
        float | None,
        QUANTITY,
        Field(description="How far from its target a metric may be, as a share. Left out: the HPA's."),
        Tunable(0.02, 0.3, unset=0.1),
    ] = None

    @property
    def longest_s(self) -> float:
        """The longest period of a policy: older changes matter no more."""
        return max(policy.period_s for policy in self.limits)

    @property
    def limits(self) -> tuple[RatePolicy, ...]:
        raise NotImplementedError


class ScaleUp(Direction):
    """Scaling up: at once, by 4 pods or by as many as there are in 15 s, whichever is more."""

    stabilization_window_s: Annotated[
        float,
        DURATION.between(0, 3600),
        Field(alias="stabilization_window", description="The smallest wish in this time counts."),
        Tunable(0, 120, cheaper=1),
    ] = 0.0
    policies: Annotated[Policies, Field(description="Limits; `select_policy` says which counts.")] = (_FOUR, _DOUBLE)

    @property
    def limits(self) -> tuple[RatePolicy, ...]:
        return self.policies


class ScaleDown(Direction):
    """Scaling down: to the largest wish in five minutes, then all at once."""

    stabilization_window_s: Annotated[
        float | None,
        DURATION.between(0, 3600),
        Field(
            alias="stabilization_window",
            description="The largest wish in this time counts. Left out: downscale_stabilization.",
        ),
        Tunable(30, 900, log=True, cheaper=-1, unset=300.0),
    ] = None
    policies: Annotated[Policies, Field(description="Limits; `select_policy` says which counts.")] = (_DOUBLE,)

    @property
    def limits(self) -> tuple[RatePolicy, ...]:
        return self.policies


class Behavior(BaseModel):
    """`behavior` of an HPA: both directions, with the API's defaults for what is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale_up: Annotated[ScaleUp, Field(description="Limits on scaling up.")] = ScaleUp()
    scale_down: Annotated[ScaleDown, Field(description="Limits on scaling down.")] = ScaleDown()

    @cached_property
    def longest_s(self) -> float:
        """How long a change is remembered."""
        return max(self.scale_up.longest_s, self.scale_down.longest_s)


def instead_of_flags(behavior: Behavior | None) -> tuple[str, ...]:
    """The flags of the controller that a search leaves alone beside a `behavior`, which can say the same of one HPA.

    See `sim.config.tunable.tunables`.
    """
    return () if behavior is None else ("tolerance", "downscale_stabilization_s")


def plain_stabilized(proposal: int, recommendations: Iterable[Event], window_s: float, now_s: float) -> int:
    """The largest of a proposal and those of the window, its far end included."""
    since_s = now_s - window_s
    return max(proposal, max((replicas for replicas, at_s in recommendations if at_s >= since_s), default=0))


def plain_limited(current: int, wanted: int, least: int, most: int) -> tuple[int, str]:
    """Without `behavior`: at most twice as many (4 from few), then the bounds. With the limit that bit, or nothing."""
    rate = max(2 * current, 4)
    if wanted < least:
        return least, f"min_replicas {least}"
    if wanted > min(rate, most):
        return (
            (rate, f"scale-up limit max(2 x {current}, 4) = {rate}") if rate < most else (most, f"max_replicas {most}")
        )
    return wanted, ""


def stabilized(
    current: int, proposal: int, recommendations: Iterable[Event], up_s: float, down_s: float, now_s: float
) -> int:
    """With `behavior`: no more than the least wish of one window, no fewer than the largest of the other.

    Wishes count while they are strictly younger than the window.
    """
    low = high = proposal
    for replicas, at_s in recommendations:
        if at_s > now_s - up_s and replicas < low:
            low = replicas
        if at_s > now_s - down_s and replicas > high:
            high = replicas
    return min(max(current, low), high)


def limited(
    behavior: Behavior,
    current: int,
    wanted: int,
    least: int,
    most: int,
    ups: Sequence[Event],
    downs: Sequence[Event],
    now_s: float,
) -> tuple[int, str]:
    """With `behavior`: within the policies of the direction, then the bound on that side. With the limit that bit."""
    if wanted > current:
        rate = max(_up_limit(behavior.scale_up, current, ups, downs, now_s), current)
        if wanted > min(rate, most):
            return (
                (rate, f"scale-up limit {_told(behavior.scale_up)} = {rate}")
                if rate < most
                else (
                    most,
                    f"max_replicas {most}",
                )
            )
    elif wanted < current:
        rate = min(_down_limit(behavior.scale_down, current, ups, downs, now_s), current)
        if wanted < max(rate, least):
            return (
                (rate, f"scale-down limit {_told(behavior.scale_down)} = {rate}")
                if rate > least
                else (
                    least,
                    f"min_replicas {least}",
                )
            )
    return wanted, ""


def _up_limit(rules: Direction, current: int, ups: Sequence[Event], downs: Sequence[Event], now_s: float) -> int:
    if rules.select_policy == "Disabled":
        return current
    limits = []
    for policy in rules.limits:
        start = _at_start(current, ups, downs, now_s - policy.period_s)
        # In this order, in doubles: 100 pods and 10 % make 111, as they do in the controller.
        limits.append(start + policy.value if policy.type == "Pods" else math.ceil(start * (1 + policy.value / 100)))
    return max(limits) if rules.select_policy == "Max" else min(limits)


def _down_limit(rules: Direction, current: int, ups: Sequence[Event], downs: Sequence[Event], now_s: float) -> int:
    if rules.select_policy == "Disabled":
        return current
    limits = []
    for policy in rules.limits:
        start = _at_start(current, ups, downs, now_s - policy.period_s)
        limits.append(start - policy.value if policy.type == "Pods" else int(start * (1 - policy.value / 100)))
    return min(limits) if rules.select_policy == "Max" else max(limits)


def _at_start(current: int, ups: Sequence[Event], downs: Sequence[Event], since_s: float) -> int:
    """Replicas when a period began: changes exactly as old as the period are no longer in it."""
    added = sum(change for change, at_s in ups if at_s > since_s)
    return current - added + sum(change for change, at_s in downs if at_s > since_s)


def _told(rules: Direction) -> str:
    """The policies in a few words: `Max(4 Pods/15s, 100 Percent/15s)`."""
    if rules.select_policy == "Disabled":
        return "Disabled"
    each = ", ".join(f"{policy.value} {policy.type}/{policy.period_s:g}s" for policy in rules.limits)
    return each if len(rules.limits) == 1 else f"{rules.select_policy}({each})"
