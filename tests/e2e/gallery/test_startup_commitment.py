"""A year's discount: worth it if the reserved GPUs are used for more than 62 % of it, run from both sides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shipped import told

NAME = "startup-commitment"


def _year(last: int, *sets: str) -> dict[str, Any]:
    return told(NAME, f"workload.arrivals.points=[[0d,20/h],[365d,{last}/h]]", *sets)


def _saved_usd(last: int) -> float:
    """From two runs: without the commitment, less with it."""
    with_it, without = _year(last), _year(last, "contracts={}")
    saved = float(without["cost"]["total_usd"] - with_it["cost"]["total_usd"])
    assert with_it["commitments"]["contracts"]["a_year"]["saved_usd"] == pytest.approx(saved, abs=0.01)
    return saved


def test_the_break_even_is_the_price_over_the_list_price() -> None:
    """Below 62 % of use the commitment loses, above it saves."""
    used = {last: _year(last)["commitments"]["contracts"]["a_year"]["used_share"] for last in (15, 16)}
    assert used[15] < 0.62 < used[16] < used[15] + 0.02
    assert _saved_usd(15) < 0 < _saved_usd(16)


def test_as_planned_it_saves_and_elsewhere_it_would_save_more() -> None:
    """The planned year gains, but the same GPUs on demand at $3.99 are cheaper than the signed price."""
    planned = told(NAME)
    assert planned["commitments"]["contracts"]["a_year"]["saved_usd"] == pytest.approx(800_800, rel=0.01)
    elsewhere = 3.99 / 6.88 * sum(line["list_usd"] for line in planned["invoice"])
    assert elsewhere < planned["cost"]["total_usd"] - 400_000
