"""Knative's pod autoscaler (KPA): stable and panic windows, bounds, and the way to zero and back.

Semantics: knative/serving@98e5ef90 (autoscaler.go, bucketing.go, reconciler/autoscaling/kpa/scaler.go). The arithmetic
of a tick is in `kpa_decider`, the windows in `kpa_window`, manifests in `knative_manifest`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sim.autoscaling.base import Elastic, Replicas
from sim.autoscaling.knative import kpa_decider, kpa_window
from sim.autoscaling.knative.kpa_decider import Spec, State, Wish
from sim.autoscaling.knative.kpa_window import Window
from sim.autoscaling.observation import CONCURRENCY, REQUESTS, Decision, Observation, Pipeline, Query
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import AMOUNT, COUNT, DURATION, Count, Duration, PositiveDuration

CEILING = 100
"""`max_replicas` where Knative has no limit: a simulated fleet needs one."""
DEFAULT_TOTAL = {"concurrency": 100.0, "rps": 200.0}
"""What a replica can take when nothing says so: the cluster's `container-concurrency-target-default` and
`requests-per-second-target-default`."""
_LEAST_TARGET = 0.01
_Window = Annotated[float, DURATION.between(6, 3600)]
_Rate = Annotated[float, AMOUNT.between(1.000001, 1e6)]
_SLACK_S = 1e-6  # times are sums of ticks


def _burst(value: object) -> float:
    """A burst capacity: -1 for no limit, else a number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == -1:
        return -1.0
    return float(AMOUNT.parse(value))


_Burst = Annotated[
    float,
    BeforeValidator(_burst),
    WithJsonSchema({"anyOf": [{"const": -1}, {"type": "number", "minimum": 0}]}),
]


class Memory(NamedTuple):
    """What the policy remembers between ticks."""

    stable: Window
    panic: Window
    decider: State
    phase: Literal["active", "activating", "inactive"]
    """The revision's Active condition."""
    since_s: float
    """When it came to be so."""
    proxied_s: float | None
    """Since when the activator is in the path of requests; None: it is not."""
    second: int
    """Up to which second metrics were recorded."""
    due_s: float
    """The next regular tick; being asked before it with no replica is the activator's poke."""


class Knative(Elastic):
    """Knative's KPA: concurrency (or requests per second) over a stable and a panic window."""

    kind: Literal["knative"] = "knative"
    min_replicas: Annotated[
        Replicas,
        Field(description="Never fewer (min-scale); 0 allows scale to zero."),
        Tunable(0.25, 2, times=True, least=1, cheaper=-1),
    ] = 0
    max_replicas: Annotated[
        Replicas,
        Field(description="Never more (max-scale). Knative's own default is no limit; a fleet needs one."),
        Tunable(0.5, 1, times=True, least=1, cheaper=-1),
    ] = CEILING
    initial_scale: Annotated[
        Annotated[int, COUNT.between(0, 10_000)], Field(description="Replicas that a new revision starts with.")
    ] = 1
    activation_scale: Annotated[
        Count, Field(description="Replicas to have at least whenever there is any load; 0 and 1: no such floor.")
    ] = 0
    metric: Annotated[Literal["concurrency", "rps"], Field(description="What a replica's target is about.")] = (
        "concurrency"
    )
    target: Annotated[
        Annotated[float, AMOUNT.between(_LEAST_TARGET, 1e9)] | None,
        Field(
            description="What a replica can take, before utilization. Left out: container_concurrency, else 100 "
            "requests at once or 200 requests per second."
        ),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ] = None
    target_utilization: Annotated[
        Annotated[float, AMOUNT.between(1, 100)],
        Field(description="Percent of the target to aim at."),
        Tunable(40, 95, cheaper=1),
    ] = 70.0
    container_concurrency: Annotated[
        Count, Field(description="Most requests that a replica takes at once; caps the target. 0: no limit.")
    ] = 0
    tick_s: Annotated[PositiveDuration, Field(alias="tick", description="Between two decisions.")] = 2.0
    stable_window_s: Annotated[
        _Window,
        Field(alias="stable_window", description="Window of the average in stable mode."),
        Tunable(10, 600, log=True, cheaper=-1),
    ] = 60.0
    panic_window_percentage: Annotated[
        Annotated[float, AMOUNT.between(1, 100)], Field(description="Panic window, in percent of the stable window.")
    ] = 10.0
    panic_threshold_percentage: Annotated[
        Annotated[float, AMOUNT.between(110, 1000)],
        Field(description="Panic when the panic window wants this many percent of the ready replicas."),
        Tunable(110, 400, log=True, cheaper=1),
    ] = 200.0
    aggregation: Annotated[
        Literal["linear", "weighted_exponential"], Field(description="How a window's seconds make an average.")
    ] = "linear"
    max_scale_up_rate: Annotated[_Rate, Field(description="Wanted over ready replicas, at most, in one decision.")] = (
        1000.0
    )
    max_scale_down_rate: Annotated[
        _Rate,
        Field(description="Ready over wanted replicas, at most, in one decision."),
        Tunable(1.2, 10, log=True, cheaper=1),
    ] = 2.0
    scale_down_delay_s: Annotated[
        Annotated[float, DURATION.between(0, 3600)],
        Field(alias="scale_down_delay", description="How long fewer must be wanted before there are fewer."),
        Tunable(0, 600, cheaper=-1),
    ] = 0.0
    target_burst_capacity: Annotated[
        _Burst,
        Field(description="Burst to be ready for without the activator; 0: it is there only at zero; -1: always."),
    ] = 211.0
    scale_to_zero_grace_period_s: Annotated[
        Duration,
        Field(alias="scale_to_zero_grace_period", description="The activator is in the path so long before zero."),
    ] = 30.0
    scale_to_zero_pod_retention_period_s: Annotated[
        Annotated[float, DURATION.between(0, 3600)],
        Field(alias="scale_to_zero_pod_retention_period", description="The last replica stays so long, unused."),
    ] = 0.0

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=1.0)

    @model_validator(mode="after")
    def _whole_seconds(self) -> Self:
        if self.stable_window_s != int(self.stable_window_s):
            raise said(f"must be whole seconds, got {self.stable_window_s:g} s", "stable_window")
        return self

    @classmethod
    def recognises(cls, document: Mapping[str, Any]) -> bool:
        """Whether the document is a Knative Service or a PodAutoscaler of Knative, right or wrong."""
        from sim.autoscaling.knative.knative_manifest import recognises

        return recognises(document)

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any]) -> Knative:
        """The policy of a Knative Service or PodAutoscaler. Raises ManifestError naming the fields that are wrong."""
        from sim.autoscaling.knative.knative_manifest import read

        return read(document)

    def to_manifest(self, name: str, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A Knative Service with this policy, or `like` with its annotations changed.

        Raises ManifestError for values that Knative would refuse.
        """
        from sim.autoscaling.knative.knative_manifest import written

        return written(self, name, like)

    @property
    def period_s(self) -> float:
        return self.tick_s

    @property
    def initial_replicas(self) -> int:
        return max(self.initial_scale, self.min_replicas) if self.start_replicas is None else self.start_replicas

    @property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return "first_arrival" if self.min_replicas == 0 else "nothing"

    @property
    def queries(self) -> tuple[Query, ...]:
        return (self.load,)

    @cached_property
    def load(self) -> Query:
        """The load since the last tick: a gauge's mean, or a counter's growth (which needs the sample before, too)."""
        if self.metric == "rps":
            return Query(REQUESTS, "rate", self.tick_s + self.fresh.scrape_s)
        return Query(CONCURRENCY, "mean", self.tick_s)

    @property
    def panic_window_s(self) -> int:
        """The panic window: a share of the stable window in whole seconds, at least one."""
        return max(1, math.floor(self.stable_window_s * self.panic_window_percentage / 100 + 0.5))

    @property
    def total(self) -> float:
        """What a replica can take."""
        limit = float(self.container_concurrency) if self.metric == "concurrency" else 0.0
        if self.target is None:
            return limit or DEFAULT_TOTAL[self.metric]
        return min(self.target, limit) if limit else self.target

    @cached_property
    def spec(self) -> Spec:
        """What the decider is told."""
        return Spec(
            target=max(_LEAST_TARGET, self.total * self.target_utilization / 100),
            total=self.total,
            target_burst_capacity=self.target_burst_capacity,
            panic_threshold=self.panic_threshold_percentage / 100,
            max_scale_up_rate=self.max_scale_up_rate,
            max_scale_down_rate=self.max_scale_down_rate,
            stable_window_s=self.stable_window_s,
            scale_down_delay_s=self.scale_down_delay_s,
            activation_scale=self.activation_scale,
            tick_s=self.tick_s,
        )

    @cached_property
    def _lengths(self) -> tuple[int, int]:
        """Seconds of the stable and of the panic window."""
        return int(self.stable_window_s), self.panic_window_s

    def decide(self, seen: Observation, memory: Memory | None) -> tuple[Decision, Memory]:
        now = seen.at_s
        if memory is None:
            memory = self._begun(seen)
        early = now < memory.due_s - _SLACK_S
        due_s = memory.due_s if early else now + self.tick_s
        stable, panic = self._recorded(seen, memory, poked=early and seen.current == 0)
        second = math.floor(now)
        kept = memory._replace(stable=stable, panic=panic, second=second, due_s=due_s)
        if kpa_window.is_empty(stable, self._lengths[0], second):
            phase, since_s = self._phase(seen, memory, -1)
            replicas = self.bounded(seen.current)
            reason = f"no {self.metric} sample in the {self.stable_window_s:g} s window: stays at {replicas}"
            return Decision(replicas, reason, next_s=due_s), kept._replace(phase=phase, since_s=since_s)
        average = kpa_window.average if self.aggregation == "linear" else kpa_window.weighted_average
        loads = average(stable, self._lengths[0], second), average(panic, self._lengths[1], second)
        found, decider = kpa_decider.wish(self.spec, memory.decider, now, seen.ready, *loads)
        wanted, phase, since_s, why = self._settled(seen, memory, self.bounded(found.replicas))
        in_path = wanted == 0 or phase == "inactive" or found.excess_burst < 0
        proxied_s = (memory.proxied_s if memory.proxied_s is not None else now) if in_path else None
        reason = self._told(found, decider, loads, wanted, why)
        kept = Memory(stable, panic, decider, phase, since_s, proxied_s, second, due_s)
        return Decision(wanted, reason, found.proposed, due_s), kept

    def _begun(self, seen: Observation) -> Memory:
        """The memory of an autoscaler that has just been started beside the revision."""
        phase: Literal["active", "activating", "inactive"] = "inactive"
        if seen.current > 0:
            phase = "active" if seen.ready >= self._active_from else "activating"
        proxied_s = seen.at_s if self.target_burst_capacity == -1 or seen.current == 0 else None
        begun = kpa_decider.begun(seen.at_s, seen.ready)
        empty = kpa_window.EMPTY
        return Memory(empty, empty, begun, phase, seen.at_s, proxied_s, math.floor(seen.at_s) - 1, seen.at_s)

    def _recorded(self, seen: Observation, memory: Memory, poked: bool) -> tuple[Window, Window]:
        """Both windows with the load of the seconds since the last call.

        A poke carries the one request that woke the activator, which no scrape has seen yet. Without a replica and
        without a request nobody reports: such seconds are silent, not 0.
        """
        load, second = seen.value(self.load), math.floor(seen.at_s)
        first = memory.second + 1
        if poked:
            load, first = max(load or 0.0, 1.0), second
        first = max(first, memory.stable.last + 1, second - self._lengths[0] + 1)
        if load is None or first > second or (load <= 0 and seen.ready == 0):
            return memory.stable, memory.panic
        return (
            kpa_window.recorded(memory.stable, self._lengths[0], first, second, load),
            kpa_window.recorded(memory.panic, self._lengths[1], first, second, load),
        )

    @property
    def _active_from(self) -> int:
        """Ready replicas from which the revision counts as active."""
        return max(1, self.min_replicas)

    def _phase(
        self, seen: Observation, memory: Memory, wanted: int
    ) -> tuple[Literal["active", "activating", "inactive"], float]:
        """The revision's condition after a decision, and since when; -1 wanted: nothing was decided."""
        phase: Literal["active", "activating", "inactive"] = memory.phase
        if wanted == 0:
            phase = "inactive"
        elif wanted > 0 or phase != "inactive":
            phase = "active" if seen.ready >= self._active_from else "activating"
        return phase, memory.since_s if phase == memory.phase else seen.at_s

    def _settled(
        self, seen: Observation, memory: Memory, wanted: int
    ) -> tuple[int, Literal["active", "activating", "inactive"], float, str]:
        """What is applied of a wish within bounds: anything but zero at once, zero step by step.

        First the last replica must have been active for a stable window; then the revision is marked inactive; then
        the activator must be in the path, and have been there (or the revision inactive) for the grace period.
        """
        now, why = seen.at_s, ""
        if wanted > 0 or seen.current == 0:
            return wanted, *self._phase(seen, memory, wanted), why
        if memory.phase == "activating":
            return self.bounded(seen.current), *self._phase(seen, memory, -1), "stays: still activating"
        if memory.phase == "active":
            left = self.stable_window_s - (now - memory.since_s)
            if left > _SLACK_S:
                return 1, *self._phase(seen, memory, 1), f"one stays {left:g} s more: active for less than the window"
        phase, since_s = self._phase(seen, memory, 0)
        if self._may_vanish(now, since_s, memory.proxied_s):
            return 0, phase, since_s, "to zero: the activator is in the path"
        grace = max(self.scale_to_zero_grace_period_s, self.scale_to_zero_pod_retention_period_s)
        why = f"stays until the activator is in the path: inactive for {now - since_s:g} s of {grace:g} s"
        return self.bounded(seen.current), phase, since_s, why

    def _may_vanish(self, now: float, inactive_s: float, proxied_s: float | None) -> bool:
        """Whether the last replica of an inactive revision may go."""
        if proxied_s is None:
            return False
        grace, retention = self.scale_to_zero_grace_period_s, self.scale_to_zero_pod_retention_period_s
        idle = now - inactive_s + _SLACK_S
        return idle >= max(grace, retention) or (now - proxied_s + _SLACK_S >= grace and idle >= retention)

    def _told(self, found: Wish, decider: State, loads: tuple[float, float], wanted: int, why: str) -> str:
        """The decision in words."""
        stable_s, panic_s = self._lengths
        target = self.spec.target
        told = f"{self.metric} {loads[0]:.6g} over {stable_s} s / {target:g} wants {found.stable}"
        if found.panicking:
            told += (
                f"; panic: {loads[1]:.6g} over {panic_s} s wants {found.panic}, "
                f"never fewer than {decider.most_in_panic}"
            )
        if found.proposed > found.most:
            told += f"; max_scale_up_rate {self.max_scale_up_rate:g} allows {found.most}"
        elif found.proposed < found.least:
            told += f"; max_scale_down_rate {self.max_scale_down_rate:g} keeps {found.least}"
        if decider.delayed and len(decider.delayed) > 1:
            told += f"; scale_down_delay {self.scale_down_delay_s:g} s keeps {decider.delayed[0][1]}"
        if found.replicas > self.max_replicas:
            told += f"; max_replicas {self.max_replicas}"
        elif found.replicas < self.min_replicas:
            told += f"; min_replicas {self.min_replicas}"
        return f"{told}; {why}" if why else f"{told}; {wanted} wanted"
