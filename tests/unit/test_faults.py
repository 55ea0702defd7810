"""What breaks in a running fleet, and what is counted of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim import load, simulate

SCENARIO: dict[str, Any] = {
    "name": "breaking",
    "seed": 3,
    "horizon": "20m",
    "workload": {
        "arrivals": {"kind": "poisson", "rate": "1/s"},
        "service": {"kind": "lognormal", "mean": "2s", "cv": 0.5},
    },
    "pools": {
        "slots": {
            "replica": {"kind": "slots", "concurrency": 2},
            "autoscaler": {"replicas": 4},
            "boot": "30s",
        }
    },
}


def test_a_zone_is_up_once_all_its_outages_are_over() -> None:
    """Two outages of one zone overlap: the end of the first is not the end."""
    faults = "[{kind: zone_outage, zone: 1, at: 2m, lasts: 5m}, {kind: zone_outage, zone: 1, at: 4m, lasts: 6m}]"
    sets = [
        "pools.slots.supply=[{name: a, zones: 2}]",
        f"pools.slots.faults={faults}",
        "pools.slots.rollouts=[{at: 8m}, {at: 15m}]",  # both order replicas: while zone 1 is down, and after
    ]
    spans = simulate(load(SCENARIO, sets)).log.spans
    ordered_s = spans["ordered_s"]
    assert np.all(spans["zone"][(ordered_s >= 120) & (ordered_s < 600)] == 0)
    assert np.any(spans["zone"][ordered_s >= 600] == 1)


def test_failures_that_are_repaired_in_place_are_counted_apart() -> None:
    sets = ["pools.slots.faults=[{kind: crash, mtbf: 10m, repair: 20s}]"]
    result = simulate(load(SCENARIO, sets))
    found = result.summary()["lives"]
    downs = result.log.down
    assert found["failed"] == 0
    assert found["repaired"] == np.sum(downs["from_s"] < 1200) > 0
