"""Scenarios with speculation, watermarks and pools that hand over: what is right, what is wrong, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from sim import load, simulate
from sim.config.errors import ConfigError, DataError
from sim.model.tables import REJECTED

CHAT: dict[str, Any] = {
    "name": "x",
    "horizon": 60,
    "workload": {
        "arrivals": {"kind": "poisson", "rate": 5},
        "prompt_tokens": {"kind": "constant", "value": 500},
        "output_tokens": {"kind": "constant", "value": 50},
    },
}
ONE = {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"replicas": 2}}
TWO = {
    **CHAT,
    "pools": {"prefill": {**ONE, "kv_transfer": {"to": "decode", "bandwidth": "50GB/s"}}, "decode": ONE},
}


def wrong(change: str) -> str:
    with pytest.raises((ConfigError, DataError)) as caught:
        simulate(load(TWO, [change]))
    return str(caught.value)


def test_a_stream_goes_to_the_pool_that_hands_over() -> None:
    assert load(TWO).stream_pools == ("prefill",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pools.prefill.kv_transfer.to=prefill", "pools.prefill.kv_transfer.to: is this pool itself; name the pool"),
        ("pools.prefill.kv_transfer.to=decoed", "no pool is called 'decoed'; did you mean 'decode'?"),
        ("pools.decode.kv_transfer={to: prefill, bandwidth: 1GB/s}", "a request is handed over once"),
        ("pools.decode.model=qwen3-14b", "one model with one kv_precision"),
        ("pools.prefill.kv_transfer.bandwidth=0", "bandwidth: must be above 0"),
        ("pools.decode={replica: {kind: slots}, autoscaler: {replicas: 1}}", "pool 'decode' does not batch"),
        ("pools.decode.kv_capacity_tokens=100", "KV memory of a replica holds 100 tokens"),
        ("pools.prefill.replica.speculation={draft_tokens: 3}", "speculation.acceptance: is missing"),
        ("pools.prefill.replica.speculation={draft_tokens: 40, acceptance: 1}", "max_batched_tokens (8192) / 41"),
        ("pools.prefill.replica.speculation={draft_tokens: 4, acceptance: 120%}", "acceptance"),
        ("pools.prefill.expert_parallel=true", "pools.prefill.expert_parallel: 'llama-3-8b' has no experts; remove it"),
        ("pools.prefill.replica.watermark=70%", "watermark: must be between 0 and 0.5"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: str, said: str) -> None:
    assert said in wrong(change)


def test_who_is_handed_over_decodes_elsewhere_and_later() -> None:
    result = simulate(load(TWO))
    rows = result.log.requests
    assert (rows["handed"] == 2).all()
    assert (rows["replica"] >= 2).all(), "the decoding pool's replicas come second"
    blocks = result.summary()["pools"]
    assert blocks["prefill"]["kv_transfer"]["to"] == "decode"
    assert blocks["prefill"]["kv_transfer"]["requests"] == len(rows)
    assert blocks["decode"]["kv_transfer"] is None
    # 131072 bytes a token: 500 of them over 50 GB/s
    link_s = 131_072 * 500 / 50e9
    busy = blocks["prefill"]["kv_transfer"]["link_busy_share"]
    assert busy == pytest.approx(len(rows) * link_s / (2 * 60))
    shared = simulate(load(TWO, ["pools.prefill.kv_transfer.shared=true"])).summary()["pools"]["prefill"]
    assert shared["kv_transfer"]["link_busy_share"] == pytest.approx(2 * busy), "one link for both replicas"
    slow = simulate(load(TWO, ["pools.prefill.kv_transfer.latency=200ms"]))
    gaps = slow.log.requests["finish_s"] - slow.log.requests["first_token_s"]
    assert (gaps >= 0.2 + link_s).all()
    assert set(result.requests["replica"]) == {0, 1}


def test_who_finds_no_place_to_decode_is_turned_away_and_is_not_there_any_more() -> None:
    few = ["pools.decode.queue={kind: central, max_waiting: 2}", "pools.decode.replica.max_num_seqs=2"]
    result = simulate(load(TWO, [*few, "pools.decode.autoscaler.replicas=1", "workload.arrivals.rate=20"]))
    summary = result.summary()
    assert summary["requests"]["rejected"] > 100
    assert summary["requests"]["rejected"] + summary["requests"]["completed"] == summary["requests"]["arrived"]
    assert summary["time_average"]["running"] < 20
    rows = result.log.requests
    assert (rows["finish_s"] > rows["start_s"])[rows["outcome"] == REJECTED].all()


def test_a_link_for_all_is_busier_than_one_each() -> None:
    tight = ["pools.prefill.kv_transfer.bandwidth=400MB/s", "workload.arrivals.rate=5.5", "horizon=300"]
    each, shared = (simulate(load(TWO, [*tight, *more])) for more in ([], ["pools.prefill.kv_transfer.shared=true"]))
    mean = [result.summary()["latency"]["tpot_s"]["mean"] for result in (each, shared)]
    assert mean[1] > 1.1 * mean[0]


def test_speculation_makes_as_many_tokens_as_it_says() -> None:
    alone = {**CHAT, "pools": {"chat": {**ONE, "autoscaler": {"replicas": 1}}}}
    alone["workload"] = {**CHAT["workload"], "arrivals": {"kind": "renewal", "gap": {"kind": "constant", "value": 5}}}
    plain = simulate(load(alone)).summary()["latency"]["tpot_s"]["mean"]
    key = "pools.chat.replica.speculation"
    never = simulate(load(alone, [f"{key}={{draft_tokens: 3, acceptance: 0}}"])).summary()["latency"]["tpot_s"]["mean"]
    always = simulate(load(alone, [f"{key}={{draft_tokens: 3, acceptance: 1}}"])).summary()["latency"]["tpot_s"]["mean"]
    # four tokens are verified where weights are read all the same; 49 tokens take 13 iterations instead of 49
    assert plain < never < 1.05 * plain
    assert always == pytest.approx(never * 13 / 49, rel=0.01)
    drafted = simulate(load(alone, [f"{key}={{draft_tokens: 3, acceptance: 1, draft: 1ms}}"])).summary()
    assert drafted["latency"]["tpot_s"]["mean"] == pytest.approx(always + 0.003 * 13 / 49, rel=0.01)


def test_a_watermark_keeps_memory_free_at_admission() -> None:
    full = {**CHAT, "pools": {"chat": {**ONE, "kv_capacity_tokens": 2600}}}
    full["workload"] = {**CHAT["workload"], "arrivals": {"kind": "poisson", "rate": 60}}
    loose, tight = (simulate(load(full, ["horizon=20", *more])) for more in ([], ["pools.chat.replica.watermark=30%"]))
    assert loose.log.preemptions > 0
    assert tight.log.preemptions < loose.log.preemptions
