"""The Dynamo planner, by hand: its two loops, its predictors, the estimates that stand in for its regressions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sim.autoscaling.observation import (
    ITL,
    KV_USAGE,
    PROMPT_TOKENS,
    REQUESTS,
    RUNNING,
    TTFT,
    WAITING,
    Observation,
    Phase,
    Pod,
)
from sim.autoscaling.serving.dynamo import DynamoPlanner, PlannerMemory
from sim.autoscaling.serving.dynamo_forecast import Arima, ArimaFit, Forecaster, Kalman, one_ahead
from sim.autoscaling.serving.dynamo_load import Estimate, by_itl, by_ttft, together


def planner(**keys: Any) -> DynamoPlanner:
    base = {"requests_per_s_per_replica": "2.5/s", "load_predictor": "constant", "max_replicas": 64}
    return DynamoPlanner.model_validate({**base, **keys})


def easy(target: str, **keys: Any) -> DynamoPlanner:
    base = {"optimization_target": target, "kv_capacity_tokens": 100_000, "max_replicas": 64}
    return DynamoPlanner.model_validate({**base, **keys})


def engines(policy: DynamoPlanner, at_s: float, *shown: dict[str, float], **more: Any) -> Observation:
    """Ready engines with values by metric; `more`: values of the pool by metric, or `current`."""
    by_name = {query.metric: query for query in policy.queries if query.across == "each"}
    phase: Phase = "ready"
    pods = tuple(
        Pod(index, phase, {by_name[metric]: value for metric, value in values.items() if metric in by_name})
        for index, values in enumerate(shown)
    )
    pooled = {query: more[query.metric] for query in policy.queries if query.metric in more}
    return Observation(at_s, more.get("current", len(pods)), len(pods), values=pooled, pods=pods)


def rates(policy: DynamoPlanner, start: int, per_s: list[float | None]) -> list[int]:
    """Sizes after each throughput interval, for a pool that has what was wanted."""
    current, memory, sizes = start, None, []
    decision, memory = policy.decide(Observation(0.0, current, current), memory)
    for rate in per_s:
        assert decision.next_s is not None
        values = {} if rate is None else {policy.queries[0]: rate}
        decision, memory = policy.decide(Observation(decision.next_s, current, current, values=values), memory)
        current = decision.replicas
        sizes.append(current)
    return sizes


def test_throughput_loop_waits_an_interval_and_moves_eight_at_a_time() -> None:
    first, memory = planner().decide(Observation(0.0, 4, 4), None)
    assert (first.replicas, first.next_s) == (4, 180.0)
    assert rates(planner(), 4, [23.0, 100.0, None, 100.0, 1.0]) == [10, 18, 18, 26, 18]
    assert rates(planner(max_replicas=12), 4, [100.0] * 2) == [12, 12]
    early, again = planner().decide(Observation(90.0, 4, 4, values={planner().queries[0]: 23.0}), memory)
    assert (early.replicas, early.reason, again) == (4, "no loop is due", memory)


def test_reason_names_forecast_and_capacity() -> None:
    policy = planner()
    memory = PlannerMemory(180.0, float("inf"), 1)
    decision, _ = policy.decide(Observation(180.0, 8, 8, values={policy.queries[0]: 23.0}), memory)
    assert decision.reason == "constant forecasts 23/s / 2.5/s wants 10"


def test_with_both_loops_the_forecast_is_a_floor() -> None:
    policy = planner(enable_load_scaling=True, ttft="500ms")
    calm, quick = {WAITING: 0.0, KV_USAGE: 0.1, RUNNING: 1.0}, {TTFT: 0.01, ITL: 0.001}
    decision, memory = policy.decide(engines(policy, 0.0, *[calm] * 10), None)
    assert decision.next_s == 5.0
    down, memory = policy.decide(engines(policy, 5.0, *[calm] * 10, **quick), memory)
    assert down.replicas == 9
    due = PlannerMemory(180.0, 180.0, 1)
    decision, memory = policy.decide(engines(policy, 180.0, *[calm] * 10, **quick, **{REQUESTS: 22.5}), due)
    assert decision.replicas == 9  # the load loop runs first; the floor of 9 holds from its next step on
    assert memory.floor == 9
    decision, memory = policy.decide(engines(policy, 185.0, *[calm] * 9, **quick), memory)
    assert (decision.replicas, "forecast's floor 9" in decision.reason) == (9, True)
    decision, _ = policy.decide(engines(policy, 190.0, *[calm] * 6, **quick), memory)
    assert decision.replicas == 9  # and it lifts a pool that is below it


def test_load_loop_does_nothing_while_replicas_start_or_engines_are_silent() -> None:
    policy = easy("latency")
    memory = PlannerMemory(float("inf"), 5.0, 1)
    full = {WAITING: 0.0, KV_USAGE: 0.9}
    decision, _ = policy.decide(engines(policy, 5.0, full, current=2), memory)
    assert (decision.replicas, decision.reason) == (2, "scaling in progress: 1 of 2 ready")
    decision, _ = policy.decide(engines(policy, 5.0, full, {}), memory)
    assert (decision.replicas, decision.reason) == (2, "1 of 2 engines report")
    decision, _ = policy.decide(engines(policy, 5.0, full, full), memory)
    assert decision.replicas == 3


def test_easy_modes_count_what_is_queued() -> None:
    memory = PlannerMemory(float("inf"), 5.0, 1)
    policy = easy("throughput")
    # 30 % in use; 40 prompts of 2000 tokens wait for 80 % more
    queue = engines(policy, 5.0, {WAITING: 40.0, KV_USAGE: 0.3}, **{PROMPT_TOKENS: 20_000.0, REQUESTS: 10.0})
    assert policy.decide(queue, memory)[0].replicas == 2
    unknown = engines(policy, 5.0, {WAITING: 20.0, KV_USAGE: 0.3})  # 20 x 3000 tokens: 90 %
    assert policy.decide(unknown, memory)[0].replicas == 1
    prefill = easy("throughput", role="prefill", context_length=8000, kv_capacity_tokens=None)
    assert prefill.decide(engines(prefill, 5.0, {WAITING: 3.0}), memory)[0].replicas == 2  # 9000 of 8000


@pytest.mark.parametrize(
    ("ttfts_s", "wish"),
    [
        ((0.6, 0.7), "up"),
        ((0.6, 0.5), "hold"),  # not every engine is above
        ((0.15, 0.25), "down"),  # (0.25 - 0.1) x 2 queues less than 0.8 x (0.5 - 0.1)
        ((0.15, 0.3), "hold"),
        ((0.1,), "hold"),  # never the last one
        ((None, 0.1), "hold"),
        ((None, None), None),
    ],
)
def test_ttft_of_one_fewer_counts_only_the_queue(ttfts_s: tuple[float | None, ...], wish: str | None) -> None:
    assert by_ttft([Estimate(ttft_s) for ttft_s in ttfts_s], 0.5, 0.1, 0.8) == wish


def test_no_engine_is_let_go_when_prefill_alone_takes_the_sla() -> None:
    assert by_ttft([Estimate(0.2), Estimate(0.2)], 0.5, 0.5, 0.8) == "hold"


@pytest.mark.parametrize(
    ("itl_s", "kv_share", "wish"),
    [(0.06, 0.1, "up"), (0.019, 0.4, "down"), (0.021, 0.4, "hold"), (0.019, 0.5, "hold"), (0.05, 0.1, "hold")],
)
def test_itl_of_one_fewer_and_its_kv_memory(itl_s: float, kv_share: float, wish: str) -> None:
    assert by_itl([Estimate(itl_s, kv_share)] * 2, 0.05, 0.8) == wish


def test_an_aggregated_engine_goes_up_for_either_and_down_for_both() -> None:
    assert together("up", "hold") == together("down", "up") == "up"
    assert together("down", "down") == together(None, "down") == "down"
    assert together("down", "hold") == together("hold", "down") == together("down", None) == "hold"
    assert together(None, None) is None


def test_an_idle_engine_has_no_latency_and_busy_ones_that_of_the_pool() -> None:
    policy = sla_only()
    memory = PlannerMemory(float("inf"), 5.0, 1)
    busy = {WAITING: 9.0, KV_USAGE: 0.2, RUNNING: 9.0}
    idle = {WAITING: 0.0, KV_USAGE: 0.0, RUNNING: 0.0}
    late = {TTFT: 2.0, ITL: 0.01}
    assert policy.decide(engines(policy, 5.0, busy, busy, **late), memory)[0].replicas == 3
    assert policy.decide(engines(policy, 5.0, busy, idle, **late), memory)[0].replicas == 2
    assert policy.decide(engines(policy, 5.0, idle, idle), memory)[0].replicas == 1
    decision = policy.decide(engines(policy, 5.0, busy, busy), memory)[0]
    assert (decision.replicas, decision.reason) == (2, "TTFT unknown; ITL unknown")


def sla_only() -> DynamoPlanner:
    keys = {"enable_throughput_scaling": False, "enable_load_scaling": True}
    return DynamoPlanner.model_validate(keys)


def test_constant_and_kalman_skip_the_time_before_traffic() -> None:
    for predictor in ("constant", "kalman"):
        forecaster = Forecaster(predictor)  # type: ignore[arg-type]
        assert forecaster.step(None, 0.0) == (0.0, None)
        forecast, state = forecaster.step(None, 7.0)
        assert forecast == 7.0
        assert forecaster.step(state, 0.0)[0] < 7.0


@pytest.mark.parametrize("log1p", [False, True])
def test_kalman_is_the_textbook_filter(log1p: bool) -> None:
    values = [10.0, 20.0, 15.0, 0.0, 40.0, 41.0]
    forecaster, state = Forecaster("kalman", log1p), None
    x, p = np.zeros((2, 1)), np.eye(2) * 1000.0
    f, h, q, r = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]]), np.diag([1.0, 0.1]), 10.0
    for index, value in enumerate(values):
        z = np.log1p(value) if log1p else value
        if index == 0:
            x[0, 0] = z
        else:
            gain = p @ h.T / (h @ p @ h.T + r)
            x, p = x + gain * (z - x[0, 0]), (np.eye(2) - gain @ h) @ p
        x, p = f @ x, f @ p @ f.T + q
        forecast, state = forecaster.step(state, value)
        expected = np.expm1(x[0, 0]) if log1p else x[0, 0]
        assert forecast == pytest.approx(max(expected, 0.0), rel=1e-9)
    assert isinstance(state, Kalman)


def test_forecast_of_a_fitted_law_by_hand() -> None:
    ar = ArimaFit(d=0, mean=10.0, ar=(0.5,), ma=(), log1p=False)
    assert one_ahead(ar, [10.0, 14.0]) == 12.0
    # residuals 2, then 14 - (10 + 0.5 x 2) = 3: 10 + 0.5 x 3
    assert one_ahead(ArimaFit(0, 10.0, (), (0.5,), False), [12.0, 14.0]) == 11.5
    walk = ArimaFit(d=1, mean=0.0, ar=(0.5,), ma=(), log1p=False)
    assert one_ahead(walk, [10.0, 12.0, 16.0]) == 18.0
    assert one_ahead(ArimaFit(1, 0.0, (), (), True), [3.0, 7.0]) == pytest.approx(7.0)


def test_arima_needs_five_different_points() -> None:
    forecaster, state = Forecaster("arima"), None
    for value in (5.0, 6.0, 7.0, 8.0):
        forecast, state = forecaster.step(state, value)
        assert forecast == value
    same = Arima((4.0,) * 10)
    assert forecaster.step(same, 4.0)[0] == 4.0


def test_arima_follows_a_law_better_than_the_last_value_does() -> None:
    pytest.importorskip("statsmodels", reason="arima needs statsmodels")
    rng = np.random.default_rng(1)
    values = [100.0]
    for _ in range(200):
        values.append(100.0 - 0.6 * (values[-1] - 100.0) + rng.normal(0, 5))
    forecaster, state = Forecaster("arima"), Arima(tuple(values[:60]))  # its order is chosen at the first fit
    by_arima = by_last = 0.0
    for last, following in pairwise(values[60:]):
        forecast, state = forecaster.step(state, last)
        by_arima += abs(forecast - following)
        by_last += abs(last - following)
    assert by_arima < 0.7 * by_last
    assert isinstance(state, Arima)
    assert state.fit is not None
    assert state.fit.ar[0] == pytest.approx(-0.6, abs=0.15)


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"load_predictor": "prophet"}, "load_predictor"),
        ({"requests_per_s_per_replica": None}, "requests_per_s_per_replica"),
        ({"optimization_target": "latency", "enable_throughput_scaling": True}, "enable_throughput_scaling"),
        ({"enable_throughput_scaling": False}, "enable_load_scaling"),
        ({"ttft": "1s"}, "ttft"),
        ({"kalman_r": 3}, "kalman_r"),
        ({"context_length": 8000}, "context_length"),
        ({"max_gpu_budget": 8}, "max_gpu_budget"),
    ],
)
def test_what_it_cannot_do_is_refused(keys: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as found:
        planner(**keys)
    error = found.value.errors()[0]
    assert where in (*error["loc"], *error.get("ctx", {}).get("at", ()))


def test_easy_modes_need_what_they_divide_by() -> None:
    with pytest.raises(ValidationError, match="is missing: the easy modes of agg"):
        DynamoPlanner.model_validate({"optimization_target": "latency"})
    with pytest.raises(ValidationError, match="is missing: the easy modes of prefill"):
        DynamoPlanner.model_validate({"optimization_target": "latency", "role": "prefill"})
