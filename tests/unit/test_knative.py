"""Knative's KPA through `decide`: panic, the way to zero, the poke back, silence, and its documents."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from sim.autoscaling.knative import kpa_window
from sim.autoscaling.knative.knative import Knative
from sim.autoscaling.manifest import ManifestError, policy_from
from sim.autoscaling.observation import Observation

Load = Callable[[float], float | None]
PREFIX = "autoscaling.knative.dev/"


def run(policy: Knative, replicas: int, load: Load, until_s: float) -> list[tuple[float, int, str]]:
    """The changes that a policy makes to a fleet whose replicas are ready, and gone, at once."""
    at_s, memory, changes = 0.0, None, []
    while at_s < until_s:
        value = load(at_s)
        seen = Observation(at_s, replicas, replicas, values={} if value is None else {policy.load: value})
        decision, memory = policy.decide(seen, memory)
        if decision.replicas != replicas:
            replicas = decision.replicas
            changes.append((at_s, replicas, decision.reason))
        assert decision.next_s is not None
        at_s = decision.next_s
    return changes


def sizes(changes: list[tuple[float, int, str]]) -> list[tuple[float, int]]:
    return [(at_s, replicas) for at_s, replicas, _ in changes]


def test_idle_replicas_halve_to_zero_once_the_panic_of_the_start_is_over() -> None:
    changes = run(Knative(target_burst_capacity=-1), 64, lambda at: 0.0, 200)
    assert sizes(changes) == [(62, 32), (64, 16), (66, 8), (68, 4), (70, 2), (72, 1), (74, 0)]
    assert changes[0][2] == "concurrency 0 over 60 s / 70 wants 0; max_scale_down_rate 2 keeps 32; 32 wanted"


@pytest.mark.parametrize(
    ("keys", "zero_s"),
    [
        ({}, 102),  # the activator comes into the path at 72 s, when 2 replicas cannot take the burst
        ({"target_burst_capacity": 0}, 104),  # it comes when the revision is marked inactive, at 74 s
        ({"scale_to_zero_grace_period": "10s"}, 82),  # the activator in the path for 10 s, from 72 s on
        ({"scale_to_zero_pod_retention_period": "60s"}, 134),
        ({"target_burst_capacity": -1, "scale_to_zero_pod_retention_period": "8s"}, 82),
    ],
)
def test_the_last_replica_waits_for_the_activator_and_the_grace_period(keys: dict[str, Any], zero_s: float) -> None:
    assert sizes(run(Knative(**keys), 64, lambda at: 0.0, 300))[-2:] == [(72, 1), (zero_s, 0)]


def test_a_replica_that_was_not_active_for_a_stable_window_stays() -> None:
    # ready at the start, one request for the first second: without load in the 60 s window from 62 s on
    changes = run(Knative(target_burst_capacity=-1), 1, lambda at: 1.0 if at < 1 else 0.0, 300)
    assert sizes(changes) == [(60, 0)]
    slow = Knative(target_burst_capacity=-1)
    seen = Observation(0.0, 1, 0, 1, values={slow.load: 1.0})
    _, memory = slow.decide(seen, None)
    for at_s in range(2, 100, 2):  # starts for 100 s: activating, nothing to do
        decision, memory = slow.decide(Observation(at_s, 1, 0, 1, values={slow.load: 0.0}), memory)
        assert decision.replicas == 1
    left = run_on(slow, memory, start_s=100.0, until_s=200.0)
    assert left == [(160.0, 0)]


def run_on(policy: Knative, memory: Any, start_s: float, until_s: float) -> list[tuple[float, int]]:
    """The changes to one idle replica that has just become ready."""
    at_s, replicas, changes = start_s, 1, []
    while at_s < until_s:
        decision, memory = policy.decide(Observation(at_s, replicas, replicas, values={policy.load: 0.0}), memory)
        if decision.replicas != replicas:
            replicas = decision.replicas
            changes.append((at_s, replicas))
        at_s += policy.tick_s
    return changes


def test_a_burst_is_met_by_the_panic_window_and_held_for_a_stable_window() -> None:
    # 70 at once, then 700 from 100 s to 110 s: 6 s of the panic window are full of it at 106 s
    changes = run(Knative(min_replicas=1), 1, lambda at: 700.0 if 100 < at <= 110 else 70.0, 260)
    assert sizes(changes)[0] == (102, 4)  # (4 * 70 + 2 * 700) / 6 = 280 in the panic window wants 4 of 1 ready
    assert sizes(changes)[1:3] == [(104, 7), (106, 10)]
    assert "panic: 280 over 6 s wants 4, never fewer than 4" in changes[0][2]
    # the threshold is passed for the last time at 104 s (7 wanted of 4 is below 200 %, so at 102 s): held until 162 s
    assert sizes(changes)[3][0] == 164
    assert changes[-1][1] == 1


def test_the_first_request_at_zero_is_heard_at_once_and_counted_from_silence() -> None:
    policy = Knative(initial_scale=0)
    assert policy.initial_replicas == 0
    assert policy.hears == "first_arrival"
    decision, memory = policy.decide(Observation(0.0, 0, 0, values={policy.load: 0.0}), None)
    assert decision.replicas == 0
    decision, memory = policy.decide(Observation(2.0, 0, 0, values={policy.load: 0.0}), memory)
    assert decision.reason == "no concurrency sample in the 60 s window: stays at 0"
    decision, memory = policy.decide(Observation(2.5, 0, 0, values={policy.load: 0.0}), memory)
    assert (decision.replicas, decision.next_s) == (1, 4.0)
    # a window that was silent averages over what it has: 700 in the next two seconds are not thinned by the silence
    decision, memory = policy.decide(Observation(4.0, 1, 0, 1, values={policy.load: 700.0}), memory)
    assert decision.replicas == 7  # (1 + 700 + 700) / 3 / 70
    assert Knative(min_replicas=1).hears == "nothing"


def test_a_poke_in_the_second_of_a_tick_counts() -> None:
    policy = Knative(initial_scale=0)
    _, memory = policy.decide(Observation(0.0, 0, 0, values={policy.load: 0.0}), None)
    decision, _ = policy.decide(Observation(0.25, 0, 0), memory)
    assert decision.replicas == 1


def test_without_samples_nothing_changes() -> None:
    assert run(Knative(), 5, lambda at: None, 600) == []


def test_the_scale_down_delay_keeps_the_most_that_was_wanted() -> None:
    policy = Knative(min_replicas=1, scale_down_delay="30s")
    changes = run(policy, 1, lambda at: 100.0 if at < 20 else 0.0, 200)
    plain = run(Knative(min_replicas=1), 1, lambda at: 100.0 if at < 20 else 0.0, 200)
    assert (changes[0][:2], plain[0][:2]) == ((0.0, 2), (0.0, 2))
    assert sizes(plain)[-1] == (62.0, 1)
    assert sizes(changes)[-1] == (90.0, 1)  # 15 ticks after the last that wanted 2, at 60 s
    policy = Knative(scale_down_delay="30s", panic_threshold_percentage=1000)
    _, memory = policy.decide(Observation(0.0, 1, 1, values={policy.load: 100.0}), None)
    decision, _ = policy.decide(Observation(20.0, 2, 2, values={policy.load: 0.0}), memory)
    assert "scale_down_delay 30 s keeps 2" in decision.reason


def test_requests_per_second_are_asked_for_over_a_sample_more() -> None:
    policy = Knative(metric="rps", target=20, target_utilization=50)
    assert policy.load.how == "rate"
    assert policy.load.over_s == 3.0
    decision, _ = policy.decide(Observation(0.0, 1, 1, values={policy.load: 45.0}), None)
    assert decision.replicas == 5
    assert decision.reason.startswith("rps 45 over 60 s / 10 wants 5")


def test_bounds_are_told() -> None:
    policy = Knative(min_replicas=2, max_replicas=4)
    decision, _ = policy.decide(Observation(0.0, 2, 2, values={policy.load: 700.0}), None)
    assert (decision.replicas, decision.proposed) == (4, 10)
    assert decision.reason.endswith("max_replicas 4; 4 wanted")


def test_the_weighted_average_forgets_faster() -> None:
    def reaches_two(aggregation: str) -> float:
        policy = Knative(min_replicas=1, stable_window="40s", aggregation=aggregation)
        changes = sizes(run(policy, 1, lambda at: 280.0 if at < 60 else 70.0, 200))
        return next(at_s for at_s, replicas in changes if at_s > 60 and replicas <= 2)

    # the load over 70 is 210: of it a third is left after 27 of 40 s, or after 5 s at 0.794 a second
    assert reaches_two("linear") == 86
    assert reaches_two("weighted_exponential") == 64


def test_a_weighted_average_as_worked_by_hand() -> None:
    window = kpa_window.recorded(kpa_window.EMPTY, 6, 10, 11, 10.0)
    share = kpa_window.coefficient(6)
    assert kpa_window.weighted_average(window, 6, 11) == pytest.approx(10 * share + 10 * share * (1 - share))
    assert kpa_window.weighted_average(window, 6, 12) == pytest.approx(10 * (1 - share) * share * (2 - share))
    assert kpa_window.weighted_average(window, 6, 17) == 0.0


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"stable_window": "6.5s"}, "whole seconds"),
        ({"stable_window": "5s"}, "between 6 and 3600"),
        ({"target_burst_capacity": -2}, "at least 0"),
        ({"max_scale_down_rate": 1}, "must be between"),
        ({"panic_threshold_percentage": 100}, "between 110 and 1000"),
        ({"metric": "cpu"}, "concurrency"),
        ({"min_replicas": 3, "max_replicas": 2}, "at most max_replicas"),
    ],
)
def test_what_knative_refuses_is_refused(keys: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Knative(**keys)


def service(annotations: dict[str, Any], **revision: Any) -> dict[str, Any]:
    template = {
        "metadata": {"annotations": {key if "/" in key else PREFIX + key: text for key, text in annotations.items()}},
        "spec": {"containers": [{"image": "example/vllm", "args": ["--model", "m"]}], **revision},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "chat", "annotations": {"team/owner": "a"}},
        "spec": {"template": template, "traffic": [{"percent": 100}]},
    }


ALL = {
    "class": "kpa.autoscaling.knative.dev",
    "min-scale": "1",
    "maxScale": "0",
    "initial-scale": "2",
    "activation-scale": "3",
    "metric": "concurrency",
    "target": "8.5",
    "targetUtilizationPercentage": "80",
    "window": "1m30s",
    "panic-window-percentage": "20",
    "panic-threshold-percentage": "150",
    "metric-aggregation-algorithm": "weighted-exponential",
    "scale-down-delay": "15m",
    "target-burst-capacity": "-1",
    "scale-to-zero-pod-retention-period": "0",
    "prometheus.io/scrape": "true",
}


def test_every_annotation_is_read_and_written_back_as_it_was() -> None:
    document = service(ALL, containerConcurrency=4)
    before = copy.deepcopy(document)
    policy = policy_from(document)
    assert policy == Knative(
        min_replicas=1,
        initial_scale=2,
        activation_scale=3,
        target=8.5,
        target_utilization=80,
        container_concurrency=4,
        stable_window=90,
        panic_window_percentage=20,
        panic_threshold_percentage=150,
        aggregation="weighted_exponential",
        scale_down_delay=900,
        target_burst_capacity=-1,
    )
    assert isinstance(policy, Knative)
    assert policy.total == 4
    assert policy.to_manifest("chat", like=document) == before
    assert Knative.from_manifest(policy.to_manifest("chat")) == policy
    changed = policy.model_copy(update={"max_replicas": 9, "target": None})
    annotations = changed.to_manifest("chat", like=document)["spec"]["template"]["metadata"]["annotations"]
    assert annotations[PREFIX + "maxScale"] == "9"
    assert PREFIX + "target" not in annotations
    assert annotations["prometheus.io/scrape"] == "true"
    assert document == before


def test_a_pod_autoscaler_is_read_too() -> None:
    document = {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": "chat-00001", "annotations": {PREFIX + "max-scale": "7"}},
        "spec": {"containerConcurrency": 2, "reachability": "Reachable"},
    }
    policy = policy_from(document)
    assert policy == Knative(max_replicas=7, container_concurrency=2)
    assert policy.to_manifest("chat", like=document) == document  # type: ignore[attr-defined]
    document["spec"] = {"reachability": "Unreachable"}
    with pytest.raises(ManifestError, match=r"spec\.reachability: must not be Unreachable"):
        policy_from(document)


@pytest.mark.parametrize(
    ("annotations", "complaint"),
    [
        ({"class": "hpa.autoscaling.knative.dev"}, "class: must be kpa.autoscaling.knative.dev, got 'hpa."),
        ({"max-scal": "3"}, "max-scal: no such annotation; did you mean 'autoscaling.knative.dev/max-scale'?"),
        ({"max-scale": 3}, "max-scale: must be a string: write '3' in quotes"),
        ({"max-scale": "-3"}, "max-scale: must be a whole number, got '-3'"),
        ({"max-scale": "3", "maxScale": "3"}, "maxScale: says the same as autoscaling.knative.dev/max-scale"),
        ({"min-scale": "3", "max-scale": "2"}, "min-scale: must be at most max_replicas"),
        ({"window": "90"}, "window: must be a duration, such as 90s or 1h30m, got '90'"),
        ({"window": "2s"}, "window: must be between 6 and 3600"),
        ({"metric": "cpu"}, "metric: 'cpu' is not one of concurrency, rps"),
        ({"target": "NaN"}, "target: must be a number, got 'NaN'"),
        ({"metric-aggregation-algorithm": "mean"}, "algorithm: must be linear or weighted-exponential"),
    ],
)
def test_wrong_annotations_are_named(annotations: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ManifestError) as caught:
        Knative.from_manifest(service(annotations))
    assert len(caught.value.problems) == 1
    (at, _), *_ = caught.value.problems
    assert at[:4] == ("spec", "template", "metadata", "annotations")
    assert complaint in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    document = service({"max-scale": "x", "window": "1s"})
    document["metadata"]["annotations"][PREFIX + "min-scale"] = "1"
    with pytest.raises(ManifestError) as caught:
        Knative.from_manifest(document)
    assert len(caught.value.problems) == 3
    assert "has no effect there" in str(caught.value)
    with pytest.raises(ManifestError, match="did you mean 'template'"):
        Knative.from_manifest({**document, "spec": {"templat": {}}})


def test_what_only_the_cluster_sets_is_noted_beside_the_service() -> None:
    policy = Knative(max_scale_up_rate=10, start_replicas=3)
    found = policy.to_manifest("chat")
    assert found["metadata"]["annotations"] == {
        "fleetcast/controller": '{"max_scale_up_rate": 10.0, "start_replicas": 3}'
    }
    assert Knative.from_manifest(found) == policy
    assert not Knative().to_manifest("chat", like=found)["metadata"]["annotations"]
    found["metadata"]["annotations"]["fleetcast/controller"] = '{"tick": "soon"}'
    with pytest.raises(ManifestError, match=r"metadata.annotations.fleetcast/controller: .*duration"):
        Knative.from_manifest(found)


def test_what_knative_would_refuse_is_in_no_service() -> None:
    policy = Knative(container_concurrency=1001, scale_down_delay=1.5)
    with pytest.raises(ManifestError) as caught:
        policy.to_manifest("chat")
    assert [at for at, _ in caught.value.problems] == [("scale_down_delay",), ("container_concurrency",)]


def test_a_service_of_kubernetes_is_not_knatives() -> None:
    assert not Knative.recognises({"apiVersion": "v1", "kind": "Service"})
