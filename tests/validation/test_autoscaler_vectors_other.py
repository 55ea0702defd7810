"""Dynamo's planner and the workload-variant-autoscaler against reference vectors, by the policies' own arithmetic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.autoscaling.serving.dynamo_load import by_thresholds, throughput_replicas
from sim.autoscaling.serving.wva_saturation import Thresholds, saturation
from tests.validation.reference import SHARED

FILE = SHARED / "reference" / "other_vectors.json"
COUNTS = {"dynamo_throughput_replicas": 4, "dynamo_easy_thresholds": 7, "wva_saturation_v1": 8}


def vectors() -> list[Any]:
    if not FILE.exists():
        why = f"no ../shared/reference/{FILE.name} beside the checkout"
        return [pytest.param(None, marks=pytest.mark.skip(reason=why))]
    found = json.loads(FILE.read_text())["vectors"]
    return [pytest.param(one, id=one["id"]) for one in found if one["function"] in COUNTS]


def told(function: str, given: dict[str, Any]) -> dict[str, Any]:
    """What the policies' arithmetic says, in the words of the vectors."""
    if function == "dynamo_throughput_replicas":
        names = ("predicted_rps", "engine_rps_at_sla", "current", "min_endpoint", "max_throughput_scaling_replicas")
        return {"replicas": throughput_replicas(*(given[name] for name in names))}
    if function == "dynamo_easy_thresholds":
        found = by_thresholds(given["kind"], given["mode"], given["ratio_per_engine"], given["workers"], 1)
        return {"desired": found}
    limits = Thresholds(
        given["kv_cache_threshold"],
        given["queue_length_threshold"],
        given["kv_spare_trigger"],
        given["queue_spare_trigger"],
    )
    analysis = saturation([(kv, queue) for kv, queue in given["replicas_kv_queue"]], limits)
    return {
        "scale_up": analysis.scale_up,
        "scale_down_safe": analysis.scale_down_safe,
        "delta": analysis.delta,
    }


@pytest.mark.parametrize("vector", vectors())
def test_vector(vector: dict[str, Any]) -> None:
    expected = {key: value for key, value in vector["expected"].items() if key != "note"}
    assert told(vector["function"], vector["inputs"]) == expected


@pytest.mark.skipif(not FILE.exists(), reason=f"no ../shared/reference/{FILE.name} beside the checkout")
def test_no_vector_is_left_out() -> None:
    functions = [vector["function"] for vector in json.loads(FILE.read_text())["vectors"]]
    assert {name: functions.count(name) for name in COUNTS} == COUNTS
