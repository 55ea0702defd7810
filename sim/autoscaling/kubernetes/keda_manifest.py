"""A ScaledObject as a document, both ways: fields of keda.sh/v1alpha1 in, those of `Keda` out, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from sim.autoscaling.kubernetes.documents import (
    CONTROLLER,
    BehaviorPart,
    Part,
    Positive,
    Problems,
    Whole,
    Words,
    annotated,
    behavior_part,
    flags,
    flags_of,
    note,
    put,
    started,
    whole_seconds,
)
from sim.autoscaling.kubernetes.keda_triggers import CronTrigger, MetricTrigger
from sim.autoscaling.kubernetes.promql import UnknownQueryError, understood, written
from sim.autoscaling.manifest import ManifestError, Where, validated
from sim.config.units import shown

if TYPE_CHECKING:
    from sim.autoscaling.kubernetes.keda import Keda

FLAGS = ("sync_period", "tolerance", "downscale_stabilization", "start_replicas", "run_starts")
"""Keys of `Keda` that are not the document's."""
COUNTS = {
    "pollingInterval": "polling_interval",
    "cooldownPeriod": "cooldown_period",
    "initialCooldownPeriod": "initial_cooldown_period",
    "idleReplicaCount": "idle_replicas",
    "minReplicaCount": "min_replicas",
    "maxReplicaCount": "max_replicas",
}
"""Numbers of `spec`, and the keys of `Keda` that they are."""
HPA_PLACE: Where = ("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior")
PLACES: dict[str, Where] = (
    {key: ("spec", name) for name, key in COUNTS.items()}
    | {"fallback": ("spec", "fallback"), "triggers": ("spec", "triggers"), "behavior": HPA_PLACE}
    | dict.fromkeys(FLAGS, ("metadata", "annotations", CONTROLLER))
)
"""Where a key of `Keda` stands in the document."""

PAUSES = tuple(f"autoscaling.keda.sh/{name}" for name in ("paused", "paused-replicas", "paused-scale-in"))
PAUSES += ("autoscaling.keda.sh/paused-scale-out", "autoscaling.keda.sh/paused-scale-down")

ASKS = ("query", "threshold", "activationThreshold", "ignoreNullValues")
"""What of a prometheus trigger matters here."""
REACHES = (
    "serverAddress",
    "metricName",
    "namespace",
    "authModes",
    "queryParameters",
    "customHeaders",
    "unsafeSsl",
    "timeout",
    "cortexOrgID",
    "awsRegion",
    "identityOwner",
)
"""How a prometheus trigger reaches its server: accepted, and kept."""
TRUE, FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


class _Hpa(Part):
    name: str | None = None
    behavior: BehaviorPart | None = None


class _Advanced(Part):
    restore_to_original_replica_count: bool | None = None
    horizontal_pod_autoscaler_config: _Hpa | None = None
    scaling_modifiers: dict[str, Any] | None = None


class _Fallback(Part):
    failure_threshold: Whole
    replicas: Whole
    behavior: Literal["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"] = "static"


class _Trigger(Part):
    type: Words
    name: str | None = None
    metadata: dict[str, Any]
    metric_type: Literal["AverageValue", "Value", "Utilization"] | None = None
    authentication_ref: dict[str, Any] | None = None
    use_cached_metrics: bool = False


class _Spec(Part):
    scale_target_ref: dict[str, Any] | None = None
    polling_interval: Positive | None = None
    cooldown_period: Whole | None = None
    initial_cooldown_period: Whole | None = None
    idle_replica_count: Whole | None = None
    min_replica_count: Whole | None = None
    max_replica_count: Positive | None = None
    advanced: _Advanced = _Advanced()
    fallback: _Fallback | None = None
    triggers: list[_Trigger]


class _Document(Part):
    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    metadata: dict[str, Any] | None = None
    spec: _Spec
    status: Any = None


def read(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the `Keda` that a document describes. Raises `ManifestError`."""
    spec = validated(_Document, document).spec
    problems = _not_simulated(document, spec)
    fields = flags(document, FLAGS)
    given = spec.model_dump(by_alias=True, include=set(_Spec.model_fields) - {"triggers", "advanced"})
    fields |= {key: given[name] for name, key in COUNTS.items() if given[name] is not None}
    fields["triggers"] = [_trigger(part, ("spec", "triggers", at), problems) for at, part in enumerate(spec.triggers)]
    if spec.fallback is not None:
        fields["fallback"] = {
            "failure_threshold": spec.fallback.failure_threshold,
            "replicas": spec.fallback.replicas,
        }
    hpa = spec.advanced.horizontal_pod_autoscaler_config
    if hpa is not None and hpa.behavior is not None:
        fields["behavior"] = hpa.behavior.fields()
    if problems:
        raise ManifestError(problems)
    return fields


def _not_simulated(document: Mapping[str, Any], spec: _Spec) -> Problems:
    """What is right in KEDA and has no counterpart here."""
    problems: Problems = []
    for name in PAUSES:
        if annotated(document).get(name) not in (None, "false"):
            problems.append((("metadata", "annotations", name), "is not simulated: a paused pool does not scale"))
    if any((spec.advanced.scaling_modifiers or {}).values()):
        at = ("spec", "advanced", "scalingModifiers")
        key = next(key for key, value in (spec.advanced.scaling_modifiers or {}).items() if value)
        problems.append(((*at, key), "is not simulated; use triggers of their own, the largest wish wins"))
    if spec.fallback is not None and spec.fallback.behavior != "static":
        problems.append((("spec", "fallback", "behavior"), f"{spec.fallback.behavior} is not simulated; use static"))
    return problems


def _trigger(part: _Trigger, at: Where, problems: Problems) -> dict[str, Any]:
    """One trigger's fields. Adds to the problems what is not simulated."""
    if part.use_cached_metrics:
        problems.append(((*at, "useCachedMetrics"), "is not simulated: the HPA reads fresh values"))
    for key, value in part.metadata.items():
        if not isinstance(value, str):
            problems.append(((*at, "metadata", key), f"must be text: put it in quotes; got {shown(value)}"))
            return {}
    if part.type == "prometheus":
        return _prometheus(part, at, problems)
    if part.type == "cron":
        return _cron(part, at, problems)
    problems.append(((*at, "type"), f"{part.type} is not simulated; there are: prometheus, cron"))
    return {}


def _prometheus(part: _Trigger, at: Where, problems: Problems) -> dict[str, Any]:
    given = part.metadata
    known = _checked_keys(given, ("serverAddress", "query", "threshold"), (*ASKS, *REACHES), at, problems)
    if part.metric_type == "Utilization":
        problems.append(((*at, "metricType"), "must be AverageValue or Value for prometheus, got Utilization"))
    if not known:
        return {}
    ignore = given.get("ignoreNullValues", "true")
    if ignore not in TRUE + FALSE:
        problems.append(((*at, "metadata", "ignoreNullValues"), f"must be 'true' or 'false'; got {shown(ignore)}"))
    fields: dict[str, Any] = {"threshold": _number(given, "threshold", at, problems)}
    if "activationThreshold" in given:
        fields["activation_threshold"] = _number(given, "activationThreshold", at, problems)
    try:
        query = understood(given["query"])
    except UnknownQueryError as error:
        problems.append(((*at, "metadata", "query"), str(error)))
        return {}
    zero = query.zero_if_absent or ignore in TRUE
    return {**query.asked, **fields, "type": part.metric_type or "AverageValue", "ignore_null_values": zero}


def _cron(part: _Trigger, at: Where, problems: Problems) -> dict[str, Any]:
    given, needed = part.metadata, ("timezone", "start", "end", "desiredReplicas")
    if part.metric_type not in (None, "AverageValue"):
        problems.append(((*at, "metricType"), f"must be AverageValue for cron, got {part.metric_type}"))
    if not _checked_keys(given, needed, needed, at, problems):
        return {}
    replicas = _number(given, "desiredReplicas", at, problems)
    times = {key: given[key] for key in ("timezone", "start", "end")}
    return {"cron": {**times, "desired_replicas": replicas}}


def _checked_keys(
    given: Mapping[str, Any], needed: tuple[str, ...], known: tuple[str, ...], at: Where, problems: Problems
) -> bool:
    """Whether a trigger's metadata has what it needs. Adds to the problems what is missing and what is unknown."""
    for key in given:
        if key not in known:
            problems.append(((*at, "metadata", key), f"no such key; there are: {', '.join(known)}"))
    missing = [key for key in needed if not given.get(key)]
    problems.extend(((*at, "metadata", key), "is missing") for key in missing)
    return not missing


def _number(given: Mapping[str, Any], key: str, at: Where, problems: Problems) -> float:
    """A number that metadata holds as text, without the suffixes of Kubernetes: KEDA knows none."""
    try:
        return float(given[key])
    except ValueError:
        problems.append(((*at, "metadata", key), f"must be a number, such as '5'; got {shown(given[key])}"))
        return 1.0


def write(policy: Keda, name: str, like: Mapping[str, Any] | None) -> dict[str, Any]:
    """The document of a policy. Raises `ManifestError` at the keys that no document can hold."""
    problems: Problems = []
    old = None if like is None else type(policy).from_manifest(like)
    document = started(like, name, "keda.sh/v1alpha1", "ScaledObject")
    spec = document["spec"] = dict(document["spec"])
    values, before = (each and each.model_dump(by_alias=True, include=_numbers(policy)) for each in (policy, old))
    for key, own in COUNTS.items():
        value = (values or {})[own]
        value = whole_seconds(value, (own,), problems) if isinstance(value, float) else value
        put(spec, key, value, (before or {}).get(own))
    if old is None or policy.fallback != old.fallback:
        chosen = policy.fallback
        part = chosen and {"failureThreshold": chosen.failure_threshold, "replicas": chosen.replicas}
        put(spec, "fallback", part, ())
    if policy.behavior != (old.behavior if old else None):
        _put_behavior(spec, None if policy.behavior is None else behavior_part(policy.behavior, problems))
    kept = dict(enumerate(old.triggers)) if old else {}
    spec["triggers"] = [
        spec["triggers"][at] if kept.get(at) == trigger else _trigger_part(trigger, at, problems)
        for at, trigger in enumerate(policy.triggers)
    ]
    if problems:
        raise ManifestError(problems)
    note(document, CONTROLLER, flags_of(policy, FLAGS))
    return document


def _numbers(policy: Keda) -> set[str]:
    """The attributes that `COUNTS` names by their keys."""
    fields = type(policy).model_fields
    return {name for name, info in fields.items() if (info.alias or name) in COUNTS.values()}


def _put_behavior(spec: dict[str, Any], part: dict[str, Any] | None) -> None:
    advanced = spec["advanced"] = dict(spec.get("advanced") or {})
    config = advanced["horizontalPodAutoscalerConfig"] = dict(advanced.get("horizontalPodAutoscalerConfig") or {})
    put(config, "behavior", part, ())


def _trigger_part(trigger: MetricTrigger | CronTrigger, at: int, problems: Problems) -> dict[str, Any]:
    """One entry of `spec.triggers`."""
    if isinstance(trigger, CronTrigger):
        cron = trigger.cron
        times = {"timezone": cron.timezone, "start": cron.start, "end": cron.end}
        return {"type": "cron", "metadata": {**times, "desiredReplicas": str(cron.desired_replicas)}}
    try:
        query = written(trigger)
    except UnknownQueryError as error:
        problems.append((("triggers", at, error.key), str(error)))
        query = ""
    metadata = {
        "serverAddress": "http://prometheus.monitoring:9090",
        "query": query,
        "threshold": _text(trigger.threshold),
        "activationThreshold": _text(trigger.activation_threshold),
        "ignoreNullValues": "true" if trigger.ignore_null_values else "false",
    }
    return {"type": "prometheus", "metricType": trigger.type, "metadata": metadata}


def _text(value: float) -> str:
    """A number as KEDA reads it, to the last digit."""
    return repr(value).removesuffix(".0")
