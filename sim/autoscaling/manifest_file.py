"""Files of manifests: the document that is an autoscaler's, its policy, and what is wrong with it, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.autoscaling.manifest import ManifestError, Where, families, policy_from
from sim.autoscaling.observation import Policy
from sim.config.errors import ConfigError, Problem
from sim.config.loader import read_documents, shown_path
from sim.config.tree import Node, Place, from_python


@dataclass(frozen=True)
class ManifestFile:
    """An autoscaler's manifest."""

    document: Mapping[str, Any]
    policy: Policy
    place: Place


def read_manifest(path: Path) -> ManifestFile:
    """The autoscaler's manifest in a YAML file, which may hold other documents beside it. Raises `ConfigError`."""
    documents = read_documents(path)
    found = [node for node in documents if isinstance(node.value, dict) and _is_known(node.plain())]
    if len(found) > 1:
        lines = ", ".join(str(node.place.line) for node in found)
        raise ConfigError(Place(shown_path(path)).problem(f"holds several autoscalers (lines {lines}); keep one"))
    if not found:
        raise ConfigError(_unknown(documents, shown_path(path)))
    node = found[0]
    document = node.plain()
    try:
        return ManifestFile(document, policy_from(document), node.place)
    except ManifestError as error:
        raise ConfigError([_placed(node, at, text) for at, text in error.problems]) from None


def policy_node(path: Path) -> Node:
    """The policy of a manifest as the `autoscaler` block that a scenario could spell out. Raises `ConfigError`."""
    found = read_manifest(path)
    policy: Any = found.policy  # every family's policy is a pydantic model
    return from_python(policy.model_dump(mode="json", by_alias=True, exclude_none=True), found.place)


def _is_known(document: Mapping[str, Any]) -> bool:
    return any(family.recognises(document) for family in families())


def _unknown(documents: list[Node], file: str) -> Problem:
    """Why no document of a file is an autoscaler's."""
    if not documents:
        return Place(file, 1, 1).problem("is empty; it should be the manifest of an autoscaler")
    plain = [node.plain() for node in documents]
    kinds = [f"{each.get('apiVersion', '')}/{each.get('kind', 'no kind')}" for each in plain if isinstance(each, dict)]
    held = ", ".join(dict.fromkeys(kind.strip("/") for kind in kinds)) or "no mapping"
    known = "a HorizontalPodAutoscaler, a KEDA ScaledObject, a Knative Service or PodAutoscaler, or a Ray Serve config"
    return documents[0].place.problem(f"holds {held}, which is not the manifest of an autoscaler: {known}")


def _placed(node: Node, at: Where, text: str) -> Problem:
    """A problem at its field; at the nearest field above it that is there."""
    place = node.place
    for step in at:
        child = node.child(step)
        if child is None:
            break
        place = node.keys.get(str(step), child.place) if isinstance(child.value, dict | list) else child.place
        node = child
    return place.problem(text, at)
