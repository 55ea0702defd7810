"""Twenty thousand replicas: orders ahead of the growth, and those that are broken."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shipped import told

NAME = "hyperscale"
GROWTH = (1.0, 1.088, 1.184, 1.289, 1.402)
"""Of the load, every four weeks: threefold in a year."""
REGIONS = {"americas": (350, 805), "europe": (200, 460), "asia": (150, 345)}
"""Requests a day at first and machines, of a tenth of the fleet."""


def _tenth(*sets: str) -> dict[str, Any]:
    """A tenth of the fleet: what growth does is the same."""
    smaller = []
    for region, (rate, machines) in REGIONS.items():
        points = ",".join(f"[{4 * at}w,{rate * grown:.0f}/d]" for at, grown in enumerate(GROWTH))
        smaller.append(f"workload.streams.{region}.arrivals.points=[{points}]")
        smaller.append(f"pools.{region}.autoscaler.min_replicas={machines}")
    return told(NAME, *smaller, *sets)


def test_orders_must_be_ahead_of_the_growth() -> None:
    """Ordered for the load of the day, most of the work waits; ordered a fifth ahead, only until the first delivery."""
    ahead, late = _tenth(), _tenth(*(f"pools.{region}.autoscaler.target=0.95" for region in REGIONS))
    assert ahead["replicas"]["max"] > 2_000 > late["replicas"]["max"]
    assert ahead["slo"][0]["attained"] > 0.8
    assert late["slo"][0]["attained"] < 0.5
    assert late["requests"]["abandoned"] > 4 * ahead["requests"]["abandoned"]


def test_failures_are_a_rate_at_this_size() -> None:
    """Three days of repair every 50,677 GPU-hours of eight GPUs: 1.1 % of 20,000 machines are broken."""
    run = told(NAME)
    hours = run["ledger"]["gpu_hours"]
    assert run["replicas"]["max"] > 20_000
    down = 72 / (72 + 50_677 / 8)
    assert hours["failed"] / sum(hours.values()) == pytest.approx(down, rel=0.05)
