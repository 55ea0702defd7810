"""A scenario with all its numbers of one kind multiplied: every amount of money, or every time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from sim import Result
from sim.config.errors import ConfigError, DataError
from sim.scenario import Scenario, load
from tests.swarm.grammar import Node, quantity, resolved, schema
from tests.swarm.ran import run

Keys = dict[str, Any]

PER_TIME = {"RATE": -1, "BANDWIDTH": -1, "DURATION": 1}


def multiplied(keys: Keys, factors: dict[str, float]) -> Keys:
    """`keys` (as written: numbers are plain) with each number of a kind times a factor; a kind may be a prefix."""
    found = _times(keys, schema(), factors)
    assert isinstance(found, dict)
    return found


def _times(value: Any, node: Node, factors: dict[str, float]) -> Any:
    measured = quantity(node)
    if measured:
        factor = next((times for kind, times in factors.items() if measured.startswith(kind)), 1.0)
        return value * factor if isinstance(value, int | float) and factor != 1.0 else value
    _, node = resolved(node)
    choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if choices:
        fitting = [choice for choice in choices if _may_be(value, choice)]
        return _times(value, fitting[0], factors) if fitting else value
    if isinstance(value, dict):
        below, rest = node.get("properties", {}), node.get("additionalProperties", {})
        rest = rest if isinstance(rest, dict) else {}
        return {key: _times(each, below.get(key, rest), factors) for key, each in value.items()}
    if isinstance(value, list):
        first = node.get("prefixItems", ())
        return [
            _times(each, first[place] if place < len(first) else node.get("items", {}), factors)
            for place, each in enumerate(value)
        ]
    return value


def _may_be(value: Any, node: Node) -> bool:
    """Whether a value can be this member of a union: by its type, its `kind`, and its keys."""
    if quantity(node):
        return isinstance(value, int | float) and not isinstance(value, bool)
    _, node = resolved(node)
    choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if choices:
        return any(_may_be(value, choice) for choice in choices)
    if isinstance(value, dict):
        below = node.get("properties", {})
        kind = below.get("kind", {})
        if "const" in kind and value.get("kind", kind.get("default")) != kind["const"]:
            return False
        return node.get("type") == "object" and value.keys() <= below.keys() | (
            value.keys() if isinstance(node.get("additionalProperties"), dict) else set()
        )
    kinds = {"array": list, "string": str, "boolean": bool, "number": int | float, "integer": int}
    return isinstance(value, kinds.get(str(node.get("type")), ()))


# -- time --------------------------------------------------------------------------------------------------------------


def doubled(scenario: Scenario, result: Result) -> bool:
    """Whether all times could be doubled; then the run must be the same, at twice the times.

    Only where no time is another system's (a sync period that cannot be set, a day's hours) and no law has a scale
    that is not a plain factor; demand is drawn before, and its columns doubled.
    """
    if not _has_no_day(scenario):
        return False
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    if demand.more is not None or scenario.horizon_s is None:
        return False
    keys = json.loads(scenario.model_dump_json(by_alias=True, exclude_none=True))
    keys = multiplied(keys, {"DURATION": 2.0, "RATE": 0.5, "BANDWIDTH": 0.5})
    try:
        slower = load(keys)
    except (ConfigError, DataError):
        return False
    names = ("arrival_s", "service_s", "first_service_s", "patience_s", "first_token_timeout_s", "token_timeout_s")
    times = {name: getattr(demand, name) for name in (*names, "total_timeout_s")}
    told = replace(demand, **{name: 2 * column for name, column in times.items() if column is not None})
    if told.links is not None:
        told = replace(told, links=replace(told.links, pause_s=2 * told.links.pause_s))
    rows, other = result.log.requests, run(slower, "compiled", demand=told).log.requests
    assert len(rows) == len(other), "another number of attempts at twice the times"
    for name in ("arrival_s", "start_s", "first_token_s", "finish_s"):
        np.testing.assert_array_equal(2 * rows[name], other[name], err_msg=f"twice the times: {name}")
    for name in ("outcome", "replica", "lost", "preempted"):
        np.testing.assert_array_equal(rows[name], other[name], err_msg=f"twice the times: {name}")
    return True


def _has_no_day(scenario: Scenario) -> bool:
    for pool in scenario.pools.values():
        if pool.supply or pool.rollouts or pool.faults:
            return False
        if pool.autoscaler.kind != "fixed" or pool.model is not None:
            return False
    return not any(tenant.quota is not None for tenant in scenario.tenants.values())
