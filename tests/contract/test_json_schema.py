"""The JSON Schema admits what the loader admits and refuses what it refuses, as far as a schema can say it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from sim.config import catalogue
from sim.config.loader import read_file
from sim.scenario import load
from sim.scenario.schema import json_schema

SCHEMA = json_schema()


def faults(value: Any, schema: Any, path: str = "") -> Iterator[str]:
    """What a value violates: the part of JSON Schema 2020-12 that our schema uses, and nothing else."""
    unknown = schema.keys() - KNOWN
    assert not unknown, f"the schema uses {unknown}, which this checker does not know"
    if "$ref" in schema:
        yield from faults(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], path)
    if "anyOf" in schema and not any(not list(faults(value, option, path)) for option in schema["anyOf"]):
        yield f"{path}: fits none of anyOf"
    if "oneOf" in schema and sum(not list(faults(value, option, path)) for option in schema["oneOf"]) != 1:
        yield f"{path}: does not fit exactly one of oneOf"
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{path}: is not {schema['type']}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path}: is not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: is not in {schema['enum']}"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{path}: does not match"
        if len(value) < schema.get("minLength", 0):
            yield f"{path}: too short"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            yield f"{path}: out of limits"
        if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
            yield f"{path}: out of limits"
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{path}: wrong number of items"
        prefix = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            yield from faults(
                item, prefix[index] if index < len(prefix) else schema.get("items", {}), f"{path}.{index}"
            )
    if isinstance(value, dict):
        yield from _of_mapping(value, schema, path)


def _of_mapping(value: dict[str, Any], schema: Any, path: str) -> Iterator[str]:
    yield from (f"{path}.{key}: missing" for key in schema.get("required", []) if key not in value)
    if len(value) < schema.get("minProperties", 0):
        yield f"{path}: too few keys"
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key, item in value.items():
        yield from faults(key, schema.get("propertyNames", {}), f"{path}.{key}")
        if key in properties:
            yield from faults(item, properties[key], f"{path}.{key}")
        elif rest is False:
            yield f"{path}.{key}: no such key"
        elif isinstance(rest, dict):
            yield from faults(item, rest, f"{path}.{key}")


def _is(value: Any, kind: str) -> bool:
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    if kind in ("integer", "number"):
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return not isinstance(value, bool) and (whole if kind == "integer" else isinstance(value, int | float))
    return isinstance(value, kinds[kind])


KNOWN = {"$ref", "anyOf", "oneOf", "type", "const", "enum", "pattern", "minLength", "minimum", "maximum"}
KNOWN |= {"exclusiveMinimum", "minItems", "maxItems", "prefixItems", "items", "required", "minProperties", "properties"}
KNOWN |= {"additionalProperties", "$schema", "$defs", "title", "description", "examples", "default", "format"}
KNOWN |= {"propertyNames"}
KNOWN |= {"discriminator"}  # not JSON Schema: a hint that checkers pass over


def plain(name: str) -> Any:
    path = catalogue.find(catalogue.SCENARIOS, name)
    assert path is not None
    return read_file(path).plain()


@pytest.mark.parametrize("name", [name for name in catalogue.names(catalogue.SCENARIOS) if name != "trace-replay"])
def test_shipped_scenarios_fit_as_written_and_resolved(name: str) -> None:
    assert list(faults(plain(name), SCHEMA)) == []
    assert list(faults(json.loads(load(name).model_dump_json(by_alias=True, exclude_none=True)), SCHEMA)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("horizon", "5 parsecs"),
        ("horizon", -1),
        ("seeed", 3),
        ("calendar", "fast"),
        ("workload", 3),
        ("workload.arrivals.rate", "5s"),
        ("workload.arrivals.kind", "poison"),
        ("pools.servers.replica", {"kind": "slot"}),
        ("pools.servers.replica.concurrency", 1.5),
        ("pools.servers.queue", {"kind": "central", "router": "random"}),
        ("pools.servers.price", {"on_demand": "free"}),
        ("pools.servers.autoscaler", {"kind": "fixed"}),
        ("pools.servers.boot", {"kind": "lognorml"}),
        ("pools.servers.drain", {"queued": "redirct"}),
        ("pools.servers.supply", [{"name": "a", "most": 0}]),
        ("pools.servers.faults", [{"kind": "crsh"}]),
        ("pools.servers.rollouts", [{"at": "1m", "max_surge": "a few"}]),
        ("pools.servers.billing", {"granularity": "1 GB"}),
        ("slo.0.share", 95),
        ("slo.0.metric", "ttfb"),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(path: str, value: Any) -> None:
    wrong = plain("mmc")
    at, steps = wrong, path.split(".")
    for step in steps[:-1]:
        at = at[int(step) if isinstance(at, list) else step]
    at[steps[-1]] = value
    assert list(faults(wrong, SCHEMA)) != []
    with pytest.raises(ValueError, match=steps[-1]):
        load(wrong)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("workload", "azure-chat-2023"),
        ("workload", {"from": "azure-chat-2023", "arrivals": {"rate": "9/s"}}),
        ("pools.servers.gpu", "h200"),
        ("pools.servers.gpu", "my/gpu.yaml"),
        ("pools.servers.queue", {"max_waiting": "1k"}),
        ("pools.servers.price", {"on_demand": "$2.99/h"}),
        ("pools.servers.boot", "90s"),
        ("pools.servers.boot", {"kind": "lognormal", "mean": "2m", "cv": 0.3}),
        ("pools.servers.boot", {"node": "2m", "weights": {"bytes_per_s": "3GB/s", "size": "16GB"}}),
        ("pools.servers.supply", [{"name": "a", "price": "$1/h", "gpu": "l4", "stock_out": {"refused": [0.5] * 24}}]),
        ("pools.servers.supply", [{"name": "a", "market": "spot", "price": {"on_demand": 1}, "spot": {"hazard": 0}}]),
        ("pools.servers.faults", [{"kind": "crash", "repair": "1h"}, {"kind": "zone_outage", "at": 0, "lasts": 1}]),
        ("pools.servers.rollouts", [{"at": "1m", "max_surge": "25%", "max_unavailable": 1, "to": {"boot": "5s"}}]),
        ("pools.servers.metrics", {"delay": "30s"}),
        ("pools.servers.autoscaler", {"manifest": "hpa.yaml", "start_replicas": 3}),
        ("horizon", "1h30m"),
        ("slo", []),
    ],
)
def test_other_ways_to_write_it_fit(path: str, value: Any) -> None:
    right = plain("mmc")
    at, steps = right, path.split(".")
    for step in steps[:-1]:
        at = at[step]
    at[steps[-1]] = value
    assert list(faults(right, SCHEMA)) == []


def test_every_key_is_described() -> None:
    silent = [
        f"{name}.{key}"
        for name in (
            "Pool",
            "Slots",
            "Batching",
            "PerReplica",
            "Central",
            "Target",
            "Latency",
            "GpuSheet",
            "ModelSheet",
            "Price",
            "Boot",
            "ByBytes",
            "Drain",
            "Offer",
            "StockOut",
            "Delayed",
            "Spot",
            "Crash",
            "ZoneOutage",
            "Rollout",
            "NewVersion",
            "Billing",
            "Metrics",
        )
        for key, about in SCHEMA["$defs"][name]["properties"].items()
        if key != "kind" and "description" not in about
    ]
    silent += [key for key, about in SCHEMA["properties"].items() if "description" not in about]
    assert not silent, silent


def test_no_key_shows_its_python_name() -> None:
    assert {"horizon", "warmup"} <= SCHEMA["properties"].keys()
    assert "horizon_s" not in json.dumps(SCHEMA)
