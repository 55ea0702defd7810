"""One reconcile of an HPA: bounds first, then the largest proposal, then windows and limits; and its memory.

The order is that of kubernetes/kubernetes pkg/controller/podautoscaler/horizontal.go. KEDA runs the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from sim.autoscaling.kubernetes.hpa_behavior import (
    Behavior,
    Event,
    limited,
    plain_limited,
    plain_stabilized,
    stabilized,
)
from sim.autoscaling.kubernetes.hpa_metrics import Proposal, Tolerance, largest
from sim.autoscaling.observation import Decision, Observation


class PodAge(NamedTuple):
    """Since when a pod runs and is ready, as far as the controller has seen it."""

    name: int
    started_s: float
    ready_s: float | None


@dataclass(frozen=True, slots=True)
class HpaMemory:
    """What a controller remembers of one HPA. Old entries are dropped as soon as no rule looks back at them."""

    recommendations: tuple[Event, ...]
    """What metrics proposed, before anything tempered it."""
    ups: tuple[Event, ...] = ()
    """Replicas added; only kept with `behavior`."""
    downs: tuple[Event, ...] = ()
    """Replicas removed; only kept with `behavior`."""
    pods: tuple[PodAge, ...] = ()
    """Only kept when a rule for CPU needs it."""


@dataclass(frozen=True)
class Controller:
    """The part of an HPA that does not depend on where its metrics come from."""

    min_replicas: int
    max_replicas: int
    tolerance: float
    downscale_stabilization_s: float
    behavior: Behavior | None

    @cached_property
    def tolerances(self) -> Tolerance:
        """The tolerance of each direction."""
        if self.behavior is None:
            return Tolerance(self.tolerance, self.tolerance)
        down, up = self.behavior.scale_down.tolerance, self.behavior.scale_up.tolerance
        return Tolerance(self.tolerance if down is None else down, self.tolerance if up is None else up)

    @cached_property
    def windows_s(self) -> tuple[float, float]:
        """The stabilization windows up and down."""
        if self.behavior is None:
            return 0.0, self.downscale_stabilization_s
        down_s = self.behavior.scale_down.stabilization_window_s
        up_s = self.behavior.scale_up.stabilization_window_s
        return up_s, self.downscale_stabilization_s if down_s is None else down_s

    def first_sight(self, seen: Observation) -> HpaMemory:
        """The memory of a controller that meets a target: its size counts as a recommendation."""
        return HpaMemory(((seen.current, seen.at_s),))

    def steer(self, seen: Observation, memory: HpaMemory, proposals: Sequence[Proposal]) -> tuple[Decision, HpaMemory]:
        """One reconcile: the decision and the memory after it."""
        current, least, most = seen.current, self.min_replicas, self.max_replicas
        if current == 0 and least != 0:
            return Decision(0, f"an HPA with min_replicas {least} leaves a target of 0 replicas alone"), memory
        if current > most:
            return Decision(most, f"{current} is above max_replicas {most}"), self._scaled(memory, seen, most)
        if current < least:
            return Decision(least, f"{current} is below min_replicas {least}"), self._scaled(memory, seen, least)
        proposal = largest(current, [each.replicas for each in proposals])
        if proposal is None:
            return Decision(current, f"no change: {_blocked(proposals)}"), memory
        wanted, limits = self._tempered(seen, memory, proposal)
        reason = next(each.text for each in proposals if each.replicas == proposal) + limits
        return Decision(wanted, reason, proposal), self._scaled(self._recorded(memory, seen, proposal), seen, wanted)

    def _tempered(self, seen: Observation, memory: HpaMemory, proposal: int) -> tuple[int, str]:
        """A proposal within windows, limits and bounds, and which of them changed it."""
        now_s, current, past = seen.at_s, seen.current, memory.recommendations
        up_s, down_s = self.windows_s
        least, most = self.min_replicas, self.max_replicas
        if self.behavior is None:
            stable = plain_stabilized(proposal, past, down_s, now_s)
            wanted, limit = plain_limited(current, stable, least, most)
        else:
            stable = stabilized(current, proposal, past, up_s, down_s, now_s)
            wanted, limit = limited(self.behavior, current, stable, least, most, memory.ups, memory.downs, now_s)
        held = ""
        if stable != proposal:
            direction, window_s = ("down", down_s) if stable > proposal else ("up", up_s)
            held = f"; scale-{direction} window of {window_s:g}s holds {stable}"
        return wanted, held + (f"; {limit}" if limit else "")

    def _recorded(self, memory: HpaMemory, seen: Observation, proposal: int) -> HpaMemory:
        # The farthest end of a window still counts without `behavior`, so it is kept.
        since_s = seen.at_s - max(self.windows_s)
        kept = [event for event in memory.recommendations if event[1] >= since_s]
        return replace(memory, recommendations=(*kept, (proposal, seen.at_s)))

    def _scaled(self, memory: HpaMemory, seen: Observation, wanted: int) -> HpaMemory:
        """The memory with a change of size in it. Without `behavior` no rule asks for it."""
        change = wanted - seen.current
        if change == 0 or self.behavior is None:
            return memory
        since_s = seen.at_s - self.behavior.longest_s
        if change > 0:
            ups = [event for event in memory.ups if event[1] > since_s]
            return replace(memory, ups=(*ups, (change, seen.at_s)))
        downs = [event for event in memory.downs if event[1] > since_s]
        return replace(memory, downs=(*downs, (-change, seen.at_s)))


def _blocked(proposals: Sequence[Proposal]) -> str:
    """Why nothing happens: the metrics that failed, and what the others would have done."""
    failed = ", ".join(each.text for each in proposals if each.replicas is None)
    known = [each for each in proposals if each.replicas is not None]
    if not known:
        return failed
    return f"{max(known, key=lambda each: each.replicas or 0).text}, but {failed}, which blocks scaling down"
