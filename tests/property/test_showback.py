"""Shares of classes and tenants, of prompts and answers, and of revenue always add up to the whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sim.model.work import WorkLaw
from sim.pricing.revenue import AnyRevenue
from sim.result import Result
from tests.made_logs import log, requests, scenario

STREAMS = 4
ENTRIES: tuple[dict[str, Any], ...] = (
    {"kind": "subscription", "users": 5000, "price": 20},
    {"kind": "subscription", "price": 7, "requests_per_user_per_day": 3, "class": "c0"},
    {"kind": "per_token", "prompt": 100, "output": 900, "cached": 3},
    {"kind": "per_request", "price": 0.1, "tenant": "t0"},
    {"kind": "free", "class": "c0"},
)


@st.composite
def runs(draw: st.DrawFn) -> Result:
    """A made run: up to 30 requests of four streams on one to three pools, of classes, of tenants or of nobody."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pools, count = draw(st.integers(1, 3)), draw(st.integers(0, 30))
    arrival_s = np.sort(rng.uniform(0, 10, count)).tolist()
    rows = [
        {
            "arrival_s": at_s, "start_s": at_s, "first_token_s": at_s + 0.5, "finish_s": at_s + 2,
            "service_s": 2.0, "first_service_s": 2.0, "stream": rng.integers(STREAMS), "pool": rng.integers(pools),
            "prompt_tokens": 50 + rng.integers(1000), "cached_tokens": rng.integers(50),
            "output_tokens": 1 + rng.integers(200), "outcome": rng.choice(["completed", "completed", "rejected"]),
        }
        for at_s in arrival_s
    ]  # fmt: skip
    work = tuple(
        WorkLaw(row, s_per_service_s=0.5) if rng.random() < 0.2
        else WorkLaw(row, s_per_iteration=1e-3, s_per_new_token=1e-5, s_per_square=1e-9, max_batched_tokens=256)
        for row in range(pools)
    )  # fmt: skip
    names = tuple(f"p{row}" for row in range(pools))
    made = log(
        requests(*rows), [0.0, 10.0], [(row, 0, 0.0, math.inf) for row in range(pools)], pools=names, work=work,
        streams=tuple(f"s{row}" for row in range(STREAMS)), classes=("c0", "c1"), tenants=("t0", "t1"),
        stream_class=(0, *rng.integers(0, 2, STREAMS - 1).tolist()),
        stream_tenant=(0, *rng.integers(-1, 2, STREAMS - 1).tolist()),
    )  # fmt: skip
    earns = [TypeAdapter(AnyRevenue).validate_python(entry) for entry in ENTRIES if rng.random() < 0.6]
    prices = {name: {"usd_per_replica_hour": float(rng.uniform(1, 50))} for name in names}
    return Result(scenario(prices, revenue=tuple(earns)), made)


@given(runs())
def test_everything_is_somebodys(run: Result) -> None:
    found = run.summary()
    cost, told = found["cost"], found.get("economics")
    if cost["prompt_usd"] is not None:
        assert cost["prompt_usd"] + cost["output_usd"] == pytest.approx(cost["total_usd"])
    for kind in ("classes", "tenants"):
        blocks = found[kind].values()
        assert sum(block["requests"]["arrived"] for block in blocks) == found["requests"]["arrived"]
        if any(block["cost_share"] is not None for block in blocks):
            assert math.fsum(block["cost_share"] for block in blocks) == pytest.approx(1)
            assert math.fsum(block["cost"]["total_usd"] for block in blocks) == pytest.approx(cost["total_usd"])
            for part in ("prompt_usd", "output_usd"):
                if cost[part] is not None:
                    parts = math.fsum(block["cost"][part] for block in blocks)
                    assert parts == pytest.approx(cost[part], abs=1e-12)
        else:
            assert found["requests"]["completed"] == 0
        if told is not None:
            assert math.fsum(block["revenue_usd"] for block in blocks) == pytest.approx(told["revenue_usd"])


@given(runs())
def test_at_break_even_revenue_is_the_cost(run: Result) -> None:
    told = run.summary().get("economics")
    if told is None:
        return
    assert math.fsum(entry["usd"] for entry in told["revenue"]) == pytest.approx(told["revenue_usd"])
    for entry in told["revenue"]:
        others = told["revenue_usd"] - entry["usd"]
        for name, price in entry["break_even_prices"].items():
            if price is not None and entry["prices"][name] > 0:
                then = others + entry["usd"] * price / entry["prices"][name]
                assert then == pytest.approx(max(told["cost_usd"], others))
    if told["break_even_utilization_share"] is not None:
        scale = told["break_even_utilization_share"] / told["utilization_share"]
        assert scale * told["revenue_usd"] == pytest.approx(told["cost_usd"])
    if told["break_even_users"]:
        more = (told["break_even_users"] - told["users"]) * told["usd_per_user_month"]["revenue"]
        assert told["revenue_usd_per_month"] + more == pytest.approx(told["cost_usd_per_month"])
