"""Answers of a Prometheus server to `query_range`: series of a pool's metrics and of its replicas, as a `Recording`.

Record the metrics themselves (`vllm:num_requests_waiting{...}`), not expressions of them: the policy's own windows and
sums are worked out here, by the same `History` that the simulator scrapes into. Histograms are their `_bucket` (and
`_sum`) series. Series of one pod (labels `pod`, else `instance`) are put together; a series without either is the
pool's. How many replicas there were is told by kube-state-metrics, else by the pods that have samples.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.autoscaling.histograms import histogram
from sim.autoscaling.history import History, Value
from sim.autoscaling.observation import (
    BUSY_SHARE,
    CONCURRENCY,
    ITL,
    KV_USAGE,
    RUNNING,
    TTFT,
    WAITING,
    WORK_AHEAD,
    Observation,
    Pipeline,
    Pod,
    Query,
)
from sim.config.errors import DataError, Problem
from sim.config.units import shown
from sim.exchange.documents import Document, Fields
from sim.exchange.observations import LARGEST, MOST_REPLICAS, full_name

_FORMER = {
    "vllm:gpu_cache_usage_perc": KV_USAGE,
    "vllm:time_per_output_token_seconds": ITL,
}
"""Names that vLLM gave these metrics before. Source: vllm-project/vllm@005a810b, vllm/v1/metrics/loggers.py."""

_ASKED_FOR = ("kube_deployment_spec_replicas", "kube_horizontalpodautoscaler_status_current_replicas")
_EXIST = ("kube_deployment_status_replicas",)
_READY = ("kube_deployment_status_replicas_ready", "kube_deployment_status_replicas_available")
_REPLICAS = (*_ASKED_FOR, *_EXIST, *_READY)
"""Series of kube-state-metrics that count a deployment's replicas."""

_SHARES = (KV_USAGE, BUSY_SHARE)
"""Of the engines of one pod, the mean counts, not the sum."""
_ONE_OF = ("model_name", "deployment", "horizontalpodautoscaler", "namespace")
"""Labels of which one recording holds one value."""

_POOL = -1
"""Stands for the pool where a pod would."""

Labels = tuple[tuple[str, str], ...]


@dataclass
class _Series:
    """The samples of one metric: by time, by pod, by what else tells its series apart."""

    at: dict[float, dict[int, dict[Labels, float]]] = field(default_factory=dict)


@dataclass
class _Read:
    """All series that are of use, by name."""

    series: dict[str, _Series] = field(default_factory=dict)
    pods: dict[str, int] = field(default_factory=dict)
    """Names of pods as numbers, in the order they are met."""
    ignored: dict[str, None] = field(default_factory=dict)
    labels: dict[tuple[str, bool], str] = field(default_factory=dict)


def holds_series(document: Document) -> bool:
    """Whether a file looks like an answer to `query_range`, by its first record."""
    first = document.first
    return isinstance(first, Mapping) and "at_s" not in first and ("data" in first or "errorType" in first)


class Series:
    """A recording: what a policy would have seen of these metrics. Times are seconds since the first sample."""

    def __init__(self, documents: Iterable[Document], asked: Iterable[Query], pipeline: Pipeline) -> None:
        queries = tuple(query for query in asked if query.metric != WORK_AHEAD)
        read = _Read()
        files = []
        for document in documents:
            files.append(document.file)
            for fields in document.records():
                _take(fields, read, {query.metric for query in queries})
        _derive_concurrency(read, queries)
        times_s = [at_s for series in read.series.values() for at_s in series.at]
        if not times_s:
            held = ", ".join(list(read.ignored)[:8])
            wanted = ", ".join(dict.fromkeys(query.metric for query in queries)) or "replicas"
            raise DataError(
                Problem(
                    f"holds nothing that this policy asks for ({wanted}); it holds: {held or 'nothing'}", "", files[0]
                )
            )
        self.first_s = min(times_s)
        """Unix time of the first sample."""
        self._each = any(query.across == "each" for query in queries)
        self._delay_s = pipeline.delay_s
        self._last_s = _since(max(times_s), self.first_s)
        self._replicas = {name: _steps(read.series[name], self.first_s) for name in _REPLICAS if name in read.series}
        self._pods = _alive(read, self.first_s)
        self._histories = [
            _history(
                metric,
                read.series,
                [query for query in queries if query.metric == metric],
                pipeline,
                self.first_s,
                files[0],
            )
            for metric in dict.fromkeys(query.metric for query in queries)
        ]
        self.silent = tuple(dict.fromkeys(query.metric for query in queries if not _held(query.metric, read.series)))
        """Metrics that the policy asks for and that are not recorded."""

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
        for history in self._histories:
            values |= history.answers(at_s)
            for pod, answers in history.each(at_s).items():
                by_pod.setdefault(pod, {}).update(answers)
        alive = _at(self._pods, at_s) or ()
        current, ready, unready = (replicas, replicas, 0) if replicas is not None else self._counted(at_s, len(alive))
        pods: tuple[Pod, ...] = ()
        if self._each:
            # without pods that are gone; those that were never scraped come last, without values
            known = [Pod(name, "ready", by_pod.get(name, {})) for name in sorted(alive)][:ready]
            pods = (*known, *(Pod(-1 - index, "starting") for index in range(unready)))
        return Observation(at_s, current, ready, unready, values, pods)

    def _counted(self, at_s: float, alive: int) -> tuple[int, int, int]:
        """Replicas asked for, ready and not ready."""

        def told(names: tuple[str, ...]) -> int | None:
            found = [_at(self._replicas[name], at_s) for name in names if name in self._replicas]
            return next((value for value in found if value is not None), None)

        exist, ready = told(_EXIST), told(_READY)
        current = told((*_ASKED_FOR, *_EXIST))
        if current is None:
            current = alive
        if ready is None:
            ready = min(alive, current) if self._pods else current
        return current, ready, max((current if exist is None else exist) - ready, 0)


def _take(fields: Fields, read: _Read, wanted: set[str]) -> None:
    """Keep the series of one answer that are of use."""
    if fields.values.get("status") == "error":
        fields.refuse(f"is an error of the server: {shown(fields.values.get('error'))}", "status")
    data = fields.child("data")
    kind = data.values.get("resultType")
    if kind != "matrix":
        data.refuse(f"must be 'matrix', the answer to query_range; got {shown(kind)}", "resultType")
    for series in data.mappings("result"):
        labels = _labels(series)
        name = labels.pop("__name__", "")
        if not name:
            series.refuse(
                "has no __name__, so it is an expression: record the metric itself, without functions", "metric"
            )
        name = full_name(_FORMER.get(name, name))
        stem = _stem(name)
        if stem not in wanted and name not in _REPLICAS and not (CONCURRENCY in wanted and name in (WAITING, RUNNING)):
            read.ignored[name] = None
            continue
        for label in _ONE_OF:
            # kube-state-metrics may put its own namespace there, so its series are compared with each other only
            about = (label, name in _REPLICAS)
            if label in labels and read.labels.setdefault(about, labels[label]) != labels[label]:
                both = f"'{read.labels[about]}' and '{labels[label]}'"
                series.refuse(f"is of another {label}: {both} are not one pool; record one", f"metric.{label}")
        pod = labels.pop("pod", None) or labels.pop("kubernetes_pod_name", None) or labels.pop("instance", None)
        key = _POOL if pod is None or name in _REPLICAS else read.pods.setdefault(pod, len(read.pods))
        # the instance of a pod says no more than the pod
        rest = tuple(sorted((label, text) for label, text in labels.items() if label != "instance"))
        _add(series, read.series.setdefault(name, _Series()), key, rest)


def _labels(series: Fields) -> dict[str, str]:
    found = series.child("metric").values
    for label, text in found.items():
        if not isinstance(text, str):
            series.refuse(f"must be a text, got {shown(text)}", f"metric.{label}")
    return dict(found)


def _add(series: Fields, to: _Series, pod: int, labels: Labels) -> None:
    before_s = -math.inf
    samples = series.items("values")
    if samples is None:
        series.refuse("is missing", "values")
    for index, sample in enumerate(samples):
        at = f"values.{index}"
        if not isinstance(sample, list) or len(sample) != 2:
            series.refuse(f"must be a time and a value, got {shown(sample)}", at)
        at_s = series.checked(sample[0], at)
        if at_s <= before_s:
            series.refuse(f"must be after the sample before it, got {shown(sample[0])}", at)
        before_s = at_s
        value = _value(series, sample[1], at)
        if value is None:
            to.at.setdefault(at_s, {})  # a sample without a value: missing from then on
            continue
        parts = to.at.setdefault(at_s, {}).setdefault(pod, {})
        if labels in parts:
            series.refuse("is recorded twice: two series have the same labels", at)
        parts[labels] = value


def _value(series: Fields, given: Any, at: str) -> float | None:
    """A sample's value, a text as Prometheus writes it; nothing for NaN."""
    try:
        value = float(given) if isinstance(given, str) else series.checked(given, at, -LARGEST)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        series.refuse(f"must be a number, got {shown(given)}", at)
    if math.isnan(value):
        return None
    if abs(value) > LARGEST:
        series.refuse(f"must be between {-LARGEST:g} and {LARGEST:g}, got {shown(given)}", at)
    return value


def _stem(name: str) -> str:
    """The histogram that a series is part of; any other name as it is."""
    for metric in (TTFT, ITL):
        if name in (f"{metric}_bucket", f"{metric}_sum", f"{metric}_count"):
            return metric
    return name


def _held(metric: str, series: Mapping[str, _Series]) -> bool:
    return any(_stem(name) == metric for name in series)


def _since(at_s: float, first_s: float) -> float:
    # Unix times are told to the millisecond; further digits are the rounding of a difference of large numbers
    return round(at_s - first_s, 3)


def _derive_concurrency(read: _Read, queries: tuple[Query, ...]) -> None:
    """Requests waiting and running, where both were recorded and their sum was not."""
    if CONCURRENCY in read.series or all(query.metric != CONCURRENCY for query in queries):
        return
    waiting, running = read.series.get(WAITING), read.series.get(RUNNING)
    if waiting is None or running is None:
        return
    both = read.series.setdefault(CONCURRENCY, _Series())
    for at_s in waiting.at.keys() & running.at.keys():
        at = both.at.setdefault(at_s, {})
        for part in (waiting.at[at_s], running.at[at_s]):
            for pod, values in part.items():
                total = at.setdefault(pod, {}).get((), 0.0)
                at[pod][()] = total + sum(values.values())


def _steps(series: _Series, first_s: float) -> tuple[list[float], list[Any]]:
    """A count of replicas at its times."""
    at = sorted((_since(at_s, first_s), sum(pods[_POOL].values())) for at_s, pods in series.at.items() if _POOL in pods)
    return [at_s for at_s, _ in at], [int(min(max(value, 0), MOST_REPLICAS)) for _, value in at]


def _alive(read: _Read, first_s: float) -> tuple[list[float], list[Any]] | None:
    """The pods with samples at every time; None when no series is of a pod."""
    if not read.pods:
        return None
    found: dict[float, set[int]] = {}
    for name, series in read.series.items():
        if name not in _REPLICAS:
            for at_s, pods in series.at.items():
                found.setdefault(_since(at_s, first_s), set()).update(pods.keys() - {_POOL})
    ordered = sorted(found.items())
    return [at_s for at_s, _ in ordered], [tuple(pods) for _, pods in ordered]


def _at(steps: tuple[list[float], list[Any]] | None, at_s: float) -> Any:
    """The newest of these at a time, if there is one."""
    if steps is None:
        return None
    index = bisect_right(steps[0], at_s)
    return steps[1][index - 1] if index else None


def _history(
    metric: str, series: Mapping[str, _Series], queries: list[Query], pipeline: Pipeline, first_s: float, file: str
) -> History:
    """All samples of one metric."""
    bounds: tuple[float, ...] | None = None
    samples: dict[float, dict[int, Value]]
    if metric in (TTFT, ITL):
        bounds, samples = _histograms(metric, series, queries, file)
    else:
        combine = _mean if metric in _SHARES else sum
        at = series[metric].at if metric in series else {}
        samples = {at_s: {pod: combine(parts.values()) for pod, parts in pods.items()} for at_s, pods in at.items()}
    history = History(queries, pipeline, {} if bounds is None else {metric: bounds})
    for at_s in sorted(samples):
        pods = dict(samples[at_s])
        # a series without a pod's name, when pods are asked for, is the only one
        alone = pods.keys() == {_POOL} and metric in history.pod_metrics
        pool = {metric: pods.pop(_POOL)} if _POOL in pods and not alone else {}
        history.add(_since(at_s, first_s), pool, {metric: pods})
    return history


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)


def _histograms(
    metric: str, series: Mapping[str, _Series], queries: list[Query], file: str
) -> tuple[tuple[float, ...], dict[float, dict[int, Value]]]:
    """The bounds of a recorded histogram, and its samples."""
    buckets, sums = series.get(f"{metric}_bucket"), series.get(f"{metric}_sum")
    if buckets is None:
        if _held(metric, series):
            raise DataError(Problem(f"holds no {metric}_bucket; record it too", "", file))
        return (), {}
    if sums is None and any(query.how == "mean" for query in queries):
        raise DataError(Problem(f"holds no {metric}_sum, which the mean needs; record it too", "", file))
    found: dict[float, dict[int, Value]] = {}
    bounds: tuple[float, ...] = ()
    for at_s, pods in buckets.at.items():
        found[at_s] = {}
        for pod, parts in pods.items():
            counts: dict[float, float] = {}
            for labels, count in parts.items():
                bound = _bound(dict(labels).get("le"), metric, file)
                counts[bound] = counts.get(bound, 0.0) + count
            above = tuple(sorted(counts))
            if above[-1] != math.inf or (bounds and above[:-1] != bounds):
                raise DataError(
                    Problem(f"{metric}_bucket: every pod must have the same buckets, +Inf among them", "", file)
                )
            bounds = above[:-1]
            total = 0.0 if sums is None else sum(sums.at.get(at_s, {}).get(pod, {}).values())
            found[at_s][pod] = histogram([counts[bound] for bound in above], total)
    return bounds, found


def _bound(text: str | None, metric: str, file: str) -> float:
    try:
        bound = float(text or "")
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise DataError(Problem(f"{metric}_bucket: 'le' must be a number or +Inf, got {shown(text)}", "", file))
    return bound
