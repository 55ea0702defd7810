"""Electricity: a small part of an owned fleet's bill, of which less than half grows with use."""

from __future__ import annotations

import pytest

from tests.shipped import told

NAME = "energy-bill"


def test_what_of_the_bill_is_electricity() -> None:
    """8 % at this load; the fleet at rest, 5 kW with its cooling all day, is half of that."""
    run, idle_usd = told(NAME), 8 * 0.5 * 1.25 * (9 * 0.06 + 11 * 0.08 + 4 * 0.16)
    assert run["energy"]["usd"] / run["cost"]["total_usd"] == pytest.approx(0.083, abs=0.002)
    assert 0.5 < idle_usd / run["energy"]["usd"] < 0.53
    fixed = 8 * 24 * (40_000 * 0.7 / 4 + 40_000 * 0.08) / 8760
    assert run["cost"]["total_usd"] == pytest.approx(fixed + run["energy"]["usd"])


def test_a_token_is_cheap_on_a_full_fleet() -> None:
    """A quarter of the requests takes nearly as much electricity."""
    run, quarter = told(NAME), told(NAME, "workload.arrivals.rate=1.25/s")
    assert 1.1 < run["energy"]["kwh"] / quarter["energy"]["kwh"] < 1.2
    assert quarter["cost"]["usd_per_million_output_tokens"] > 3.5 * run["cost"]["usd_per_million_output_tokens"]
