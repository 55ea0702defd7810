"""Knative Services and PodAutoscalers: their autoscaling annotations in and out.

Source: pkg/apis/autoscaling (register.go, annotation_validation.go), knative/serving@98e5ef90. What is set for a whole
cluster (ConfigMap config-autoscaler) is no part of these documents: our annotation `fleetcast/controller` keeps it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from sim.autoscaling.knative.knative import CEILING, Knative
from sim.autoscaling.kubernetes.documents import CONTROLLER, flags, flags_of, note
from sim.autoscaling.manifest import ManifestError, Where, refused, validated
from sim.config.catalogue import nearest
from sim.config.units import DURATION

PREFIX = "autoscaling.knative.dev/"
CLASS = "kpa.autoscaling.knative.dev"
FLAGS = ("tick", "max_scale_up_rate", "max_scale_down_rate", "scale_to_zero_grace_period", "start_replicas")
"""Keys of the policy that no Service can say: the cluster's configuration sets them, and a run its first size."""
MOST_CONCURRENCY = 1000
"""Of a revision: `container-concurrency-max-limit` of ConfigMap config-defaults, unless a cluster changes it."""
_GO_DURATION = re.compile(r"0|([0-9]*\.?[0-9]+(ns|us|ms|s|m|h))+")
_AGGREGATIONS = {"linear": "linear", "weighted-exponential": "weighted_exponential"}
_AGGREGATIONS["weightedExponential"] = "weighted_exponential"
_OPEN = ConfigDict(extra="allow")
_CLOSED = ConfigDict(extra="forbid")


class _Metadata(BaseModel):
    model_config = _OPEN
    annotations: dict[str, Any] = Field(default_factory=dict)


class _Revision(BaseModel):
    """A pod template: only its concurrency limit is about scaling."""

    model_config = _OPEN
    containerConcurrency: StrictInt = Field(default=0, ge=0, le=MOST_CONCURRENCY)  # noqa: N815


class _Template(BaseModel):
    model_config = _CLOSED
    metadata: _Metadata = _Metadata()
    spec: _Revision = _Revision()


class _ServiceSpec(BaseModel):
    model_config = _CLOSED
    template: _Template
    traffic: Any = None


class _Service(BaseModel):
    model_config = _CLOSED
    apiVersion: str  # noqa: N815
    kind: str
    metadata: _Metadata = _Metadata()
    spec: _ServiceSpec
    status: Any = None


class _AutoscalerSpec(BaseModel):
    model_config = _CLOSED
    containerConcurrency: StrictInt = Field(default=0, ge=0, le=MOST_CONCURRENCY)  # noqa: N815
    scaleTargetRef: Any = None  # noqa: N815
    reachability: str = ""
    protocolType: Any = None  # noqa: N815


class _PodAutoscaler(BaseModel):
    model_config = _CLOSED
    apiVersion: str  # noqa: N815
    kind: str
    metadata: _Metadata = _Metadata()
    spec: _AutoscalerSpec = _AutoscalerSpec()
    status: Any = None


def _number(text: str) -> float:
    if re.fullmatch(r"-?[0-9]*\.?[0-9]+(e[+-]?[0-9]{1,3})?", text) is None:
        raise ValueError(f"must be a number, got '{text}'")
    return float(text)


def _whole(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,10}", text) is None:
        raise ValueError(f"must be a whole number, got '{text}'")
    return int(text)


def _duration(text: str) -> float:
    if _GO_DURATION.fullmatch(text) is None:
        raise ValueError(f"must be a duration, such as 90s or 1h30m, got '{text}'")
    return float(DURATION.parse(text))


def _aggregation(text: str) -> str:
    if text not in _AGGREGATIONS:
        raise ValueError(f"must be linear or weighted-exponential, got '{text}'")
    return _AGGREGATIONS[text]


def _said_number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _said_duration(value: float) -> str:
    return f"{Decimal(_said_number(value)):f}s"  # durations know no exponents


@dataclass(frozen=True)
class _Annotation:
    """One annotation: the policy's field and key for it, and its spelling both ways."""

    field: str
    key: str
    read: Callable[[str], Any]
    say: Callable[[Any], str]


ANNOTATIONS: dict[str, _Annotation] = {
    "min-scale": _Annotation("min_replicas", "min_replicas", _whole, str),
    "max-scale": _Annotation("max_replicas", "max_replicas", _whole, str),
    "initial-scale": _Annotation("initial_scale", "initial_scale", _whole, str),
    "activation-scale": _Annotation("activation_scale", "activation_scale", _whole, str),
    "metric": _Annotation("metric", "metric", str, str),
    "target": _Annotation("target", "target", _number, _said_number),
    "target-utilization-percentage": _Annotation("target_utilization", "target_utilization", _number, _said_number),
    "window": _Annotation("stable_window_s", "stable_window", _duration, _said_duration),
    "panic-window-percentage": _Annotation("panic_window_percentage", "panic_window_percentage", _number, _said_number),
    "panic-threshold-percentage": _Annotation(
        "panic_threshold_percentage", "panic_threshold_percentage", _number, _said_number
    ),
    "metric-aggregation-algorithm": _Annotation(
        "aggregation", "aggregation", _aggregation, lambda value: str(value).replace("_", "-")
    ),
    "scale-down-delay": _Annotation("scale_down_delay_s", "scale_down_delay", _duration, _said_duration),
    "target-burst-capacity": _Annotation("target_burst_capacity", "target_burst_capacity", _number, _said_number),
    "scale-to-zero-pod-retention-period": _Annotation(
        "scale_to_zero_pod_retention_period_s", "scale_to_zero_pod_retention_period", _duration, _said_duration
    ),
}
_CAMEL = {re.sub(r"-(.)", lambda hit: hit[1].upper(), name): name for name in ANNOTATIONS}


def recognises(document: Mapping[str, Any]) -> bool:
    """Whether the document is a Knative Service or a PodAutoscaler of Knative, right or wrong."""
    group = str(document.get("apiVersion", "")).partition("/")[0]
    return (group, document.get("kind")) in (
        ("serving.knative.dev", "Service"),
        ("autoscaling.internal.knative.dev", "PodAutoscaler"),
    )


def read(document: Mapping[str, Any]) -> Knative:
    """The policy of a Knative Service or PodAutoscaler. Raises ManifestError with every field that is wrong."""
    problems: list[tuple[Where, str]] = []
    at: Where = ("metadata", "annotations")
    if document.get("kind") == "PodAutoscaler":
        scaler = validated(_PodAutoscaler, document)
        annotations, concurrency = scaler.metadata.annotations, scaler.spec.containerConcurrency
        if scaler.spec.reachability == "Unreachable":
            problems.append((("spec", "reachability"), "must not be Unreachable: such a revision gets no requests"))
    else:
        service = validated(_Service, document)
        template = service.spec.template
        problems += [
            ((*at, key), "has no effect there: Knative reads it in spec.template.metadata.annotations")
            for key in service.metadata.annotations
            if key.startswith(PREFIX)
        ]
        annotations, concurrency = template.metadata.annotations, template.spec.containerConcurrency
        at = ("spec", "template", *at)
    return _policy(annotations, at, concurrency, flags(document, FLAGS), problems)


def _policy(
    annotations: Mapping[str, Any],
    at: Where,
    concurrency: int,
    noted: Mapping[str, Any],
    problems: list[tuple[Where, str]],
) -> Knative:
    """The policy that annotations, a concurrency limit and our note say. `problems` are those found before."""
    values: dict[str, Any] = ({"container_concurrency": concurrency} if concurrency else {}) | dict(noted)
    places: dict[str, str] = {}
    for full, text in annotations.items():
        if not full.startswith(PREFIX):
            continue
        try:
            found = _one(full, text)
        except ValueError as wrong:
            problems.append(((*at, full), str(wrong)))
            continue
        if found is not None and found[0] in places:
            problems.append(((*at, full), f"says the same as {places[found[0]]}"))
        elif found is not None:
            places[found[0]] = full
            values[found[0]] = found[1]
    if values.get("max_replicas") == 0:
        del values["max_replicas"]  # Knative's way to say: no limit
    try:
        policy = Knative.model_validate(values)
    except ValidationError as error:
        for where, message in refused(error, values, Knative).problems:
            key = str(where[0]) if where else ""
            place = (*at, places[key]) if key in places else at
            problems.append((("metadata", "annotations", CONTROLLER) if key in noted else place, message))
        raise ManifestError(problems) from None
    if problems:
        raise ManifestError(problems)
    return policy


def _one(full: str, text: Any) -> tuple[str, Any] | None:
    """The policy's key and value that an annotation says; None for the class, when it is the right one."""
    if not isinstance(text, str):
        raise ValueError(f"must be a string: write '{text}' in quotes")
    name = full.removeprefix(PREFIX)
    if name == "class":
        if text != CLASS:
            raise ValueError(f"must be {CLASS}, got '{text}': of another class, give the autoscaler's own manifest")
        return None
    name = _CAMEL.get(name, name)
    if name not in ANNOTATIONS:
        guess = nearest(name, [*ANNOTATIONS, "class"])
        raise ValueError("no such annotation" + (f"; did you mean '{PREFIX}{guess}'?" if guess else ""))
    annotation = ANNOTATIONS[name]
    return annotation.key, annotation.read(text)


def written(policy: Knative, name: str, like: Mapping[str, Any] | None) -> dict[str, Any]:
    """A Service with this policy; or `like`, whose annotations that say the same are left as they are written.

    Raises ManifestError for values that Knative would refuse.
    """
    problems = _refused(policy)
    if problems:
        raise ManifestError(problems)
    document = copy.deepcopy(dict(like)) if like is not None else _skeleton(name)
    scaler = document.get("kind") == "PodAutoscaler"
    owner = document if scaler else document["spec"].setdefault("template", {})
    metadata, spec = owner.setdefault("metadata", {}), owner.setdefault("spec", {})
    metadata["annotations"] = _annotated(policy, dict(metadata.get("annotations") or {}))
    if policy.container_concurrency or "containerConcurrency" in spec:
        spec["containerConcurrency"] = policy.container_concurrency
    note(document, CONTROLLER, flags_of(policy, FLAGS))
    return document


def _refused(policy: Knative) -> list[tuple[Where, str]]:
    """What of a policy Knative's own validation would not let pass."""
    problems: list[tuple[Where, str]] = []
    if policy.scale_down_delay_s != int(policy.scale_down_delay_s):
        problems.append((("scale_down_delay",), f"Knative counts whole seconds, got {policy.scale_down_delay_s:g}s"))
    if policy.container_concurrency > MOST_CONCURRENCY:
        told = f"Knative allows at most {MOST_CONCURRENCY}, got {policy.container_concurrency}"
        problems.append((("container_concurrency",), told))
    return problems


def _skeleton(name: str) -> dict[str, Any]:
    # Knative would fill in the container's name; the schema of its resource wants one
    template = {"metadata": {"annotations": {}}, "spec": {"containers": [{"name": "user-container", "image": name}]}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": template},
    }


def _annotated(policy: Knative, annotations: dict[str, Any]) -> dict[str, Any]:
    """The annotations with this policy in them: those that differ from Knative's defaults, and those there before."""
    written_as = {_CAMEL.get(key.removeprefix(PREFIX), key.removeprefix(PREFIX)): key for key in annotations}
    for name, annotation in ANNOTATIONS.items():
        value, there = getattr(policy, annotation.field), written_as.get(name)
        if value is None:
            annotations.pop(there or "", None)
        elif there is not None:
            if not _says(annotation, annotations[there], value):
                annotations[there] = annotation.say(value)
        elif value != Knative.model_fields[annotation.field].default:
            annotations[PREFIX + name] = annotation.say(value)
    return annotations


def limits(document: Mapping[str, Any]) -> bool:
    """Whether a Service or PodAutoscaler sets a max-scale: without one, and with 0, there is no limit."""
    owner = document if document.get("kind") == "PodAutoscaler" else document["spec"]["template"]
    annotations = (owner.get("metadata") or {}).get("annotations") or {}
    told = [text for key, text in annotations.items() if key.removeprefix(PREFIX) in ("max-scale", "maxScale")]
    return any(_whole(text) > 0 for text in told)


def _says(annotation: _Annotation, text: Any, value: Any) -> bool:
    """Whether an annotation, as it is written, says this value."""
    try:
        found = annotation.read(text)
    except (ValueError, TypeError):
        return False
    return bool(found == value or (annotation.field == "max_replicas" and found == 0 and value == CEILING))
