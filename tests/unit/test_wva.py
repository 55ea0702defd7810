"""The workload-variant-autoscaler, by hand: both analyses, and the HPA that applies their gauge."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from sim.autoscaling.observation import (
    FINISHED,
    GENERATION_TOKENS,
    KV_USAGE,
    PROMPT_TOKENS,
    REQUESTS,
    WAITING,
    Decision,
    Observation,
    Pod,
)
from sim.autoscaling.serving.wva import Wva
from sim.autoscaling.serving.wva_saturation import (
    Engine,
    Requests,
    Thresholds,
    TokenCapacity,
    steady_tokens,
    token_capacity,
    token_target,
)

QUICK = {"scale_up": {"stabilization_window": 0}, "scale_down": {"stabilization_window": 0}}
LENGTHS = {PROMPT_TOKENS: 2000.0, REQUESTS: 2.0, GENERATION_TOKENS: 400.0, FINISHED: 2.0}


def wva(**keys: Any) -> Wva:
    return Wva.model_validate({"max_replicas": 64, **keys})


def fleet(policy: Wva, at_s: float, loads: list[tuple[float, float]], current: int | None = None) -> Observation:
    """Replicas that report KV share and queue; those of `current` beyond them start."""
    asks = {query.metric: query for query in policy.queries}
    size = len(loads) if current is None else current
    pods = tuple(
        Pod(index, "ready", {asks[KV_USAGE]: kv, asks[WAITING]: queue}) for index, (kv, queue) in enumerate(loads)
    )
    values = {asks[metric]: value for metric, value in LENGTHS.items() if metric in asks}
    return Observation(at_s, size, len(loads), size - len(loads), values, pods)


def run(policy: Wva, start: int, load: tuple[float, float], until_s: float) -> list[tuple[float, Decision]]:
    """Decisions for a fleet in which every replica always shows the same load and is there at once."""
    at_s, current, memory, decisions = 0.0, start, None, []
    while at_s <= until_s:
        decision, memory = policy.decide(fleet(policy, at_s, [load] * current), memory)
        decisions.append((at_s, decision))
        current = decision.replicas
        assert decision.next_s is not None
        at_s = decision.next_s
    return decisions


def changes(decisions: list[tuple[float, Decision]]) -> list[tuple[float, int]]:
    sizes = [(at_s, decision.replicas) for at_s, decision in decisions]
    return [sizes[0]] + [after for before, after in pairwise(sizes) if after[1] != before[1]]


def test_gauge_is_seen_late_and_one_is_added_an_analysis() -> None:
    # 30 s until the HPA sees the gauge; the analysis at 60 s finds the fleet where it wanted it
    quick = wva(behavior=QUICK)
    decisions = run(quick, 2, (0.75, 0), 150)
    assert changes(decisions) == [(0.0, 2), (30.0, 3), (90.0, 4), (150.0, 5)]
    assert decisions[0][1].proposed == 3
    assert decisions[2][1].reason == (
        "wva_desired_replicas 3 / 1 wants 3 (v1: spare KV 0.05 (trigger 0.1), spare queue 5 (trigger 3), "
        "2 of 2 not saturated: wants 3)"
    )


def test_the_charts_windows_hold_for_240_seconds() -> None:
    up = changes(run(wva(), 2, (0.75, 0), 300))
    assert up == [(0.0, 2), (240.0, 3)]  # the size at first sight leaves the window
    down = changes(run(wva(), 4, (0.1, 0), 300))
    assert down == [(0.0, 4), (240.0, 3)]


def test_nothing_is_wanted_while_replicas_are_on_their_way() -> None:
    policy = wva()
    decision, memory = policy.decide(fleet(policy, 0.0, [(0.75, 0)] * 2), None)
    assert decision.proposed == 3
    decision, memory = policy.decide(fleet(policy, 60.0, [(0.9, 9)] * 2), memory)
    assert (decision.proposed, "waits for 3 replicas" in decision.reason) == (3, True)
    decision, memory = policy.decide(fleet(policy, 120.0, [(0.9, 9)] * 2, current=3), memory)
    assert (decision.proposed, "2 of 3 replicas report" in decision.reason) == (3, True)
    decision, _ = policy.decide(fleet(policy, 180.0, [(0.9, 9)] * 3), memory)
    assert decision.proposed == 4


def test_ten_replicas_never_follow_a_gauge_of_eleven_unless_the_tolerance_allows_it() -> None:
    assert changes(run(wva(behavior=QUICK), 9, (0.75, 0), 600)) == [(0.0, 9), (30.0, 10)]
    exact = {"scale_up": {"stabilization_window": 0, "tolerance": 0}}
    assert changes(run(wva(behavior=exact), 10, (0.75, 0), 40)) == [(0.0, 10), (30.0, 11)]


def test_without_metrics_the_gauge_stays() -> None:
    policy = wva()
    decision, memory = policy.decide(fleet(policy, 0.0, [], current=3), None)
    assert (decision.replicas, decision.proposed) == (3, 3)
    decision, _ = policy.decide(fleet(policy, 60.0, [], current=4), memory)
    assert decision.proposed == 3


def test_token_demand_and_capacity_by_hand() -> None:
    engine, lengths, limits = Engine(100_000), Requests(1000.0, 200.0), Thresholds()
    calm = token_capacity([(0.5, 2), (0.3, 0)], engine, lengths, limits, ())
    assert calm == TokenCapacity(82_000.0, 80_000.0, ())  # 50,000 + 2 x 1000 + 30,000
    full = token_capacity([(0.6, 7), (0.3, 0)], engine, lengths, limits, ())
    # compute holds 60,000 where the queue is full, and so the other one is judged too
    assert full == TokenCapacity(97_000.0, 60_000.0, (("medium", (60_000.0,)),))
    later = token_capacity([(0.3, 0)], engine, lengths, limits, (("medium", (60_000.0, 50_000.0)),))
    assert later.replica_tokens == 55_000.0
    other = token_capacity([(0.3, 0)], engine, Requests(1000.0, 600.0), limits, later.history)
    assert other.replica_tokens == 80_000.0  # long outputs were never seen to saturate
    many = (("medium", tuple(float(tokens) for tokens in range(1, 11))),)
    assert token_capacity([(0.6, 7)], engine, lengths, limits, many).history[0][1][-2:] == (10.0, 60_000.0)
    assert len(token_capacity([(0.6, 7)], engine, lengths, limits, many).history[0][1]) == 10


def test_capacity_from_batch_limits_while_nothing_was_seen() -> None:
    # 8192 x 200 / 1200 is more than 64 sequences; 64 x (1000 + 100)
    assert steady_tokens(Engine(100_000, 8192, 64), Requests(1000.0, 200.0)) == 70_400
    assert steady_tokens(Engine(100_000, 1200, 256), Requests(1000.0, 200.0)) == 220_000
    assert steady_tokens(Engine(100_000), Requests(1000.0, 200.0)) == 0
    found = token_capacity([(0.3, 0)], Engine(100_000, 8192, 64), Requests(1000.0, 200.0), Thresholds(), ())
    assert found.replica_tokens == 70_400.0


@pytest.mark.parametrize(
    ("demand", "current", "ready", "wanted"),
    [
        (150_000, 2, 2, 3),  # 176,471 - 160,000 required
        (136_000, 2, 2, 2),  # exactly 160,000
        (150_000, 3, 2, 3),  # one is on its way
        (400_000, 2, 2, 6),  # 470,588 - 160,000: 3.9 of 80,000
        (112_000, 4, 4, 2),  # 320,000 - 160,000 spare
        (113_000, 4, 4, 3),
        (0, 4, 4, 1),  # one stays
        (100_000, 4, 2, 4),  # what is not ready is not spare
    ],
)
def test_token_targets_by_hand(demand: float, current: int, ready: int, wanted: int) -> None:
    found = TokenCapacity(demand, 80_000.0, ())
    assert token_target(found, current, ready, 0.85, 0.7)[0] == wanted


def test_version_two_wants_all_at_once() -> None:
    policy = wva(version="v2", kv_capacity_tokens=100_000, behavior=QUICK)
    decision, memory = policy.decide(fleet(policy, 0.0, [(0.75, 4), (0.75, 4)]), None)
    # 2 x (75,000 + 4 x 1000) / 0.85 - 160,000: one more
    assert decision.proposed == 3
    assert "158000 tokens for 2 ready of 80000 each: 25882 required" in decision.reason
    decision, memory = policy.decide(fleet(policy, 60.0, [(0.79, 30), (0.79, 30)]), memory)
    assert decision.proposed == 4  # 218,000 / 0.85 - 2 x 79,000 = 98,471


def test_a_rate_that_is_a_rounding_error_says_nothing_of_a_request() -> None:
    """5 tokens a second over 1e-307 requests a second: no request has 1e307 tokens."""
    policy = wva(version="v2", kv_capacity_tokens=3000, behavior=QUICK)
    seen = fleet(policy, 0.0, [(0.5, 4)])
    values = {query: 1e-307 if query.metric == REQUESTS else value for query, value in seen.values.items()}
    decision, _ = policy.decide(replace(seen, values=values), None)
    assert "1500 tokens for 1 ready" in decision.reason


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"min_replicas": 0}, "min_replicas"),
        ({"version": "v2"}, "kv_capacity_tokens"),
        ({"kv_capacity_tokens": 1000}, "kv_capacity_tokens"),
        ({"version": "v2", "kv_capacity_tokens": 1000, "queue_spare_trigger": 2}, "queue_spare_trigger"),
        ({"version": "v2", "kv_capacity_tokens": 1000, "max_num_seqs": 3}, "max_num_seqs"),
        ({"variant_cost": 10}, "variant_cost"),
    ],
)
def test_what_it_cannot_do_is_refused(keys: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as found:
        wva(**keys)
    error = found.value.errors()[0]
    assert where in (*error["loc"], *error.get("ctx", {}).get("at", ()))
