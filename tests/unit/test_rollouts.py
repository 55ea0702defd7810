"""A rolling update keeps to its limits from the first replica to the last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import load, simulate

SCENARIO: dict[str, Any] = {
    "name": "rolling",
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
