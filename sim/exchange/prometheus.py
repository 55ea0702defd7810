"""Answers of a Prometheus server to `query_range`: the series of one pool's metrics and replicas, put in order.

Record the metrics themselves (`vllm:num_requests_waiting{...}`), not expressions of them: a policy's windows and sums
are worked out from them as the simulator does. Histograms are their `_bucket` (and `_sum`) series. A series belongs to
the pod that its label `pod` names, else `instance`; one with neither is the pool's. Several answers make one recording,
so a long time can be asked for in parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.autoscaling.observation import BUSY_SHARE, CONCURRENCY, ITL, KV_USAGE, RUNNING, TTFT, WAITING
from sim.config.errors import DataError
from sim.config.units import shown
from sim.exchange.documents import Document, Fields
from sim.exchange.observations import LARGEST, full_name

ASKED_FOR = ("kube_deployment_spec_replicas", "kube_horizontalpodautoscaler_status_current_replicas")
EXIST = ("kube_deployment_status_replicas",)
READY = ("kube_deployment_status_replicas_ready", "kube_deployment_status_replicas_available")
REPLICAS = (*ASKED_FOR, *EXIST, *READY)
"""Series of kube-state-metrics that count a deployment's replicas."""

POOL = -1
"""Stands for the pool where a pod would."""

_FORMER = {
    "vllm:gpu_cache_usage_perc": KV_USAGE,
    "vllm:time_per_output_token_seconds": ITL,
}
"""Names that vLLM gave these metrics before. Source: vllm-project/vllm@005a810b, vllm/v1/metrics/loggers.py."""

_SHARES = (KV_USAGE, BUSY_SHARE)
"""Of the engines of one pod, the mean counts, not the sum."""

_ONE_OF = ("model_name", "deployment", "horizontalpodautoscaler", "namespace")
"""Labels of which one recording holds one value."""

Labels = tuple[tuple[str, str], ...]
ByTime = dict[float, dict[int, float]]
"""A number for each pod at each Unix time."""


@dataclass
class Metric:
    """The series of one metric: by pod and by what else tells them apart, the value at each Unix time (None: NaN)."""

    parts: dict[tuple[int, Labels], dict[float, float | None]] = field(default_factory=dict)

    def times_s(self) -> set[float]:
        """All Unix times with a sample, NaN among them."""
        return {at_s for samples in self.parts.values() for at_s in samples}

    def by_time(self, share: bool = False, among: Callable[[Labels], bool] = lambda _: True) -> ByTime:
        """One number a pod: the sum of its parts, or their mean for a share; times without a value are there, empty."""
        found: ByTime = {}
        counted: dict[tuple[float, int], int] = {}
        for (pod, labels), samples in self.parts.items():
            if not among(labels):
                continue
            for at_s, value in samples.items():
                pods = found.setdefault(at_s, {})
                if value is None:
                    continue
                pods[pod] = pods.get(pod, 0.0) + value
                if share:
                    counted[at_s, pod] = counted.get((at_s, pod), 0) + 1
        for (at_s, pod), parts in counted.items():
            found[at_s][pod] /= parts
        return found


@dataclass
class Recorded:
    """All series that are of use, by metric."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    pods: dict[str, int] = field(default_factory=dict)
    """Names of pods as numbers, in the order they are met."""
    ignored: dict[str, None] = field(default_factory=dict)
    """Metrics that are of no use, in the order they are met."""
    labels: dict[tuple[str, bool], str] = field(default_factory=dict)
    """The one value that a label may have; replicas are counted by another exporter, with labels of its own."""

    def holds(self, metric: str) -> bool:
        """Whether there are series of a metric, or of any part of a histogram."""
        return any(_stem(name) == metric for name in self.metrics)

    def values(self, metric: str) -> ByTime:
        """A gauge's or a counter's values; nothing if it was not recorded."""
        found = self.metrics.get(metric)
        if found is not None:
            return found.by_time(metric in _SHARES)
        if metric != CONCURRENCY or WAITING not in self.metrics or RUNNING not in self.metrics:
            return {}
        waiting, running = self.values(WAITING), self.values(RUNNING)
        return {at_s: _added(waiting[at_s], running[at_s]) for at_s in waiting.keys() & running.keys()}


def holds_series(document: Document) -> bool:
    """Whether a file looks like an answer to `query_range`, by its first record."""
    first = document.first
    return isinstance(first, Mapping) and "at_s" not in first and ("data" in first or "errorType" in first)


def read_series(documents: Iterable[Document], wanted: set[str]) -> Recorded:
    """The series of some files that are of these metrics, or that count replicas. Raises `DataError`."""
    wanted = wanted | ({WAITING, RUNNING} if CONCURRENCY in wanted else set())
    return read_answers((fields for document in documents for fields in document.records()), wanted)


def read_answers(answers: Iterable[Fields], wanted: set[str], one_pool: bool = True) -> Recorded:
    """The series of some answers that are of these metrics, or that count replicas. Raises `DataError`.

    `one_pool`: whether series of several models or namespaces are refused.
    """
    found = Recorded()
    for fields in answers:
        _take(fields, found, wanted, one_pool)
    return found


def _take(fields: Fields, found: Recorded, wanted: set[str], one_pool: bool) -> None:
    """Keep the series of one answer that are of use."""
    if fields.values.get("status") == "error":
        fields.refuse(f"is an error of the server: {shown(fields.values.get('error'))}", "status")
    data = fields.child("data")
    kind = data.values.get("resultType")
    if kind != "matrix":
        data.refuse(f"must be 'matrix', the answer to query_range; got {shown(kind)}", "resultType")
    for series in data.mappings("result"):
        labels = _labels(series)
        name = _name(series, labels)
        if _stem(name) not in wanted and name not in REPLICAS:
            found.ignored[name] = None
            continue
        if one_pool:
            _check_labels(series, labels, found, name in REPLICAS)
        pod = labels.pop("pod", None) or labels.pop("kubernetes_pod_name", None) or labels.get("instance")
        labels.pop("instance", None)  # of a pod, it says no more than the pod
        key = POOL if pod is None or name in REPLICAS else found.pods.setdefault(pod, len(found.pods))
        parts = found.metrics.setdefault(name, Metric()).parts
        _add(series, parts.setdefault((key, tuple(sorted(labels.items()))), {}))


def _labels(series: Fields) -> dict[str, str]:
    found = series.child("metric").values
    for label, text in found.items():
        if not isinstance(text, str):
            series.refuse(f"must be a text, got {shown(text)}", f"metric.{label}")
    return dict(found)


def _name(series: Fields, labels: dict[str, str]) -> str:
    """A series's metric by its present name, taken out of its labels."""
    name = labels.pop("__name__", "")
    if not name:
        remedy = "so it is an expression: record the metric itself, without functions"
        series.refuse(f"has no __name__, {remedy}", "metric")
    stem = _stem(name, (*_FORMER, TTFT, ITL))
    return full_name(_FORMER.get(stem, stem)) + name.removeprefix(stem)


def _check_labels(series: Fields, labels: Mapping[str, str], found: Recorded, counts: bool) -> None:
    """Whether a series is of the pool that the others are of."""
    for label in _ONE_OF:
        if label in labels:
            first = found.labels.setdefault((label, counts), labels[label])
            if first != labels[label]:
                both = f"'{first}' and '{labels[label]}'"
                series.refuse(f"is of another {label}: {both} are not one pool; record one", f"metric.{label}")


def _add(series: Fields, to: dict[float, float | None]) -> None:
    """Add a series's samples. Those that are there already must be the same: parts of a long time may overlap."""
    samples = series.items("values")
    if samples is None:
        series.refuse("is missing", "values")
    before_s = -math.inf
    for index, sample in enumerate(samples):
        at = f"values.{index}"
        if not isinstance(sample, list) or len(sample) != 2:
            series.refuse(f"must be a time and a value, got {shown(sample)}", at)
        at_s = series.checked(sample[0], at)
        if at_s <= before_s:
            series.refuse(f"must be after the sample before it, got {shown(sample[0])}", at)
        before_s = at_s
        value = _value(series, sample[1], at)
        if to.setdefault(at_s, value) != value:
            series.refuse(f"is recorded twice, as {to[at_s]} and {value}: two series have the same labels", at)


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


def _stem(name: str, histograms: Iterable[str] = (TTFT, ITL)) -> str:
    """The histogram that a series is part of; any other name as it is."""
    parts = ("_bucket", "_sum", "_count")
    return next((each for each in histograms if name.startswith(each) and name.removeprefix(each) in parts), name)


def _added(one: Mapping[int, float], other: Mapping[int, float]) -> dict[int, float]:
    return {pod: one.get(pod, 0.0) + other.get(pod, 0.0) for pod in one.keys() | other.keys()}
