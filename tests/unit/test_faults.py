"""What breaks in a running fleet, what is counted of it, and how its replicas are replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

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
            "autoscaler": {"replicas": 5},
            "boot": {"kind": "lognormal", "mean": "30s", "cv": 0.5},
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


def counted(spans: Any, from_: str, to: str) -> tuple[int, int]:
    """Fewest and most replicas between two of their times at once, after time 0."""
    real = np.isfinite(spans[from_])
    times_s = np.unique(np.concatenate((spans[from_][real], spans[to][real])))
    there = [int(np.sum((spans[from_] <= at_s) & (at_s < spans[to]))) for at_s in times_s[np.isfinite(times_s)]]
    return min(there), max(there)


@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (2, 0), (0, 1), (0, 2), (1, 1), ("25%", "25%")])
def test_a_rollout_keeps_to_its_limits(surge: int | str, unavailable: int | str) -> None:
    rollout = {"at": "2m", "max_surge": surge, "max_unavailable": unavailable}
    result = simulate(load(SCENARIO, [f"pools.slots.rollouts=[{rollout}]"]))
    spans = result.log.spans
    most, fewest = result.scenario.pools["slots"].rollouts[0].limits(5)
    ready, there = counted(spans, "ready_s", "draining_s"), counted(spans, "ordered_s", "draining_s")
    assert ready[0] == 5 - fewest
    assert there[1] == 5 + most
    assert np.sum(spans["version"] == 1) == np.sum(np.isinf(spans["gone_s"])) == 5
