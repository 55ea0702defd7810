"""Knative, AIBrix and Ray Serve against the reference vectors, through the functions that the policies decide with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sim.autoscaling import kpa_decider, kpa_window
from sim.autoscaling.knative import Knative
from tests.validation.autoscaler_reference import vectors

KPA = vectors("kpa_vectors.json")
absent = pytest.mark.skipif(not KPA, reason="no ../shared/reference/kpa_vectors.json beside the checkout")


def named(function: str) -> Any:
    """A parameter for each vector of a function."""
    found = [pytest.param(vector, id=vector["id"]) for vector in KPA if vector["function"] == function]
    return pytest.mark.parametrize("vector", found or [pytest.param({}, id="absent")])


@absent
def test_every_vector_is_run() -> None:
    run = {
        "kpa_decider",
        "window_average_1s_buckets",
        "weighted_average_coefficient",
        "resolve_target",
        "panic_window",
    }
    assert len(KPA) == 36
    assert {vector["function"] for vector in KPA} == run


@absent
@named("kpa_decider")
def test_decider(vector: dict[str, Any]) -> None:
    spec = kpa_decider.Spec(**vector["inputs"]["spec"])
    begin = vector["inputs"]["initial_state"]
    state = kpa_decider.State(begin["panic_time"], begin["max_panic_pods"], ())
    for step in vector["steps"]:
        change = {"target_burst_capacity" if key == "tbc" else key: at for key, at in step["spec_change"].items()}
        spec = replace(spec, **change)
        loads = step["stable_value"], step["panic_value"]
        found, state = kpa_decider.wish(spec, state, step["t"], step["ready_pods"], *loads)
        assert found.replicas == step["expected"]["desired"]
        assert found.panicking == step["expected"]["in_panic"]
        assert abs(found.excess_burst - step["expected"]["excess_burst_capacity"]) <= 1


@absent
@named("window_average_1s_buckets")
def test_window_average(vector: dict[str, Any]) -> None:
    length, window = vector["inputs"]["window_s"], kpa_window.EMPTY
    for step in vector["steps"]:
        second = int(step["t"])
        if step["op"] == "record":
            window = kpa_window.recorded(window, length, second, second, step["value"])
        else:
            assert kpa_window.average(window, length, second) == pytest.approx(step["expected"], abs=1e-6)


@absent
@named("weighted_average_coefficient")
def test_weighted_average_coefficient(vector: dict[str, Any]) -> None:
    found = kpa_window.coefficient(vector["inputs"]["buckets"])
    assert found == pytest.approx(vector["expected"]["coefficient"], abs=1e-5)


@absent
@named("resolve_target")
def test_target(vector: dict[str, Any]) -> None:
    given = vector["inputs"]
    policy = Knative(
        metric=given["metric"],
        container_concurrency=given["container_concurrency"],
        target=given["annotation_target"],
        target_utilization=given["target_utilization"] * 100,
    )
    assert policy.spec.target == pytest.approx(vector["expected"]["target"])
    assert policy.spec.total == vector["expected"]["total"]


@absent
@named("panic_window")
def test_panic_window(vector: dict[str, Any]) -> None:
    given = vector["inputs"]
    policy = Knative(stable_window_s=given["stable_window_s"], panic_window_percentage=given["panic_window_percentage"])
    assert policy.panic_window_s == vector["expected"]["panic_window_s"]
