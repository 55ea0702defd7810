"""Twenty thousand replicas: orders ahead of the growth, and those that are broken."""

from __future__ import annotations

import pytest

from tests.shipped import told

NAME = "hyperscale"
LATE = tuple(f"pools.{region}.autoscaler.target=0.95" for region in ("americas", "europe", "asia"))


def test_orders_must_be_ahead_of_the_growth() -> None:
    """Ordered for the load of the day, most of the work waits; ordered a fifth ahead, only until the first delivery."""
    ahead, late = told(NAME), told(NAME, *LATE)
    assert ahead["replicas"]["max"] > 20_000 > late["replicas"]["max"]
    assert ahead["slo"][0]["attained"] > 0.9
    assert late["slo"][0]["attained"] < 0.4
    assert late["requests"]["abandoned"] > 10 * ahead["requests"]["abandoned"]


def test_failures_are_a_rate_at_this_size() -> None:
    """Three days of repair every 50,677 GPU-hours of eight GPUs: 1.1 % are broken."""
    hours = told(NAME)["ledger"]["gpu_hours"]
    down = 72 / (72 + 50_677 / 8)
    assert hours["failed"] / sum(hours.values()) == pytest.approx(down, rel=0.05)
