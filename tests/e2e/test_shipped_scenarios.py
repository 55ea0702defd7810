"""Every scenario that ships runs, and says what its page claims."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim import load, simulate
from sim.config import catalogue
from sim.config.errors import ConfigError

NAMES = [name for name in catalogue.names(catalogue.SCENARIOS) if name != "trace-replay"]
SHORTER = {"autoscale-hpa": "12h", "autoscale-keda-zero": "36h", "autoscale-predictive": "2d", "spot-mix": "14h"}
"""Horizons that hold what these are about; whole, every row of theirs is looked at on the page of autoscaling."""

GIVE_UP = ("retry-storm",)
"""Scenarios whose clients do not wait for ever; what becomes of these has tests of its own."""


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_serves_everybody(name: str) -> None:
    result = simulate(load(name, [f"horizon={SHORTER[name]}"] if name in SHORTER else []))
    summary = result.summary()
    assert summary["requests"]["arrived"] > 1000
    assert (summary["requests"]["completed"] == summary["requests"]["arrived"]) == (name not in GIVE_UP)
    assert name == "mmc" or summary["cost"]["total_usd"] > 0
    json.dumps(summary, allow_nan=False)


def test_chatgpt_reproduces_the_published_costs() -> None:
    """$0.0003 a word, about a cent a reply, $100,000 a day, $3 million a month, each within 2 %; the queue grows."""
    result = simulate(load("chatgpt-2023"))
    summary = result.summary()
    cost = summary["cost"]
    assert cost["usd_per_million_output_tokens"] / 1e6 == pytest.approx(0.0003, rel=0.02)
    assert cost["usd_per_request"] == pytest.approx(30 * 0.0003, rel=0.02)
    assert cost["usd_per_day"] == pytest.approx(100_000, rel=0.02)
    assert cost["usd_per_month"] == pytest.approx(3e6, rel=0.02)
    assert summary["requests"]["arrived"] == pytest.approx(11.1e6, rel=0.01)
    assert result.timeline["waiting"].max() > 1e6
    assert summary["slo"][0]["met"] is False


def test_trace_replay_asks_for_a_trace_and_takes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trace"):
        load("trace-replay")
    trace = tmp_path / "small.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n0.5,100,20\n1.25,2000,3\n")
    summary = simulate(load("trace-replay", [f"workload.trace={trace}"])).summary()
    assert summary["requests"]["completed"] == 2
    assert summary["latency"]["ttft_s"]["mean"] > 0
