"""Target tracking and step scaling, by hand: alarms, cooldowns, warm-up, rounding, several policies."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sim.autoscaling.clouds.aws import TargetTracking, wanted_replicas
from sim.autoscaling.clouds.aws_step import StepPolicy, StepScaling, percent_change
from sim.autoscaling.observation import Observation
from tests.unit.cloud_policies import each, obey, pooled, sizes

BUSY = {"metric": "busy_share", "target": "50%"}


def tracking(*metrics: dict[str, Any], **keys: Any) -> TargetTracking:
    bounds = {"max_replicas": 100}
    return TargetTracking.model_validate({"metrics": metrics or (BUSY,), **bounds, **keys})


def stepping(*policies: dict[str, Any], **keys: Any) -> StepScaling:
    return StepScaling.model_validate({"policies": policies, "max_replicas": 100, **keys})


def told(policy: Any, start: int, values: list[float | None]) -> list[int]:
    """Sizes for metric values as given, whatever the size."""
    return sizes(obey(policy, start, values, lambda value, replicas: value))


def test_three_minutes_above_the_target_scale_out_in_proportion() -> None:
    decisions = obey(tracking(), 10, [0.8, 0.8, 0.8], lambda value, replicas: value)
    assert sizes(decisions) == [10, 10, 16]
    assert decisions[2].reason == "busy_share 0.8 above 0.5 in 3 of 3 datapoints, 10 replicas: wants 16"
    assert [decision.proposed for decision in decisions] == [16, 16, 16]


def test_a_datapoint_at_the_target_does_not_breach() -> None:
    assert told(tracking(), 10, [0.8, 0.5, 0.8, 0.8, 0.8]) == [10, 10, 10, 10, 16]


def test_during_the_cooldown_only_what_exceeds_the_last_scale_out_is_added() -> None:
    # 6 were added for 80 %; 100 % wants 20, not 32 of the 16; after 300 s the 16 + 4 are the base
    assert told(tracking(), 10, [0.8, 0.8, 0.8, 0.8, 1.0, 0.6]) == [10, 10, 16, 16, 20, 20]
    held = told(tracking(), 10, [0.8] * 8)
    assert held == [10, 10, 16, 16, 16, 16, 16, 26]  # the cooldown of minute 2 is over at minute 7


def test_fifteen_minutes_below_the_low_threshold_scale_in_once_a_cooldown() -> None:
    seen = told(tracking(), 10, [0.3] * 21)
    assert seen[:14] == [10] * 14
    assert seen[14] == 6  # 10 x 0.3 / 0.5
    assert seen[15:19] == [6] * 4
    assert seen[19] == 4  # 300 s later, at the same metric, 6 x 0.3 / 0.5 = 3.6


def test_scale_in_never_pushes_the_metric_over_its_target() -> None:
    # A load of 3.6 busy replicas: 10 run at 36 %, 8 would run at 45 %, 7 at 51 %.
    seen = obey(tracking(), 10, [3.6] * 40, lambda load, replicas: load / replicas)
    assert sizes(seen)[-1] == 8
    assert wanted_replicas(3, 0.1, 0.3) == 1  # not 2 for 1.0000000000000002


def test_between_the_thresholds_nothing_happens() -> None:
    assert told(tracking(), 10, [0.46] * 20) == [10] * 20


def test_a_scale_out_goes_through_during_the_cooldown_of_a_scale_in() -> None:
    assert told(tracking(), 10, [0.3] * 15 + [0.9] * 3)[-4:] == [6, 6, 6, 11]


def test_missing_data_changes_nothing() -> None:
    assert told(tracking(), 10, [0.8, 0.8, None, 0.8, None, 0.8]) == [10] * 6
    assert told(tracking(), 10, [0.1] * 14 + [None] + [0.1] * 14) == [10] * 29
    assert "no datapoint" in obey(tracking(), 10, [None], lambda value, replicas: value)[0].reason


def test_several_targets_out_if_any_in_if_all() -> None:
    both = tracking(BUSY, {"metric": "concurrency", "target": 8})
    memory, seen = None, []
    for tick in range(18):
        load = (0.2, 20.0) if tick < 3 else (0.2, 7.9)
        decision, memory = both.decide(pooled(both, tick * 60.0, 10, *load), memory)
        seen.append(decision.replicas)
    assert seen[2] == 25  # 10 x 20 / 8
    assert set(seen[3:]) == {10}  # busy_share's low alarm is on, the other's is not


def test_a_metric_without_scale_in_does_not_keep_others_from_it() -> None:
    two = tracking(BUSY, {"metric": "concurrency", "target": 8, "disable_scale_in": True})
    memory = None
    for tick in range(15):
        decision, memory = two.decide(pooled(two, tick * 60.0, 10, 0.2, 7.9), memory)
    assert decision.replicas == 4


def test_requests_per_target_are_the_pools_total_over_what_is_ready() -> None:
    for keys in ({}, {"style": "asg"}):
        policy = tracking({"metric": "requests_total", "target": "120/min"}, **keys)
        rate = next(query for query in policy.queries if query.metric == "requests_total")
        assert (rate.how, rate.across) == ("rate", "sum")
        pods = each(policy, 0.0, [(name, "ready", None) for name in range(4)]).pods
        memory = None
        for minute in range(3):
            seen = Observation(minute * 60.0, 4, 4, values={rate: 10.0}, pods=pods)
            decision, memory = policy.decide(seen, memory)
        assert decision.replicas == 5  # 2.5/s each for a target of 2/s
        assert policy.decide(Observation(180.0, 4, 0, 4, values={rate: 10.0}, pods=pods), memory)[0].replicas == 4


def test_shares_are_averaged_and_latencies_are_of_requests() -> None:
    policy = tracking(BUSY, {"metric": "vllm:time_to_first_token_seconds", "how": "p99", "target": "500ms"})
    assert [(query.how, query.across) for query in policy.queries] == [("mean", "mean"), ("p99", "sum")]
    memory = None
    for minute in range(3):
        values = dict(zip(policy.queries, (0.4, 0.75), strict=True))
        decision, memory = policy.decide(Observation(minute * 60.0, 4, 4, values=values), memory)
    assert decision.replicas == 6


def test_between_datapoints_there_is_no_evaluation() -> None:
    policy, memory = tracking(), None
    for tick in range(12):  # asked every 15 s: three datapoints, at 0, 60 and 120 s
        decision, memory = policy.decide(pooled(policy, tick * 15.0, 10, 0.8), memory)
        assert decision.replicas == (16 if tick == 8 else 10)


def test_auto_scaling_group_leaves_warming_machines_out_and_waits_with_scale_in() -> None:
    policy = tracking(style="asg", instance_warmup="300s")
    old = [(name, "ready", 0.8) for name in range(10)]
    memory = None
    for tick in range(3):
        decision, memory = policy.decide(each(policy, tick * 60.0, old), memory)
    assert decision.replicas == 16
    # Six machines run from minute 3 at 0 %: the mean of the ten others counts, and what they want is on its way.
    new = old + [(name, "ready", 0.0) for name in range(10, 16)]
    decision, memory = policy.decide(each(policy, 180.0, new), memory)
    assert (decision.replicas, decision.reason[:14]) == (16, "busy_share 0.8")
    low = [(name, "ready", 0.1) for name in range(16)]
    for tick in range(4, 8):
        decision, memory = policy.decide(each(policy, tick * 60.0, low), memory)
        assert decision.replicas == 16
    assert memory.points[0][-4:] == (0.1, 0.1, 0.1, 0.1)
    for tick in range(8, 19):
        decision, memory = policy.decide(each(policy, tick * 60.0, low), memory)
    assert decision.replicas == 4  # the fifteenth low datapoint; all are warm since minute 8


def test_auto_scaling_group_holds_a_scale_in_while_a_machine_is_on_its_way() -> None:
    policy = tracking(style="asg")
    memory = None
    pods = [(name, "ready", 0.1) for name in range(9)] + [(9, "pending", None)]
    for tick in range(16):
        decision, memory = policy.decide(each(policy, tick * 60.0, pods), memory)
    assert decision.replicas == 10
    assert "1 replicas warm up" in decision.reason


@pytest.mark.parametrize(
    ("base", "percent", "least", "change"),
    [
        (10, 30, None, 3),
        (10, 67, None, 6),  # 6.7 down
        (10, 5, None, 1),  # 0.5 up to 1
        (10, -5, None, -1),
        (10, -67, None, -6),  # towards 0
        (4, 25, 2, 2),
        (4, -25, 2, -2),
        (0, 50, None, 0),
    ],
)
def test_percentages_are_rounded_as_documented(base: int, percent: int, least: int | None, change: int) -> None:
    assert percent_change(base, percent, least) == change


WAITING = "vllm:num_requests_waiting"
OUT = {
    "metric": WAITING,
    "threshold": 60,
    "comparison": "GreaterThanOrEqualToThreshold",
    "adjustment_type": "PercentChangeInCapacity",
    "steps": [{"upper": 10, "adjustment": 10}, {"lower": 10, "adjustment": 30}],
}


def test_step_bounds_lower_inclusive_above_the_threshold_upper_inclusive_below() -> None:
    steps = [{"lower": 0, "upper": 10, "adjustment": 1}, {"lower": 10, "adjustment": 3}]
    high = StepPolicy.model_validate({**OUT, "adjustment_type": "ChangeInCapacity", "steps": steps})
    assert [high.step_for(breach) for breach in (0.0, 9.99, 10.0)] == [high.steps[0], high.steps[0], high.steps[1]]
    assert high.step_for(-0.1) is None
    low_steps = [{"lower": -10, "upper": 0, "adjustment": -1}, {"upper": -10, "adjustment": -3}]
    low = StepPolicy.model_validate(
        {"metric": WAITING, "threshold": 40, "comparison": "LessThanOrEqualToThreshold", "steps": low_steps}
    )
    assert [low.step_for(breach) for breach in (0.0, -9.99, -10.0)] == [low.steps[0], low.steps[0], low.steps[1]]


@pytest.mark.parametrize("style", ["application", "asg"])
def test_capacity_in_flight_counts_ten_and_ten_percent_then_thirty_is_thirteen(style: str) -> None:
    policy = stepping(OUT, style=style)
    if style == "application":
        assert told(policy, 10, [60, 70]) == [11, 13]
        return
    pods = [(name, "ready", 60.0) for name in range(10)]
    first, memory = policy.decide(each(policy, 0.0, pods), None)
    more = [(name, "ready", 70.0) for name in range(10)] + [(10, "starting", None)]
    second, _ = policy.decide(each(policy, 60.0, more), memory)
    assert (first.replicas, second.replicas) == (11, 13)


def test_ecs_example_two_were_added_then_three_adds_one() -> None:
    steps = [{"upper": 10, "adjustment": 2}, {"lower": 10, "adjustment": 3}]
    policy = stepping({**OUT, "adjustment_type": "ChangeInCapacity", "steps": steps})
    assert told(policy, 4, [60, 60, 70]) == [6, 6, 7]


def test_exact_capacity_and_scale_in_with_its_cooldown() -> None:
    low = {
        "metric": WAITING,
        "threshold": 5,
        "comparison": "LessThanThreshold",
        "alarm": {"datapoints": 2, "periods": 3},
        "steps": [{"upper": 0, "adjustment": -2}],
    }
    assert told(stepping(low), 10, [1, 9, 1, 1, 1, 1, 1, 1]) == [10, 10, 8, 8, 8, 8, 8, 6]
    exact = {**low, "adjustment_type": "ExactCapacity", "steps": [{"upper": 0, "adjustment": 3}]}
    assert told(stepping(exact), 10, [1, 1]) == [10, 3]


def test_of_a_scale_in_and_a_scale_out_the_larger_fleet_wins() -> None:
    low = {
        "metric": "busy_share",
        "threshold": "50%",
        "comparison": "LessThanThreshold",
        "steps": [{"upper": 0, "adjustment": -2}],
    }
    policy = stepping(OUT, low)
    decision, _ = policy.decide(pooled(policy, 0.0, 10, 75, 0.1), None)
    assert decision.replicas == 13
    decision, _ = policy.decide(pooled(policy, 0.0, 10, 0, 0.1), None)
    assert decision.replicas == 8
    decision, _ = policy.decide(pooled(policy, 0.0, 10, 0, None), None)
    assert decision.replicas == 10


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"style": "asg", "scale_in_cooldown": "1m"}, "scale_in_cooldown"),
        ({"instance_warmup": "1m"}, "instance_warmup"),
        ({"high_alarm": {"datapoints": 4, "periods": 3}}, "datapoints"),
        ({"metrics": [{**BUSY, "across": "sum"}]}, "across"),
        ({"metrics": [{"metric": "requests_total", "target": 5, "how": "last"}]}, "how"),
        ({"metrics": [{"metric": "requests_total", "target": 5, "across": "max"}]}, "across"),
        ({"metrics": [{"metric": "num_requests_wating", "target": 5}]}, "metric"),
        ({"metrics": []}, "metrics"),
        ({"predictive": True}, "predictive"),
    ],
)
def test_what_it_cannot_do_is_refused(keys: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as found:
        tracking(**keys)
    error = found.value.errors()[0]
    assert where in (*error["loc"], *error.get("ctx", {}).get("at", ()))


@pytest.mark.parametrize(
    "steps",
    [
        [{"lower": 0, "upper": 10, "adjustment": 1}, {"lower": 5, "adjustment": 2}],
        [{"lower": 0, "upper": 10, "adjustment": 1}, {"lower": 20, "adjustment": 2}],
        [{"lower": 10, "upper": 10, "adjustment": 1}],
        [],
    ],
)
def test_steps_with_gaps_or_overlaps_are_refused(steps: list[dict[str, int]]) -> None:
    with pytest.raises(ValidationError):
        stepping({**OUT, "steps": steps})
