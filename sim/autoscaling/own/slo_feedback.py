"""Feedback on the latency that users are promised: a proportional-integral controller on a quantile of TTFT or ITL."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import ITL, RUNNING, TTFT, WAITING, Decision, Observation, Query
from sim.config.tunable import Tunable
from sim.config.units import AMOUNT, SHARE, Amount, Duration, PositiveDuration, PositiveShare

_METRICS = {"ttft": TTFT, "itl": ITL}
_IN_SYSTEM = (Query(WAITING), Query(RUNNING))


@dataclass(frozen=True, slots=True)
class Loop:
    """What the controller remembers."""

    size: float
    """Replicas, not rounded: small corrections add up."""
    error: float = 0.0
    """Of the last decision."""
    changed_s: float = -math.inf
    """When the number of replicas last changed."""


class SloFeedback(Elastic):
    """More replicas while a latency is above its aim, fewer while it is below.

    With error e = measured / (aim x target) - 1, at most 1 both ways, every period multiplies the fleet by
    1 + proportional (e - last e) + integral e, limited to max_up and max_down, unless e is within the dead band or the
    last change is too young. A controller in velocity form: what the bounds or a cooldown hold back is not saved up.
    Latency answers late, after a cold start and a window: cooldowns below their sum make the loop swing.
    """

    kind: Literal["slo_feedback"] = "slo_feedback"
    metric: Annotated[Literal["ttft", "itl"], Field(description="The latency.")] = "ttft"
    quantile: Annotated[
        Literal["p50", "p90", "p95", "p99", "mean"], Field(description="Of the requests in the window.")
    ] = "p99"
    target_s: Annotated[PositiveDuration, Field(alias="target", description="What users are promised.")]
    aim: Annotated[
        PositiveShare,
        Field(description="Share of the target that the controller steers to."),
        Tunable(0.3, 1, cheaper=1),
    ] = 0.8
    dead_band: Annotated[
        Annotated[float, SHARE.between(0, 0.99)],
        Field(description="Relative distance from the aim within which nothing changes."),
        Tunable(0.05, 0.5),
    ] = 0.2
    window_s: Annotated[
        PositiveDuration,
        Field(alias="window", description="The quantile is of the requests of this time."),
        Tunable(30, 300, log=True),
    ] = 60.0
    check_s: Annotated[PositiveDuration, Field(alias="period", description="Between two decisions.")] = 15.0
    proportional: Annotated[
        Amount, Field(description="Gain on the change of the error."), Tunable(0.05, 1, log=True)
    ] = 0.2
    integral: Annotated[
        Annotated[float, AMOUNT.positive()], Field(description="Gain on the error."), Tunable(0.05, 1, log=True)
    ] = 0.3
    max_up: Annotated[PositiveShare, Field(description="Most added at once, over the fleet.")] = 1.0
    max_down: Annotated[
        PositiveShare,
        Field(description="Most removed at once, over the fleet."),
        Tunable(0.05, 0.5, log=True, cheaper=1),
    ] = 0.2
    cooldown_up_s: Annotated[
        Duration,
        Field(alias="cooldown_up", description="No addition this soon after a change."),
        Tunable(15, 300, log=True),
    ] = 60.0
    cooldown_down_s: Annotated[
        Duration,
        Field(alias="cooldown_down", description="No removal this soon after a change."),
        Tunable(60, 1200, log=True, cheaper=-1),
    ] = 300.0

    @property
    def period_s(self) -> float:
        return self.check_s

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        return (self._latency, *_IN_SYSTEM)

    @cached_property
    def _latency(self) -> Query:
        return Query(_METRICS[self.metric], self.quantile, self.window_s)

    def decide(self, seen: Observation, memory: Loop | None) -> tuple[Decision, Loop]:
        loop = memory or Loop(float(seen.current))
        if math.ceil(loop.size) != seen.current:  # the fleet was set by someone else, or is out of bounds
            loop = Loop(float(seen.current), loop.error, loop.changed_s)
        measured = seen.value(self._latency)
        name = f"{self.metric} {self.quantile}"
        if measured is None:
            in_system = [seen.value(query) for query in _IN_SYSTEM]
            if None in in_system or any(in_system):
                return Decision(self.bounded(seen.current), f"no {name} within {self.window_s:g} s: kept"), loop
            measured, name = 0.0, f"idle: {name}"
        error, change = self.correction(measured, loop.error)
        told = f"{name} {measured:.4g} s, aim {self.aim * self.target_s:.4g} s"
        held = self._held(error, change, seen.at_s - loop.changed_s)
        if held:
            return Decision(self.bounded(seen.current), f"{told}: {held}"), Loop(loop.size, error, loop.changed_s)
        step = min(max(change, -self.max_down), self.max_up)
        size = min(max(loop.size * (1 + step), float(self.min_replicas)), float(self.max_replicas))
        wanted = self.bounded(math.ceil(size))
        changed_s = seen.at_s if wanted != seen.current else loop.changed_s
        proposed = max(math.ceil(loop.size * (1 + change)), 0)
        reason = f"{told}: {loop.size:.4g} {step:+.1%} = {size:.4g}"
        return Decision(wanted, reason, proposed), Loop(size, error, changed_s)

    def correction(self, measured_s: float, last_error: float) -> tuple[float, float]:
        """The error, and the relative change of the fleet that it asks for."""
        error = min(measured_s / (self.aim * self.target_s) - 1, 1.0)
        return error, self.proportional * (error - last_error) + self.integral * error

    def _held(self, error: float, change: float, since_change_s: float) -> str:
        """Why nothing may change now; empty if something may."""
        if abs(error) <= self.dead_band:
            return f"within {self.dead_band:.0%}"
        cooldown_s = self.cooldown_up_s if change > 0 else self.cooldown_down_s
        return f"last change {since_change_s:g} s ago, cooldown {cooldown_s:g} s" if since_change_s < cooldown_s else ""
