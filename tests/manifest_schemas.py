"""CustomResourceDefinitions as JSON Schemas that also refuse what their server would silently drop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

COMMON = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
"""What every resource has, whatever its definition says."""


def crd_schema(text: str, kind: str) -> dict[str, Any]:
    """The schema of a kind's newest version, from the text of a CustomResourceDefinition."""
    found = [each for each in yaml.safe_load_all(text) if each and each.get("kind") == "CustomResourceDefinition"]
    definition = next(each for each in found if each["spec"]["names"]["kind"] == kind)
    version = next(each for each in definition["spec"]["versions"] if each.get("storage"))
    return _resource(version["schema"]["openAPIV3Schema"])


def _resource(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of a resource in which no unknown key may stand."""
    found: dict[str, Any] = _closed(schema)
    found["properties"] = found.get("properties", {}) | COMMON
    return found


def _closed(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    found = {key: value for key, value in schema.items() if key not in ("description", "format", "default")}
    if found.pop("x-kubernetes-int-or-string", False):
        found.pop("type", None)
        found["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    opened = found.pop("x-kubernetes-preserve-unknown-fields", False)
    if "properties" in found:
        found["properties"] = {name: _closed(part) for name, part in found["properties"].items()}
        if not opened:
            found.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), Mapping):
            found[key] = _closed(found[key])
    if found.pop("nullable", False) and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found
