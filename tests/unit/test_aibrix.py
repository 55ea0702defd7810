"""AIBrix's APA and KPA through `decide`: tolerances, rates, panic and cooldowns, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sim.autoscaling.observation import Decision, Observation
from sim.autoscaling.serving.aibrix import Aibrix


def decide(policy: Aibrix, current: int, *values: float, at_s: float = 0.0, memory: Any = None) -> tuple[Decision, Any]:
    answers = dict(zip(policy.queries, values, strict=False))
    return policy.decide(Observation(at_s, current, current, values=answers), memory)


def apa(**keys: Any) -> Aibrix:
    return Aibrix(metric="num_requests_running", target=10, **keys)


def kpa(**keys: Any) -> Aibrix:
    return Aibrix(algorithm="kpa", metric="num_requests_running", target=10, max_replicas=100, **keys)


def test_what_it_asks_for() -> None:
    (query,) = apa().queries
    assert (query.metric, query.how, query.across) == ("vllm:num_requests_running", "last", "mean")
    assert [(query.how, query.over_s, query.across) for query in kpa().queries] == [
        ("mean", 180, "sum"),
        ("mean", 60, "sum"),
    ]
    assert apa(sync_period="5s").pipeline.scrape_s == 5


def test_apa_tells_load_rate_and_bounds() -> None:
    decision, _ = decide(apa(max_replicas=5), 3, 30.0)
    assert (decision.replicas, decision.proposed) == (5, 9)
    assert decision.reason == "vllm:num_requests_running 30 a pod / 10 wants 6; max_replicas 5"
    decision, _ = decide(apa(), 3, 10.9)
    assert (decision.replicas, decision.proposed) == (3, 3)


@pytest.mark.parametrize(
    ("current", "stable", "panic", "wanted"),
    [
        (4, 60.0, 60.0, 6),
        (4, 60.0, 110.0, 6),  # 1.8 times the stable window is no panic
        (4, 60.0, 130.0, 8),  # 13 wanted, and twice as many allowed
        (4, 60.0, 120.0, 6),  # twice is not yet more than twice
        (4, 0.0, 30.0, 3),  # a stable window without load panics
        (4, 10.0, 10.0, 2),  # half as many at least
        (4, 41.0, 41.0, 4),  # within the tolerance of 40
        (0, 50.0, 50.0, 1),
    ],
)
def test_kpa(current: int, stable: float, panic: float, wanted: int) -> None:
    assert kpa().kpa(current, stable, panic) == wanted


def test_kpa_tells_its_mode() -> None:
    decision, _ = decide(kpa(), 4, 60.0, 130.0)
    assert (decision.replicas, decision.proposed) == (8, 13)
    assert decision.reason == "vllm:num_requests_running 130 in all over 60 s (panic) / 10 wants 8"
    decision, _ = decide(kpa(), 4, 60.0, 110.0)
    assert decision.reason == "vllm:num_requests_running 60 in all over 180 s (stable) / 10 wants 6"


def test_a_fall_waits_for_the_cooldown() -> None:
    policy, current, memory = apa(scale_down_cooldown="60s"), 8, None
    sizes = []
    for tick, usage in enumerate([10.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]):
        decision, memory = decide(policy, current, usage, at_s=10.0 * tick, memory=memory)
        current = decision.replicas
        sizes.append(current)
        if tick == 5:
            assert decision.reason == (
                "vllm:num_requests_running 5 a pod / 10 wants 4; scale_down_cooldown: 8 was wanted before"
            )
    assert sizes == [8, 8, 8, 8, 8, 8, 4]  # the 8 of 0 s is exactly 60 s old at 60 s, and no longer counts
    assert len(memory) <= 7


def test_a_rise_needs_no_cooldown_and_keeps_nothing_it_does_not_need() -> None:
    policy, memory = apa(max_replicas=100), None
    for tick, usage in enumerate([5.0, 20.0, 5.0, 20.0]):
        decision, memory = decide(policy, 4, usage, at_s=10.0 * tick, memory=memory)
        assert decision.replicas == 8 if usage == 20 else 4
    assert memory == ((30.0, 8),)


def test_a_missing_metric_changes_nothing() -> None:
    decision, memory = decide(kpa(), 4, 60.0)
    assert (decision.replicas, decision.reason) == (4, "vllm:num_requests_running is missing: stays at 4")
    assert memory == ()


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"min_replicas": 0}, "between 1 and"),
        ({"panic_window": "5m"}, "at most stable_window"),
        ({"metric": "num_request_running"}, "did you mean"),
        ({"max_scale_up_rate": 0.5}, "between 1 and"),
    ],
)
def test_wrong_keys(keys: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Aibrix(**{"metric": "num_requests_running", "target": 10, **keys})
