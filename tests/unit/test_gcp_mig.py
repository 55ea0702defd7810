"""The autoscaler of managed instance groups, by hand: peak, initialization, scale-in control, modes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sim.autoscaling.clouds.gcp_mig import GcpMig, with_peak
from sim.autoscaling.observation import Decision, Observation, Pod
from tests.unit.cloud_policies import each, sizes

SIGNAL = {"metric": "concurrency", "target": 10}


def group(**keys: Any) -> GcpMig:
    return GcpMig.model_validate({"signals": [SIGNAL], "max_replicas": 100, **keys})


def run(policy: GcpMig, start: int, totals: list[float]) -> list[Decision]:
    """Decisions, one a minute, for a group whose VMs share a load evenly and are there at once."""
    current, memory, decisions = start, None, []
    for minute, total in enumerate(totals):
        pods = [(name, "ready", total / current) for name in range(current)]
        decision, memory = policy.decide(each(policy, minute * 60.0, pods), memory)
        decisions.append(decision)
        current = decision.replicas
    return decisions


def test_size_is_the_sum_over_the_target_and_stays_for_the_stabilization_period() -> None:
    decisions = run(group(), 2, [20, 75, *[20] * 12])
    assert sizes(decisions) == [2, 8, *[8] * 9, 2, 2, 2]  # the peak of minute 1 is gone 10 minutes later
    assert decisions[1].reason == "concurrency 75 / 10 needs 8"
    assert decisions[5].reason == "concurrency 20 / 10 needs 2; peak of the last 600 s needs 8"
    assert decisions[5].proposed == 2


def test_a_long_initialization_period_makes_the_stabilization_longer() -> None:
    assert group(initialization_period="15m").stable_s == 900
    assert group(initialization_period="5m").stable_s == 600
    assert group(initialization_period="15m", stabilization_period="2m").stable_s == 120


def test_scale_in_control_is_measured_from_the_peak_of_its_window() -> None:
    control = {"max_scaled_in_replicas": 3, "time_window": "5m"}
    seen = sizes(run(group(stabilization_period="1s", scale_in_control=control), 10, [100, *[10] * 12]))
    # 10 was last the size at minute 1: at minute 6 the peak of the window is 7
    assert seen == [10, 7, 7, 7, 7, 7, 4, 4, 4, 4, 4, 1, 1]
    share = {"max_scaled_in_percent": "25%", "time_window": "5m"}
    assert sizes(run(group(stabilization_period="1s", scale_in_control=share), 10, [100, 10]))[-1] == 7  # 2.5 up


def test_initializing_vms_do_not_count_for_scale_out_but_do_for_scale_in() -> None:
    policy = group(initialization_period="5m")
    old = [(0, "ready", 10.0), (1, "ready", 10.0)]
    _, memory = policy.decide(each(policy, 0.0, old), None)
    hot = [*old, (2, "ready", 90.0)]  # started at 60 s; alone it would want nine more
    decision, memory = policy.decide(each(policy, 60.0, hot), memory)
    assert decision.replicas == 3
    decision, _ = policy.decide(each(policy, 360.0, hot), memory)
    assert decision.replicas == 11  # 300 s later its data counts


def test_modes() -> None:
    assert sizes(run(group(mode="OFF"), 5, [90, 10])) == [5, 5]
    assert sizes(run(group(mode="ONLY_SCALE_OUT", stabilization_period="0s"), 5, [90, 10])) == [9, 9]


def test_a_missing_signal_keeps_the_group_from_shrinking() -> None:
    policy = group(signals=[SIGNAL, {"metric": "busy_share", "target": "50%"}], stabilization_period="0s")
    one, other = policy.queries

    def seen(**values: float) -> Observation:
        answers = {one: values["one"]} | ({other: values["other"]} if "other" in values else {})
        return Observation(0.0, 4, 4, pods=tuple(Pod(name, "ready", answers) for name in range(4)))

    assert policy.decide(seen(one=2.0, other=0.3), None)[0].replicas == 3  # 1 and 1.2 / 0.5
    held = policy.decide(seen(one=2.0), None)[0]
    assert (held.replicas, "signal is missing" in held.reason) == (4, True)
    assert policy.decide(seen(one=20.0), None)[0].replicas == 8
    nothing = policy.decide(Observation(0.0, 4, 4), None)[0]
    assert (nothing.replicas, nothing.reason) == (4, "no data of concurrency, busy_share")


def test_a_counter_is_of_the_whole_group() -> None:
    policy = group(signals=[{"metric": "requests_total", "target": "2/s"}])
    rate = next(query for query in policy.queries if query.metric == "requests_total")
    decision, _ = policy.decide(Observation(0.0, 2, 2, values={rate: 13.0}), None)
    assert decision.replicas == 7


def test_only_the_peaks_that_can_matter_are_remembered() -> None:
    peaks: tuple[tuple[float, int], ...] = ()
    for at_s, size in enumerate([5, 9, 3, 4, 4]):
        peaks = with_peak(peaks, float(at_s), size, 4.0)
    assert peaks == ((1.0, 9), (4.0, 4))
    assert with_peak(peaks, 5.0, 1, 4.0) == ((4.0, 4), (5.0, 1))


@pytest.mark.parametrize(
    "keys",
    [
        {"scale_in_control": {"time_window": "5m"}},
        {"scale_in_control": {"time_window": "5m", "max_scaled_in_replicas": 1, "max_scaled_in_percent": "10%"}},
        {"signals": [{**SIGNAL, "across": "sum"}]},
        {"signals": [{"metric": "vllm:time_to_first_token_seconds", "target": "1s"}]},
        {"predictive_method": "OPTIMIZE_AVAILABILITY"},
    ],
)
def test_what_it_cannot_do_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        group(**keys)
