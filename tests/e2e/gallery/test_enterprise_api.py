"""Twenty tenants behind one API."""

from __future__ import annotations

import pytest

from tests.shipped import told


def test_quotas_or_fair_turns_keep_the_promises_to_other_tenants() -> None:
    """Either is enough; with neither the others' clients keep the small models down when the burst is over."""
    summary = told("enterprise-api")
    assert all(target["met"] for target in summary["slo"])
    noisy = summary["tenants"]["t20"]["requests"]
    assert noisy["arrived"] > 5 * noisy["completed"] / 2
    quiet_s, burst_s = 28 * 60 - 300, 300
    assert noisy["completed"] < 1.1 * (2 * quiet_s + 5 * burst_s), "2 a second as ever, its quota of 5 in the burst"
    assert noisy["rejected"] == noisy["arrived"] - noisy["completed"]
    others = [tenant["requests"] for name, tenant in summary["tenants"].items() if name != "t20"]
    assert sum(each["completed"] for each in others) > 0.999 * sum(each["arrived"] for each in others)
    costs = [tenant["cost"]["total_usd"] for tenant in summary["tenants"].values()]
    assert len(costs) == 20
    assert min(costs) > 0
    assert sum(costs) == pytest.approx(summary["cost"]["total_usd"])

    unfair, unlimited = "pools.small.queue.fair=null", "tenants.t20.quota=null"
    for change in (unfair, unlimited):
        assert all(target["met"] for target in told("enterprise-api", change)["slo"]), change
    neither = told("enterprise-api", unfair, unlimited)
    assert max(target["attained"] for target in neither["slo"]) < 0.7
    assert neither["recovery"]["metastable"]
