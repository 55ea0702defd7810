"""Policies of queues with an exact answer whose servers come and go: small, and as the theorems have them."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Literal

from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import CONCURRENCY, Decision, Observation, Pipeline, Query


class OffWhenIdle(Elastic):
    """Servers without work are off, and one is set up for every request that waits, or (staggered) one at a time.

    Gandhi, Harchol-Balter and Adan 2010, "Server farms with setup costs".
    """

    kind: Literal["off_when_idle"] = "off_when_idle"
    min_replicas: int = 0
    staggered: bool = False

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=0.0)

    @property
    def period_s(self) -> float:
        return math.inf

    @property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return "changes"

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        return (Query(CONCURRENCY),)

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        present = int(seen.values[self.queries[0]])
        wanted = min(present, seen.ready + 1) if self.staggered else present
        return Decision(self.bounded(wanted), f"{present} in the system"), None


class _InTurns(Elastic):
    """The same again every turn: `first` replicas from its start, fewer or more from `switch_s` on."""

    turn_s: float
    switch_s: float
    first: int
    second: int

    @property
    def initial_replicas(self) -> int:
        return self.first

    @property
    def period_s(self) -> float:
        return math.inf

    def switch(self, at_s: float) -> tuple[float, float]:
        """When the turn under way switches, and when the next turn begins."""
        begins_s = math.floor(at_s / self.turn_s) * self.turn_s
        return begins_s + self.switch_s, begins_s + self.turn_s


class Turns(_InTurns):
    """`second` replicas from the switch on."""

    kind: Literal["turns"] = "turns"

    @property
    def queries(self) -> tuple[Query, ...]:
        return ()

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        switch_s, next_s = self.switch(seen.at_s)
        if seen.at_s < switch_s:
            return Decision(self.first, "before the switch", next_s=switch_s), None
        return Decision(self.second, "after the switch", next_s=next_s), None


class RetireOnCompletion(_InTurns):
    """From the switch on, idle replicas go, and then one with every request that ends, until `second` are left."""

    kind: Literal["retire_on_completion"] = "retire_on_completion"

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=0.0)

    @property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return "changes"

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        return (Query(CONCURRENCY),)

    def decide(self, seen: Observation, memory: int | None) -> tuple[Decision, int | None]:
        """Memory: how many were in the system at the last look."""
        present = int(seen.values[self.queries[0]])
        switch_s, next_s = self.switch(seen.at_s)
        if seen.at_s < switch_s:
            return Decision(self.first, "before the switch", next_s=switch_s), present
        if seen.at_s == switch_s:
            wanted = min(max(present, self.second), self.first)
        else:
            ended = memory is not None and present < memory
            wanted = max(seen.current - ended, self.second)
        return Decision(wanted, f"{present} in the system", next_s=next_s), present
