"""Results say where iteration times come from: in the summary, in the tables, in the report."""

from __future__ import annotations

from typing import Any

import pytest

from sim import load, simulate
from sim.report import render
from sim.report.tables import law_notes, tables
from sim.result import Result

STREAM = {
    "arrivals": {"kind": "poisson", "rate": "5/s"},
    "prompt_tokens": {"kind": "constant", "value": 100},
    "output_tokens": {"kind": "constant", "value": 5},
}
LATENCY = {"base_s": 0.01, "prefill_s_per_token": 0, "decode_s_per_seq": 0, "attention_s_per_token": 0}


def run(pool: dict[str, Any], **others: dict[str, Any]) -> Result:
    pools = {"chat": {"gpu": "h100-sxm", "autoscaler": {"replicas": 1}, **pool}, **others}
    streams = {name: {**STREAM, "service": {"kind": "constant", "value": 0.1}} for name in pools}
    workload = {"streams": streams} if others else streams["chat"]
    return simulate(load({"name": "x", "horizon": 5, "workload": workload, "pools": pools}))


@pytest.mark.parametrize(
    ("pool", "source", "words", "note"),
    [
        (
            {"model": "llama-3-8b"},
            "calibrated",
            "calibrated on measured runs",
            "Iteration times of pool chat are fitted to 7 runs of vLLM 0.15.1 on H100 "
            "(inference-sim/sim-to-real-accuracy-validation).",
        ),
        (
            {"model": "llama-3-8b", "latency_source": "operators"},
            "operators",
            "from operator times",
            "Iteration times of pool chat come from operator times of vLLM 0.19.0 (ai-dynamo/aiconfigurator), with the "
            "host times of vllm-0.15.",
        ),
        (
            {"model": "qwen3-8b"},
            "roofline",
            "from data sheets",
            "Iteration times of pool chat come from data sheets of qwen3-8b and h100-sxm, efficiencies of family "
            "'hopper', with the host times of vllm-0.15. They are computed, not measured: up to 20 % off where that "
            "was checked, more on new GPUs.",
        ),
        ({"latency": LATENCY, "kv_capacity_tokens": 10_000}, "given", "given", None),
    ],
)
def test_a_pools_law_is_named(pool: dict[str, Any], source: str, words: str, note: str | None) -> None:
    result = run(pool)
    summary = result.summary()
    law = summary["pools"]["chat"]["law"]
    assert law == result.scenario.pools["chat"].law_facts
    assert law["source"] == source
    assert "law" not in summary, "a pool's, not the fleet's"
    assert law_notes(summary) == ([note] if note else [])
    (row,) = [row for table in tables(summary) for row in table.rows if row[0] == "iteration times"]
    assert row[1] == words
    page = render(result)
    assert (note is None) == ("Iteration times of pool" not in page)


def test_each_of_several_pools_has_its_own() -> None:
    slots = {"replica": {"kind": "slots"}, "autoscaler": {"replicas": 1}}
    summary = run({"model": "llama-3-8b"}, pictures=slots).summary()
    assert summary["pools"]["pictures"]["law"] is None
    (row,) = [row for table in tables(summary) for row in table.rows if row[0] == "iteration times"]
    assert row == ("iteration times", "n/a", "calibrated on measured runs", "n/a")
    assert len(law_notes(summary)) == 1


def test_slots_alone_say_nothing_of_iterations() -> None:
    summary = simulate(load("mmc", ["horizon=100", "warmup=0"])).summary()
    assert law_notes(summary) == []
    assert not [row for table in tables(summary) for row in table.rows if row[0] == "iteration times"]
