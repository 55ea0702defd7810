"""A HorizontalPodAutoscaler as a document, both ways: fields of autoscaling/v2 in, those of `Hpa` out, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator
from pydantic.alias_generators import to_camel

from sim.autoscaling.base import COUNTERS, HISTOGRAMS
from sim.autoscaling.kubernetes import promql
from sim.autoscaling.kubernetes.documents import (
    CONTROLLER,
    QUERIES,
    Amount,
    BehaviorPart,
    Part,
    Positive,
    Problems,
    Whole,
    Words,
    behavior_part,
    flags,
    flags_of,
    note,
    noted,
    put,
    started,
)
from sim.autoscaling.kubernetes.hpa_metrics import Metric
from sim.autoscaling.kubernetes.quantity import written
from sim.autoscaling.manifest import ManifestError, Where, validated
from sim.autoscaling.observation import BUSY_SHARE
from sim.config.said import said

if TYPE_CHECKING:
    from sim.autoscaling.kubernetes.hpa import Hpa

FLAGS = (
    "sync_period",
    "tolerance",
    "downscale_stabilization",
    "cpu_initialization_period",
    "initial_readiness_delay",
    "start_replicas",
)
"""Keys of `Hpa` that are not the document's."""
PLACES: dict[str, Where] = {
    "min_replicas": ("spec", "minReplicas"),
    "max_replicas": ("spec", "maxReplicas"),
    "metrics": ("spec", "metrics"),
    "behavior": ("spec", "behavior"),
} | dict.fromkeys(FLAGS, ("metadata", "annotations", CONTROLLER))
"""Where a key of `Hpa` stands in the document."""


class _Target(Part):
    type: Literal["Utilization", "AverageValue", "Value"]
    value: Amount | None = None
    average_value: Amount | None = None
    average_utilization: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> _Target:
        wanted = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}[self.type]
        given = {
            "value": self.value,
            "averageValue": self.average_value,
            "averageUtilization": self.average_utilization,
        }
        if given.pop(wanted) is None:
            raise said(f"is missing: the goal of a {self.type}", wanted)
        for name, value in given.items():
            if value is not None:
                raise said(f"does not go with type {self.type}", name)
        return self

    @property
    def goal(self) -> float:
        """The number that goes with the type."""
        return next(each for each in (self.value, self.average_value, self.average_utilization) if each is not None)


class _Selector(Part):
    match_labels: dict[str, str] | None = None
    match_expressions: tuple[Any, ...] = ()


class _Identifier(Part):
    name: Words
    selector: _Selector | None = None

    @model_validator(mode="after")
    def _applies(self) -> _Identifier:
        for label in (self.selector and self.selector.match_labels) or ():
            if label not in promql.IDENTITY:
                raise said(f"selects by the label {label}, which is not simulated", "selector", "matchLabels")
        if self.selector and self.selector.match_expressions:
            raise said("is not simulated; use matchLabels", "selector", "matchExpressions")
        return self


class _Resource(Part):
    name: Words
    target: _Target


class _Custom(Part):
    """A metric with a name of its own: of pods, of an object, or external."""

    metric: _Identifier
    target: _Target
    described_object: dict[str, Any] | None = None


class MetricPart(Part):
    """One entry of `spec.metrics`."""

    type: Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
    resource: _Resource | None = None
    container_resource: Any = None
    pods: _Custom | None = None
    object: _Custom | None = None
    external: _Custom | None = None

    @model_validator(mode="after")
    def _one(self) -> MetricPart:
        key = self.type[0].lower() + self.type[1:]
        if key == "containerResource":
            raise said("is not simulated: a replica is one container; use type Resource", key)
        for name in ("resource", "pods", "object", "external", "container_resource"):
            if (getattr(self, name) is not None) != (name == key):
                raise said(f"{'is missing' if name == key else 'does not go'} with type {self.type}", to_camel(name))
        return self


class _Spec(Part):
    scale_target_ref: dict[str, Any] | None = None
    min_replicas: Whole = 1
    max_replicas: Positive
    metrics: tuple[MetricPart, ...] = ()
    behavior: BehaviorPart | None = None


class _Document(Part):
    api_version: Literal["autoscaling/v2"]
    kind: Literal["HorizontalPodAutoscaler"]
    metadata: dict[str, Any] | None = None
    spec: _Spec
    status: Any = None


def read(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the `Hpa` that a document describes. Raises `ManifestError`."""
    found = validated(_Document, document)
    if not found.spec.metrics:
        raise ManifestError([(("spec", "metrics"), "is missing; Kubernetes would hold CPU at 80%, so say that")])
    queries = noted(document, QUERIES)
    problems: Problems = []
    metrics = [_metric(part, queries, ("spec", "metrics", at), problems) for at, part in enumerate(found.spec.metrics)]
    if problems:
        raise ManifestError(problems)
    fields = flags(document, FLAGS) | {
        "min_replicas": found.spec.min_replicas,
        "max_replicas": found.spec.max_replicas,
        "metrics": metrics,
    }
    return fields if found.spec.behavior is None else {**fields, "behavior": found.spec.behavior.fields()}


def _metric(part: MetricPart, queries: Mapping[str, Any], at: Where, problems: Problems) -> Any:
    """One metric's fields. Adds to the problems instead, if it is not simulated."""
    if part.resource is not None:
        name, target = part.resource.name, part.resource.target
        if name != "cpu":
            problems.append(((*at, "resource", "name"), f"{name} is not simulated; only cpu is, as busy_share"))
        elif target.type != "Utilization":
            problems.append(((*at, "resource", "target", "type"), f"must be Utilization for cpu, got {target.type}"))
        return {"metric": BUSY_SHARE, "type": target.type, "target": target.goal}
    key = part.type.lower()
    custom: _Custom = getattr(part, key)
    if custom.target.type == "Utilization" or (custom.target.type, key) == ("Value", "pods"):
        problems.append(((*at, key, "target", "type"), f"{custom.target.type} does not go with {part.type} metrics"))
    if custom.target.goal == 0.0:
        problems.append(((*at, key, "target"), "must be above 0"))
    asked = queries.get(custom.metric.name) or _by_name(custom.metric.name, (*at, key, "metric", "name"), problems)
    return {"type": custom.target.type, "target": custom.target.goal, "source": key, **asked}


def _by_name(name: str, at: Where, problems: Problems) -> dict[str, Any]:
    metric = promql.metric_of(name)
    if metric is None:
        hint = f'; if it is another name for one that is, say so in the annotation {QUERIES}: {{"{name}": ...}}'
        problems.append((at, promql.no_metric(name) + hint))
    elif metric in (*COUNTERS, *HISTOGRAMS):
        what = "a rate" if metric in COUNTERS else "a quantile or mean"
        hint = f'{{"{name}": {{"metric": "{metric}", "how": ..., "over": ...}}}}'
        problems.append((at, f"needs {what} over a window: say it in the annotation {QUERIES}: {hint}"))
    return {"metric": metric}


def write(policy: Hpa, name: str, like: Mapping[str, Any] | None) -> dict[str, Any]:
    """The document of a policy. Raises `ManifestError` at the keys that no document can hold."""
    problems: Problems = []
    old = None if like is None else type(policy).from_manifest(like)
    document = started(like, name, "autoscaling/v2", "HorizontalPodAutoscaler")
    spec = document["spec"] = dict(document["spec"])
    put(spec, "minReplicas", policy.min_replicas, old and old.min_replicas)
    put(spec, "maxReplicas", policy.max_replicas, old and old.max_replicas)
    queries = {} if like is None else noted(like, QUERIES)
    kept = dict(enumerate(old.metrics)) if old else {}
    spec["metrics"] = [
        spec["metrics"][at] if kept.get(at) == metric else _metric_part(metric, at, name, queries, problems)
        for at, metric in enumerate(policy.metrics)
    ]
    if old is None or policy.behavior != old.behavior:
        put(spec, "behavior", None if policy.behavior is None else behavior_part(policy.behavior, problems), ())
    if problems:
        raise ManifestError(problems)
    note(document, QUERIES, queries)
    note(document, CONTROLLER, flags_of(policy, FLAGS))
    return document


def _metric_part(metric: Metric, at: int, name: str, queries: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """One entry of `spec.metrics`. Adds to the queries what its name alone does not tell."""
    goal = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}[metric.type]
    value = int(metric.target) if metric.type == "Utilization" else written(metric.target)
    target = {"type": metric.type, goal: value}
    origin = metric.origin
    if origin == "resource":
        if (metric.metric, metric.type, metric.how, metric.over_s) != (BUSY_SHARE, "Utilization", "last", 0.0):
            problems.append((("metrics", at, "source"), "Kubernetes has no such resource metric; use source: pods"))
        return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    part: dict[str, Any] = {"metric": {"name": _name(metric, queries)}, "target": target}
    if origin == "object":
        part["describedObject"] = {"apiVersion": "v1", "kind": "Service", "name": name}
    return {"type": origin.capitalize(), origin: part}


def _name(metric: Metric, queries: dict[str, Any]) -> str:
    """A metric's name in the adapter; what it stands for is noted unless the name says all."""
    name = metric.metric.replace(":", "_")
    asked = metric.model_dump(include={"metric", "how", "over_s", "across"}, by_alias=True, exclude_defaults=True)
    if len(asked) == 1:
        return name
    # to the last digit: two windows must not share a name
    window = f"{metric.over_s!r}s".replace(".0s", "s").replace(".", "_")
    name = "_".join([name, metric.how, *([window] if metric.over_s else []), metric.across or ""])
    name = name.rstrip("_")
    queries[name] = asked
    return name
