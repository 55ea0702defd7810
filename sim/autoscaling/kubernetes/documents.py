"""What the documents of HPAs and ScaledObjects share: spelling, `behavior`, and notes of what they cannot hold.

Notes are annotations, each a JSON mapping: `fleetcast/controller` (flags of the controller, such as `sync_period`, and
`start_replicas`), and `fleetcast/queries` (for a metric's name in the adapter, what it asks for, such as
`{"ttft_p99": {"metric": "vllm:time_to_first_token_seconds", "how": "p99", "over": "5m"}}`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from sim.autoscaling.kubernetes.hpa_behavior import Behavior, Direction
from sim.autoscaling.kubernetes.quantity import MANIFEST_QUANTITY, written
from sim.autoscaling.manifest import ManifestError, Where, refused
from sim.config.units import shown

Model = TypeVar("Model", bound=BaseModel)
Problems = list[tuple[Where, str]]

CONTROLLER, QUERIES = "fleetcast/controller", "fleetcast/queries"

Whole = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
Amount = Annotated[float, MANIFEST_QUANTITY]
Words = Annotated[str, Field(strict=True)]


class Part(BaseModel):
    """A part of a document: names in camel case, no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class _Policy(Part):
    type: Literal["Pods", "Percent"]
    value: Positive
    period_seconds: Annotated[int, Field(strict=True, ge=1, le=1800)]


class DirectionPart(Part):
    stabilization_window_seconds: Annotated[int, Field(strict=True, ge=0, le=3600)] | None = None
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    policies: list[_Policy] | None = None
    tolerance: Amount | None = None

    def fields(self) -> dict[str, Any]:
        """The fields of a scenario's direction."""
        said_here: dict[str, Any] = {
            "stabilization_window": self.stabilization_window_seconds,
            "select_policy": self.select_policy,
            "tolerance": self.tolerance,
        }
        if self.policies is not None:
            said_here["policies"] = [
                {"type": policy.type, "value": policy.value, "period": policy.period_seconds}
                for policy in self.policies
            ]
        return {key: value for key, value in said_here.items() if value is not None}


class BehaviorPart(Part):
    """`behavior`, of an HPA or a ScaledObject."""

    scale_up: DirectionPart | None = None
    scale_down: DirectionPart | None = None

    def fields(self) -> dict[str, Any]:
        """The fields of a scenario's `behavior`."""
        both = {"scale_up": self.scale_up, "scale_down": self.scale_down}
        return {key: direction.fields() for key, direction in both.items() if direction is not None}


def noted(document: Mapping[str, Any], annotation: str) -> dict[str, Any]:
    """The JSON mapping in one of our annotations; empty when there is none. Raises `ManifestError`."""
    text = annotated(document).get(annotation)
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or (annotation == QUERIES and not all(isinstance(v, dict) for v in value.values())):
        raise ManifestError([(("metadata", "annotations", annotation), f"must be a JSON mapping; got {shown(text)}")])
    return value


def annotated(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations of a document."""
    found = (document.get("metadata") or {}).get("annotations")
    return found if isinstance(found, Mapping) else {}


def flags(document: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """What the annotation of the controller says. Raises `ManifestError`."""
    found = noted(document, CONTROLLER)
    for key in found.keys() - set(known):
        at = ("metadata", "annotations", CONTROLLER)
        raise ManifestError([(at, f"no such key: {key}; there are: {', '.join(known)}")])
    return found


def made(model: type[Model], fields: Mapping[str, Any], places: Mapping[str, Where]) -> Model:
    """A policy from its fields. Raises `ManifestError` at the place in the document where each key stands."""
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        problems = refused(error, fields, model).problems
        raise ManifestError([(_placed(at, places), text) for at, text in problems]) from None


def _placed(at: Where, places: Mapping[str, Where]) -> Where:
    """The place of a key: that of its first step, and the number in a list if there is one."""
    place = places.get(str(at[0]), at[:1]) if at else ()
    return (*place, *(step for step in at[1:2] if isinstance(step, int)))


def whole_seconds(seconds: float, at: Where, problems: Problems) -> int:
    """Seconds as documents count them. Adds to the problems what is not whole."""
    if seconds != int(seconds):
        problems.append((at, f"Kubernetes counts whole seconds, got {seconds:g}s"))
    return int(seconds)


def behavior_part(behavior: Behavior, problems: Problems) -> dict[str, Any]:
    """`behavior` of a document, defaults filled in."""
    return {
        "scaleUp": _direction(behavior.scale_up, behavior.scale_up.stabilization_window_s, "scale_up", problems),
        "scaleDown": _direction(
            behavior.scale_down, behavior.scale_down.stabilization_window_s, "scale_down", problems
        ),
    }


def _direction(direction: Direction, window_s: float | None, key: str, problems: Problems) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if window_s is not None:
        at = ("behavior", key, "stabilization_window")
        part["stabilizationWindowSeconds"] = whole_seconds(window_s, at, problems)
    part["selectPolicy"] = direction.select_policy
    part["policies"] = [
        {
            "type": policy.type,
            "value": policy.value,
            "periodSeconds": whole_seconds(policy.period_s, ("behavior", key, "policies", at, "period"), problems),
        }
        for at, policy in enumerate(direction.limits)
    ]
    if direction.tolerance is not None:
        part["tolerance"] = written(direction.tolerance)
    return part


def started(like: Mapping[str, Any] | None, name: str, api_version: str, kind: str) -> dict[str, Any]:
    """The document to write into: a copy of the original, or a new one for a Deployment of that name."""
    if like is not None:
        return copy.deepcopy(dict(like))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": {"scaleTargetRef": target}}


def put(spec: dict[str, Any], key: str, value: Any, before: Any) -> None:
    """A field set unless the original says the same, in its own words or by leaving it out; None takes it away."""
    if value == before:
        return
    if value is None:
        spec.pop(key, None)
    else:
        spec[key] = value


def note(document: dict[str, Any], annotation: str, value: Mapping[str, Any]) -> None:
    """One of our annotations, or none if there is nothing to note."""
    metadata = document["metadata"] = dict(document.get("metadata") or {})
    annotations = dict(metadata.get("annotations") or {})
    if value:
        annotations[annotation] = json.dumps(value)
    elif annotation not in annotations:
        return
    else:
        del annotations[annotation]
    metadata["annotations"] = annotations


def flags_of(policy: BaseModel, known: Sequence[str]) -> dict[str, Any]:
    """The keys of a policy that its document cannot hold and that are not at their defaults."""
    fields = type(policy).model_fields
    found = {info.alias or name: (getattr(policy, name), info.default) for name, info in fields.items()}
    return {key: found[key][0] for key in known if found[key][0] != found[key][1]}
