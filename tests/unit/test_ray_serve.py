"""Ray Serve's policy through `decide`: pushes, delays, the way from zero, and its configs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from sim.autoscaling.manifest import ManifestError, policy_from
from sim.autoscaling.observation import Observation
from sim.autoscaling.serving.ray_serve import RayServe, total_requests_mean


def run(
    policy: RayServe, replicas: int, load: Callable[[float], float], until_s: float, boot_s: float = 0.0
) -> tuple[list[tuple[float, int]], list[float]]:
    """The changes that a policy makes to a fleet whose replicas are ready after `boot_s`, and when it was asked."""
    at_s, memory, ready_s = 0.0, None, 0.0
    changes: list[tuple[float, int]] = []
    asked: list[float] = []
    while at_s < until_s:
        ready = replicas if at_s >= ready_s else 0
        seen = Observation(at_s, replicas, ready, replicas - ready, {policy.ongoing: load(at_s)})
        decision, memory = policy.decide(seen, memory)
        asked.append(at_s)
        if decision.replicas != replicas:
            ready_s = at_s + boot_s if replicas == 0 else ready_s
            replicas = decision.replicas
            changes.append((at_s, replicas))
        assert decision.next_s is not None
        at_s = decision.next_s
    return changes, asked


def test_it_is_asked_at_pushes_and_when_a_delay_ends() -> None:
    policy = RayServe(max_replicas=20, upscale_delay=25)
    changes, asked = run(policy, 1, lambda at: 10.0 if at >= 20 else 2.0, 60)
    assert changes == [(45.0, 5)]
    assert asked == [0.0, 10.0, 20.0, 30.0, 40.0, 45.0, 45.1, 50.0]


def test_times_are_turns_of_the_loop() -> None:
    policy = RayServe(max_replicas=20, upscale_delay=0.25, metrics_interval=7.33)
    _, asked = run(policy, 1, lambda at: 10.0 if at >= 7 else 2.0, 20)
    assert asked == [0.0, 7.4, 7.7, 7.8, 14.7]  # a push at 7.33 is seen at 7.4; 0.25 s later is seen at 7.7


def test_between_pushes_the_controller_knows_what_it_was_told_last() -> None:
    policy = RayServe(max_replicas=20, upscale_delay=15)
    # the load is gone at 22 s, but the push of 20 s still says 10 when the delay ends at 25 s
    changes, _ = run(policy, 1, lambda at: 10.0 if 10 <= at < 22 else 2.0, 35)
    assert changes == [(25.0, 5)]


def test_the_last_replica_goes_after_a_delay_of_its_own() -> None:
    policy = RayServe(min_replicas=0, max_replicas=8, downscale_delay=60, downscale_to_zero_delay=120)
    changes, _ = run(policy, 4, lambda at: 0.0, 300)
    assert changes == [(60.0, 1), (180.1, 0)]  # the second delay starts one turn of the loop after the first ended
    same = RayServe(min_replicas=0, max_replicas=8, downscale_delay=60)
    assert run(same, 4, lambda at: 0.0, 300)[0] == [(60.0, 1), (120.1, 0)]


def test_the_first_request_at_zero_needs_no_delay_and_no_push() -> None:
    policy = RayServe(min_replicas=0, max_replicas=8, upscaling_factor=2.5)
    assert policy.hears == "first_arrival"
    decision, memory = policy.decide(Observation(0.0, 0, 0, values={policy.ongoing: 0.0}), None)
    assert (decision.replicas, decision.next_s) == (0, 10.0)
    decision, memory = policy.decide(Observation(3.21, 0, 0, values={policy.ongoing: 0.0}), memory)
    assert (decision.replicas, decision.next_s) == (3, 3.4)
    # while the first is starting there is nothing to compare with: the target stays, whatever waits
    decision, memory = policy.decide(Observation(10.0, 3, 0, 3, values={policy.ongoing: 100.0}), memory)
    assert (decision.replicas, decision.next_s) == (3, 11.0)
    decision, memory = policy.decide(Observation(11.0, 3, 1, 2, values={policy.ongoing: 100.0}), memory)
    assert (decision.replicas, decision.next_s) == (3, 20.0)
    assert "upscale_delay: 0 s of 30 s, stays at 3" in decision.reason
    assert RayServe().hears == "nothing"


def test_the_upscale_delay_begins_when_the_first_replica_runs() -> None:
    policy = RayServe(min_replicas=0, max_replicas=8, target_ongoing_requests=1)
    changes, _ = run(policy, 0, lambda at: 4.0, 100, boot_s=12.0)
    assert changes == [(0.0, 1), (42.0, 4)]  # ready at 12 s, and 30 s more


def test_no_metrics_count_as_no_requests() -> None:
    policy = RayServe(max_replicas=8, downscale_delay=20)
    replicas, memory = 4, None
    for at_s in (0.0, 10.0, 20.0):
        decision, memory = policy.decide(Observation(at_s, replicas, replicas), memory)
        replicas = decision.replicas
    assert replicas == 1
    assert decision.reason == (
        "no metrics, counted as 0 requests over 30 s / 2 want 0; min_replicas 1; downscale_delay 20 s is over"
    )


def test_the_load_alone_is_told_beside_factor_and_bounds() -> None:
    policy = RayServe(max_replicas=6, upscaling_factor=0.5, upscale_delay=0)
    decision, _ = policy.decide(Observation(0.0, 2, 2, values={policy.ongoing: 20.0}), None)
    assert (decision.replicas, decision.proposed) == (6, 10)
    policy = RayServe(max_replicas=9, downscaling_factor=3, downscale_delay=0)
    decision, _ = policy.decide(Observation(0.0, 4, 4, values={policy.ongoing: 2.0}), None)
    assert (decision.replicas, decision.proposed) == (1, 1)


def test_samples_are_a_fifth_of_the_look_back_apart() -> None:
    assert RayServe().pipeline.scrape_s == 6.0
    assert RayServe(look_back_period="5m").pipeline.scrape_s == 60.0


def test_the_mean_over_time_of_a_sum() -> None:
    assert total_requests_mean([], 5.0) == 0.0
    assert total_requests_mean([[(0.0, 4.0)], []], 5.0) == 4.0
    assert total_requests_mean([[(0.0, 4.0)], [(5.0, 3.0)]], 5.0) == 7.0
    # known from 1 s on: 4 + 1 for a second, then 4 + 3 for three
    assert total_requests_mean([[(0.0, 4.0)], [(1.0, 1.0), (2.0, 3.0)]], 5.0) == pytest.approx((5 + 3 * 7) / 4)


def config(scaling: dict[str, Any] | None, **deployment: Any) -> dict[str, Any]:
    llm = {"name": "llm", "ray_actor_options": {"num_gpus": 4}, "max_ongoing_requests": 64, **deployment}
    if scaling is not None:
        llm["autoscaling_config"] = scaling
    application = {"name": "app", "import_path": "serve:app", "deployments": [{"name": "ingress"}, llm]}
    return {"http_options": {"port": 8000}, "applications": [application]}


ALL = {
    "min_replicas": 0,
    "initial_replicas": 2,
    "max_replicas": 12,
    "target_ongoing_requests": 24,
    "metrics_interval_s": 5.0,
    "look_back_period_s": 20,
    "upscaling_factor": 0.5,
    "downscaling_factor": 0.25,
    "upscale_delay_s": 3,
    "downscale_delay_s": 120,
    "downscale_to_zero_delay_s": 900,
    "aggregation_function": "mean",
    "policy": {"policy_function": "ray.serve.autoscaling_policy:default_autoscaling_policy"},
}


def test_every_field_is_read_and_written_back_as_it_was() -> None:
    document = config(ALL)
    before = copy.deepcopy(document)
    policy = policy_from(document)
    assert policy == RayServe(
        min_replicas=0,
        start_replicas=2,
        max_replicas=12,
        target_ongoing_requests=24,
        metrics_interval=5,
        look_back_period=20,
        upscaling_factor=0.5,
        downscaling_factor=0.25,
        upscale_delay=3,
        downscale_delay=120,
        downscale_to_zero_delay=900,
    )
    assert isinstance(policy, RayServe)
    assert policy.to_manifest("llm", like=document) == before
    assert RayServe.from_manifest(policy.to_manifest("llm")) == policy
    written = policy.model_copy(update={"max_replicas": 30}).to_manifest("llm", like=document)
    assert written["applications"][0]["deployments"][1]["autoscaling_config"] == {**ALL, "max_replicas": 30}
    assert document == before


def test_defaults_are_rays_own() -> None:
    assert RayServe.from_manifest(config({})) == RayServe()
    assert RayServe.from_manifest(config(None, num_replicas="auto")) == RayServe(max_replicas=100)
    assert RayServe.from_manifest(config({"max_replicas": 7}, num_replicas="auto")).max_replicas == 7
    older = {"smoothing_factor": 2.0, "downscale_smoothing_factor": 0.5, "max_replicas": 3}
    assert RayServe.from_manifest(config(older)) == RayServe(max_replicas=3, upscaling_factor=2, downscaling_factor=0.5)


def test_a_ray_service_holds_its_config_as_text() -> None:
    text = (
        "applications:\n  - name: app\n    import_path: a:b\n    deployments:\n      - name: llm\n"
        "        autoscaling_config: {max_replicas: 9, upscale_delay_s: 5}\n"
    )
    document = {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": "llm"},
        "spec": {"serveConfigV2": text, "rayClusterConfig": {"headGroupSpec": {}}},
    }
    policy = policy_from(document)
    assert policy == RayServe(max_replicas=9, upscale_delay=5)
    assert isinstance(policy, RayServe)
    written = policy.model_copy(update={"max_replicas": 4}).to_manifest("llm", like=document)
    assert RayServe.from_manifest(written).max_replicas == 4
    assert written["spec"]["rayClusterConfig"] == {"headGroupSpec": {}}
    for wrong, complaint in ((text.replace("5}", "-5}"), "upscale_delay_s: must be"), ("a: [", "spec.serveConf")):
        with pytest.raises(ManifestError, match=complaint) as caught:
            RayServe.from_manifest({**document, "spec": {"serveConfigV2": wrong}})
        assert caught.value.problems[0][0][:2] == ("spec", "serveConfigV2")
    with pytest.raises(ManifestError, match="must be the text of a Serve config"):
        RayServe.from_manifest({"kind": "RayService", "spec": {}})


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (config({"max_replica": 2}), "autoscaling_config.max_replica: no such key; did you mean 'max_replicas'?"),
        (config({"upscale_delay_s": "5m"}), "autoscaling_config.upscale_delay_s: "),
        (config({"upscale_delay_s": -1}), "autoscaling_config.upscale_delay_s: must be at least 0"),
        (config({"target_ongoing_requests": 0}), "autoscaling_config.target_ongoing_requests: must be above 0"),
        (config({"min_replicas": 4, "max_replicas": 2}), "autoscaling_config.min_replicas: must be at most"),
        (config({"initial_replicas": 4, "max_replicas": 2}), "autoscaling_config.initial_replicas: must be between"),
        (config({"aggregation_function": "max"}), "aggregation_function: must be mean"),
        (config({"policy": {"policy_function": "mine:policy"}}), "autoscaling_config.policy: must be left out"),
        (config({}, num_replicas=3), "deployments.1.num_replicas: must be left out or auto"),
        (config(None), "applications: no deployment has an autoscaling_config"),
        (config({}, name="a", autoscalin_config={}), "deployments.1.autoscalin_config: no such key; did you mean"),
        ({**config({}), "target_capacity": 50}, "target_capacity: must be left out or 100, got 50"),
    ],
)
def test_what_is_wrong_or_not_simulated_is_named(document: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ManifestError) as caught:
        policy_from(document)
    assert len(caught.value.problems) == 1
    assert complaint in str(caught.value)


def test_a_pool_is_one_deployment_and_its_own_master() -> None:
    document = config({})
    application = document["applications"][0]
    application["deployments"][0]["autoscaling_config"] = {}
    application["external_scaler_enabled"] = True
    with pytest.raises(ManifestError) as caught:
        policy_from(document)
    assert [at[-1] for at, _ in caught.value.problems] == ["external_scaler_enabled", "applications"]
    assert "(ingress, llm)" in str(caught.value)


def test_a_policy_without_a_target_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be above 0"):
        RayServe(target_ongoing_requests=0)
