"""Every scenario that ships outside the gallery runs, and says what its page claims."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim import load, simulate
from sim.config import catalogue
from sim.config.errors import ConfigError
from tests.shipped import told

GALLERY = catalogue.names(catalogue.GALLERY)
NAMES = [name for name in catalogue.names(catalogue.SCENARIOS) if name not in ("trace-replay", *GALLERY)]
SHORTER = {"autoscale-hpa": "12h", "autoscale-keda-zero": "36h", "autoscale-predictive": "2d", "spot-mix": "14h"}
"""Horizons that hold what these are about; whole, every row of theirs is looked at on the page of autoscaling."""

GIVE_UP = ("retry-storm",)
"""Scenarios whose clients do not wait for ever; what becomes of these has tests of its own."""


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_serves_everybody(name: str) -> None:
    summary = told(name, *([f"horizon={SHORTER[name]}"] if name in SHORTER else []))
    assert summary["requests"]["arrived"] > 1000
    assert (summary["requests"]["completed"] == summary["requests"]["arrived"]) == (name not in GIVE_UP)
    assert name == "mmc" or summary["cost"]["total_usd"] > 0
    json.dumps(summary, allow_nan=False)


def test_trace_replay_asks_for_a_trace_and_takes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trace"):
        load("trace-replay")
    trace = tmp_path / "small.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n0.5,100,20\n1.25,2000,3\n")
    summary = simulate(load("trace-replay", [f"workload.trace={trace}"])).summary()
    assert summary["requests"]["completed"] == 2
    assert summary["latency"]["ttft_s"]["mean"] > 0
