"""Money with strange input: figures beyond all sense, prices that nobody knows, days that are none."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.config.errors import ConfigError
from sim.exchange.focus import focus_lines
from sim.report.run.page import render
from sim.result.money.ladder import Load, Prices, best
from sim.study.swept.ranges import expanded
from tests import focus_reader

RESERVED = {"kind": "reserved", "gpus": 2, "price": "$2/h"}
PLAN = {"kind": "savings_plan", "commit": "$9/h", "discount": "30%"}
SPEND = {"kind": "committed_spend", "commit": "$1M", "discount": "10%"}
OWNED = {"kind": "owned", "gpus": 2, "capex": "$40k", "watts": {"idle": 100, "busy": 200}}
POOL = {
    "replica": {"kind": "slots"},
    "queue": {"kind": "central"},
    "price": {"on_demand": "$3/h"},
    "autoscaler": {"kind": "fixed", "replicas": 2},
}
UNPRICED = {key: value for key, value in POOL.items() if key != "price"}


def said(**changes: Any) -> dict[str, Any]:
    """Two GPUs for three hours."""
    pools = changes.get("pools", {"a": POOL})
    work = {"arrivals": {"kind": "poisson", "rate": "40/h"}, "service": {"kind": "constant", "value": "1m"}}
    streams = {name: {**work, "pool": name} for name in pools}
    return {"name": "edge", "horizon": "3h", "workload": {"streams": streams}, "pools": pools, **changes}


def problem(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(said(**changes))
    return str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"contracts": {"c": {**RESERVED, "price": 1e308}}}, "contracts.c.price: must be between 0 and 1e+15"),
        ({"contracts": {"c": {**SPEND, "commit": 1e308}}}, "contracts.c.commit: must be between 0 and 1e+15"),
        ({"contracts": {"c": {**PLAN, "commit": 1e308}}}, "contracts.c.commit: must be between 0 and 1e+15"),
        ({"contracts": {"c": {**RESERVED, "term": 1e300}}}, "contracts.c.term: must be between 1 and"),
        ({"contracts": {"c": {**OWNED, "years": 1e-300}}}, "contracts.c.years: must be between 0.0001 and 1000"),
        ({"contracts": {"c": {**OWNED, "tariff": 1e308}}}, "contracts.c.tariff: must be between 0 and 1e+15"),
        ({"contracts": {"c": {**OWNED, "availability": 1e-300}}}, "contracts.c.availability: must be between 0.01"),
        ({"contracts": {"c": {**OWNED, "watts": {"idle": 1, "busy": 1e300}}}}, "contracts.c.watts.busy: must be betw"),
        ({"revenue": [{"kind": "per_request", "price": 1e308}]}, "revenue[0].price: must be between 0 and 1e+15"),
        ({"slowness": [{"kind": "linear", "metric": "ttft", "usd_per_hour": 1e308}]}, "slowness[0].usd_per_hour: must"),
        ({"pools": {"a": {**POOL, "egress": {"price": 1e308}}}}, "pools.a.egress.price: must be between 0 and 1e+15"),
        (
            {"revenue": [{"kind": "subscription", "price": 5, "requests_per_user_per_day": 1e-300}]},
            "revenue[0].requests_per_user_per_day: must be between 1e-06 and 1e+06",
        ),
    ],
)
def test_figures_that_no_sum_could_hold_are_refused_where_they_stand(changes: dict[str, Any], place: str) -> None:
    assert problem(**changes).replace(".0.", "[0].").startswith(place)


@pytest.mark.parametrize("kind", [PLAN, SPEND])
def test_the_limits_themselves_are_allowed(kind: dict[str, Any]) -> None:
    load(said(contracts={"c": {**kind, "discount": "99%"}}))


def test_a_spot_price_that_varies_beyond_all_sense_is_refused() -> None:
    spot = {"kind": "mean_reverting", "mean": 1, "cv": 1e200}
    told = problem(pools={"a": {**POOL, "price": {"on_demand": 3, "spot": spot}}})
    assert told.startswith("pools.a.price.spot.cv: must be between 0.001 and 1000")


def test_the_largest_figures_still_give_finite_numbers() -> None:
    most = {"price": 1e15, "gpus": 10**12, "term": "1000y"}
    owned = {**OWNED, "gpus": 10**12, "capex": 1e15, "years": 0.0001, "availability": "1%", "tariff": 1e15}
    scenario = load(
        said(contracts={"c": {**RESERVED, **most}, "o": owned, "s": {**SPEND, "commit": 1e15, "term": "1s"}})
    )
    result = simulate(scenario)
    json.dumps(result.summary(), allow_nan=False)
    render(result)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_run_begins_in_years_that_bills_can_be_written_for(day: str) -> None:
    assert problem(starts=day).startswith(f"starts: must be a day of the years 1970 to 2999; got {day}")


@pytest.mark.parametrize("day", ["tomorrow", 0, 20260901, "2027-02-29", "2026-W36-2", "2026-09-01 12:00", True])
def test_what_is_no_day_is_no_start(day: Any) -> None:
    assert problem(starts=day).startswith("starts: must be a day, such as")


def test_the_last_day_of_all_has_a_bill() -> None:
    result = simulate(load(said(starts="2999-12-31", horizon="30h")))
    rows = focus_reader.read("".join(focus_lines(result)))
    assert math.fsum(row["EffectiveCost"] for row in rows) == pytest.approx(180)


def test_a_range_of_prices_keeps_their_sign_and_unit() -> None:
    assert expanded("$1/h..$2/h:$0.5/h", "--over", 9) == ("$1/h", "$1.5/h", "$2/h")
    assert expanded("$3..1", "--over", 9) == ("$3", "$2", "$1")


@pytest.mark.parametrize("seed", range(60))
def test_the_ladder_finds_the_number_to_reserve_that_trying_all_finds(seed: int) -> None:
    draw = random.Random(seed)
    levels = sorted({draw.randrange(30) for _ in range(draw.randrange(1, 8))})
    hours = [draw.choice([0.25, 1, 3]) for _ in levels]
    share, spot = draw.choice([0, 0.25, 0.3, 0.5, 1]), draw.choice([None, 0.5, 1.2, 2.5])
    prices = Prices(draw.choice([1, 1.3, 2, 2.9]), 3.0, spot, share)

    def usd(reserved: int) -> float:
        total = 0.0
        for level, lasted_h in zip(levels, hours, strict=True):
            over = max(level - reserved, 0)
            on_spot = 0.0 if spot is None else min(over, share * level)
            total += lasted_h * (reserved * prices.reserved + on_spot * (spot or 0) + (over - on_spot) * 3)
        return total

    chosen = best(Load(np.array(levels, float), np.array(hours)), prices)
    assert usd(int(chosen)) == pytest.approx(min(map(usd, range(31))))


# -- prices that nobody knows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contracts", "usd"),
    [
        ({}, None),
        # 4 GPUs for $2: all of both pools, which costs $24 in 3 h
        ({"c": {**RESERVED, "gpus": 4}}, 24.0),
        # 3 of 4: each pool has one half GPU left, and b's has no price
        ({"c": {**RESERVED, "gpus": 3}}, None),
        # b's own two; a at $3
        ({"c": {**RESERVED, "pools": ["b"]}}, 30.0),
        ({"c": {**RESERVED, "pools": ["b"], "from": "1h"}}, None),
        # a plan pays for spending; what b spends is not known, and it must not be covered for nothing
        ({"c": PLAN}, None),
        ({"c": SPEND}, None),
        ({"c": {**RESERVED, "pools": ["b"]}, "p": PLAN}, 12.0 + 27.0),
    ],
)
def test_a_pool_without_a_price_has_a_bill_only_if_contracts_pay_for_all_of_it(
    contracts: dict[str, Any], usd: float | None
) -> None:
    result = simulate(load(said(pools={"a": POOL, "b": UNPRICED}, contracts=contracts)))
    summary = result.summary()
    assert summary["cost"]["total_usd"] == (usd if usd is None else pytest.approx(usd))
    why = "There is no bill: the GPUs of pool b"
    assert (why in render(result)) == (usd is None)


def test_a_savings_plan_covers_only_what_has_a_price() -> None:
    # $4 an hour at $2.10 are 1.905 GPUs, all of pool a
    plan = {**PLAN, "commit": "$4/h"}
    summary = simulate(load(said(pools={"a": POOL, "b": UNPRICED}, contracts={"p": plan}))).summary()
    told = summary["commitments"]["contracts"]["p"]
    assert told["used_gpu_hours"] == pytest.approx(3 * 4 / 2.1)
    assert told["saved_usd"] == pytest.approx(3 * (4 / 0.7 - 4))


def test_covered_usage_without_a_price_has_no_list_price() -> None:
    summary = simulate(load(said(pools={"a": UNPRICED}, contracts={"o": OWNED}, revenue=[{"kind": "free"}]))).summary()
    used = [line for line in summary["invoice"] if line["what"] == "usage"]
    assert [line["list_usd"] for line in used] == [None]
    # so it is not known what renting would have cost, and when owning has paid for itself
    assert summary["economics"]["payback"]["against_renting_months"] is None
    assert summary["economics"]["payback"]["saved_usd_per_month"] is None
