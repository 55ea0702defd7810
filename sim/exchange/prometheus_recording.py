"""Prometheus series as what a policy would have seen: metrics through the simulator's own `History`, replicas as told.

How many replicas there were is told by kube-state-metrics, else by the pods that have samples.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from sim.autoscaling.histograms import histogram
from sim.autoscaling.history import History, Value
from sim.autoscaling.observation import ITL, TTFT, WORK_AHEAD, Observation, Pipeline, Pod, Query
from sim.config.errors import DataError, Problem
from sim.config.units import shown
from sim.exchange.documents import Document
from sim.exchange.observations import MOST_REPLICAS
from sim.exchange.prometheus import ASKED_FOR, EXIST, POOL, READY, REPLICAS, ByTime, Labels, Recorded, read_series

LONGEST_S = 366 * 86_400.0
"""Of a recording: a wrong time would otherwise make a policy decide for ages."""


class PrometheusRecording:
    """What a policy would have seen, at times that never go back. Times are seconds since the first sample."""

    def __init__(self, documents: Sequence[Document], asked: Iterable[Query], pipeline: Pipeline) -> None:
        queries = tuple(query for query in asked if query.metric != WORK_AHEAD)
        metrics = tuple(dict.fromkeys(query.metric for query in queries))
        read = read_series(documents, set(metrics))
        times_s = {at_s for metric in read.metrics.values() for at_s in metric.times_s()}
        file = documents[0].file
        if not times_s:
            held = ", ".join(list(read.ignored)[:8]) or "no sample"
            wanted = ", ".join(metrics) or "counts of replicas"
            raise DataError(Problem(f"holds nothing that this policy asks for ({wanted}); it holds: {held}", "", file))
        if max(times_s) - min(times_s) > LONGEST_S:
            raise DataError(Problem("spans more than a year: one of its times is wrong", "", file))
        self.first_s = min(times_s)
        """Unix time of the first sample."""
        self.silent = tuple(metric for metric in metrics if not read.holds(metric) and not read.values(metric))
        """Metrics that the policy asks for and that were not recorded."""
        self._delay_s = pipeline.delay_s
        self._last_s = _since(max(times_s), self.first_s)
        self._each = any(query.across == "each" for query in queries)
        self._replicas = {name: _counts(read, name, self.first_s) for name in REPLICAS if name in read.metrics}
        self._pods = _alive(read, self.first_s) if read.pods else None
        self._feeds = [
            _Feed(read, metric, [query for query in queries if query.metric == metric], pipeline, self.first_s, file)
            for metric in metrics
        ]

    @property
    def start_s(self) -> float:
        return self._delay_s

    @property
    def end_s(self) -> float:
        return self._last_s + self._delay_s

    @property
    def counts_replicas(self) -> bool:
        return bool(self._replicas or self._pods)

    def seen(self, at_s: float, replicas: int | None) -> Observation:
        """What a policy sees: metrics as late as its pipeline makes them, replicas as of now."""
        values: dict[Query, float] = {}
        by_pod: dict[int, dict[Query, float]] = {}
        for feed in self._feeds:
            history = feed.until(at_s)
            values |= history.answers(at_s)
            for pod, answers in history.each(at_s).items():
                by_pod.setdefault(pod, {}).update(answers)
        alive = () if self._pods is None else self._pods.at(at_s) or ()
        current, ready, unready = (replicas, replicas, 0) if replicas is not None else self._counted(at_s, len(alive))
        pods: tuple[Pod, ...] = ()
        if self._each:
            known = [Pod(name, "ready", by_pod.get(name, {})) for name in sorted(alive)][:ready]
            # those that are not ready were never scraped: they come last, with names that no other has
            pods = (*known, *(Pod(-2 - index, "starting") for index in range(unready)))
        return Observation(at_s, current, ready, unready, values, pods)

    def _counted(self, at_s: float, alive: int) -> tuple[int, int, int]:
        """Replicas asked for, ready and not ready."""
        exist, ready = self._told(EXIST, at_s), self._told(READY, at_s)
        current = self._told((*ASKED_FOR, *EXIST), at_s)
        if current is None:
            current = alive
        if ready is None:
            ready = min(alive, current) if self._pods is not None else current
        return current, ready, max((current if exist is None else exist) - ready, 0)

    def _told(self, names: tuple[str, ...], at_s: float) -> int | None:
        found = (self._replicas[name].at(at_s) for name in names if name in self._replicas)
        return next((count for count in found if count is not None), None)


class _Steps:
    """What holds from one time to the next."""

    def __init__(self, by_time: Iterable[tuple[float, Any]]) -> None:
        ordered = sorted(by_time)
        self._times_s = [at_s for at_s, _ in ordered]
        self._values = [value for _, value in ordered]

    def at(self, at_s: float) -> Any:
        """The newest at a time; None before the first."""
        index = bisect_right(self._times_s, at_s)
        return self._values[index - 1] if index else None


class _Feed:
    """One metric's samples, on their way into its history as time goes on."""

    def __init__(
        self, read: Recorded, metric: str, queries: list[Query], pipeline: Pipeline, first_s: float, file: str
    ) -> None:
        self.metric = metric
        bounds: tuple[float, ...] = ()
        samples: dict[float, dict[int, Value]]
        if metric in (TTFT, ITL):
            bounds, samples = _histograms(read, metric, any(query.how == "mean" for query in queries), file)
        else:
            samples = {at_s: dict(pods) for at_s, pods in read.values(metric).items()}
        self._samples = [(_since(at_s, first_s), samples[at_s]) for at_s in sorted(samples)]
        gaps = max(len(self._samples) - 1, 1)
        sparse = bool(samples) and (self._samples[-1][0] - self._samples[0][0]) / gaps > pipeline.scrape_s
        self.history = History(queries, pipeline, {metric: bounds} if metric in (TTFT, ITL) else {}, sparse)
        self._next = 0

    def until(self, at_s: float) -> History:
        """The history with all samples up to a time."""
        while self._next < len(self._samples) and self._samples[self._next][0] <= at_s:
            sample_s, pods = self._samples[self._next]
            self._next += 1
            # a series without a pod's name, where pods are asked for, is that of the only one
            alone = pods.keys() == {POOL} and self.metric in self.history.pod_metrics
            pool = {self.metric: pods.pop(POOL)} if POOL in pods and not alone else {}
            self.history.add(sample_s, pool, {self.metric: pods})
        return self.history


def _since(at_s: float, first_s: float) -> float:
    # Unix times are told to the millisecond; further digits are the rounding of a difference of large numbers
    return round(at_s - first_s, 3)


def _counts(read: Recorded, name: str, first_s: float) -> _Steps:
    """A count of replicas at its times."""
    by_time = read.metrics[name].by_time()
    limited = {at_s: int(min(max(pods[POOL], 0), MOST_REPLICAS)) for at_s, pods in by_time.items() if POOL in pods}
    return _Steps((_since(at_s, first_s), count) for at_s, count in limited.items())


def _alive(read: Recorded, first_s: float) -> _Steps:
    """The pods with samples at every time."""
    found: dict[float, set[int]] = {}
    for name, metric in read.metrics.items():
        if name not in REPLICAS:
            for (pod, _), samples in metric.parts.items():
                for at_s, value in samples.items():
                    pods = found.setdefault(_since(at_s, first_s), set())
                    if pod != POOL and value is not None:
                        pods.add(pod)
    return _Steps((at_s, tuple(sorted(pods))) for at_s, pods in found.items())


def _histograms(
    read: Recorded, metric: str, with_sum: bool, file: str
) -> tuple[tuple[float, ...], dict[float, dict[int, Value]]]:
    """The bounds of a recorded histogram, and its samples. Raises `DataError`."""
    buckets = read.metrics.get(f"{metric}_bucket")
    if buckets is None:
        if read.holds(metric):
            raise DataError(Problem(f"holds no {metric}_bucket; record it too", "", file))
        return (), {}
    if with_sum and f"{metric}_sum" not in read.metrics:
        raise DataError(Problem(f"holds no {metric}_sum, which the mean needs; record it too", "", file))
    sums = read.values(f"{metric}_sum")
    bounds = sorted({_bound(labels, metric, file) for _, labels in buckets.parts})
    if len(bounds) < 2 or bounds[-1] != math.inf:
        raise DataError(Problem(f'{metric}_bucket: buckets are missing; record them all, le="+Inf" too', "", file))

    def counted(bound: float) -> ByTime:
        return buckets.by_time(among=lambda labels: _bound(labels, metric, file) == bound)

    counts = [counted(bound) for bound in bounds]
    found: dict[float, dict[int, Value]] = {}
    for at_s, pods in counts[-1].items():
        found[at_s] = {}
        for pod in pods:
            below = [by_time.get(at_s, {}).get(pod) for by_time in counts]
            if None not in below:  # a sample that lacks a bucket says nothing
                found[at_s][pod] = histogram([float(each or 0.0) for each in below], sums.get(at_s, {}).get(pod, 0.0))
    return tuple(bounds[:-1]), found


def _bound(labels: Labels, metric: str, file: str) -> float:
    """The upper bound of a bucket. Raises `DataError`."""
    text = dict(labels).get("le", "")
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise DataError(Problem(f"{metric}_bucket: 'le' must be a number or +Inf, got {shown(text)}", "", file))
    return bound
