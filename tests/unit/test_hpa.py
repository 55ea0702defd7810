"""The HPA as a policy: whole sequences, pods in their classes, several metrics, what it says and refuses."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from sim.autoscaling.kubernetes.hpa import Hpa
from sim.autoscaling.observation import BUSY_SHARE, KV_USAGE, RUNNING, TTFT, WAITING, Decision, Observation, Pod, Query

QUEUE = {"metric": "num_requests_waiting", "type": "AverageValue", "target": 1}
BUSY = {"metric": "busy_share", "type": "Utilization", "target": 80}
EACH_BUSY, EACH_KV = Query(BUSY_SHARE, across="each"), Query(KV_USAGE, across="each")


def hpa(*metrics: dict[str, Any], **fields: Any) -> Hpa:
    return Hpa.model_validate({"kind": "hpa", "max_replicas": 64, "metrics": metrics or (QUEUE,), **fields})


def waiting(at_s: float, current: int, value: float | None, ready: int | None = None) -> Observation:
    """A pool whose replicas are all ready, unless it is told how many are."""
    ready = current if ready is None else ready
    return Observation(at_s, current, ready, current - ready, {} if value is None else {Query(WAITING): value})


def pods(query: Query, *values: float | str | None) -> tuple[Pod, ...]:
    """Ready pods with a value or without, or pods in the phase that is named, also with one behind a colon."""
    made = []
    for name, given in enumerate(values):
        phase, _, text = given.partition(":") if isinstance(given, str) else ("ready", "", given)
        held = {} if text in ("", None) else {query: float(text)}
        made.append(Pod(name, phase, held))  # type: ignore[arg-type]
    return tuple(made)


def on_pods(policy: Hpa, query: Query, *values: float | str | None) -> Decision:
    seen = pods(query, *values)
    ready = sum(pod.phase == "ready" for pod in seen)
    return policy.decide(Observation(1e4, len(seen), ready, len(seen) - ready, pods=seen), None)[0]


def sizes(policy: Hpa, wishes: list[float | None], start: int = 1, every_s: float = 15.0) -> list[int]:
    """Sizes after each sync of a pool that follows at once."""
    current, memory, found = start, None, []
    for index, wish in enumerate(wishes):
        decision, memory = policy.decide(waiting(index * every_s, current, wish), memory)
        current = decision.replicas
        found.append(current)
    return found


def test_from_one_to_sixty_four() -> None:
    assert [1, *sizes(hpa(), [1000.0] * 5)] == [1, 4, 8, 16, 32, 64]
    assert [1, *sizes(hpa(behavior={}), [1000.0] * 5)] == [1, 5, 10, 20, 40, 64]


def test_a_fresh_controller_scales_down_after_the_window() -> None:
    down = [20.0] + [2.0] * 22
    assert sizes(hpa(), down, start=20).index(2) == 21  # a wish exactly 300 s old still counts
    assert sizes(hpa(behavior={}), down, start=20).index(2) == 20
    assert sizes(hpa(), [2.0] * 22, start=20).index(2) == 21  # the size at first sight counts as a wish
    assert sizes(hpa(downscale_stabilization="30s"), [2.0] * 5, start=20) == [20, 20, 20, 2, 2]
    window = {"scale_down": {"stabilization_window": "30s"}}
    assert sizes(hpa(behavior=window), [2.0] * 5, start=20) == [20, 20, 2, 2, 2]


def test_giving_policies_replaces_those_of_one_direction_only() -> None:
    one = {"scale_up": {"policies": [{"type": "Pods", "value": 1, "period": "60s"}]}}
    policy = hpa(behavior=one)
    assert sizes(policy, [10.0] * 9) == [2, 2, 2, 2, 3, 3, 3, 3, 4]
    assert policy.behavior is not None
    assert [each.type for each in policy.behavior.scale_down.policies] == ["Percent"]
    slow = {"scale_down": {"stabilization_window": 0, "policies": [{"type": "Percent", "value": 50, "period": "15s"}]}}
    assert sizes(hpa(behavior=slow), [0.0] * 5, start=21) == [10, 5, 2, 1, 1]


def test_a_rate_is_counted_in_doubles_as_the_controller_does() -> None:
    tenth = {"scale_up": {"policies": [{"type": "Percent", "value": 10, "period": "15s"}]}}
    assert sizes(hpa(behavior=tenth, max_replicas=200), [1e6], start=100) == [111]


def test_tolerance_is_of_each_direction_and_inclusive() -> None:
    assert sizes(hpa(max_replicas=200), [110.0], start=100) == [100]
    assert sizes(hpa(max_replicas=200), [110.2], start=100) == [111]
    own = {"scale_up": {"tolerance": 0}, "scale_down": {"tolerance": "20%", "stabilization_window": 0}}
    assert sizes(hpa(behavior=own, max_replicas=200), [101.0], start=100) == [101]
    assert sizes(hpa(behavior=own, max_replicas=200), [80.0], start=100) == [100]
    assert sizes(hpa(behavior=own, max_replicas=200), [79.0], start=100) == [79]


def test_bounds_come_before_metrics_windows_and_rates() -> None:
    policy = hpa(min_replicas=5, max_replicas=8, behavior={})
    below, memory = policy.decide(waiting(0.0, 2, None), None)
    assert below.replicas == 5
    assert memory.ups == ((3, 0.0),)  # the jump uses up what the policies allow
    above, memory = policy.decide(waiting(0.0, 20, None), None)
    assert above.replicas == 8
    assert memory.downs == ((12, 0.0),)


def test_a_target_at_zero_sleeps_unless_the_minimum_is_zero() -> None:
    assert sizes(hpa(), [60.0], start=0) == [0]
    wakes = hpa({"metric": WAITING, "target": 5}, min_replicas=0)
    assert sizes(wakes, [60.0], start=0) == [4]  # 12 are wanted; from few, 4 at a time
    assert sizes(wakes, [0.0], start=0) == [0]
    with pytest.raises(ValidationError, match="must be at least 1 without an object or external metric"):
        hpa(BUSY, min_replicas=0)


def test_the_worked_queue_and_its_reason() -> None:
    policy = hpa({"metric": WAITING, "target": 5})
    decision, _ = policy.decide(waiting(0.0, 4, 60.0), None)
    assert decision.proposed == 12
    assert decision.reason == "num_requests_waiting 60 / 5 wants 12; scale-up limit max(2 x 4, 4) = 8"
    decision, _ = policy.decide(waiting(0.0, 4, 5.0), None)
    assert (decision.replicas, decision.proposed) == (4, 1)
    assert decision.reason == "num_requests_waiting 5 / 5 wants 1; scale-down window of 300s holds 4"


def test_an_average_of_a_total_counts_every_replica_a_value_only_ready_ones() -> None:
    total = hpa({"metric": WAITING, "target": 5}, max_replicas=100)
    assert total.decide(waiting(0.0, 8, 60.0, ready=3), None)[0].proposed == 12
    value = hpa({"metric": WAITING, "target": 20, "type": "Value"}, max_replicas=100)
    assert value.decide(waiting(0.0, 8, 60.0, ready=3), None)[0].proposed == 9


def test_pods_that_load_weights_dampen_both_directions() -> None:
    policy = hpa({"metric": KV_USAGE, "type": "AverageValue", "target": "50%", "source": "pods"})
    assert on_pods(policy, EACH_KV, 1.0, 1.0).proposed == 4
    assert on_pods(policy, EACH_KV, 1.0, 1.0, "starting", "starting").proposed == 4  # 2 of 4 counted as 0: no change
    assert on_pods(policy, EACH_KV, 1.0, 1.0, "starting").proposed == 4
    assert on_pods(policy, EACH_KV, 0.1, 0.1).proposed == 1
    assert on_pods(policy, EACH_KV, 0.1, 0.1, "starting", "starting").proposed == 3  # they count as at the target
    assert on_pods(policy, EACH_KV, 1.0, 1.0, "pending").proposed == 4  # unready: counted as 0 on the way up
    assert on_pods(policy, EACH_KV, 0.1, 0.1, "pending").proposed == 1  # and not at all on the way down
    assert on_pods(policy, EACH_KV, 1.0, 1.0, "failed", "failed").proposed == 4  # never counted
    assert on_pods(policy, EACH_KV, 1.0, None).proposed == 2  # ready without a value is missing too
    assert on_pods(policy, EACH_KV, 1.0, "starting:1.0").proposed == 4  # with a value, readiness does not matter
    assert on_pods(policy, EACH_KV, "starting", "pending").proposed is None


def test_utilization_is_cut_to_whole_percent() -> None:
    policy = hpa({"metric": "busy_share", "type": "Utilization", "target": "50%"})
    assert on_pods(policy, EACH_BUSY, 0.559, 0.559).replicas == 2  # 55 %, within the tolerance
    decision = on_pods(policy, EACH_BUSY, 0.9, 0.6)
    assert decision.reason == "busy_share 75% against 50% wants 3"
    assert on_pods(policy, EACH_BUSY, 0.0, "starting", "starting").proposed == 3  # at 100 % of their request, not 50 %


def test_cpu_of_a_pod_counts_once_it_is_ready_and_sampled() -> None:
    """Two replicas are there; a third starts at 15 s and is ready at 30 s. CPU only: its value is not believed."""
    policy = hpa({"metric": "busy_share", "type": "Utilization", "target": 50}, behavior={})
    phases = {0.0: (), 15.0: ("starting:1.0",), 30.0: (1.0,), 60.0: (1.0,), 75.0: (1.0,)}
    found, memory = {}, None
    for at_s, third in phases.items():
        seen = pods(EACH_BUSY, 1.0, 1.0, *third)
        ready = sum(pod.phase == "ready" for pod in seen)
        decision, memory = policy.decide(Observation(at_s, 3, ready, len(seen) - ready, pods=seen), memory)
        found[at_s] = decision.reason.split(" wants")[0]
    unbelieved = "busy_share 100% against 50%, 1 unready"
    assert found == {0.0: found[0.0], 15.0: unbelieved, 30.0: unbelieved, 60.0: unbelieved, 75.0: found[0.0]}
    assert found[0.0] == "busy_share 100% against 50%"
    other = hpa({"metric": KV_USAGE, "type": "Utilization", "target": 50})
    assert "unready" not in on_pods(other, EACH_KV, 1.0, 1.0, "starting:1.0").reason


def test_the_largest_of_several_metrics_wins() -> None:
    policy = hpa({"metric": WAITING, "target": 5}, {"metric": RUNNING, "target": 10})
    seen = Observation(0.0, 4, 4, values={Query(WAITING): 5.0, Query(RUNNING): 70.0})
    decision, _ = policy.decide(seen, None)
    assert (decision.proposed, decision.reason) == (7, "num_requests_running 70 / 10 wants 7")


def test_a_metric_without_a_value_blocks_scaling_down_only() -> None:
    policy = hpa({"metric": WAITING, "target": 5}, {"metric": RUNNING, "target": 10}, downscale_stabilization=0)
    up, _ = policy.decide(Observation(0.0, 4, 4, values={Query(RUNNING): 70.0}), None)
    assert up.replicas == 7
    down, memory = policy.decide(Observation(0.0, 4, 4, values={Query(RUNNING): 10.0}), None)
    assert (down.replicas, down.proposed) == (4, None)
    assert down.reason == (
        "no change: num_requests_running 10 / 10 wants 1, but num_requests_waiting has no value, "
        "which blocks scaling down"
    )
    assert memory.recommendations == ((4, 0.0),)  # and no wish is remembered
    nothing, _ = policy.decide(Observation(0.0, 4, 4), None)
    assert nothing.reason == "no change: num_requests_waiting has no value, num_requests_running has no value"


def test_memory_is_small_and_can_be_stored() -> None:
    policy = hpa(behavior={})
    current, memory = 1, None
    for index in range(2000):
        decision, memory = policy.decide(waiting(index * 15.0, current, 10.0 + 50.0 * (index % 40 == 0)), memory)
        current = decision.replicas
    assert memory is not None
    assert len(memory.recommendations) <= 22
    assert len(memory.ups) <= 2
    assert pickle.loads(pickle.dumps(memory)) == memory


def test_what_it_asks_the_pipeline() -> None:
    asked = hpa(
        QUEUE,
        {"metric": KV_USAGE, "target": 0.8, "type": "Value"},
        {"metric": KV_USAGE, "target": 0.8},
        BUSY,
        {"metric": "time_to_first_token_seconds", "type": "Value", "target": "500m", "how": "p99", "over": "2m"},
    ).queries
    assert asked == (
        Query(WAITING),
        Query(KV_USAGE, across="mean"),
        Query(KV_USAGE),  # the HPA divides by the replicas itself
        EACH_BUSY,
        Query(TTFT, "p99", 120.0),
    )


@pytest.mark.parametrize(
    ("metric", "complaint"),
    [
        ({**QUEUE, "metric": "num_request_waiting"}, "did you mean 'num_requests_waiting'"),
        ({**QUEUE, "target": 0}, "must be above 0"),
        ({**QUEUE, "type": "Utilization", "target": 80}, "is not a share of a replica"),
        ({**BUSY, "source": "external"}, "must be resource for a Utilization"),
        ({**BUSY, "target": 0.8}, "must be a whole percentage"),
        ({**QUEUE, "type": "Value", "source": "pods"}, "must be object or external for a Value"),
        ({**QUEUE, "across": "each"}, "must be sum, mean or max for external metrics"),
        ({**QUEUE, "metric": "requests_total"}, "must be rate"),
        ({**QUEUE, "metric": TTFT}, "must be mean, p50"),
        ({**QUEUE, "how": "p99"}, "must be last, mean, max or min"),
        ({**QUEUE, "how": "max"}, "is missing: the window"),
    ],
)
def test_metrics_that_mean_nothing_are_refused(metric: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        hpa(metric)


def test_what_holds_anyway_may_be_said() -> None:
    said = hpa({**QUEUE, "metric": WAITING, "source": "external", "across": "sum", "how": "last", "over": 0})
    assert said == hpa(QUEUE)
