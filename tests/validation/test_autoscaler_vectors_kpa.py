"""Knative, AIBrix and Ray Serve against the reference vectors, through the functions that the policies decide with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sim.autoscaling.knative import kpa_decider, kpa_window
from sim.autoscaling.knative.knative import Knative
from sim.autoscaling.observation import Observation
from sim.autoscaling.serving.aibrix import Aibrix
from sim.autoscaling.serving.ray_serve import RayServe, total_requests_mean
from tests.validation.autoscaler_reference import vectors

KPA = vectors("kpa_vectors.json")
OTHER = [*vectors("other_vectors.json", "aibrix"), *vectors("other_vectors.json", "ray")]
absent = pytest.mark.skipif(not KPA, reason="no ../shared/reference/kpa_vectors.json beside the checkout")


def named(function: str) -> Any:
    """A parameter for each vector of a function."""
    found = [pytest.param(vector, id=vector["id"]) for vector in [*KPA, *OTHER] if vector["function"] == function]
    return pytest.mark.parametrize("vector", found or [pytest.param({}, id="absent")])


@absent
def test_every_vector_is_run() -> None:
    run = {
        "kpa_decider",
        "window_average_1s_buckets",
        "weighted_average_coefficient",
        "resolve_target",
        "panic_window",
        "aibrix_apa",
        "ray_apply_factor",
        "ray_sequence",
        "ray_total_requests_mean",
    }
    assert (len(KPA), len(OTHER)) == (36, 20)
    assert {vector["function"] for vector in [*KPA, *OTHER]} == run


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


@absent
@named("aibrix_apa")
def test_aibrix_apa(vector: dict[str, Any]) -> None:
    given = dict(vector["inputs"])
    current, usage = given.pop("current"), given.pop("usage_per_pod")
    policy = Aibrix(metric="num_requests_running", **given)
    assert policy.apa(current, usage) == vector["expected"]["replicas"]


@absent
@named("ray_apply_factor")
def test_ray_factor(vector: dict[str, Any]) -> None:
    given = dict(vector["inputs"])
    desired, running = given.pop("desired"), given.pop("running")
    policy = RayServe(target_ongoing_requests=1, **given)
    assert policy.factored(desired, running) == vector["expected"]["replicas"]


@absent
@named("ray_sequence")
def test_ray_sequence(vector: dict[str, Any]) -> None:
    given = vector["inputs"]
    names = {"target": "target_ongoing_requests", "mn": "min_replicas", "mx": "max_replicas"}
    names |= {"up_delay": "upscale_delay", "down_delay": "downscale_delay", "zero_delay": "downscale_to_zero_delay"}
    policy = RayServe(**{names[key]: value for key, value in given["config"].items()}, metrics_interval=given["dt_s"])
    replicas, memory, targets = given["start_replicas"], None, []
    for tick, total in enumerate(given["total_ongoing_requests"]):
        seen = Observation(tick * float(given["dt_s"]), replicas, replicas, values={policy.ongoing: float(total)})
        decision, memory = policy.decide(seen, memory)
        replicas = decision.replicas
        targets.append(replicas)
    assert targets == vector["expected"]["target_each_step"]


@absent
@named("ray_total_requests_mean")
def test_ray_mean(vector: dict[str, Any]) -> None:
    found = total_requests_mean(vector["inputs"]["series"], vector["inputs"]["now"])
    assert found == pytest.approx(vector["expected"]["total"], abs=1e-4)
