"""The autoscaler of Google Compute Engine's managed instance groups: the peak of a while, a rein on scale-in.

Source: Compute Engine documentation. How often the autoscaler looks, whether a datapoint as old as the stabilization
period still counts, and how a percentage of a scale-in control is rounded are not published: the first is the key
`period`, the second does not count here, the third is rounded up, as the groups' own percentages are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.autoscaling.base import HISTOGRAMS, Elastic, Replicas
from sim.autoscaling.clouds.cloud_metric import (
    CloudMetric,
    PositiveLevel,
    Running,
    asked_of_replicas,
    running,
    settled,
    whole,
)
from sim.autoscaling.observation import Decision, Observation, Pipeline, Query
from sim.autoscaling.unused import refuse_unused
from sim.config.said import said
from sim.config.tunable import Tunable
from sim.config.units import Duration, PositiveDuration, PositiveShare

Peaks = tuple[tuple[float, int], ...]
"""Times and sizes, oldest first, each size smaller than those before it: the only ones that can become the peak."""
_LEAST_STABILIZATION_S = 600.0


class Signal(CloudMetric):
    """A metric of every VM and where to keep its mean: the group's need is the sum over its VMs over the target."""

    target: Annotated[
        PositiveLevel,
        Field(description="Target utilization of a VM, such as 60%, 5 or 10/s."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ]

    @model_validator(mode="after")
    def _sums(self) -> Self:
        if self.metric in HISTOGRAMS:
            raise said("must be a load that adds up over VMs, which a latency does not", "metric")
        refuse_unused(self, ["across"], "the target is of the mean over the VMs")
        return self


class ScaleInControl(BaseModel):
    """How far the group may fall below its peak of a trailing window. Exactly one of the two limits."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    max_scaled_in_replicas: Annotated[Replicas | None, Field(description="So many VMs.")] = None
    max_scaled_in_share: Annotated[
        PositiveShare | None, Field(alias="max_scaled_in_percent", description="A share of the peak, such as 10%.")
    ] = None
    time_window_s: Annotated[PositiveDuration, Field(alias="time_window", description="The trailing window.")]

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.max_scaled_in_replicas is None) == (self.max_scaled_in_share is None):
            raise said("must have either max_scaled_in_replicas or max_scaled_in_percent")
        return self

    def least(self, peak: int) -> int:
        """Replicas that must stay after a peak."""
        if self.max_scaled_in_replicas is not None:
            return max(peak - self.max_scaled_in_replicas, 0)
        return peak - whole(peak * (self.max_scaled_in_share or 0.0))


@dataclass(frozen=True, slots=True)
class MigMemory:
    """What the autoscaler remembers."""

    since: Running
    needs: Peaks
    """What the load needed, over the stabilization period."""
    sizes: Peaks
    """What the group was, over the window of the scale-in control."""


class GcpMig(Elastic):
    """A managed instance group under autoscaling: as large as the peak load of the stabilization period needs.

    Data of VMs in their initialization period is ignored when scaling out and counted when scaling in. Several
    signals: the one that needs most wins; while one is missing the group does not shrink. Not simulated, so without a
    key: predictive autoscaling, scaling schedules, load balancing capacity.
    """

    kind: Literal["gcp_mig"] = "gcp_mig"
    signals: Annotated[tuple[Signal, ...], Field(min_length=1, description="Metrics and their targets.")]
    mode: Annotated[
        Literal["ON", "ONLY_SCALE_OUT", "OFF"], Field(description="What the group does with the recommended size.")
    ] = "ON"
    initialization_period_s: Annotated[
        Duration,
        Field(alias="initialization_period", description="From a VM's start until its data counts."),
        Tunable(0.5, 2, times=True),
    ] = 60.0
    stabilization_period_s: Annotated[
        Duration | None,
        Field(
            alias="stabilization_period",
            description="How long a peak keeps the group large. Left out: 10 minutes, or the initialization period "
            "where that is longer.",
        ),
        Tunable(60, 1200, log=True, cheaper=-1),
    ] = None
    scale_in_control: Annotated[ScaleInControl | None, Field(description="Limits scale-in. Left out: none.")] = None
    look_every_s: Annotated[
        PositiveDuration, Field(alias="period", description="Between two recommendations; not published.")
    ] = 60.0

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=60.0, delay_s=60.0)

    @property
    def period_s(self) -> float:
        return self.look_every_s

    @property
    def queries(self) -> tuple[Query, ...]:
        return asked_of_replicas(self.signals)

    @property
    def stable_s(self) -> float:
        """The stabilization period."""
        if self.stabilization_period_s is not None:
            return self.stabilization_period_s
        return max(_LEAST_STABILIZATION_S, self.initialization_period_s)

    def decide(self, seen: Observation, memory: MigMemory | None) -> tuple[Decision, MigMemory]:
        """The size for the peak need, never below what the scale-in control lets go."""
        since = running(seen, memory.since if memory else None)
        needs, sizes = (memory.needs, memory.sizes) if memory else ((), ())
        window_s = self.scale_in_control.time_window_s if self.scale_in_control else 0.0
        sizes = with_peak(sizes, seen.at_s, seen.current, window_s)
        need, says, whole_view = self._need(seen, since)
        if need is not None:
            needs = with_peak(needs, seen.at_s, need, self.stable_s)
        after = MigMemory(since, needs, sizes)
        if need is None:
            return Decision(self.bounded(seen.current), says), after
        wanted, reason = needs[0][1], says
        if wanted > need:
            reason = f"{says}; peak of the last {self.stable_s:g} s needs {wanted}"
        wanted, reason = self._reined(seen, wanted, reason, sizes, whole_view)
        return Decision(wanted, reason, need), after

    def _need(self, seen: Observation, since: Running) -> tuple[int | None, str, bool]:
        """Replicas for the load of now, why, and whether all signals were there."""
        warm = settled(seen, since, self.initialization_period_s)
        needs: list[tuple[int, str]] = []
        for signal in self.signals:
            everyone = _total(signal, seen, None)
            if everyone is None:
                continue
            of_warm = _total(signal, seen, {pod.name for pod in warm}) or 0.0
            out, less = whole(of_warm / signal.target), whole(everyone / signal.target)
            need = out if out > seen.current else min(less, seen.current)
            load = of_warm if out > seen.current else everyone
            needs.append((need, f"{signal.metric} {load:.6g} / {signal.target:.6g} needs {need}"))
        if not needs:
            return None, f"no data of {', '.join(signal.metric for signal in self.signals)}", False
        need, says = max(needs, key=lambda one: one[0])
        return need, says, len(needs) == len(self.signals)

    def _reined(self, seen: Observation, wanted: int, reason: str, sizes: Peaks, whole_view: bool) -> tuple[int, str]:
        """The recommended size after the bounds, the scale-in control and the mode."""
        size = self.bounded(wanted)
        if size != wanted:
            reason = f"{reason}; within {self.min_replicas} to {self.max_replicas}: {size}"
        if size < seen.current and not whole_view:
            return self.bounded(seen.current), f"{reason}; no scale-in while a signal is missing"
        if self.scale_in_control is not None and size < seen.current:
            least = min(self.scale_in_control.least(sizes[0][1]), seen.current)
            if size < least:
                size = self.bounded(least)
                reason = f"{reason}; scale-in control leaves {size} of {sizes[0][1]}"
        if self.mode == "OFF" and size != seen.current:
            return self.bounded(seen.current), f"{reason}; mode OFF"
        if self.mode == "ONLY_SCALE_OUT" and size < seen.current:
            return self.bounded(seen.current), f"{reason}; mode ONLY_SCALE_OUT"
        return size, reason


def with_peak(peaks: Peaks, now_s: float, size: int, window_s: float) -> Peaks:
    """The peaks with one more; those as old as the window, or no larger than the new one, are gone."""
    kept = (peak for peak in peaks if peak[0] > now_s - window_s and peak[1] > size)
    return (*kept, (now_s, size))


def _total(signal: Signal, seen: Observation, names: set[int] | None) -> float | None:
    """The sum of a signal over VMs (None: all of them); None when no VM has one.

    A counter is of the whole group: what its initializing VMs add cannot be told.
    """
    if not signal.of_replicas:
        return seen.value(signal.pooled)
    query = signal.each
    values = [pod.values[query] for pod in seen.pods if query in pod.values and (names is None or pod.name in names)]
    return math.fsum(values) if values else None
