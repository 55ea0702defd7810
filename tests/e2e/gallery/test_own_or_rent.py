"""Owning is cheaper from some 39 % use on at a rent of $3.20, and not after a cut to $1.50; both sides run."""

from __future__ import annotations

import pytest

from sim import load
from sim.pricing.contracts import Owned
from tests.shipped import told

NAME = "own-or-rent"


def _saved_usd(*sets: str) -> tuple[float, float]:
    """Share of the bought GPUs that is used, and all rented less bought."""
    own, rent = told(NAME, *sets), told(NAME, *sets, "contracts={}")
    used = own["commitments"]["contracts"]["bought"]["used_share"]
    return used, float(rent["cost"]["total_usd"] - own["cost"]["total_usd"])


def test_both_sides_of_the_break_even() -> None:
    """(1.164 + 0.05 idle) over (3.20 less what use adds in electricity) is 38.7 %."""
    (below, lost), (above, saved) = (_saved_usd(f"workload.arrivals.rate={rate}/h") for rate in (64, 80))
    assert below < 0.387 < above
    assert lost < 0 < saved
    assert abs(_saved_usd("workload.arrivals.rate=72/h")[1]) < 500  # at 38.6 %, of $53,000


def test_an_owned_hour_is_what_the_formula_says() -> None:
    """$40,000 less 30 % over four years, and 8 % of it a year: $1.164; with 1.3 kW at work about $1.30."""
    bought = told(NAME)["commitments"]["contracts"]["bought"]
    assert bought["usd_per_gpu_h"] == pytest.approx((40_000 * 0.7 / 4 + 40_000 * 0.08) / 8760)
    owned = load(NAME).contracts["bought"]
    assert isinstance(owned, Owned)
    assert isinstance(owned.tariff, float)
    at_work = owned.usd_per_gpu_h() + owned.watts.busy / 1000 * owned.pue * owned.tariff
    assert at_work == pytest.approx(1.30, rel=0.03)


def test_a_cut_of_the_rent_turns_it_round() -> None:
    """The load as shipped, at $3.20 and at $1.50."""
    assert _saved_usd()[1] > 30_000
    assert _saved_usd("pools.fleet.price.on_demand=$1.50/h")[1] < -10_000
