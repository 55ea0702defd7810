"""The published costs come out of the run, and the waits that they imply."""

from __future__ import annotations

import pytest

from tests.shipped import told


def test_chatgpt_reproduces_the_published_costs() -> None:
    """$0.0003 a word, about a cent a reply, $100,000 a day, $3 million a month, each within 2 %; the queue grows."""
    summary = told("chatgpt-2023")
    cost = summary["cost"]
    assert cost["usd_per_million_output_tokens"] / 1e6 == pytest.approx(0.0003, rel=0.02)
    assert cost["usd_per_request"] == pytest.approx(30 * 0.0003, rel=0.02)
    assert cost["usd_per_day"] == pytest.approx(100_000, rel=0.02)
    assert cost["usd_per_month"] == pytest.approx(3e6, rel=0.02)
    assert summary["requests"]["arrived"] == pytest.approx(11.1e6, rel=0.01)
    assert summary["time_average"]["waiting"] > 1e6
    assert summary["slo"][0]["met"] is False


def test_with_the_published_fleet_lost_users_cost_more_than_the_gpus() -> None:
    """Four requests in five wait ten seconds or longer: one user in a hundred of them is lost, at $6."""
    found = told("chatgpt-2023")["slowness"]
    assert found["usd_per_day"] > 5 * found["fleet_usd"]
    assert found["total_usd"] <= 6 * 0.01 * told("chatgpt-2023")["requests"]["arrived"]


def test_the_cheapest_fleet_has_dearer_neighbours() -> None:
    """A tenth of the service: fewer replicas lose users, more are paid for nothing."""

    def together_usd(replicas: int) -> float:
        fleet = ("workload.arrivals.rate=12.86/s", f"pools.chatgpt.autoscaler.replicas={replicas}")
        return float(told("chatgpt-2023", *fleet)["slowness"]["fleet_plus_slowness_usd"])

    assert together_usd(33) < min(together_usd(32), together_usd(34)) < together_usd(17)
