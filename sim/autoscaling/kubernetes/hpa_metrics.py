"""What one metric of an HPA proposes: its entry in a scenario, and the arithmetic of the replica calculator.

All values are whole thousandths ("milli") and averages are cut off, as in kubernetes/kubernetes
pkg/controller/podautoscaler/replica_calculator.go (the version with one tolerance a direction).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.autoscaling.base import COUNTERS, HISTOGRAMS, MetricName
from sim.autoscaling.kubernetes.quantity import QUANTITY, milli_down, milli_up
from sim.autoscaling.observation import BUSY_SHARE, KV_USAGE, Across, How, Observation, Pod, Query
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import Duration

SHARES = (BUSY_SHARE, KV_USAGE)
"""Metrics between 0 and 1: of a replica, so that they have a utilization."""
REQUEST_MILLI = 1000
"""What a replica asks for of a resource it may use whole."""

Type = Literal["Utilization", "AverageValue", "Value"]
Source = Literal["resource", "pods", "object", "external"]


class Tolerance(NamedTuple):
    """How far from 1 a ratio may be without a change: below, above. Both limits belong to it."""

    down: float
    up: float

    def holds(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Pods(NamedTuple):
    """The pods of a target, in the classes of the controller, in thousandths."""

    usages: Sequence[int]
    """Of ready pods."""
    requests: Sequence[int]
    """Of the same pods: what their usage is a share of."""
    missing: Sequence[int] = ()
    """Requests of running pods without a value: a pod that loads its weights is one."""
    unready: Sequence[int] = ()
    """Requests of pods that wait for a node, and for CPU those that are not ready."""


def by_utilization(current: int, target_percent: int, tolerance: Tolerance, pods: Pods) -> tuple[int, int]:
    """Replicas that bring the mean utilization of a resource to its target, and that utilization in whole percent.

    `pods.usages` must not be empty.
    """
    used, asked, counted = sum(pods.usages), sum(pods.requests), len(pods.usages)
    percent = 100 * used // asked
    ratio = percent / target_percent
    crowded = bool(pods.unready) and ratio > 1.0
    if not crowded and not pods.missing:
        return current if tolerance.holds(ratio) else math.ceil(ratio * counted), percent
    if pods.missing and ratio != 1.0:
        counted += len(pods.missing)
        asked += sum(pods.missing)
        if ratio < 1.0:
            full_percent = max(100, target_percent)
            used += sum(request * full_percent // 100 for request in pods.missing)
    if crowded:
        counted += len(pods.unready)
        asked += sum(pods.unready)
    again = (100 * used // asked) / target_percent
    return _recounted(current, ratio, again, counted, tolerance), percent


def by_pods_average(current: int, target_milli: int, tolerance: Tolerance, pods: Pods) -> tuple[int, int]:
    """Replicas that bring the pods' mean value to its target, and that mean in thousandths.

    `pods.usages` must not be empty.
    """
    used, counted = sum(pods.usages), len(pods.usages)
    average_milli = used // counted
    ratio = average_milli / target_milli
    crowded = bool(pods.unready) and ratio > 1.0
    if not crowded and not pods.missing:
        return current if tolerance.holds(ratio) else math.ceil(ratio * counted), average_milli
    if pods.missing and ratio != 1.0:
        counted += len(pods.missing)
        if ratio < 1.0:
            used += target_milli * len(pods.missing)
    if crowded:
        counted += len(pods.unready)
    again = (used // counted) / target_milli
    return _recounted(current, ratio, again, counted, tolerance), average_milli


def _recounted(current: int, ratio: float, again: float, counted: int, tolerance: Tolerance) -> int:
    """The proposal once absent pods are counted: never across 1, never against the ratio's own direction."""
    if tolerance.holds(again) or ratio < 1.0 < again or again < 1.0 < ratio:
        return current
    wanted = math.ceil(again * counted)
    against = wanted > current if again < 1.0 else wanted < current
    return current if against else wanted


def by_value(current: int, value_milli: int, target_milli: int, ready: int, tolerance: Tolerance) -> int:
    """Replicas that bring one value for the whole target to its goal: in proportion to the ready pods."""
    ratio = value_milli / target_milli
    if current == 0:  # nothing is ready to be multiplied, and no tolerance may keep it so
        return math.ceil(ratio)
    return current if tolerance.holds(ratio) else math.ceil(ratio * ready)


def by_average_value(replicas: int, total_milli: int, target_milli: int, tolerance: Tolerance) -> int:
    """Replicas among which a total divides to its goal; `replicas` are those that exist, ready or not."""
    if replicas and tolerance.holds(total_milli / (target_milli * replicas)):
        return replicas
    return math.ceil(total_milli / target_milli)


def largest(current: int, proposals: Sequence[int | None]) -> int | None:
    """What several metrics propose together; None for one that failed, and for no change because of those that did."""
    known = [proposal for proposal in proposals if proposal is not None]
    if not known:
        return None
    best = max(known)
    return None if len(known) < len(proposals) and best < current else best


class Proposal(NamedTuple):
    """What one metric proposes, and its part of the reason."""

    replicas: int | None
    text: str


class Asked(BaseModel):
    """One number of a pool: a metric, and what to do with its samples."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    metric: Annotated[MetricName, Field(description="Its name, with or without `vllm:`.")]
    how: Annotated[How, Field(description="Of the samples in the window; for counters rate, for latencies p99...")] = (
        "last"
    )
    over_s: Annotated[
        Duration, Field(alias="over", description="Window, back from the newest sample; 0: that one.")
    ] = 0.0
    across: Annotated[
        Across | None,
        Field(description="How the replicas' values make one. Left out: sum, but the mean of a share as a Value."),
    ] = None

    @model_validator(mode="after")
    def _window(self) -> Self:
        name = short(self.metric)
        if self.metric in COUNTERS and self.how != "rate":
            raise said(f"must be rate: {name} is a counter; got {self.how}", "how")
        if self.metric in HISTOGRAMS and self.how not in ("mean", "p50", "p90", "p95", "p99"):
            raise said(f"must be mean, p50, p90, p95 or p99: {name} is a histogram; got {self.how}", "how")
        if self.metric not in COUNTERS + HISTOGRAMS and self.how not in ("last", "mean", "max", "min"):
            raise said(f"must be last, mean, max or min: {name} is a gauge; got {self.how}", "how")
        if self.how != "last" and self.over_s == 0.0:
            raise said(f"is missing: the window of the {self.how}", "over")
        if self.across == self._usual:  # saying what holds anyway changes nothing, so the two are equal
            object.__setattr__(self, "across", None)
        return self

    @property
    def of_pods(self) -> bool:
        """Whether each replica has its own value."""
        return False

    @cached_property
    def query(self) -> Query:
        """What it asks the metrics pipeline for."""
        return Query(self.metric, self.how, self.over_s, self.across or self._usual)

    @property
    def _usual(self) -> Across:
        return "sum"

    @cached_property
    def label(self) -> str:
        """The metric as reasons name it."""
        return short(self.metric) if self.how == "last" else f"{short(self.metric)} {self.how}"


class Metric(Asked):
    """One metric that an HPA holds at a target."""

    type: Annotated[
        Type,
        Field(
            description="Utilization: mean share of a resource, in percent. AverageValue: value a replica. "
            "Value: one value for the pool."
        ),
    ] = "AverageValue"
    target: Annotated[
        float,
        QUANTITY.positive(),
        Field(description="The goal, such as 4 or 500m; of a utilization in percent, such as 80."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ]
    source: Annotated[
        Source | None,
        Field(description="Where the value comes from. Left out: resource for a utilization, else external."),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _percent(cls, value: Any) -> Any:
        """A utilization is in percent already, so its sign says nothing."""
        if isinstance(value, Mapping) and value.get("type") == "Utilization":
            target = value.get("target")
            if isinstance(target, str) and target.rstrip().endswith("%"):
                return {**value, "target": target.rstrip()[:-1]}
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        source = self.origin
        if self.type == "Utilization":
            if source != "resource":
                raise said(f"must be resource for a Utilization, got {source}", "source")
            if self.target != int(self.target):
                raise said(f"must be a whole percentage for a Utilization, such as 80; got {self.target:g}", "target")
        elif self.type == "Value" and self.of_pods:
            raise said(f"must be object or external for a Value, got {source}", "source")
        if source == "resource" and self.metric not in SHARES:
            shares = ", ".join(short(name) for name in SHARES)
            raise said(f"is not a share of a replica, as a resource must be: {shares}", "metric")
        if (self.query.across == "each") != self.of_pods:
            raise said(f"must be {'each' if self.of_pods else 'sum, mean or max'} for {source} metrics", "across")
        if self.source == self._usual_source:
            object.__setattr__(self, "source", None)
        return self

    @property
    def origin(self) -> Source:
        """Where the value comes from, whether or not it was said."""
        return self.source or self._usual_source

    @property
    def _usual_source(self) -> Source:
        return "resource" if self.type == "Utilization" else "external"

    @property
    def of_pods(self) -> bool:
        return self.origin in ("resource", "pods")

    @property
    def _usual(self) -> Across:
        return "each" if self.of_pods else usual_across(self.metric, self.type)

    @cached_property
    def target_milli(self) -> int:
        """The target in whole thousandths."""
        return milli_up(self.target)

    def propose(self, seen: Observation, tolerance: Tolerance, unready: frozenset[int]) -> Proposal:
        """Replicas that this metric wants; None when the real controller would fail to say.

        `unready` are running pods that count as not ready (for CPU only).
        """
        if self.of_pods:
            return self._of_pods(seen, tolerance, unready)
        return self.propose_for(seen.value(self.query), seen, tolerance)

    def propose_for(self, value: float | None, seen: Observation, tolerance: Tolerance) -> Proposal:
        """Replicas that one value for the whole pool asks for."""
        if value is None:
            return Proposal(None, f"{self.label} has no value")
        value_milli = milli_down(value)
        if self.type == "AverageValue":
            wanted = by_average_value(seen.replicas, value_milli, self.target_milli, tolerance)
            return Proposal(wanted, f"{self.label} {value:g} / {self.target:g} wants {wanted}")
        if seen.current and not seen.replicas:
            return Proposal(None, f"{self.label} needs a pod to count, there is none")
        wanted = by_value(seen.current, value_milli, self.target_milli, seen.ready, tolerance)
        return Proposal(wanted, f"{self.label} {value:g} against {self.target:g}, {seen.ready} ready, wants {wanted}")

    def _of_pods(self, seen: Observation, tolerance: Tolerance, unready: frozenset[int]) -> Proposal:
        pods = self._classes(seen.pods, unready)
        if not pods.usages:
            return Proposal(None, f"{self.label} has no value for any pod")
        absent = "".join(
            f", {len(group)} {word}" for group, word in ((pods.missing, "missing"), (pods.unready, "unready")) if group
        )
        if self.type == "Utilization":
            wanted, percent = by_utilization(seen.current, int(self.target), tolerance, pods)
            return Proposal(wanted, f"{self.label} {percent}% against {self.target:g}%{absent} wants {wanted}")
        wanted, average_milli = by_pods_average(seen.current, self.target_milli, tolerance, pods)
        mean = average_milli / 1000
        return Proposal(wanted, f"{self.label} {mean:g} a pod against {self.target:g}{absent} wants {wanted}")

    def _classes(self, pods: Sequence[Pod], held: frozenset[int]) -> Pods:
        """The pods by class; a failed one is in none."""
        query = self.query
        usages: list[int] = []
        missing = unready = 0
        for pod in pods:
            phase = pod.phase
            if phase == "failed":
                continue
            value = None if phase == "pending" else pod.values.get(query)
            if value is not None and pod.name not in held:
                usages.append(int(value * 1000.0))  # `milli_down`, written out: this runs for every pod of every sync
            elif value is None and phase != "pending":
                missing += 1
            else:
                unready += 1
        ask = [REQUEST_MILLI]
        return Pods(usages, ask * len(usages), ask * missing, ask * unready)


def usual_across(metric: str, target: Type) -> Across:
    """How replicas' values make one unless it is said: a sum, which an AverageValue then divides by the replicas."""
    return "mean" if metric in SHARES and target == "Value" else "sum"


def short(metric: str) -> str:
    """A metric's name as people say it."""
    return metric.removeprefix("vllm:")
