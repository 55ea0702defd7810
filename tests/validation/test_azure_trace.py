"""A real hour: Azure's conversation trace of 2023, at 1x and 2x speed, on two replicas of the chat fleet that ships.

The trace lies beside the checkout or the tests skip. Every run's invariants are checked as in all tests.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim import Result, load, simulate
from tests.digest import of_log
from tests.validation.reference import SHARED

TRACE = SHARED / "data" / "traces" / "azure2023_conv.csv"
REQUESTS = 19_366

pytestmark = pytest.mark.skipif(not TRACE.exists(), reason="no ../shared/data/traces/azure2023_conv.csv")


def replay(speed: float, calendar: str = "compiled") -> Result:
    """Two replicas, because at 1x the trace has a ninth of the traffic that the fleet of eight is built for."""
    chat = load("chat-h100").model_dump(mode="json", by_alias=True, exclude_none=True)
    chat |= {"calendar": calendar, "warmup": 0, "workload": {"trace": str(TRACE), "speed": speed}}
    del chat["horizon"]
    chat["pools"]["chat"]["autoscaler"] = {"kind": "fixed", "replicas": 2}
    return simulate(load(chat))


@pytest.fixture(scope="module")
def runs() -> dict[float, Result]:
    return {speed: replay(speed) for speed in (1.0, 2.0)}


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_calendars_agree_to_the_last_bit(runs: dict[float, Result], speed: float) -> None:
    assert of_log(replay(speed, "simpy").log) == of_log(runs[speed].log)


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_every_request_and_token_of_the_trace_is_served(runs: dict[float, Result], speed: float) -> None:
    summary = runs[speed].summary()
    rows = runs[speed].log.requests
    assert summary["requests"]["arrived"] == summary["requests"]["completed"] == REQUESTS
    with TRACE.open() as lines:
        next(lines)
        tokens = [tuple(map(int, line.split(",")[1:3])) for line in lines]
    assert list(zip(rows["prompt_tokens"].tolist(), rows["output_tokens"].tolist(), strict=True)) == tokens
    window_s = summary["measured_s"]
    assert summary["throughput"]["output_tokens_per_s"] * window_s == pytest.approx(sum(out for _, out in tokens))


def test_twice_the_speed_is_half_the_time(runs: dict[float, Result]) -> None:
    one, two = (runs[speed].log.requests["arrival_s"] for speed in (1.0, 2.0))
    np.testing.assert_array_equal(one / 2, two)
    assert 3500 < one[-1] < 3505


def test_the_same_fleet_is_slower_under_twice_the_traffic(runs: dict[float, Result]) -> None:
    """Request by request, the same lengths at twice the rate: far beyond chance."""
    for metric in ("first_token_s", "finish_s"):
        one, two = (rows[metric] - rows["arrival_s"] for rows in (runs[1.0].log.requests, runs[2.0].log.requests))
        # a hundred blocks in time, for neighbours are alike
        slower_s = np.array([block.mean() for block in np.array_split(two - one, 100)])
        assert slower_s.mean() / (slower_s.std(ddof=1) / math.sqrt(100)) > 5, metric
        assert np.mean(two > one) > 0.7, metric
    one_summary, two_summary = (runs[speed].summary() for speed in (1.0, 2.0))
    assert two_summary["latency"]["tpot_s"]["p50"] > one_summary["latency"]["tpot_s"]["p50"]
    for share in ("busy_share", "batch_share", "kv_share"):
        assert two_summary["utilization"][share] > one_summary["utilization"][share]


def test_half_the_time_costs_half(runs: dict[float, Result]) -> None:
    """The same work in half the time on the same fleet, paid by the clock."""
    one, two = (runs[speed].summary() for speed in (1.0, 2.0))
    assert two["cost"]["total_usd"] / one["cost"]["total_usd"] == pytest.approx(0.5, rel=1e-3)
    assert two["cost"]["usd_per_million_output_tokens"] < one["cost"]["usd_per_million_output_tokens"]
