"""M5 over whole scenarios: time has no natural unit, so one whose times are all twice as long has the same history.

Exactly, because the factor is a power of two: arrivals, engines, clients that give up and retry, boots, faults, spot
reclaims, autoscalers and their metrics. Finds seconds that are hidden anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import Result, load, simulate

POLICIES: dict[str, Any] = {
    "fixed": lambda x: {"kind": "fixed", "replicas": 4},
    "queue length": lambda x: {
        "kind": "queue_length",
        "target": 0.5,
        "min_replicas": 2,
        "max_replicas": 8,
        "window": 30 * x,
        "period": 15 * x,
        "scale_down_delay": 60 * x,
    },
    "predictive": lambda x: {
        "kind": "predictive",
        "metric": "concurrency",
        "per_replica": 1.5,
        "lead": 40 * x,
        "scale_down_delay": 64 * x,
        "min_replicas": 2,
        "max_replicas": 8,
        "season": 512 * x,
        "bin": 32 * x,
        "window": 32 * x,
        "period": 32 * x,
    },
}


def scenario(x: float, policy: str, replica: str) -> dict[str, Any]:
    """All its times are `x` times as long."""
    batching = {
        "replica": {"kind": "batching", "max_num_seqs": 4, "max_batched_tokens": 512},
        "latency": {
            "base_s": 0.03 * x,
            "prefill_s_per_token": 1e-4 * x,
            "decode_s_per_seq": 1e-3 * x,
            "attention_s_per_token": 1e-7 * x,
        },
        "kv_capacity_tokens": 3000,
        "queue": {"kind": "per_replica", "router": "least_outstanding"},
    }
    slots = {"replica": {"kind": "slots", "concurrency": 2}, "queue": {"kind": "central"}}
    spot = {"hazard": 0.005 / x, "notice": 20 * x, "batch": 0.5}
    return {
        "name": "scaled",
        "seed": 5,
        "horizon": 768 * x,
        "warmup": 64 * x,
        "workload": {
            "arrivals": {"kind": "mmpp", "rates": [0.5 / x, 6 / x], "leave": [0.02 / x, 0.05 / x]},
            "prompt_tokens": {"kind": "lognormal", "mean": 300, "cv": 1, "max": 1200},
            "output_tokens": {"kind": "uniform", "low": 1, "high": 100},
            "service": {"kind": "gamma", "mean": 3 * x, "cv": 1.5},
            "clients": {
                "patience": 6 * x,
                "total_timeout": 60 * x,
                "retry": {"kind": "exponential", "attempts": 3, "base": 0.5 * x, "cap": 8 * x, "budget": 0.5},
            },
        },
        "pools": {
            "main": {
                **(batching if replica == "batching" else slots),
                "boot": {"kind": "exponential", "mean": 20 * x},
                "metrics": {"scrape_interval": 5 * x, "delay": 2 * x},
                "faults": [{"kind": "crash", "mtbf": 300 * x, "repair": {"kind": "exponential", "mean": 40 * x}}],
                "supply": [
                    {"name": "base", "most": 3},
                    {"name": "spot", "market": "spot", "spot": spot, "retry": 16 * x},
                ],
                "price": {"on_demand": 2, "spot": 1},
                "billing": {"granularity": x, "minimum": 60 * x},
                "autoscaler": POLICIES[policy](x),
            }
        },
        "slo": [{"metric": "e2e", "under": 10 * x, "share": 0.9}],
    }


def ran(x: float, policy: str, replica: str) -> Result:
    return simulate(load(scenario(x, policy, replica)))


@pytest.mark.parametrize(
    ("policy", "replica", "x"),
    [("fixed", "slots", 0.5), ("queue length", "batching", 2.0), ("predictive", "slots", 1024.0)],
)
def test_m5_a_whole_scenario_has_no_natural_unit(policy: str, replica: str, x: float) -> None:
    one, other = ran(1.0, policy, replica), ran(x, policy, replica)
    mine, theirs = one.log.requests, other.log.requests
    assert len(np.unique(mine["outcome"])) > 1, "a history worth the name"
    for name in mine.dtype.names or ():
        expected = mine[name] * x if name.endswith("_s") else mine[name]
        np.testing.assert_array_equal(theirs[name], expected, err_msg=name)
    assert [(row.at_s * x, row.current, row.wanted) for row in one.log.decisions] == [
        (row.at_s, row.current, row.wanted) for row in other.log.decisions
    ]
    for name in one.log.spans.dtype.names or ():
        expected = one.log.spans[name] * x if name.endswith("_s") else one.log.spans[name]
        np.testing.assert_array_equal(other.log.spans[name], expected, err_msg=name)
    ours, scaled = one.summary(), other.summary()
    assert scaled["requests"] == ours["requests"]
    assert scaled["slo"][0]["attained"] == ours["slo"][0]["attained"]
    for metric in ("queue_wait_s", "e2e_s"):
        for key in ("mean", "p50", "p99"):
            assert scaled["latency"][metric][key] == pytest.approx(ours["latency"][metric][key] * x, rel=1e-12)
    assert scaled["time_average"] == pytest.approx(ours["time_average"], rel=1e-9)
    assert scaled["cost"]["usd_per_hour"] == pytest.approx(ours["cost"]["usd_per_hour"], rel=1e-9)
    assert scaled["cost"]["total_usd"] == pytest.approx(ours["cost"]["total_usd"] * x, rel=1e-9)
