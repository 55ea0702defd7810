"""HPA and KEDA against the reference vectors, most of them transcribed from the projects' own unit tests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.autoscaling.kubernetes.hpa import Hpa
from sim.autoscaling.kubernetes.hpa_behavior import Behavior, limited, plain_limited, plain_stabilized, stabilized
from sim.autoscaling.kubernetes.hpa_metrics import (
    Pods,
    Tolerance,
    by_average_value,
    by_pods_average,
    by_utilization,
    by_value,
    largest,
)
from sim.autoscaling.kubernetes.keda import Operator
from sim.autoscaling.observation import WAITING, Observation, Query
from tests.validation.reference import SHARED

HPA_FILE, OTHER_FILE = SHARED / "reference" / "hpa_vectors.json", SHARED / "reference" / "other_vectors.json"
LIMITS = {
    "DesiredWithinRange": "",
    "TooManyReplicas": "max_replicas",
    "TooFewReplicas": "min_replicas",
    "ScaleUpLimit": "scale-up limit",
    "ScaleDownLimit": "scale-down limit",
}


def vectors(path: Any, like: str = "") -> list[Any]:
    """The vectors of a file, each a test of its own; one that skips when there is no file."""
    if not path.exists():
        why = f"no ../shared/reference/{path.name} beside the checkout"
        return [pytest.param(None, marks=pytest.mark.skip(reason=why))]
    found = json.loads(path.read_text())["vectors"]
    return [pytest.param(vector, id=vector["id"]) for vector in found if vector["id"].startswith(like)]


def tolerance(given: dict[str, Any]) -> Tolerance:
    return Tolerance(given["tolerance"]["scale_down"], given["tolerance"]["scale_up"])


def pods(given: dict[str, Any]) -> Pods:
    """Pods by class; those to be ignored are in none."""

    def of(kind: str) -> list[int]:
        return [pod.get("request", 1000) for pod in given["pods"] if pod["cls"] == kind]

    usages = [pod["usage"] for pod in given["pods"] if pod["cls"] == "ready"]
    return Pods(usages, of("ready"), of("missing"), of("unready"))


def direction(given: dict[str, Any]) -> dict[str, Any]:
    policies = [{"type": kind, "value": value, "period": period} for kind, value, period in given["policies"]]
    said = {"policies": policies, "stabilization_window": given.get("window"), "select_policy": given.get("select")}
    return {key: value for key, value in said.items() if value is not None}


def ages(events: list[list[float]]) -> list[tuple[int, float]]:
    return [(int(change), at_s) for change, at_s in events]


def utilization(given: dict[str, Any]) -> dict[str, Any]:
    target = given["target_utilization_pct"]
    replicas, percent = by_utilization(given["current_replicas"], target, tolerance(given), pods(given))
    return {"replicas": replicas, "current_utilization_pct": percent}


def pods_average(given: dict[str, Any]) -> dict[str, Any]:
    target = given["target_average_milli"]
    replicas, average = by_pods_average(given["current_replicas"], target, tolerance(given), pods(given))
    return {"replicas": replicas, "current_average_milli": average}


def value(given: dict[str, Any]) -> dict[str, Any]:
    value_milli, target_milli = given["metric_value_milli"], given["target_value_milli"]
    wanted = by_value(given["current_replicas"], value_milli, target_milli, given["ready_pods"], tolerance(given))
    return {"replicas": wanted}


def average_value(given: dict[str, Any]) -> dict[str, Any]:
    total_milli, target_milli = given["metric_total_milli"], given["target_average_milli"]
    return {"replicas": by_average_value(given["status_replicas"], total_milli, target_milli, tolerance(given))}


def with_limit(found: tuple[int, str], expected: str) -> dict[str, Any]:
    replicas, limit = found
    said = LIMITS[expected]
    assert limit.startswith(said)
    assert bool(limit) == bool(said)
    return {"replicas": replicas, "condition": expected}


def rate_limit(given: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    behavior = Behavior.model_validate(
        {"scale_up": direction(given["scale_up"]), "scale_down": direction(given["scale_down"])}
    )
    found = limited(
        behavior,
        given["current_replicas"],
        given["stabilized_desired"],
        given["min_replicas"],
        given["max_replicas"],
        ages(given["scale_up_events"]),
        ages(given["scale_down_events"]),
        given["now"],
    )
    return with_limit(found, expected["condition"])


def plain_limit(given: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    bounds = given["min_replicas"], given["max_replicas"]
    found = plain_limited(given["current_replicas"], given["stabilized_desired"], *bounds)
    return with_limit(found, expected["condition"])


def window(given: dict[str, Any]) -> dict[str, Any]:
    past = ages(given["recommendations"])
    up_s, down_s = given["scale_up_window_s"], given["scale_down_window_s"]
    return {"replicas": stabilized(given["current_replicas"], given["desired"], past, up_s, down_s, given["now"])}


def plain_window(given: dict[str, Any]) -> dict[str, Any]:
    past = ages(given["recommendations"])
    return {"replicas": plain_stabilized(given["desired"], past, given["window_s"], given["now"])}


def several(given: dict[str, Any]) -> dict[str, Any]:
    return {"proposal": largest(given["spec_replicas"], given["per_metric_proposals"])}


def sequence(given: dict[str, Any]) -> dict[str, Any]:
    """The whole policy, sync by sync, on a queue that asks for what each sync shall propose."""
    fields: dict[str, Any] = {"min_replicas": given["min_replicas"], "max_replicas": given["max_replicas"]}
    if given["behavior"] is not None:
        keys = {"scaleUp": "scale_up", "scaleDown": "scale_down"}
        fields["behavior"] = {keys[key]: direction(rules) for key, rules in given["behavior"].items()}
    hpa = Hpa.model_validate(
        {**fields, "sync_period": given["sync_period_s"], "metrics": [{"metric": WAITING, "target": 1}]}
    )
    current, memory, found = given["start_replicas"], None, []
    for index, proposal in enumerate(given["metric_proposal_each_sync"]):
        values = {Query(WAITING): float(proposal)}
        seen = Observation(index * hpa.period_s, current, current, values=values)
        decision, memory = hpa.decide(seen, memory)
        current = decision.replicas
        found.append(current)
    return {"replicas_after_each_sync": found}


FUNCTIONS: dict[str, Any] = {
    "resource_utilization": utilization,
    "pods_metric_average_value": pods_average,
    "value_target": value,
    "average_value_target": average_value,
    "stabilize_with_behavior": window,
    "stabilize_without_behavior": plain_window,
    "multi_metric": several,
    "reconcile_sequence": sequence,
}
LIMITED: dict[str, Any] = {"behavior_rate_limit": rate_limit, "limits_without_behavior": plain_limit}


@pytest.mark.parametrize("vector", vectors(HPA_FILE))
def test_hpa(vector: dict[str, Any]) -> None:
    given, expected = vector["inputs"], {key: what for key, what in vector["expected"].items() if key != "note"}
    name = vector["function"]
    found = LIMITED[name](given, expected) if name in LIMITED else FUNCTIONS[name](given)
    assert found == expected


@pytest.mark.parametrize("vector", vectors(OTHER_FILE, like="keda_"))
def test_keda(vector: dict[str, Any]) -> None:
    given = vector["inputs"]
    operator = Operator(given["min_replicas"], given["idle_replicas"], given["cooldown_s"])
    found = operator.wants(given["current"], given["is_active"], given["now"], given["last_active_t"])
    assert found == vector["expected"]["set_replicas"]
