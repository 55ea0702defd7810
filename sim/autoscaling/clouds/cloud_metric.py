"""The metric of a cloud provider's scaling rule, and which machines still warm up. Shared by AWS and GCP."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.autoscaling.base import COUNTERS, HISTOGRAMS, MetricName
from sim.autoscaling.observation import BUSY_SHARE, KV_USAGE, RUNNING, How, Observation, Pod, Query
from sim.config.said import said
from sim.config.units import AMOUNT, RATE, Duration

LEVEL = replace(
    AMOUNT,
    noun="a number",
    units=AMOUNT.units | RATE.units | {"%": Fraction(1, 100), "s": Fraction(1), "ms": Fraction(1, 1000)},
    examples=("5", "70%", "600/min", "500ms"),
)
"""A value that a metric is compared with, in the metric's own base unit: requests, a share, per second, seconds."""
PositiveLevel = Annotated[float, LEVEL.positive()]

_STATISTICS: dict[str, tuple[How, ...]] = {
    "counter": ("rate",),
    "histogram": ("mean", "p50", "p90", "p95", "p99"),
    "": ("mean", "last", "max", "min"),
}
_SHARES = (BUSY_SHARE, KV_USAGE)
Across = Literal["sum", "mean", "max"]
Running = tuple[tuple[int, float], ...]
"""Replicas whose machine runs, by name, and the time each was first seen to."""


class CloudMetric(BaseModel):
    """One metric of the pool, as one number a datapoint.

    Shares are averaged over replicas that report. Other gauges and counters are the pool's total (a central queue
    included) over its ready replicas, as a load balancer counts requests per target. Latencies are of all requests.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    metric: Annotated[MetricName, Field(description="Its name, with or without `vllm:`.")]
    how: Annotated[
        How | None,
        Field(description="A datapoint's statistic of the samples. Left out: the rate of a counter, else the mean."),
    ] = None
    over_s: Annotated[
        Duration,
        Field(
            alias="over",
            description="The window, back from the newest sample; 0: that one alone, for rates and latencies since "
            "the one before.",
        ),
    ] = 0.0
    across: Annotated[Across, Field(description="How the replicas' values make one; latencies need none.")] = "mean"

    @model_validator(mode="after")
    def _suits(self) -> Self:
        means = _STATISTICS["counter" if self.metric in COUNTERS else "histogram" if self.metric in HISTOGRAMS else ""]
        if self.statistic not in means:
            raise said(f"must be one of {', '.join(means)} for {self.metric}, got {self.how}", "how")
        if self.metric in HISTOGRAMS and self.across != "mean":
            raise said(f"must be left out: {self.metric} is of requests, not of replicas", "across")
        if self.metric in COUNTERS and self.across == "max":
            raise said(f"must be sum or mean: {self.metric} is counted for the pool", "across")
        return self

    @property
    def statistic(self) -> How:
        """What a datapoint is, whether or not it was said."""
        return self.how or ("rate" if self.metric in COUNTERS else "mean")

    @property
    def of_replicas(self) -> bool:
        """Whether every replica has its own value."""
        return self.metric not in (*COUNTERS, *HISTOGRAMS)

    @cached_property
    def pooled(self) -> Query:
        """The metric as one number of the pool, a total or a mean."""
        mean = self.across == "mean" and self.metric in _SHARES
        return Query(self.metric, self.statistic, self.over_s, "mean" if mean else "max" if self._most else "sum")

    @property
    def _most(self) -> bool:
        return self.across == "max"

    @cached_property
    def each(self) -> Query:
        """The metric as a number a replica."""
        return Query(self.metric, self.statistic, self.over_s, "each")

    def of_pool(self, seen: Observation) -> float | None:
        """The metric as it is compared with a target; None when it is missing or nothing is ready."""
        value = seen.value(self.pooled)
        if value is None or self.across != "mean" or self.pooled.across == "mean" or self.metric in HISTOGRAMS:
            return value
        return value / seen.ready if seen.ready else None

    def of(self, pods: tuple[Pod, ...]) -> float | None:
        """The metric of some replicas as one number; None when none of them has one."""
        query = self.each
        values = [pod.values[query] for pod in pods if query in pod.values]
        if not values:
            return None
        if self._most:
            return max(values)
        total = math.fsum(values)
        return total / len(values) if self.across == "mean" else total


def asked_of_replicas(metrics: Iterable[CloudMetric]) -> tuple[Query, ...]:
    """Queries of a policy that looks at machines one by one: at least one is answered replica by replica."""
    asked = [metric.each if metric.of_replicas else metric.pooled for metric in metrics]
    if all(query.across != "each" for query in asked):
        asked.append(Query(RUNNING, across="each"))  # so that there are replicas to be seen at all
    return tuple(dict.fromkeys(asked))


def running(seen: Observation, before: Running | None) -> Running:
    """Replicas whose machine runs and since when, from what was known before; None: they all ran forever."""
    known = dict(before or ())
    first = -math.inf if before is None else seen.at_s
    return tuple((pod.name, known.get(pod.name, first)) for pod in seen.pods if pod.phase in ("starting", "ready"))


def settled(seen: Observation, since: Running, period_s: float) -> tuple[Pod, ...]:
    """Replicas whose machine has run for `period_s`, the end included."""
    old = {name for name, at_s in since if seen.at_s - at_s >= period_s}
    return tuple(pod for pod in seen.pods if pod.name in old)


def whole(size: float) -> int:
    """Replicas for a size that is not whole, rounded up.

    A billionth above a whole number is a rounding error of the division, not a need for one more replica.
    """
    return math.ceil(size - 1e-9 * max(1.0, size))
