"""Ray Serve's autoscaler: ongoing requests over a look-back, factors, and delays that a wish must outlast.

Semantics: ray@2.60.0, serve/autoscaling_policy.py and _private/autoscaling_state.py. Delays are wall-clock seconds;
releases before counted turns of the control loop. Configs are read in `ray_manifest`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from sim.autoscaling.base import Elastic, Replicas
from sim.autoscaling.observation import CONCURRENCY, Decision, Observation, Pipeline, Query
from sim.config.tunable import Tunable
from sim.config.units import Duration, PositiveAmount, PositiveDuration

LOOP_S = 0.1
"""Between two turns of the controller's loop."""
SAMPLES_SHARE = 0.2
"""Between two samples of a replica or handle, as a share of the look-back."""
BOOT_POLL_S = 1.0
"""Between two looks at a pool whose first replica is still starting (Ray looks at every turn of its loop)."""
_SLACK_S = 1e-6  # times are sums of intervals


def total_requests_mean(series: Sequence[Sequence[tuple[float, float]]], now_s: float) -> float:
    """The mean over time of the sum of several gauges, from when each has reported once until now.

    `series` holds (time in seconds, requests) of each replica and handle, oldest first, cut to the look-back; a value
    holds until the next of its series. Source: the worked example of autoscaling_state.py, ray@2.60.0.
    """
    known = [points for points in series if points]
    if not known:
        return 0.0
    start_s = max(points[0][0] for points in known)
    total = 0.0
    for points in known:
        ends_s = [at for at, _ in points[1:]] + [now_s]
        total += sum(value * max(0.0, end - max(at, start_s)) for (at, value), end in zip(points, ends_s, strict=True))
    if now_s <= start_s:
        return sum(points[-1][1] for points in known)
    return total / (now_s - start_s)


class Memory(NamedTuple):
    """What the controller remembers between decisions."""

    total: float | None
    """Ongoing requests as last pushed; None: nothing was."""
    push_s: float
    """When the next push comes."""
    direction: int
    """What has been wanted since `since_s`: 1 more, -1 fewer, 0 neither."""
    since_s: float
    due_s: float
    """When to decide next; being asked before, with no replica, is a handle that pushes at once."""


class RayServe(Elastic):
    """Ray Serve's default policy: ongoing requests per replica, with up- and downscale delays."""

    kind: Literal["ray_serve"] = "ray_serve"
    max_replicas: Annotated[
        Replicas,
        Field(description="Never more. Ray's own default of 1 never scales (`num_replicas: auto`: 100)."),
        Tunable(0.5, 1, times=True, least=1, cheaper=-1),
    ] = 1
    target_ongoing_requests: Annotated[
        PositiveAmount,
        Field(description="Requests at once that a replica should have, running and queued."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ] = 2.0
    upscale_delay_s: Annotated[
        Duration,
        Field(alias="upscale_delay", description="How long more must be wanted before there are more."),
        Tunable(0, 60, cheaper=1),
    ] = 30.0
    downscale_delay_s: Annotated[
        Duration,
        Field(alias="downscale_delay", description="How long fewer must be wanted before there are fewer."),
        Tunable(30, 1200, log=True, cheaper=-1),
    ] = 600.0
    downscale_to_zero_delay_s: Annotated[
        Duration | None,
        Field(alias="downscale_to_zero_delay", description="The same for the last replica. Left out: downscale_delay."),
    ] = None
    upscaling_factor: Annotated[
        PositiveAmount, Field(description="Share of a wanted growth that is asked for."), Tunable(0.5, 2, log=True)
    ] = 1.0
    downscaling_factor: Annotated[
        PositiveAmount,
        Field(description="Share of a wanted shrinkage that is asked for."),
        Tunable(0.3, 1, log=True, cheaper=1),
    ] = 1.0
    look_back_period_s: Annotated[
        PositiveDuration,
        Field(alias="look_back_period", description="Window of the mean of ongoing requests."),
        Tunable(12, 120, log=True),  # above metrics_interval: Ray warns where it is not
    ] = 30.0
    metrics_interval_s: Annotated[
        PositiveDuration,
        Field(alias="metrics_interval", description="Between two pushes of metrics."),
    ] = 10.0

    @classmethod
    def recognises(cls, document: Mapping[str, Any]) -> bool:
        """Whether the document is a Serve config or a RayService, right or wrong."""
        from sim.autoscaling.serving.ray_manifest import recognises

        return recognises(document)

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any]) -> RayServe:
        """The policy of the one deployment that scales. Raises ManifestError naming the fields that are wrong."""
        from sim.autoscaling.serving.ray_manifest import read

        return read(document)

    def to_manifest(self, name: str, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A Serve config with this policy, or `like` with its `autoscaling_config` changed."""
        from sim.autoscaling.serving.ray_manifest import written

        return written(self, name, like)

    @property
    def period_s(self) -> float:
        return self.metrics_interval_s

    @property
    def pipeline(self) -> Pipeline:
        """Samples as Ray takes them; that they are pushed only now and then is the policy's own doing."""
        return Pipeline(scrape_s=SAMPLES_SHARE * self.look_back_period_s)

    @property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return "first_arrival" if self.min_replicas == 0 else "nothing"

    @property
    def queries(self) -> tuple[Query, ...]:
        return (self.ongoing,)

    @cached_property
    def ongoing(self) -> Query:
        """Requests running and queued, averaged over the look-back."""
        return Query(CONCURRENCY, "mean", self.look_back_period_s)

    def factored(self, desired: float, running: int) -> int:
        """Replicas after the up- or downscaling factor, which from zero counts for nothing.

        On the way down at least one fewer, where the factor alone would get stuck.
        """
        if running == 0:
            return math.ceil(desired)
        change = desired - running
        factor = self.upscaling_factor if change > 0 else self.downscaling_factor
        scaled = math.ceil(running + factor * change)
        return scaled - 1 if math.ceil(desired) < running and scaled == running else scaled

    def wish(self, total: float, running: int, target: int) -> int:
        """Replicas that this many ongoing requests ask for, before bounds and delays; `target` are asked for now.

        From zero there is no delay, and no more than the factor: the count of requests says nothing yet.
        """
        if running == 0:
            return max(math.ceil(self.upscaling_factor), target) if total > 0 else target
        return self.factored(total / self.target_ongoing_requests, running)

    def delay_s(self, direction: int, target: int) -> float:
        """How long a wish for more (1) or fewer (-1) must last when `target` are asked for."""
        if direction > 0:
            return self.upscale_delay_s
        if target == 1 and self.downscale_to_zero_delay_s is not None:
            return self.downscale_to_zero_delay_s
        return self.downscale_delay_s

    def decide(self, seen: Observation, memory: Memory | None) -> tuple[Decision, Memory]:
        now, target = seen.at_s, seen.current
        if memory is None:
            memory = Memory(None, now, 0, now, now)
        total, push_s = self._pushed(seen, memory)
        ongoing = 0.0 if total is None else total
        wished = self.wish(ongoing, seen.ready, target)
        asked = self.bounded(wished)
        told = self._told(total, wished, asked)
        direction, since_s, wanted = memory.direction, memory.since_s, target
        if seen.ready == 0:
            wanted = asked
        else:
            asked = max(1, asked) if target > 1 else asked  # the last replica goes by itself, after its own delay
            heading = (asked > target) - (asked < target)
            if heading != direction:
                direction, since_s = heading, now
            if direction:
                wanted, told = self._after_delay(asked, target, now - since_s, direction, told)
                direction = direction if wanted == target else 0
        wanted = self.bounded(wanted)
        due_s = self._due(seen, push_s, direction, since_s, wanted)
        load = math.ceil(ongoing / self.target_ongoing_requests)
        return Decision(wanted, told, load, due_s), Memory(total, push_s, direction, since_s, due_s)

    def _after_delay(self, asked: int, target: int, waited_s: float, direction: int, told: str) -> tuple[int, str]:
        """What is asked for once it has been wanted long enough; until then the target stays."""
        delay_s = self.delay_s(direction, target)
        name = "upscale_delay" if direction > 0 else "downscale_delay"
        if waited_s >= delay_s - _SLACK_S:
            return asked, f"{told}; {name} {delay_s:g} s is over"
        return target, f"{told}; {name}: {waited_s:.4g} s of {delay_s:g} s, stays at {target}"

    def _pushed(self, seen: Observation, memory: Memory) -> tuple[float | None, float]:
        """The total the controller knows now, and when the next push comes."""
        now = seen.at_s
        if seen.current == 0 and now < memory.due_s - _SLACK_S:
            return max(seen.value(self.ongoing) or 0.0, 1.0), memory.push_s
        if now < memory.push_s - _SLACK_S:
            return memory.total, memory.push_s
        next_s = memory.push_s + self.metrics_interval_s
        return seen.value(self.ongoing), next_s if next_s > now + _SLACK_S else now + self.metrics_interval_s

    def _due(self, seen: Observation, push_s: float, direction: int, since_s: float, wanted: int) -> float:
        """The first turn of the loop at which the decision could be another."""
        now, due_s = seen.at_s, push_s
        if wanted != seen.current:
            due_s = min(due_s, now + LOOP_S)  # the timer of a further wish starts at the next turn
        elif direction:
            due_s = min(due_s, since_s + self.delay_s(direction, wanted))
        if seen.ready == 0 and wanted > 0:
            due_s = min(due_s, now + BOOT_POLL_S)
        turns_per_s = round(1 / LOOP_S)
        return max(math.ceil((due_s - _SLACK_S) * turns_per_s) / turns_per_s, now + LOOP_S)

    def _told(self, total: float | None, wished: int, asked: int) -> str:
        """What the load asks for, in words."""
        load = "no metrics, counted as 0 requests" if total is None else f"{total:.6g} ongoing requests"
        told = f"{load} over {self.look_back_period_s:g} s / {self.target_ongoing_requests:g} want {wished}"
        if asked == wished:
            return told
        bound = f"max_replicas {self.max_replicas}" if asked < wished else f"min_replicas {self.min_replicas}"
        return f"{told}; {bound}"
