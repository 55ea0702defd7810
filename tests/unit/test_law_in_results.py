"""Results say where iteration times come from: in the summary, in the tables, in the report."""

from __future__ import annotations

from typing import Any

import pytest

from sim import Result, load, simulate
from sim.report import render
from sim.report.tables.run import pool_notes, tables

STREAM = {
    "arrivals": {"kind": "poisson", "rate": "5/s"},
    "prompt_tokens": {"kind": "constant", "value": 700},
    "output_tokens": {"kind": "constant", "value": 5},
}
"""As long as what the shipped calibration was measured at."""
LATENCY = {"base_s": 0.01, "prefill_s_per_token": 0, "decode_s_per_seq": 0, "attention_s_per_token": 0}


def run(pool: dict[str, Any], **others: dict[str, Any]) -> Result:
    pools = {"chat": {"gpu": "h100-sxm", "autoscaler": {"replicas": 1}, **pool}, **others}
    streams = {name: {**STREAM, "service": {"kind": "constant", "value": 0.1}} for name in pools}
    workload = {"streams": streams} if others else streams["chat"]
    return simulate(load({"name": "x", "horizon": 5, "workload": workload, "pools": pools}))


PRICE = (
    "Price of pool chat: $3.20 a GPU-hour on demand: Hyperstack list price, on demand (hyperstack.cloud/gpu-pricing), "
    "2026-08-26."
)


@pytest.mark.parametrize(
    ("pool", "source", "words", "note"),
    [
        (
            {"model": "llama-3-8b"},
            "calibrated",
            "measured runs",
            "Iteration times of pool chat are fitted to 7 runs of vLLM 0.15.1 on H100 "
            "(inference-sim/sim-to-real-accuracy-validation).",
        ),
        (
            {"model": "llama-3-8b", "latency_source": "operators"},
            "operators",
            "operator times",
            "Iteration times of pool chat come from operator times of vLLM 0.19.0 (ai-dynamo/aiconfigurator), with the "
            "host times of vllm-0.15.",
        ),
        (
            {"model": "qwen3-8b"},
            "roofline",
            "data sheets",
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
    assert law.pop("outside", {}) == {}
    assert law == result.scenario.pools["chat"].law_facts
    assert law["source"] == source
    assert "law" not in summary, "a pool's, not the fleet's"
    assert pool_notes(result.scenario, summary) == ([note, PRICE] if note else [PRICE])
    (row,) = [row for table in tables(summary) for row in table.rows if row[0] == "iteration times from"]
    assert row[1] == words
    page = render(result)
    assert (note is None) == ("Iteration times of pool" not in page)


def test_each_of_several_pools_has_its_own() -> None:
    slots = {"replica": {"kind": "slots"}, "autoscaler": {"replicas": 1}}
    result = run({"model": "llama-3-8b"}, pictures=slots)
    summary = result.summary()
    assert summary["pools"]["pictures"]["law"] is None
    (row,) = [row for table in tables(summary) for row in table.rows if row[0] == "iteration times from"]
    assert row == ("iteration times from", "n/a", "measured runs", "n/a")
    of_law, of_price = pool_notes(result.scenario, summary)
    assert of_law.startswith("Iteration times of pool chat")
    assert of_price == PRICE


@pytest.mark.parametrize(("number", "named"), [(2, "pools p0 and p1"), (40, "40 pools (p0, p1, p2, p3, p4 and so on)")])
def test_what_is_the_same_of_many_pools_is_said_once(number: int, named: str) -> None:
    result = run({"model": "llama-3-8b"})
    summary = result.summary()
    block = summary["pools"]["chat"]
    other = block | {"law": block["law"] | {"about": "of another kind"}}
    summary["pools"] = {f"p{place}": block for place in range(number)}
    of_law, of_price = pool_notes(result.scenario, summary)
    assert of_law.startswith(f"Iteration times of {named} ")
    assert of_price == PRICE.replace("pool chat", named)
    summary["pools"]["odd"] = other
    assert any(note.startswith("Iteration times of pool odd ") for note in pool_notes(result.scenario, summary))


def test_slots_alone_say_nothing_of_iterations() -> None:
    result = simulate(load("mmc", ["horizon=100", "warmup=0"]))
    summary = result.summary()
    assert pool_notes(result.scenario, summary) == []
    assert not [row for table in tables(summary) for row in table.rows if row[0] == "iteration times from"]


HOLDS = {"seqs": [1, 64], "prompt_tokens": [400, 600], "context_tokens": [450, 700], "rate_per_s": [1, 20]}


def measured_at(holds: dict[str, Any] | None, **stream: Any) -> Result:
    """A run on a calibration that says where it holds."""
    row = {
        "gpu": "h100-sxm",
        "gpus_per_replica": 1,
        "engine": "vllm-0.15",
        "experiments": 1,
        "source": "fitted to mine",
    }
    model = {"from": "llama-3-8b", "calibrations": [{**row, **({"holds": holds} if holds else {})}]}
    pool = {"model": model, "gpu": "h100-sxm", "autoscaler": {"replicas": 1}}
    workload = {**STREAM, "prompt_tokens": {"kind": "constant", "value": 500}, **stream}
    return simulate(load({"name": "x", "horizon": 20, "workload": workload, "pools": {"chat": pool}}))


def test_a_run_within_what_was_measured_says_no_more() -> None:
    law = measured_at(HOLDS).summary()["pools"]["chat"]["law"]
    assert (law["holds"], law["outside"]) == (HOLDS, {})
    assert "outside" not in measured_at(None).summary()["pools"]["chat"]["law"]


@pytest.mark.parametrize(
    ("stream", "quantity", "note"),
    [
        (
            {"prompt_tokens": {"kind": "constant", "value": 2000}},
            "prompt_tokens",
            "Iteration times of pool chat were measured at 400 to 600 prompt tokens a request; this run has 2,000 on "
            "average: there they are a guess.",
        ),
        ({"prompt_tokens": {"kind": "constant", "value": 100}}, "prompt_tokens", "400 to 600 prompt tokens a request"),
        ({"output_tokens": {"kind": "constant", "value": 1500}}, "context_tokens", "450 to 700 tokens of context"),
        ({"arrivals": {"kind": "poisson", "rate": 60}}, "rate_per_s", "1 to 20 requests a second on a replica"),
        (
            {"arrivals": {"kind": "poisson", "rate": 60}, "output_tokens": {"kind": "constant", "value": 300}},
            "seqs",
            "1 to 64 sequences decoding at once on a replica; this run has",
        ),
    ],
)
def test_a_run_outside_of_it_is_told(stream: dict[str, Any], quantity: str, note: str) -> None:
    result = measured_at(HOLDS, **stream)
    summary = result.summary()
    assert quantity in summary["pools"]["chat"]["law"]["outside"]
    assert any(note in one for one in pool_notes(result.scenario, summary))


def test_a_lighter_load_is_no_risk() -> None:
    heavy = {"seqs": [50, 64], "rate_per_s": [15, 20]}
    assert measured_at(heavy).summary()["pools"]["chat"]["law"]["outside"] == {}
