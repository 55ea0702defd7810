"""The commitment ladder that runs report: against published cases and by hand, with spot, and as layers of a curve."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from sim.result.money import layers
from sim.result.money.ladder import Load, Prices, best, load_duration, usd_of
from tests.validation.reference import ABSENT, section

DAY = [2.0] * 12 + [6.0] * 6 + [10.0] * 6
"""GPUs by the hour: at least 2 always, 6 half of the time, 10 a quarter of it."""


def load(hourly: list[float]) -> Load:
    return Load.of(np.array(hourly), np.full(len(hourly), 3600.0))


def cases(name: str) -> list[dict[str, Any]]:
    found = [case for case in section("planning_vectors") if case["id"] == name]
    if not found:
        pytest.skip(ABSENT)
    return found


def test_the_published_day() -> None:
    for case in cases("load_duration_curve_commitment"):
        day, prices = load(case["hourly_demand"]), Prices(case["reserved_rate"], case["on_demand_rate"])
        assert best(day, prices) == case["best_q"]
        assert usd_of(day, case["best_q"], prices) == pytest.approx(case["daily_cost"])
        for other in range(20):
            assert usd_of(day, other, prices) >= case["daily_cost"] - 1e-9


def test_the_published_newsvendor() -> None:
    # the normal demand as 20,000 levels of equal weight: as fine as the levels are apart
    for case in cases("newsvendor_reserved_vs_ondemand"):
        law = NormalDist(case["mean"], case["sd"])
        demand = load([law.inv_cdf((place + 0.5) / 20_000) for place in range(20_000)])
        prices = Prices(case["reserved_price"], case["on_demand_price"])
        worth = best(demand, prices)
        assert worth == pytest.approx(case["Q_opt"], abs=0.01 * case["sd"])
        cost_usd = usd_of(demand, worth, prices) / demand.total_h
        assert cost_usd == pytest.approx(case["expected_cost"], rel=1e-4)


@pytest.mark.parametrize(("ratio", "gpus"), [(0.2, 10), (0.25, 10), (0.3, 6), (0.5, 6), (0.51, 2), (1.0, 2)])
def test_a_gpu_is_worth_reserving_if_it_is_used_for_the_ratio_of_prices(ratio: float, gpus: float) -> None:
    assert best(load(DAY), Prices(ratio, 1.0)) == gpus


def test_a_night_without_any() -> None:
    # nobody is there for 18 of 24 hours: at more than a quarter nothing is worth it
    night = load([0.0] * 18 + [4.0] * 6)
    assert best(night, Prices(0.26, 1.0)) == 0
    assert best(night, Prices(0.24, 1.0)) == 4


def test_layers_add_up_to_the_demand() -> None:
    found = load(DAY).layers(6, 0.0)
    # 2 x 12 h + 6 x 12 h used of 6 x 24 h; 4 beyond for 6 h
    assert found == pytest.approx({"reserved_used": 96, "reserved_unused": 48, "spot": 0, "on_demand": 24})
    # half of each level may be on spot, what is beyond the reservation: 4 of 10 in the six busiest hours
    found = load(DAY).layers(6, 0.5)
    assert found == pytest.approx({"reserved_used": 96, "reserved_unused": 48, "spot": 24, "on_demand": 0})
    # with 2 reserved: 3 of 6 on spot and 1 on demand; 5 of 10 on spot and 3 on demand
    found = load(DAY).layers(2, 0.5)
    assert found == pytest.approx({"reserved_used": 48, "reserved_unused": 0, "spot": 48, "on_demand": 24})


def test_spot_takes_the_place_of_a_reservation() -> None:
    # Reserved $0.40, on demand $1. Without spot: 6 for $57.60, 4 beyond for 6 h at $1: $81.60.
    assert best(load(DAY), Prices(0.4, 1.0)) == 6
    assert usd_of(load(DAY), 6, Prices(0.4, 1.0)) == pytest.approx(81.6)
    # Half on spot at $0.10. 6: $57.60 + 24 h of spot $2.40 = $60. 2: $19.20 + $4.80 + 24 h on demand $24 = $48.
    # 3 (half of six): $28.80, used 2 x 12 h + 3 x 12 h; spot 3 x 6 h + 5 x 6 h $4.80; on demand 2 x 6 h $12: $45.60.
    # 5 (half of ten): $48 + 1 x 6 h and 5 x 6 h of spot $3.60 = $51.60.
    prices = Prices(0.4, 1.0, 0.1, 0.5)
    told = {gpus: usd_of(load(DAY), gpus, prices) for gpus in (2, 3, 5, 6)}
    assert told == pytest.approx({2: 48.0, 3: 45.6, 5: 51.6, 6: 60.0})
    assert best(load(DAY), prices) == 3


def test_the_curve_says_for_what_share_there_are_so_many() -> None:
    assert load_duration(load(DAY)) == [[2.0, 1.0], [6.0, 0.5], [10.0, 0.25]]


def test_layers_of_the_picture_are_sorted_by_use() -> None:
    found = layers.laddered(np.array(DAY), np.full(24, 3600.0), 6.0, 0.0)
    assert found is not None
    assert found.shares.tolist() == pytest.approx([0, 0.25, 0.5, 1])
    told = {name: gpus.tolist() for name, gpus in found.gpus.items()}
    assert told == {"reserved": [6, 6, 2], "on_demand": [4, 0, 0], "unused": [0, 0, 4]}


def test_a_curve_of_many_levels_keeps_its_amounts() -> None:
    gpus = np.arange(3000.0)
    found = layers.laddered(gpus, np.full(3000, 10.0), 1000.0, 0.0)
    assert found is not None
    assert len(found.shares) == layers.MOST_STEPS + 1
    length = np.diff(found.shares)
    used = np.minimum(gpus, 1000.0)
    assert found.gpus["reserved"] @ length == pytest.approx(used.mean())
    assert found.gpus["on_demand"] @ length == pytest.approx((gpus - used).mean())
    assert layers.laddered(gpus, np.zeros(3000), 1000.0, 0.0) is None
