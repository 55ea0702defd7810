"""A bare run, and one with demand drawn before, leaves the same requests and the same bill as any other."""

from __future__ import annotations

import numpy as np
import pytest

from sim.engine import simulate
from sim.result.money.bill import bill_of
from sim.scenario import load

SHORT = {
    "chat-h100": ["horizon=2m", "warmup=10s"],
    "autoscale-hpa": ["horizon=30m"],
    "retry-storm": ["horizon=60s", "warmup=0s"],
    "zone-outage": ["horizon=2m", "warmup=0s"],
    "image-generation": ["horizon=30m", "warmup=0s"],
}


@pytest.mark.parametrize("name", SHORT)
def test_a_bare_run_has_the_same_requests_and_costs_the_same(name: str) -> None:
    scenario = load(name, SHORT[name])
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    before = demand.arrival_s.copy()
    whole = simulate(scenario).log
    for _ in range(2):  # demand that was used once can be used again
        bare = simulate(scenario, demand=demand, bare=True).log
        for rows, others in ((whole.requests, bare.requests), (whole.spans, bare.spans)):
            for name in rows.dtype.names or ():
                assert np.array_equal(rows[name], others[name], equal_nan=rows[name].dtype.kind == "f"), name
        assert whole.decisions == bare.decisions
        assert len(bare.edges_s) == 2
    assert np.array_equal(before, demand.arrival_s)
    ends_s = np.array((scenario.warmup_s, whole.edges_s[-1]))
    usd = [bill_of(scenario, log).spent_usd(list(log.pools), ends_s) for log in (whole, bare)]
    assert usd[0] is not None
    assert usd[1] is not None
    assert np.array_equal(*usd)
