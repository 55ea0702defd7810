"""The JSON Schema of a scenario file: what its models say, and where a name or a path may stand instead."""

from __future__ import annotations

from typing import Any

from sim.config import catalogue
from sim.scenario import Scenario


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file, references allowed where a name or a path may stand."""
    schema = Scenario.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = schema["$defs"]
    _may_refer(schema["properties"], "workload", catalogue.WORKLOADS)
    for part in ("Pool", "Offer", "NewVersion"):
        for key, folder in _FOLDERS.items():
            if key in definitions[part]["properties"]:
                _may_refer(definitions[part]["properties"], key, folder)
    properties = definitions["Pool"]["properties"]
    properties["autoscaler"] = _or_manifest(properties["autoscaler"])
    return schema


_FOLDERS = {
    "model": catalogue.MODELS,
    "gpu": catalogue.GPUS,
    "engine": catalogue.ENGINES,
    "boot": catalogue.BOOTS,
    "book": catalogue.PRICES,
}


def _may_refer(properties: dict[str, Any], key: str, folder: str) -> None:
    """Let a name, a path or `from` stand where a key takes a mapping."""
    described = properties[key]
    about = {name: described.pop(name) for name in ("title", "description", "default") if name in described}
    words = "A duration, a name or a path." if folder == catalogue.BOOTS else "A name or a path."
    by_name = {"type": "string", "description": words, "examples": list(catalogue.names(folder))}
    changed = {
        "type": "object",
        "description": "What `from` names, with the other keys changed.",
        "properties": {"from": by_name},
        "required": ["from"],
    }
    properties[key] = {**about, "anyOf": [by_name, changed, described]}


def _or_manifest(described: dict[str, Any]) -> dict[str, Any]:
    """The schema of an autoscaler, or of one that a manifest describes."""
    keys = [key for key in ("title", "description", "default") if key in described]
    about: dict[str, Any] = {key: described.pop(key) for key in keys}
    path = {
        "type": "string",
        "description": "The path of a HorizontalPodAutoscaler, ScaledObject, Knative or Ray file.",
    }
    manifest = {
        "type": "object",
        "description": "What a manifest says, with the other keys laid over it.",
        "properties": {"manifest": path},
        "required": ["manifest"],
    }
    about["anyOf"] = [manifest, described]
    return about
