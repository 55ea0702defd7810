"""The Horizontal Pod Autoscaler of Kubernetes, autoscaling/v2: its settings, the flags of its controller, its loop.

Semantics: kubernetes/kubernetes pkg/controller/podautoscaler, versions up to 1.36; and scaling from 0 for object and
external metrics, on by default from 1.37.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from sim.autoscaling.base import Elastic, Some
from sim.autoscaling.kubernetes.hpa_behavior import Behavior, instead_of_flags
from sim.autoscaling.kubernetes.hpa_controller import Controller, HpaMemory, PodAge
from sim.autoscaling.kubernetes.hpa_metrics import Metric
from sim.autoscaling.kubernetes.quantity import QUANTITY
from sim.autoscaling.observation import BUSY_SHARE, Decision, Observation, Pipeline, Query
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import Duration, PositiveDuration

Tolerated = Annotated[
    float,
    QUANTITY,
    Field(description="No change while every metric is this close to its target, as a share."),
    Tunable(0.02, 0.3),
]
Stabilized = Annotated[
    Duration,
    Field(alias="downscale_stabilization", description="Window of scaling down where `behavior` gives none."),
    Tunable(30, 900, log=True, cheaper=-1),
]


class Hpa(Elastic):
    """Holds metrics at targets, as the Kubernetes Horizontal Pod Autoscaler does.

    Left-out `behavior` and an empty one differ, as they do there: the first at most doubles the pool (4 from few) at
    every sync, the second has the API's default policies.
    """

    kind: Literal["hpa"] = "hpa"
    metrics: Annotated[Some[Metric], Field(description="The one that wants most decides.")]
    behavior: Annotated[Behavior | None, Field(description="Windows and rate limits of each direction.")] = None
    sync_period_s: Annotated[PositiveDuration, Field(alias="sync_period", description="Between two decisions.")] = 15.0
    tolerance: Tolerated = 0.1
    downscale_stabilization_s: Stabilized = 300.0
    cpu_initialization_period_s: Annotated[
        Duration,
        Field(
            alias="cpu_initialization_period",
            description="After a pod's start, its busy_share as a resource counts only once it is ready.",
        ),
    ] = 300.0
    initial_readiness_delay_s: Annotated[
        Duration,
        Field(
            alias="initial_readiness_delay",
            description="After its start, a pod that is not ready counts as never having been.",
        ),
    ] = 30.0

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=15.0, delay_s=30.0)
    """Prometheus scrapes every 15 s; until prometheus-adapter hands a sample on, 30 s and more pass."""

    @property
    def not_tuned(self) -> tuple[str, ...]:
        """See `instead_of_flags`."""
        return instead_of_flags(self.behavior)

    @property
    def period_s(self) -> float:
        return self.sync_period_s

    @property
    def queries(self) -> tuple[Query, ...]:
        return tuple(dict.fromkeys(metric.query for metric in self.metrics))

    @cached_property
    def controller(self) -> Controller:
        """What is left of it without metrics."""
        return Controller(
            self.min_replicas, self.max_replicas, self.tolerance, self.downscale_stabilization_s, self.behavior
        )

    def decide(self, seen: Observation, memory: HpaMemory | None) -> tuple[Decision, HpaMemory]:
        """One sync. `memory` is None at the first."""
        first = memory is None
        memory = self.controller.first_sight(seen) if memory is None else memory
        unready: frozenset[int] = frozenset()
        if self._watches_cpu:
            ages = _aged(seen, memory.pods, first)
            unready = self._unready(seen, ages)
            memory = replace(memory, pods=ages)
        tolerance = self.controller.tolerances
        return self.controller.steer(
            seen, memory, [metric.propose(seen, tolerance, unready) for metric in self.metrics]
        )

    @cached_property
    def _watches_cpu(self) -> bool:
        return any(metric.origin == "resource" and metric.metric == BUSY_SHARE for metric in self.metrics)

    def _unready(self, seen: Observation, ages: tuple[PodAge, ...]) -> frozenset[int]:
        """Running pods whose CPU does not count: not ready, or ready for less than a sample takes to tell."""
        now_s = seen.at_s
        young_s = now_s - self.cpu_initialization_period_s
        sampled_s = now_s - self.pipeline.delay_s - self.pipeline.scrape_s
        never_counts = self.initial_readiness_delay_s > 0.0
        return frozenset(
            name
            for name, started_s, ready_s in ages
            # A pod that never was ready is told by its last transition: the one at its start.
            if (ready_s is None and (never_counts or started_s > young_s))
            or (ready_s is not None and started_s > young_s and ready_s > sampled_s)
        )

    @model_validator(mode="after")
    def _from_zero(self) -> Self:
        if self.min_replicas == 0 and all(metric.of_pods for metric in self.metrics):
            raise said("must be at least 1 without an object or external metric: no pod can tell of 0", "min_replicas")
        return self

    @classmethod
    def recognises(cls, document: Mapping[str, Any]) -> bool:
        """Whether a document is a HorizontalPodAutoscaler."""
        return document.get("kind") == "HorizontalPodAutoscaler"

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any]) -> Self:
        """The policy of a HorizontalPodAutoscaler. Raises `ManifestError`."""
        from sim.autoscaling.kubernetes.documents import made
        from sim.autoscaling.kubernetes.hpa_manifest import PLACES, read

        return made(cls, read(document), PLACES)

    def to_manifest(self, name: str, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The HorizontalPodAutoscaler of this policy; `like` is the original, whose other contents are kept."""
        from sim.autoscaling.kubernetes.hpa_manifest import write

        return write(self, name, like)


def _aged(seen: Observation, known: tuple[PodAge, ...], first: bool) -> tuple[PodAge, ...]:
    """The running pods with their ages. What runs and is ready at first sight has long been so."""
    if len(known) == len(seen.pods) and all(
        age.name == pod.name and age.ready_s is not None and pod.phase == "ready"
        for age, pod in zip(known, seen.pods, strict=True)
    ):
        return known  # nothing has changed: the usual case
    before = {age.name: age for age in known}
    ages = []
    for pod in seen.pods:
        if pod.phase not in ("starting", "ready"):
            continue
        age = before.get(pod.name)
        if age is None:
            since_s = -math.inf if first and pod.phase == "ready" else seen.at_s
            age = PodAge(pod.name, since_s, None)
        if pod.phase == "ready" and age.ready_s is None:
            age = age._replace(ready_s=-math.inf if age.started_s == -math.inf else seen.at_s)
        ages.append(age)
    return tuple(ages)
