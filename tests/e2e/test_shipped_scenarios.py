"""Every scenario that ships runs, and says what its page claims."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sim import load, simulate
from sim.config import catalogue
from sim.config.errors import ConfigError

NAMES = [name for name in catalogue.names(catalogue.SCENARIOS) if name != "trace-replay"]
SHORTER = {"autoscale-hpa": "12h", "autoscale-keda-zero": "36h", "autoscale-predictive": "2d", "spot-mix": "14h"}
"""Horizons that hold what these are about; whole, every row of theirs is looked at on the page of autoscaling."""

GIVE_UP = ("chatgpt-plus", "enterprise-api", "retry-storm")
"""Scenarios whose clients do not wait for ever; what becomes of these has tests of its own."""


@cache
def told(name: str, *sets: str) -> dict[str, Any]:
    """The summary of a scenario with these changes, run once."""
    return simulate(load(name, sets)).summary()


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_serves_everybody(name: str) -> None:
    summary = told(name, *([f"horizon={SHORTER[name]}"] if name in SHORTER else []))
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


def test_priority_for_paid_users_takes_little_from_the_others() -> None:
    """A tenth of the requests goes first: their promise holds then, and not without. $20 of 2,592 people pay for it."""
    first, equal = told("chatgpt-plus"), told("chatgpt-plus", "classes.free.priority=0")
    paid, free = (first["classes"][name]["latency"]["ttft_s"] for name in ("paid", "free"))
    assert [target["met"] for target in first["slo"]] == [True, True]
    assert [target["met"] for target in equal["slo"]] == [False, True]
    assert paid["p99"] < 2 < 8 < free["p99"]
    before = {name: each["latency"]["ttft_s"] for name, each in equal["classes"].items()}
    assert before["paid"]["p99"] > 5 * paid["p99"]
    assert free["mean"] < 1.15 * before["free"]["mean"]
    assert first["classes"]["free"]["attempts"]["rejected"] > 0 == first["classes"]["paid"]["attempts"]["rejected"]
    assert first["cost"]["usd_per_month"] / 20 == pytest.approx(2592)


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


def test_eight_replicas_answer_a_voice_in_time_and_seven_do_not() -> None:
    enough, short = told("voice-assistant"), told("voice-assistant", "pools.assistant.autoscaler.replicas=7")
    assert (enough["replicas"]["max"], enough["slo"][0]["met"], short["slo"][0]["met"]) == (8, True, False)
    users = 40 / 2 * 86_400 / 4  # conversations: a second in the peak hour, twice the mean, four a user and day
    assert enough["cost"]["usd_per_month"] / users == pytest.approx(0.085, abs=0.001)
