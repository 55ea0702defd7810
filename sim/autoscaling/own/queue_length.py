"""As many replicas as the queue needs at a target each: the baseline that every queue-driven autoscaler refines."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import RUNNING, WAITING, Decision, Observation, Query
from sim.autoscaling.own.hold import Held, hold_down
from sim.config.tunable import Tunable
from sim.config.units import Duration, PositiveAmount, PositiveCount, PositiveDuration


class QueueLength(Elastic):
    """Requests over a target per replica, rounded up; removals wait, and steps may be limited.

    Counting only those that wait, the fleet falls to its minimum whenever nobody waits, however busy it is; counting
    all in the system, the target is the number of requests that a replica serves well at once.
    """

    kind: Literal["queue_length"] = "queue_length"
    target: Annotated[
        PositiveAmount,
        Field(description="Requests a replica is meant to have."),
        Tunable(0.4, 2.5, times=True, log=True, cheaper=1),
    ]
    count: Annotated[
        Literal["in_system", "waiting"], Field(description="Which requests: waiting and running, or waiting.")
    ] = "in_system"
    window_s: Annotated[
        Duration,
        Field(alias="window", description="Requests are averaged over this; 0: the newest sample."),
        Tunable(0, 120),
    ] = 0.0
    check_s: Annotated[PositiveDuration, Field(alias="period", description="Between two decisions.")] = 15.0
    step_up: Annotated[
        PositiveCount | None,
        Field(description="Most replicas added at once. Left out: any."),
        Tunable(0.25, 4, times=True, log=True, least=1),
    ] = None
    step_down: Annotated[
        PositiveCount | None,
        Field(description="Most replicas removed at once. Left out: any."),
        Tunable(0.25, 4, times=True, log=True, least=1),
    ] = None
    scale_down_delay_s: Annotated[
        Duration,
        Field(alias="scale_down_delay", description="Fewer must have been wanted this long; then the most of them."),
        Tunable(30, 1800, log=True, cheaper=-1),
    ] = 300.0

    @property
    def period_s(self) -> float:
        return self.check_s

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        metrics = (WAITING,) if self.count == "waiting" else (WAITING, RUNNING)
        return tuple(Query(metric, "mean" if self.window_s else "last", self.window_s) for metric in metrics)

    def decide(self, seen: Observation, memory: Held | None) -> tuple[Decision, Held | None]:
        counts = [seen.value(query) for query in self.queries]
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return Decision(self.bounded(seen.current), f"requests {self._what} unknown: kept"), memory
        requests = sum(known)
        proposed = math.ceil(requests / self.target)
        wanted, memory, limit = self.limited(proposed, seen.current, seen.at_s, memory)
        reason = f"{requests:g} requests {self._what} / {self.target:g} wants {proposed}{limit}"
        return Decision(wanted, reason, proposed), memory

    def limited(self, proposed: int, current: int, at_s: float, held: Held | None) -> tuple[int, Held | None, str]:
        """A proposal within bounds, delay and steps; what to remember; the limit that held, in words."""
        bounded = self.bounded(proposed)
        limit = "" if bounded == proposed else f"; bounds {self.min_replicas} to {self.max_replicas}"
        wanted, held = hold_down(bounded, current, at_s, self.scale_down_delay_s, held)
        if wanted > bounded:
            limit = f"; a removal waits {self.scale_down_delay_s:g} s"
        if self.step_up is not None and wanted > current + self.step_up:
            wanted, limit = current + self.step_up, f"; at most {self.step_up} more at once"
        if self.step_down is not None and wanted < current - self.step_down:
            wanted, limit = current - self.step_down, f"; at most {self.step_down} fewer at once"
        return self.bounded(wanted), held, limit

    @property
    def _what(self) -> str:
        return "waiting" if self.count == "waiting" else "in the system"
