"""Scenarios that are right: what is resolved, how they are written and recognised again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from sim.config import catalogue
from sim.config.errors import ConfigError
from sim.hardware import default_engine, kv_capacity_tokens
from sim.scenario import Batching, Central, PerReplica, Pool, Scenario, Slots, load


def chat(**changes: Any) -> dict[str, Any]:
    """A scenario as a mapping, on the shipped model and GPU."""
    return {
        "name": "chat",
        "horizon": "1h",
        "workload": {
            "arrivals": {"kind": "poisson", "rate": "5/s"},
            "prompt_tokens": {"kind": "lognormal", "mean": 1024, "cv": 1.2},
            "output_tokens": {"kind": "quantiles", "at": {0: 1, 0.5: 129, 1: 1000}},
        },
        "pools": {
            "chat": {
                "model": "llama-3-70b",
                "gpu": "h100-sxm",
                "gpus_per_replica": 4,
                "autoscaler": {"kind": "fixed", "replicas": 8},
            }
        },
        **changes,
    }


def test_defaults() -> None:
    scenario = load(chat())
    pool = scenario.pools["chat"]
    assert (scenario.seed, scenario.warmup_s, scenario.calendar, scenario.slo) == (0, 0.0, "auto", ())
    assert pool.replica == Batching(max_num_seqs=256, max_batched_tokens=8192, chunked_prefill=True)
    assert pool.queue == PerReplica(router="least_outstanding", max_waiting=None)
    assert scenario.stream_pools == ("chat",)


def test_model_gpu_and_engine_give_law_memory_and_price() -> None:
    pool = load(chat()).pools["chat"]
    assert pool.engine == default_engine()
    assert (pool.law.source, pool.law.lookahead, pool.law.overhead_s) == ("operators", 1, 0.0077)
    assert pool.law.tokens_s.shape == (8193,)
    assert pool.law.seqs_s.shape == (257,)
    assert pool.law is pool.law, "tabulated once"
    assert pool.kv_tokens == kv_capacity_tokens(pool.model, pool.gpu, 4)  # type: ignore[arg-type]
    assert pool.law_facts == {
        "source": "operators",
        "about": "operator times of vLLM 0.19.0 (ai-dynamo/aiconfigurator)",
        "engine": "vllm-0.15",
        "precision": "bf16",
        "kv_capacity_tokens": pool.kv_tokens,
    }
    assert pool.priced
    assert pool.usd_per_replica_hour == pytest.approx(4 * 3.20)


def test_what_is_given_goes_before_what_is_known() -> None:
    given = {"base_s": 1, "prefill_s_per_token": 0, "decode_s_per_seq": 0, "attention_s_per_token": 0}
    sets = ["pools.chat.price.on_demand=$2.99/h", "pools.chat.kv_capacity_tokens=400k"]
    raw = chat()
    raw["pools"]["chat"]["latency"] = given
    pool = load(raw, sets).pools["chat"]
    assert (pool.law.source, pool.law.seqs_s[7], pool.kv_tokens) == ("given", 1.0, 400_000)
    assert pool.engine is None
    assert pool.law_facts == {"source": "given", "about": "the pool's own 'latency'", "kv_capacity_tokens": 400_000}
    assert pool.usd_per_replica_hour == pytest.approx(4 * 2.99)
    # with both given, nothing is derived, so nothing about the model needs to fit
    assert load(raw, [*sets, "pools.chat.gpus_per_replica=3"]).pools["chat"].kv_tokens == 400_000


def test_knobs_of_the_pair() -> None:
    base = load(chat()).pools["chat"]

    def pool(*sets: str) -> Pool:
        return load(chat(), [f"pools.chat.{text}" for text in sets]).pools["chat"]

    assert pool("precision=fp8").kv_tokens > base.kv_tokens
    assert pool("precision=fp8").law.source == "roofline"
    assert pool("kv_precision=fp8").kv_tokens == pytest.approx(2 * base.kv_tokens, abs=1)
    assert pool("memory_share=80%").kv_tokens < base.kv_tokens
    assert pool("replica.max_batched_tokens=2048").kv_tokens > base.kv_tokens
    assert pool("latency_source=roofline").law.source == "roofline"
    assert pool("engine=vllm-0.11").law.lookahead == 0
    slow = pool("engine={from: vllm-0.15, o1: 50us}").law
    np.testing.assert_allclose(slow.seqs_s - base.law.seqs_s, (50e-6 - 4.4e-6) * np.arange(257), atol=1e-12)
    inline = pool("engine={o0: 1ms, o1: 0}")
    assert inline.law_facts is not None
    assert (inline.law_facts["engine"], inline.law.overhead_s) == ("inline", 0.0)


def test_a_resolved_scenario_holds_its_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    text = load(chat()).to_yaml()
    assert "name: vllm-0.15" in text
    # whatever a later version makes of its default
    monkeypatch.setattr("sim.scenario.pool.default_engine", lambda: pytest.fail("the default is asked for again"))
    assert load(yaml.safe_load(text)).to_yaml() == text


def test_without_price_it_costs_nothing_and_says_so() -> None:
    pool = load("mmc").pools["servers"]
    assert (pool.priced, pool.usd_per_replica_hour) == (False, 0.0)


def test_a_kind_left_out_is_the_defaults() -> None:
    pool = load(chat(), ["pools.chat.queue.max_waiting=7", "pools.chat.replica.max_num_seqs=16"]).pools["chat"]
    assert pool.queue == PerReplica(max_waiting=7)
    assert pool.replica == Batching(max_num_seqs=16)
    assert load(chat(), ["pools.chat.queue.kind=central"]).pools["chat"].queue == Central()


def test_seats() -> None:
    assert (Slots(concurrency=3).seats, Batching(max_num_seqs=9).seats) == (3, 9)


def test_frozen_and_closed() -> None:
    scenario = load(chat())
    with pytest.raises(ValidationError):
        scenario.seed = 3
    with pytest.raises(ConfigError, match="colour: no such key"):
        load(chat(colour="red"))


def test_streams_find_their_pools() -> None:
    raw = chat()
    stream, pool = raw["workload"], raw["pools"]["chat"]
    raw["pools"] = {"big": pool, "small": pool}
    raw["workload"] = {"streams": {"small": stream, "rest": {**stream, "pool": "big"}}}
    scenario = load(raw)
    assert scenario.workload.stream_names == ("small", "rest")
    assert scenario.stream_pools == ("small", "big")


SHIPPED = [name for name in catalogue.names(catalogue.SCENARIOS) if name != "trace-replay"]


@pytest.mark.parametrize("name", SHIPPED)
def test_written_resolved_and_loaded_again_it_is_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_round_trip(load(name), tmp_path, monkeypatch)


def test_a_resolved_scenario_needs_no_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load(chat(name="no", slo=[{"metric": "ttft", "under": "0.1s", "share": "99.9%"}]))
    monkeypatch.setattr("sim.config.catalogue.root", lambda: tmp_path)
    check_round_trip(scenario, tmp_path, monkeypatch)


def check_round_trip(scenario: Scenario, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    text = scenario.to_yaml()
    Path("scenario.yaml").write_text(text, encoding="utf-8")
    again = load("scenario.yaml")
    assert again == scenario
    assert again.to_yaml() == text
    assert again.digest == scenario.digest
    assert load(scenario) == scenario


LENGTHS = {
    "prompt_tokens": {"kind": "histogram", "values": [1, "2k"], "weights": [1, 3]},
    "output_tokens": {"kind": "gamma", "mean": 10, "cv": 0.3, "min": 1, "max": "1k"},
}


@pytest.mark.parametrize(
    "workload",
    [
        {"trace": "t.csv", "speed": 2.0, "limit": 10, "loop": True},
        {"arrivals": {"kind": "curve", "points": [[0, "1/s"], ["1m", 2]]}, **LENGTHS},
        {"arrivals": {"kind": "curve", "file": "c.csv", "interpolate": "step"}, **LENGTHS},
        {"arrivals": {"kind": "diurnal", "rate": "5/s", "peak": 1.86, "trough": 0.3, "peak_at": "15h"}, **LENGTHS},
        {"arrivals": {"kind": "batch", "rate": "5/s", "size": {"kind": "constant", "value": 3}}, **LENGTHS},
        {"streams": {"no": {"arrivals": {"kind": "poisson", "rate": "100/min"}, **LENGTHS, "pool": "chat"}}},
    ],
)
def test_every_kind_of_workload_survives_being_written(
    workload: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("arrival_s,prompt_tokens,output_tokens\n0,10,5\n1,20,5\n")
    Path("c.csv").write_text("t_s,rate_per_s\n0,10\n60,20\n")
    scenario = load(chat(workload=workload))
    before = scenario.workload.demand(1, 0, 60.0)
    check_round_trip(scenario, tmp_path, monkeypatch)
    after = load("scenario.yaml").workload.demand(1, 0, 60.0)
    np.testing.assert_array_equal(before.arrival_s, after.arrival_s)
    np.testing.assert_array_equal(before.prompt_tokens, after.prompt_tokens)
    assert len(before) > 0


def test_digest_knows_what_matters() -> None:
    same = load(chat(horizon="60m", seed="0"))
    assert same.digest == load(chat()).digest
    assert len(same.digest) == 64
    assert load(chat(seed=1)).digest != same.digest


def test_spelling_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("name: '1e3'\nhorizon: 010\ndescription: 'no'\n" + load(chat()).to_yaml().split("\n", 4)[4])
    scenario = load(file)
    assert (scenario.name, scenario.horizon_s, scenario.description) == ("1e3", 10.0, "no")
    assert load(scenario) == scenario


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = "arrival_s,prompt_tokens,output_tokens\n0,10,5\n1,20,5\n"
    for folder in ("deep/down", "here"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "t.csv").write_text(trace)
    (tmp_path / "deep/down/w.yaml").write_text("trace: t.csv\n")
    (tmp_path / "deep/s.yaml").write_text(
        "name: s\nworkload: down/w.yaml\npools: {p: {model: llama-3-8b, gpu: h200, autoscaler: {replicas: 1}}}\n"
    )
    monkeypatch.chdir(tmp_path / "here")
    by_file = load(tmp_path / "deep/s.yaml")
    assert str(by_file.workload.trace) == str(tmp_path / "deep/down/t.csv")
    by_option = load(tmp_path / "deep/s.yaml", ["workload.trace=t.csv"])
    assert str(by_option.workload.trace) == str(tmp_path / "here/t.csv")
    assert by_file.horizon_s is None
    assert load("../deep/s.yaml") == by_file


def test_from_lays_keys_over_what_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.yaml").write_text(
        "arrivals: {kind: spike, rate: 5/s, factor: 3, at: 5m, duration: 1m}\nservice: {kind: constant, value: 1s}\n"
    )
    Path("s.yaml").write_text(
        "name: s\nhorizon: 1h\nworkload: {from: w.yaml, arrivals: {rate: 9/s}}\n"
        "pools: {p: {gpu: {from: h200, price: {on_demand: 9}}, replica: {kind: slots}, autoscaler: {replicas: 1}}}\n"
    )
    scenario = load("s.yaml")
    assert scenario.workload.arrivals.rate == 9.0
    assert scenario.workload.arrivals.factor == 3.0
    assert scenario.pools["p"].usd_per_replica_hour == 9.0
    assert scenario.pools["p"].gpu is not None
    assert scenario.pools["p"].gpu.memory_bytes == 141 * 2**30
    whole = load("s.yaml", ["workload.arrivals={kind: poisson, rate: 1}"])
    assert whole.workload.arrivals.kind == "poisson"


def test_options_reach_into_what_is_referred_to() -> None:
    scenario = load(chat(), ["pools.chat.gpu.price.on_demand=1", "pools.chat.model.precision=fp8"])
    pool = scenario.pools["chat"]
    assert pool.usd_per_replica_hour == 4.0
    assert pool.kv_tokens > load(chat()).pools["chat"].kv_tokens
    assert load(chat(), ["pools.chat.gpu=h200"]).pools["chat"].gpu.name == "h200"  # type: ignore[union-attr]


def test_options_apply_in_order_and_reach_lists() -> None:
    slo = [{"metric": "ttft", "under": "1s", "share": "99%"}]
    scenario = load(chat(slo=slo), ["seed=1", "seed=2", "slo.0.under=250ms"])
    assert scenario.seed == 2
    assert scenario.slo[0].under_s == 0.25


def test_python_values_are_taken_as_they_are(tmp_path: Path) -> None:
    scenario = load(chat(horizon=np.float64(60.0), seed=np.int64(3)))
    assert (scenario.horizon_s, scenario.seed) == (60.0, 3)
    with pytest.raises(ConfigError, match="holds a set, which no settings file can hold"):
        load(chat(horizon={1, 2}))
    loop: dict[str, Any] = {}
    loop["x"] = loop
    with pytest.raises(ConfigError, match="nested more than 40 levels deep"):
        load(loop)
