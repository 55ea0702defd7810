"""AIBrix's autoscaler: APA (usage per pod against a target, with tolerances) and its own KPA (two windows).

Semantics: vllm-project/aibrix@e3e10f9e, pkg/controller/podautoscaler. Its KPA differs from Knative's: panic is decided
by the two windows against each other at each decision, and nothing is held while in panic but by the cooldown.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from sim.autoscaling.base import Elastic, MetricName
from sim.autoscaling.observation import Decision, Observation, Pipeline, Query
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import AMOUNT, COUNT, Duration, PositiveAmount, PositiveDuration, Share

Rate = Annotated[float, AMOUNT.between(1.0, 1e6)]
Memory = tuple[tuple[float, int], ...]
"""Recommendations that a cooldown may still count: (time, replicas), the oldest first."""


class Aibrix(Elastic):
    """AIBrix's APA or KPA on a metric of its pods."""

    kind: Literal["aibrix"] = "aibrix"
    algorithm: Annotated[Literal["apa", "kpa"], Field(description="How replicas follow from the metric.")] = "apa"
    min_replicas: Annotated[
        Annotated[int, COUNT.between(1, 10_000)],
        Field(description="Never fewer. At least 1: without a pod there is no metric to come back on."),
        Tunable(0.25, 2, times=True, least=1, cheaper=-1),
    ] = 1
    metric: Annotated[MetricName, Field(description="Metric of a pod.")]
    target: Annotated[
        PositiveAmount,
        Field(description="What a pod should have of it."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ]
    sync_period_s: Annotated[PositiveDuration, Field(alias="sync_period", description="Between two decisions.")] = 10.0
    stable_window_s: Annotated[
        PositiveDuration, Field(alias="stable_window", description="Window of the average of kpa in stable mode.")
    ] = 180.0
    panic_window_s: Annotated[
        PositiveDuration, Field(alias="panic_window", description="Window of the average of kpa in panic.")
    ] = 60.0
    panic_threshold: Annotated[
        PositiveAmount, Field(description="Panic when the panic window is more than so many times the stable one.")
    ] = 2.0
    up_tolerance: Annotated[
        Share, Field(description="Share above the target that is let be."), Tunable(0.02, 0.4, cheaper=1)
    ] = 0.1
    down_tolerance: Annotated[
        Share, Field(description="Share below the target that is let be."), Tunable(0.02, 0.4, cheaper=-1)
    ] = 0.1
    max_scale_up_rate: Annotated[
        Rate, Field(description="New over old replicas, at most, in one decision."), Tunable(1.2, 10, log=True)
    ] = 2.0
    max_scale_down_rate: Annotated[
        Rate, Field(description="Old over new replicas, at most, in one decision."), Tunable(1.2, 10, log=True)
    ] = 2.0
    scale_up_cooldown_s: Annotated[
        Duration, Field(alias="scale_up_cooldown", description="A rise goes to the most that was wanted for so long.")
    ] = 0.0
    scale_down_cooldown_s: Annotated[
        Duration,
        Field(alias="scale_down_cooldown", description="A fall goes to the most that was wanted for so long."),
        Tunable(30, 900, log=True, cheaper=-1),
    ] = 300.0

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=10.0)

    @model_validator(mode="after")
    def _windows(self) -> Self:
        if self.panic_window_s > self.stable_window_s:
            text = f"must be at most stable_window ({self.stable_window_s:g} s), got {self.panic_window_s:g} s"
            raise said(text, "panic_window")
        return self

    @property
    def period_s(self) -> float:
        return self.sync_period_s

    @property
    def pipeline(self) -> Pipeline:
        """AIBrix reads its pods itself, once before each decision."""
        return Pipeline(scrape_s=self.sync_period_s)

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """Of apa the mean over the pods now; of kpa the sum over the pods, averaged over both windows."""
        if self.algorithm == "apa":
            return (Query(self.metric, across="mean"),)
        return Query(self.metric, "mean", self.stable_window_s), Query(self.metric, "mean", self.panic_window_s)

    def apa(self, current: int, usage: float) -> int:
        """Replicas that a usage per pod asks of apa, before bounds and cooldowns."""
        ratio = usage / self.target
        if ratio > 1 + self.up_tolerance:
            return min(math.ceil(current * ratio), math.ceil(self.max_scale_up_rate * current))
        if ratio < 1 - self.down_tolerance:
            return max(math.ceil(current * ratio), math.floor(current / self.max_scale_down_rate))
        return current

    def kpa(self, current: int, stable: float, panic: float) -> int:
        """Replicas that the totals of both windows ask of kpa, before bounds and cooldowns."""
        wanted = self._in_rates(current, stable)
        return max(wanted, self._in_rates(current, panic)) if self.panics(stable, panic) else wanted

    def panics(self, stable: float, panic: float) -> bool:
        """Whether the panic window counts: it is far above the stable one, or that knows of no load at all."""
        return stable <= 0 or panic / stable > self.panic_threshold

    def _in_rates(self, current: int, total: float) -> int:
        """Replicas for a total, within tolerances and rates."""
        if 1 - self.down_tolerance <= total / (self.target * max(1, current)) <= 1 + self.up_tolerance:
            return current
        most = max(1, math.ceil(self.max_scale_up_rate * current))
        return min(max(math.ceil(total / self.target), math.floor(current / self.max_scale_down_rate)), most)

    def decide(self, seen: Observation, memory: Memory | None) -> tuple[Decision, Memory]:
        found = [seen.value(query) for query in self.queries]
        values = [value for value in found if value is not None]
        past = memory or ()
        if len(values) < len(found):
            replicas = self.bounded(seen.current)
            return Decision(replicas, f"{self.metric} is missing: stays at {replicas}"), past
        if self.algorithm == "apa":
            proposed = self.apa(seen.current, values[0])
            told = f"{self.metric} {values[0]:.6g} a pod / {self.target:g} wants {proposed}"
            load = math.ceil(seen.current * values[0] / self.target)
        else:
            proposed = self.kpa(seen.current, *values)
            panics = self.panics(*values)
            windows = self.stable_window_s, self.panic_window_s
            told = (
                f"{self.metric} {values[panics]:.6g} in all over {windows[panics]:g} s "
                f"({'panic' if panics else 'stable'}) / {self.target:g} wants {proposed}"
            )
            load = math.ceil(max(values) / self.target) if panics else math.ceil(values[0] / self.target)
        load = proposed if proposed == seen.current else load  # within tolerances
        wanted = self.bounded(proposed)
        if wanted != proposed:
            told += f"; max_replicas {wanted}" if wanted < proposed else f"; min_replicas {wanted}"
        past = self._remembered(seen.at_s, wanted, past)
        settled = self._cooled(seen.at_s, wanted, seen.current, past)
        if settled != wanted:
            name = "scale_up_cooldown" if wanted > seen.current else "scale_down_cooldown"
            told += f"; {name}: {settled} was wanted before"
        return Decision(self.bounded(settled), told, load), past

    def _remembered(self, at_s: float, wanted: int, past: Memory) -> Memory:
        """The recommendations of the longer cooldown, this one among them."""
        keep_s = max(self.scale_up_cooldown_s, self.scale_down_cooldown_s)
        # one that is lower than a later one never is the most again
        return (*((at, pods) for at, pods in past if at > at_s - keep_s and pods > wanted), (at_s, wanted))

    def _cooled(self, at_s: float, wanted: int, current: int, past: Memory) -> int:
        """The most that was wanted within the cooldown of this direction; no change needs none."""
        if wanted == current:
            return current
        window_s = self.scale_up_cooldown_s if wanted > current else self.scale_down_cooldown_s
        return max([wanted, *(pods for at, pods in past if at > at_s - window_s)])
