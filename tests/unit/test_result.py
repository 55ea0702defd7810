"""Numbers of a result against numbers worked out by hand, on logs of a handful of requests."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model.tables import REQUEST
from sim.result import Result
from sim.result.latency import tail_curve
from tests.made_logs import log, requests, scenario, target

FOUR = requests(
    # arrives, waits 1 s, first token after 2 s, 5 tokens, done at 7: tpot 1.25 s
    {"arrival_s": 1.0, "start_s": 2.0, "first_token_s": 3.0, "finish_s": 8.0, "output_tokens": 5, "prompt_tokens": 10},
    {"arrival_s": 2.0, "start_s": 2.0, "first_token_s": 4.0, "finish_s": 4.0, "prompt_tokens": 20},
    {"arrival_s": 5.0, "outcome": "rejected"},
    # starts before the horizon of 10 s, ends after it: measured to its end
    {
        "arrival_s": 9.0,
        "start_s": 9.5,
        "first_token_s": 12.0,
        "finish_s": 15.0,
        "output_tokens": 3,
        "prompt_tokens": 30,
    },
)
EDGES = [0.0, 4.0, 8.0, 10.0]


def summary(table: Any = FOUR, **changes: Any) -> dict[str, Any]:
    spans = changes.pop("spans", [(0, 0, 0.0, math.inf)])
    pools = changes.pop("pools", {"main": {"gpus_per_replica": 2, "usd_per_replica_hour": 3.6}})
    warmup_s = changes.get("warmup_s", 0.0)
    made = log(table.copy(), EDGES, spans, warmup_s=warmup_s, pools=tuple(pools))
    return Result(scenario(pools, **changes), made).summary()


def test_every_request_that_arrived_is_counted_once() -> None:
    assert summary()["requests"] == {
        "arrived": 4, "completed": 3, "rejected": 1, "abandoned": 0, "timed_out": 0, "failed": 0, "unfinished": 0,
    }  # fmt: skip


def test_latencies_are_those_of_completed_requests_followed_to_their_end() -> None:
    latency = summary()["latency"]
    assert latency["queue_wait_s"]["mean"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert latency["ttft_s"]["mean"] == pytest.approx((2 + 2 + 3) / 3)
    assert latency["ttft_s"]["max"] == 3.0
    assert latency["e2e_s"]["mean"] == pytest.approx((7 + 2 + 6) / 3)
    assert latency["tpot_s"]["mean"] == pytest.approx((5 / 4 + 3 / 2) / 2), "one token has no gaps"
    assert latency["e2e_s"]["p50"] == 6.0


def test_the_warm_up_is_simulated_and_not_measured() -> None:
    found = summary(warmup_s=2.0)
    assert found["requests"]["arrived"] == 3, "arrivals in [2, 10)"
    assert found["measured_s"] == 8.0
    assert found["latency"]["e2e_s"]["max"] == 6.0
    assert found["replicas"]["replica_hours"] == pytest.approx(8 / 3600)


def test_an_unserved_request_misses_every_objective() -> None:
    slo = (target("ttft", 2.0, 0.5), target("tpot", 1.3, 0.5), target("e2e", 6.0, 0.8), target("queue_wait", 0.0, 0.2))
    found = summary(slo=slo)["slo"]
    assert [entry["attained"] for entry in found] == [2 / 4, 2 / 4, 2 / 4, 1 / 4]
    assert [entry["met"] for entry in found] == [True, True, False, True]
    assert list(found[0]) == ["metric", "under_s", "share", "attained", "met"]


def test_time_averages_are_those_of_the_window_not_of_the_requests() -> None:
    found = summary()["time_average"]
    waiting = (1 + 0 + 0.5) / 10
    running = (6 + 2 + 0.5) / 10
    assert found["waiting"] == pytest.approx(waiting)
    assert found["running"] == pytest.approx(running)
    assert found["in_system"] == pytest.approx(waiting + running)


def test_the_fleet_is_paid_by_the_clock() -> None:
    spans = [(0, 0, 0.0, math.inf), (0, 1, 4.0, 9.0)]
    found = summary(spans=spans)
    ready_s = 10 + 5
    assert found["replicas"]["replica_hours"] == pytest.approx(ready_s / 3600)
    assert found["replicas"]["gpu_hours"] == pytest.approx(2 * ready_s / 3600)
    assert (found["replicas"]["min"], found["replicas"]["max"]) == (1, 2)
    cost = found["cost"]
    assert cost["total_usd"] == pytest.approx(ready_s * 3.6 / 3600)
    assert cost["usd_per_hour"] == pytest.approx(1.5 * 3.6)
    assert cost["usd_per_request"] == pytest.approx(cost["total_usd"] / 3)
    assert cost["usd_per_million_output_tokens"] == pytest.approx(cost["total_usd"] / 9 * 1e6)
    assert cost["usd_per_day"] == pytest.approx(24 * cost["usd_per_hour"])
    assert cost["usd_per_month"] == pytest.approx(30 * cost["usd_per_day"])


def test_without_a_price_there_is_no_cost_rather_than_none_at_all() -> None:
    assert set(summary(pools={"main": {}})["cost"].values()) == {None}


def test_throughput_counts_what_was_completed() -> None:
    throughput = summary()["throughput"]
    assert throughput == {
        "requests_per_s": 0.3,
        "prompt_tokens_per_s": pytest.approx(60 / 10),
        "output_tokens_per_s": pytest.approx(9 / 10),
        "goodput_per_s": 0.3,
    }


def test_utilization_is_read_from_the_samples() -> None:
    # made samples: busy half of the time, one of two seats taken, 30 of 100 tokens
    assert summary()["utilization"] == {"busy_share": 0.5, "batch_share": 0.5, "kv_share": pytest.approx(0.3)}


def test_pools_have_the_same_blocks_and_add_up() -> None:
    table = FOUR.copy()
    table["pool"] = [0, 1, 1, 0]
    spans = [(0, 0, 0.0, math.inf), (1, 0, 0.0, math.inf)]
    pools = {"a": {"usd_per_replica_hour": 1.0}, "b": {"usd_per_replica_hour": 2.0}}
    found = summary(table, pools=pools, spans=spans)
    assert [block["requests"]["arrived"] for block in found["pools"].values()] == [2, 2]
    assert found["cost"]["total_usd"] == pytest.approx(3.0 * 10 / 3600)
    assert set(found["pools"]["a"]) == {
        "requests", "latency", "time_average", "throughput", "prefix_cache", "slo", "attempts", "utilization",
        "replicas", "cost", "ledger", "lives", "faults", "law", "price", "kv_transfer",
    }  # fmt: skip


def test_the_timeline_has_a_row_a_bin_the_last_one_shorter() -> None:
    result = Result(scenario(), log(FOUR.copy(), EDGES, [(0, 0, 0.0, math.inf)]))
    timeline = result.timeline
    assert timeline["end_s"].tolist() == [4.0, 8.0, 10.0]
    assert timeline["arrivals"].tolist() == [2, 1, 1]
    assert timeline["waiting"].to_numpy() == pytest.approx([1 / 4, 0, 0.5 / 2])
    assert timeline["running"].to_numpy() == pytest.approx([(2 + 2) / 4, 4 / 4, 0.5 / 2])
    assert timeline["ttft_s_p50"].to_numpy()[[0, 2]] == pytest.approx([2.0, 3.0])
    assert math.isnan(timeline["ttft_s_p50"][1]), "nobody who came in this bin was served"


def test_a_run_in_which_nothing_arrives_is_still_a_result() -> None:
    found = summary(np.zeros(0, REQUEST))
    assert found["requests"]["arrived"] == 0
    assert found["latency"]["ttft_s"]["p99"] is None
    assert found["cost"]["usd_per_request"] is None
    assert found["cost"]["total_usd"] > 0
    json.dumps(found, allow_nan=False)


random_rows = st.lists(
    st.tuples(*(st.floats(0, 12, allow_nan=False, width=32) for _ in range(4)), st.integers(1, 5), st.booleans()),
    max_size=25,
)


@settings(max_examples=200, deadline=None)
@given(rows=random_rows)
def test_bins_add_up_to_the_run_and_shares_are_shares(rows: list[Any]) -> None:
    made = []
    for arrival_s, wait_s, first_s, rest_s, tokens, rejected in sorted(rows, key=lambda row: row[0] * 9.999 / 12):
        arrival_s = arrival_s * 9.999 / 12
        if rejected:
            made.append({"arrival_s": arrival_s, "outcome": "rejected"})
            continue
        start_s = arrival_s + wait_s
        first_token_s = start_s + first_s
        finish_s = first_token_s + (rest_s if tokens > 1 else 0)
        times = {"start_s": start_s, "first_token_s": first_token_s, "finish_s": finish_s}
        made.append({"arrival_s": arrival_s, "output_tokens": tokens, **times})
    table = requests(*made) if made else np.zeros(0, REQUEST)
    slo = tuple(target(metric, 3.0, 0.9) for metric in ("ttft", "tpot", "e2e", "queue_wait"))
    result = Result(scenario(slo=slo), log(table, EDGES, [(0, 0, 0.0, math.inf)]))
    found, bins = result.summary(), result.columns
    length_s = np.diff(EDGES)
    for name in ("waiting", "running"):
        assert np.dot(bins[name], length_s) == pytest.approx(found["time_average"][name] * 10, abs=1e-9)
    assert bins["arrivals"].sum() == found["requests"]["arrived"] == len(table)
    # Little's law, on this very sample path: the integral of those in the system is the sum of their stays
    left_s = np.where(np.isnan(table["finish_s"]), table["arrival_s"], np.minimum(table["finish_s"], 10.0))
    stays = (np.minimum(left_s, 10.0) - table["arrival_s"]).sum()
    assert found["time_average"]["in_system"] * 10 == pytest.approx(stays, rel=1e-9, abs=1e-9)
    for entry in found["slo"]:
        assert entry["attained"] is None if not len(table) else 0 <= entry["attained"] <= 1
    json.dumps(found, allow_nan=False)
    assert "nan" not in result.verdict().lower()


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(0, 1e4, allow_nan=False, allow_subnormal=False), max_size=60))
def test_the_tail_curve_says_how_many_are_slower(values: list[float]) -> None:
    seconds = np.array([value if value > 1e-6 else 0.0 for value in values] + [math.nan])
    grid_s, above = tail_curve(seconds)
    assert grid_s == sorted(grid_s)
    if (seconds > 0).any():
        assert above[-1] == 0
        assert above[0] == np.mean(seconds[:-1] > 0)
        assert max(late / soon for soon, late in pairwise(grid_s)) <= 17 / 16
    for at_s, share in zip(grid_s, above, strict=True):
        assert share == pytest.approx(np.mean(seconds[:-1] > at_s))
