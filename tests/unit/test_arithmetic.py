"""Closed forms of capacity and money, by hand and against computed cases with known answers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sim.pricing import arithmetic

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "queue_vectors.json"
CLOSE = 1e-9


def vectors() -> list[dict[str, Any]]:
    if not REFERENCE.is_file():
        pytest.skip("needs ../shared/reference/queue_vectors.json")
    found: list[dict[str, Any]] = json.loads(REFERENCE.read_text(encoding="utf-8"))["planning_vectors"]
    return found


def checked(case: dict[str, Any]) -> None:
    match case["id"]:
        case "usd_per_million_tokens":
            told = (case["gpu_hour"], case["tokens_per_s_at_full"], case["utilization"])
            assert arithmetic.usd_per_million_tokens(*told) == pytest.approx(case["value"], rel=CLOSE)
        case "breakeven_utilization":
            told = (case["gpu_hour"], case["tokens_per_s_at_full"], case["price_per_million"])
            assert arithmetic.breakeven_utilization_share(*told) == pytest.approx(case["value"], rel=CLOSE)
        case "breakeven_users":
            told = (case["fixed_cost_month"], case["arpu"], case["variable_cost_per_user"])
            assert arithmetic.breakeven_users(*told) == pytest.approx(case["value"], rel=CLOSE)
        case "n_plus_k":
            need, up = case["need"], case["unit_availability"]
            k = arithmetic.spares(need, up, case["target"])
            assert k == case["k"]
            assert arithmetic.available_share(need + k, need, up) == pytest.approx(case["achieved"], rel=CLOSE)
            one_less = arithmetic.available_share(need + k - 1, need, up)
            assert one_less == pytest.approx(case["achieved_k_minus_1"], rel=CLOSE)
        case "zone_redundancy":
            each = arithmetic.units_per_zone(case["load_units"], case["zones"], case["survive"])
            assert (each, each * case["zones"]) == (case["per_zone"], case["total"])
        case "lead_time_reorder":
            told = (case["daily_growth_gpus"], case["sd_daily"], case["lead_days"], case["service"])
            assert arithmetic.reorder_headroom(*told) == pytest.approx(case["reorder_point_headroom"], rel=CLOSE)
        case "newsvendor_reserved_vs_ondemand":
            prices = (case["reserved_price"], case["on_demand_price"])
            best = arithmetic.reserved_for_normal(case["mean"], case["sd"], *prices)
            assert best.units == pytest.approx(case["Q_opt"], rel=CLOSE)
            assert best.cost_usd == pytest.approx(case["expected_cost"], rel=CLOSE)
        case "load_duration_curve_commitment":
            prices = (case["reserved_rate"], case["on_demand_rate"])
            best = arithmetic.reserved_for_hours(case["hourly_demand"], *prices)
            assert best.units == case["best_q"]
            assert best.cost_usd == pytest.approx(case["daily_cost"], rel=CLOSE)
        case other:
            raise AssertionError(f"nothing here computes {other}")


def test_the_planning_cases_with_known_answers() -> None:
    found = vectors()
    for case in found:
        checked(case)
    assert len(found) >= 13


def test_a_million_tokens_by_hand() -> None:
    # 1000 tokens a second, half the time: 1.8 million an hour for $3.60
    assert arithmetic.usd_per_million_tokens(3.6, 1000, 0.5) == pytest.approx(2.0)
    assert arithmetic.usd_per_million_tokens(3.6, 1000, 0.0) == math.inf
    # sold for $4 it takes a quarter of the time
    assert arithmetic.breakeven_utilization_share(3.6, 1000, 4.0) == pytest.approx(0.25)
    assert arithmetic.breakeven_utilization_share(3.6, 1000, 0.0) == math.inf


def test_users_that_break_even_by_hand() -> None:
    assert arithmetic.breakeven_users(1000, 20, 10) == 100
    assert arithmetic.breakeven_users(1000, 20, 20) is None, "each pays just what it costs"
    assert arithmetic.breakeven_users(-5, 20, 30) == 0, "others pay for all"
    assert arithmetic.payback_months(40_000, 2_000) == 20
    assert arithmetic.payback_months(40_000, 0) is None


def test_what_to_reserve_by_hand() -> None:
    # the second unit is used half of the hours: worth it at half the price, not above
    half = arithmetic.reserved_for_hours([1, 2], 0.5, 1.0)
    assert half == arithmetic.Reservation(2, 2.0)
    assert arithmetic.reserved_for_hours([1, 2], 0.51, 1.0) == arithmetic.Reservation(1, pytest.approx(2.02))
    assert arithmetic.reserved_for_hours([], 0.5, 1.0) == arithmetic.Reservation(0, 0.0)
    # at half the price the best reservation is the mean; demand beyond it is sd / sqrt(2 pi)
    mean = arithmetic.reserved_for_normal(100, 20, 1.0, 2.0)
    assert mean.units == pytest.approx(100)
    assert mean.cost_usd == pytest.approx(100 + 2 * 20 / math.sqrt(2 * math.pi))
    with pytest.raises(ValueError, match="between 0 and the other, 2; got 3"):
        arithmetic.reserved_for_normal(100, 20, 3.0, 2.0)


def test_spares_zones_and_lead_time_by_hand() -> None:
    assert arithmetic.available_share(2, 1, 0.9) == pytest.approx(0.99)
    assert arithmetic.spares(1, 0.9, 0.98) == 1
    assert arithmetic.spares(5, 1.0, 0.999999) == 0
    assert arithmetic.units_per_zone(100, 3, 1) == 50
    assert arithmetic.units_per_zone(101, 3, 1) == 51
    assert arithmetic.reorder_headroom(2, 3, 100, 0.5) == pytest.approx(200)
    with pytest.raises(ValueError, match="at most 2"):
        arithmetic.units_per_zone(1, 3, 3)
    with pytest.raises(ValueError, match="no number of spares"):
        arithmetic.spares(1, 0.9, 1.0)
