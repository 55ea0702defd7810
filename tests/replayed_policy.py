"""A policy of our own for replays: what it asks is in its keys, and what it decides can be worked out in the head."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from sim.autoscaling.observation import Decision, Observation, Pipeline, Query


@dataclass(frozen=True)
class PerReplica:
    """One replica for every `target` of a metric; as it is while that is missing. Remembers how often it was asked."""

    metric: str = "vllm:num_requests_waiting"
    how: Any = "last"
    over_s: float = 0.0
    across: Any = "sum"
    target: float = 5.0
    period_s: float = 15.0
    delay_s: float = 0.0

    @property
    def query(self) -> Query:
        return Query(self.metric, self.how, self.over_s, self.across)

    @property
    def queries(self) -> tuple[Query, ...]:
        return (self.query,)

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(15.0, self.delay_s)

    @property
    def initial_replicas(self) -> int:
        return 2

    @property
    def floor_replicas(self) -> int:
        return 1

    @property
    def most_replicas(self) -> int:
        return 100

    @property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        return "nothing"

    def decide(self, seen: Observation, memory: int | None) -> tuple[Decision, int]:
        turn = 1 + (memory or 0)
        if self.across == "each":
            values = [pod.values[self.query] for pod in seen.pods if self.query in pod.values]
            value = sum(values) if values else None
        else:
            value = seen.value(self.query)
        if value is None:
            return Decision(seen.current, f"turn {turn}: no {self.metric}"), turn
        return Decision(max(math.ceil(value / self.target), 1), f"turn {turn}: {value:g} / {self.target:g}"), turn
