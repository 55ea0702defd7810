"""The edges of a result, worked out by hand: unfinished requests, fleets that shrink, pools apart, no price."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.result import Result, occupancy
from sim.result.fleet import replica_range
from sim.result.lives import stages
from sim.result.money.cost import cost
from tests.made_logs import log, requests, scenario, target

EDGES = [0.0, 4.0, 8.0, 10.0]
ALWAYS = (0, 0, 0.0, math.inf)
TWO_POOLS = requests(
    # in the first pool: waits 1 s, runs 2 s; in the second: waits 3 s, runs 4 s
    {"pool": 0, "arrival_s": 0.0, "start_s": 1.0, "first_token_s": 2.0, "finish_s": 3.0},
    {"pool": 1, "arrival_s": 0.0, "start_s": 3.0, "first_token_s": 5.0, "finish_s": 7.0},
)


def two_pools(**prices: float | None) -> Result:
    pools = {name: {"usd_per_replica_hour": usd} for name, usd in prices.items()}
    made = log(TWO_POOLS.copy(), EDGES, [ALWAYS, (1, 0, 0.0, math.inf)], pools=tuple(pools))
    return Result(scenario(pools), made)


def test_two_tokens_have_one_gap_between_them() -> None:
    table = requests(
        {"arrival_s": 0.0, "start_s": 0.0, "first_token_s": 1.0, "finish_s": 3.5, "output_tokens": 2},
    )
    found = Result(scenario(slo=(target("tpot", 2.0, 0.5),)), log(table, EDGES, [ALWAYS])).summary()
    assert found["latency"]["tpot_s"]["mean"] == 2.5
    assert found["slo"][0]["attained"] == 0.0


def test_a_request_that_the_run_did_not_finish_stays_where_it_is() -> None:
    table = requests(
        {"arrival_s": 2.0, "outcome": "unfinished"},  # never started: waits 8 s of the 10
        {"arrival_s": 3.0, "start_s": 5.0, "outcome": "unfinished"},  # waits 2 s, runs 5 s
    )
    result = Result(scenario(slo=(target("queue_wait", 9.0, 0.5),)), log(table, EDGES, [ALWAYS]))
    found = result.summary()
    assert found["requests"]["unfinished"] == 2
    assert found["time_average"]["waiting"] == pytest.approx((8 + 2) / 10)
    assert found["time_average"]["running"] == pytest.approx(5 / 10)
    assert found["latency"]["queue_wait_s"]["mean"] == 2.0, "of those that started"
    assert found["latency"]["e2e_s"]["mean"] is None
    assert found["slo"][0]["attained"] == 0.0, "unserved is a miss, however short the wait"
    assert result.columns["waiting"] == pytest.approx([(2 + 1) / 4, (4 + 1) / 4, 2 / 2])


def test_one_who_gives_up_has_waited_until_then_and_one_turned_away_not_at_all() -> None:
    table = requests(
        {"arrival_s": 1.0, "finish_s": 5.0, "outcome": "abandoned"},
        {"arrival_s": 2.0, "outcome": "rejected"},
    )
    found = Result(scenario(), log(table, EDGES, [ALWAYS])).summary()
    assert found["time_average"] == {"in_system": pytest.approx(0.4), "waiting": pytest.approx(0.4), "running": 0.0}


def test_the_last_arrival_of_a_trace_without_a_horizon_belongs_to_the_run() -> None:
    table = requests(
        {"arrival_s": 0.0, "start_s": 0.0, "first_token_s": 1.0, "finish_s": 1.0},
        {"arrival_s": 10.0, "start_s": 10.0, "first_token_s": 11.0, "finish_s": 11.0},
    )
    open_end = Result(scenario(horizon_s=None), log(table, EDGES, [ALWAYS]))
    assert open_end.summary()["requests"]["arrived"] == 2
    assert open_end.columns["arrivals"].tolist() == [1, 0, 1]
    closed = Result(scenario(horizon_s=10.0), log(table[:1], EDGES, [ALWAYS]))
    assert closed.summary()["requests"]["arrived"] == 1


def test_pools_wait_and_run_apart() -> None:
    result = two_pools(a=1.0, b=1.0)
    averages = {name: block["time_average"] for name, block in result.summary()["pools"].items()}
    assert [averages[name]["waiting"] for name in "ab"] == pytest.approx([0.1, 0.3])
    assert [averages[name]["running"] for name in "ab"] == pytest.approx([0.2, 0.4])
    one, other = result.pool_timeline("a"), result.pool_timeline("b")
    assert (one["arrivals"].tolist(), other["arrivals"].tolist()) == ([1, 0, 0], [1, 0, 0])
    assert (one["ttft_s_p50"][0], other["ttft_s_p50"][0]) == (2.0, 5.0)
    assert one["waiting"] + other["waiting"] == pytest.approx(result.columns["waiting"])
    with pytest.raises(KeyError, match="no pool 'c'; there are a, b"):
        result.pool_timeline("c")


def test_a_pool_without_a_price_leaves_no_sum_that_looks_like_the_whole() -> None:
    found = two_pools(a=3.6, b=None).summary()
    assert found["cost"]["total_usd"] is None
    assert found["pools"]["a"]["cost"]["total_usd"] == pytest.approx(0.01)
    assert found["pools"]["b"]["cost"]["total_usd"] is None
    assert np.isnan(two_pools(a=3.6, b=None).columns["usd_per_hour"]).all()


def test_a_table_is_integrated_alike_in_one_piece_and_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = occupancy.occupancy(TWO_POOLS, np.array(EDGES))
    monkeypatch.setattr(occupancy, "CHUNK_ROWS", 1)
    pieces = occupancy.occupancy(TWO_POOLS, np.array(EDGES))
    np.testing.assert_array_equal(whole.waiting_s, pieces.waiting_s)
    np.testing.assert_array_equal(whole.running_s, pieces.running_s)
    assert whole.waiting_s.sum() == 4.0
    assert whole.running_s.sum() == 6.0


@pytest.mark.parametrize(
    ("lives", "window", "expected"),
    [
        ([(0.0, math.inf), (0.0, 5.0)], (6.0, 10.0), (1, 1)),  # one was gone before
        ([(0.0, math.inf), (0.0, 5.0)], (0.0, 10.0), (1, 2)),
        ([(0.0, math.inf), (10.0, math.inf)], (0.0, 10.0), (1, 1)),  # comes as the window ends
        ([(0.0, math.inf), (2.0, math.inf)], (2.0, 10.0), (2, 2)),  # comes as it begins
        ([(0.0, 4.0), (4.0, math.inf)], (0.0, 10.0), (1, 1)),  # one relieves the other: never none
        ([(3.0, math.inf)], (0.0, 10.0), (0, 1)),
        ([], (0.0, 10.0), (0, 0)),
    ],
)
def test_the_fewest_and_the_most_replicas_of_a_window(
    lives: list[tuple[float, float]], window: tuple[float, float], expected: tuple[int, int]
) -> None:
    made = log(TWO_POOLS, EDGES, [(0, place, *life) for place, life in enumerate(lives)])
    every = np.ones(len(lives), bool)
    assert replica_range(stages(made, made.spans["gone_s"], every), *window) == expected


def test_short_waits_in_a_bin_of_weeks_are_told_exactly() -> None:
    """Little's law of a month: what remains of the bin after each instant is a million times as large as a wait."""
    rng = np.random.default_rng(7)
    table = np.zeros(300_000, TWO_POOLS.dtype)
    table["arrival_s"] = np.sort(rng.uniform(0, 28 * 86_400, len(table)))
    table["start_s"] = table["arrival_s"] + rng.exponential(0.01, len(table))
    table["finish_s"] = table["start_s"] + rng.exponential(2.0, len(table))
    found = occupancy.occupancy(table, np.array([0.0, 29 * 86_400]))
    assert found.waiting_s[0] == pytest.approx(math.fsum(table["start_s"] - table["arrival_s"]), rel=1e-12)
    assert found.running_s[0] == pytest.approx(math.fsum(table["finish_s"] - table["start_s"]), rel=1e-12)


def test_money_of_an_empty_window_has_no_rate() -> None:
    assert cost(0.0, 0.0, 0, 0) == {
        "total_usd": 0.0,
        **dict.fromkeys(("usd_per_hour", "usd_per_request", "usd_per_million_output_tokens", "usd_per_day")),
        "usd_per_month": None,
    }
    assert cost(2.0, 7200.0, 4, 500)["usd_per_day"] == 24.0
