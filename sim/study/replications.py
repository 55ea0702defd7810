"""Independent runs of one scenario, and what they say together: an estimate and an interval for every main number.

Each replication has random numbers of its own (the replication is part of the key of every stream), so they are
independent; the figures of one run are not. Means are those of the replications, with t-intervals; ratios (attainment,
cost per request) are ratios of sums; quantiles are those of the pooled requests, by sectioning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.config.loader import parse
from sim.engine import simulate
from sim.result.latency import METRICS, QUANTILES, metric_s
from sim.result.window import measured_window
from sim.scenario import Scenario, load
from sim.statistics.intervals import Interval, missing_for_tail, of_mean, of_ratio, of_sections
from sim.study.executors import in_order

LEAST = 10
"""Replications before precision is looked at: fewer say little of their own spread (Law, section 9.4)."""
STEP = 5
MOST = 100


@dataclass(frozen=True)
class Task:
    """One run to be made: a scenario as text, so that any process can make it."""

    text: str
    replication: int


@dataclass(frozen=True)
class Sample:
    """What is kept of one run."""

    replication: int
    summary: dict[str, Any]
    latency_s: dict[str, NDArray[np.float64]]
    """By metric, of the requests of the window that have it, sorted."""


def measured(task: Task) -> Sample:
    """Make one run."""
    scenario = load(parse(task.text).plain())
    result = simulate(scenario, task.replication)
    rows = result.log.logical[measured_window(scenario, result.log).rows]
    latency_s = {}
    for metric in METRICS:
        values = metric_s(rows, metric)
        latency_s[f"{metric}_s"] = np.sort(values[~np.isnan(values)])
    return Sample(task.replication, result.summary(), latency_s)


@dataclass(frozen=True)
class Replicated:
    """Some replications of a scenario, together."""

    scenario: Scenario
    samples: tuple[Sample, ...]
    stopped: str
    """Why no more were made: `number` (so many were asked for), `precision`, or `budget`."""

    def intervals(self) -> dict[str, Interval]:
        """The main numbers of the summary by dotted path, those that every replication has."""
        return _intervals(self.samples)

    def values(self, path: str) -> list[float]:
        """One number of every replication's own summary."""
        return [_at(sample.summary, path) for sample in self.samples]

    def summary(self) -> dict[str, Any]:
        """The summary of the first replication, its main numbers replaced by the estimates of all of them.

        With `replications` (`number`, `stopped`) and `intervals`: 95 %, by dotted path. What has no interval is the
        first replication's.
        """
        found = self.intervals()
        told: dict[str, Any] = _copied(self.samples[0].summary)
        for path, interval in found.items():
            _put(told, path, interval.estimate)
        for target in told["slo"]:
            if target["attained"] is not None:
                target["met"] = target["attained"] >= target["share"]
        told["replications"] = {"number": len(self.samples), "stopped": self.stopped}
        known = {path: interval for path, interval in found.items() if np.isfinite(interval.half_width)}
        told["intervals"] = {path: [interval.low, interval.high] for path, interval in known.items()}
        return told


def replicate(
    scenario: Scenario,
    number: int | None = None,
    *,
    precision: float = 0.05,
    paths: Sequence[str] = (),
    most: int = MOST,
    workers: int = 1,
    watch: Callable[[int], None] | None = None,
) -> Replicated:
    """Run a scenario `number` times; without a number, until the figures at `paths` are as precise as wanted.

    Precision is looked at after 10 replications and after every 5 more, whoever makes them, so that the number of
    processes changes nothing. `watch` is told how many have been made.
    """
    samples: list[Sample] = []

    def make(upto: int) -> Iterator[Sample]:
        text = scenario.to_yaml()
        tasks = [Task(text, replication) for replication in range(len(samples), upto)]
        return in_order(measured, tasks, workers)

    goal, stopped = (min(LEAST, most), "budget") if number is None else (number, "number")
    while True:
        for sample in make(goal):
            samples.append(sample)
            if watch is not None:
                watch(len(samples))
        if number is not None:
            break
        found = _intervals(samples)
        if all(path in found and found[path].within(precision) for path in paths):
            stopped = "precision"
            break
        if goal >= most:
            break
        goal = min(goal + STEP, most)
    return Replicated(scenario, tuple(samples), stopped)


MEANS = (
    *(f"requests.{name}" for name in ("arrived", "completed", "rejected", "abandoned", "timed_out", "failed")),
    *(f"time_average.{name}" for name in ("in_system", "waiting", "running")),
    *(f"throughput.{name}" for name in ("requests_per_s", "prompt_tokens_per_s", "output_tokens_per_s")),
    *(f"utilization.{name}" for name in ("busy_share", "batch_share", "kv_share")),
    *(f"replicas.{name}" for name in ("mean", "replica_hours", "gpu_hours")),
    *(f"cost.{name}" for name in ("total_usd", "usd_per_hour", "usd_per_day", "usd_per_month")),
)
RATIOS = {
    "cost.usd_per_request": ("cost.total_usd", "requests.completed"),
    "cost.usd_per_million_output_tokens": ("cost.total_usd", "throughput.output_tokens_per_s"),
}


def _intervals(samples: Sequence[Sample]) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for path in MEANS:
        values = [_at(sample.summary, path) for sample in samples]
        if None not in values:
            found[path] = of_mean(values)
    for path, (part, whole) in RATIOS.items():
        parts, wholes = ([_at(sample.summary, name) for sample in samples] for name in (part, whole))
        if None in parts or None in wholes or sum(wholes) == 0:
            continue
        scale = 1e6 / samples[0].summary["measured_s"] if whole.startswith("throughput") else 1.0
        ratio = of_ratio(parts, wholes)
        found[path] = Interval(ratio.estimate * scale, ratio.half_width * scale)
    for metric in samples[0].latency_s:
        found |= _of_latency(metric, [sample.latency_s[metric] for sample in samples])
    for place, _ in enumerate(samples[0].summary["slo"]):
        targets = [sample.summary["slo"][place] for sample in samples]
        arrived = [_counted(sample.summary, target) for sample, target in zip(samples, targets, strict=True)]
        if sum(arrived) > 0:
            met = [(target["attained"] or 0.0) * count for target, count in zip(targets, arrived, strict=True)]
            found[f"slo.{place}.attained"] = of_ratio(met, arrived)
    return found


def _of_latency(metric: str, each_s: Sequence[NDArray[np.float64]]) -> dict[str, Interval]:
    """Mean and quantiles of one latency; none where a replication has no request with it, or too few for the tail."""
    if not all(len(values_s) for values_s in each_s):
        return {}
    pooled_s = np.concatenate(each_s)
    found = {"mean": of_ratio([float(values_s.sum()) for values_s in each_s], [len(values_s) for values_s in each_s])}
    for name, share in QUANTILES.items():
        if missing_for_tail(len(pooled_s), share) == 0:
            own = [float(np.quantile(values_s, share)) for values_s in each_s]
            found[name] = of_sections(float(np.quantile(pooled_s, share)), own)
    return {f"latency.{metric}.{name}": interval for name, interval in found.items()}


def _counted(summary: dict[str, Any], target: dict[str, Any]) -> float:
    """How many requests an objective is about."""
    for kind, key in (("classes", "class"), ("tenants", "tenant")):
        if target.get(key) is not None:
            return float(summary[kind][target[key]]["requests"]["arrived"])
    return float(summary["requests"]["arrived"])


def _at(summary: Any, path: str) -> Any:
    for step in path.split("."):
        summary = summary[int(step)] if isinstance(summary, list) else summary[step]
    return summary


def _put(summary: Any, path: str, value: float) -> None:
    *steps, last = path.split(".")
    for step in steps:
        summary = summary[int(step)] if isinstance(summary, list) else summary[step]
    summary[last] = value


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
