"""The fleet follows its users, the bill follows the contract."""

from __future__ import annotations

import pytest

from tests.shipped import told

NAME = "fleet-shrink"
STAGGERED = "contracts={" + ", ".join(
    f"m{months}: {{kind: reserved, gpus: 12, discount: 30%, term: {30 * months}d}}" for months in (2, 4, 8, 12)
)


def test_what_remains_to_be_paid() -> None:
    """48 GPUs at 70 % of $3.99 for the 185 days that are left of the year; a fifth of it for nothing."""
    run = told(NAME)
    one = run["commitments"]["contracts"]["a_year"]
    assert one["remaining_usd"] == pytest.approx(48 * 0.7 * 3.99 * 24 * 185)
    assert run["slo"][0]["met"]
    assert one["unused_usd"] == pytest.approx(58_500, rel=0.02)
    assert one["saved_usd"] > 0  # over this half year it was still worth it


def test_contracts_that_end_at_different_times_leave_less() -> None:
    """Two have ended, two go on: for 60 and for 180 days more."""
    run = told(NAME, STAGGERED + "}")
    contracts = run["commitments"]["contracts"].values()
    left = 12 * 0.7 * 3.99 * 24 * (60 + 180)
    assert sum(one["remaining_usd"] for one in contracts) == pytest.approx(left)
    assert sum(one["unused_usd"] for one in contracts) < 2_000
    assert run["cost"]["total_usd"] < told(NAME)["cost"]["total_usd"]
