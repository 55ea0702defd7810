"""What a wrong scenario is told: every problem at once, at its place, with the nearest right key. Golden messages."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from sim.autoscaling import AnyPolicy
from sim.config.errors import ConfigError
from sim.scenario import load

POLICIES = ", ".join(get_args(member)[1].tag for member in get_args(get_args(AnyPolicy)[0]))

GOOD = """\
name: good
horizon: 1h
workload:
  arrivals: {kind: poisson, rate: 5/s}
  prompt_tokens: {kind: constant, value: 100}
  output_tokens: {kind: constant, value: 10}
pools:
  chat:
    latency: {base_s: 15ms, prefill_s_per_token: 5e-5, decode_s_per_seq: 4e-5, attention_s_per_token: 3e-8}
    kv_capacity_tokens: 400k
    autoscaler: {kind: fixed, replicas: 8}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def complaints(text: str, *sets: str) -> list[str]:
    Path("s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("s.yaml", sets)
    said = [str(problem) for problem in caught.value.problems]
    assert not any("Input should" in line or "pydantic" in line for line in said)
    return said


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_the_good_one_is_good() -> None:
    Path("s.yaml").write_text(GOOD)
    assert load("s.yaml").pools["chat"].law.seqs_s[0] == 0.015


def test_everything_wrong_is_said_at_once_in_file_order() -> None:
    text = """\
name: chat
seeed: 3
horizon: 5 parsecs
warmup: -1
calendar: fast
workload:
  arrivals: {kind: poison, rate: 5/s}
  prompt_tokens: {kind: lognormal, mean: 1024, cv: 1.2, foo: 3}
pools:
  chat:
    modl: llama-3-70b
    gpu: h100
    gpus_per_replica: two
    replica: {kind: batching, max_num_seq: 256, chunked_prefill: 7}
    queue: {kind: per_replica, router: least_oustanding, max_waiting: 1.5}
    autoscaler: {kind: fixd, max_replica: 8}
    price: {on_demand: free}
slo:
  - {metric: ttfft, under: 1s, share: 99}
  - {metric: tpot}
  - 7
"""
    assert complaints(text) == [
        "s.yaml:2:1: seeed: no such key; did you mean 'seed'?",
        "s.yaml:3:10: horizon: must be a duration, such as 90s, 5m, 24h or 250ms; got '5 parsecs'",
        "s.yaml:4:9: warmup: must be at least 0, got -1",
        "s.yaml:5:11: calendar: 'fast' is not one of auto, simpy, compiled",
        "s.yaml:7:20: workload.arrivals.kind: 'poison' is not one of poisson, renewal, mmpp, batch, curve, diurnal, "
        "spike, cox, closed; did you mean 'poisson'?",
        "s.yaml:8:57: workload.prompt_tokens.foo: no such key; there are: min, max, mu, sigma, median, p99",
        "s.yaml:11:5: pools.chat.modl: no such key; did you mean 'model'?",
        "s.yaml:12:10: pools.chat.gpu: no GPU is called 'h100'; did you mean 'h100-sxm'?",
        "s.yaml:13:23: pools.chat.gpus_per_replica: must be a whole number, such as 8, 4k or 1.5M; got 'two'",
        "s.yaml:14:31: pools.chat.replica.max_num_seq: no such key; did you mean 'max_num_seqs'?",
        "s.yaml:14:66: pools.chat.replica.chunked_prefill: must be true or false; got 7",
        "s.yaml:15:40: pools.chat.queue.router: 'least_oustanding' is not one of round_robin, random, "
        "power_of_two, least_outstanding, least_tokens, least_kv, session_affinity, prefix_aware; "
        "did you mean 'least_outstanding'?",
        "s.yaml:15:71: pools.chat.queue.max_waiting: must be a whole number, got 1.5",
        f"s.yaml:16:24: pools.chat.autoscaler.kind: 'fixd' is not one of {POLICIES}; did you mean 'fixed'?",
        "s.yaml:17:24: pools.chat.price.on_demand: must be a price per hour, such as $2.99/h or 2.99; got 'free'",
        "s.yaml:19:14: slo.0.metric: 'ttfft' is not one of ttft, tpot, e2e, queue_wait; did you mean 'ttft'?",
        "s.yaml:19:39: slo.0.share: must be between 0 and 1, got 99; did you mean '99%'?",
        "s.yaml:20:5: slo.1.under: is missing: the limit",
        "s.yaml:20:5: slo.1.share: is missing: share of requests that must be within the limit",
        "s.yaml:21:5: slo.2: must be a mapping (key: value); got 7; its keys: metric, under, share, class, tenant",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: good\n", "", "s.yaml:1:1: name: is missing: names the output folder"),
        (
            "name: good",
            "name: ../x",
            "s.yaml:1:7: name: must start with a letter or digit and hold only letters, digits, spaces and . _ + - "
            "(80 at most); got '../x'",
        ),
        ("name: good", "name: 3", "s.yaml:1:7: name: must be text; got 3"),
        (
            "horizon: 1h\n",
            "",
            "s.yaml:1:1: horizon: is missing: generated arrivals (and looping traces) go on for ever; such as 1h",
        ),
        ("horizon: 1h", "horizon: 0", "s.yaml:2:10: horizon: must be above 0, got 0"),
        (
            "horizon: 1h",
            "horizon: 1h\nwarmup: 60m",
            "s.yaml:3:9: warmup: must be below the horizon (3600 s); got 3600 s",
        ),
        (
            "    autoscaler: {kind: fixed, replicas: 8}\n",
            "",
            "s.yaml:8:3: pools.chat.autoscaler: is missing: how many replicas there are",
        ),
        (
            "    kv_capacity_tokens: 400k\n",
            "",
            "s.yaml:8:3: pools.chat: a batching pool needs 'kv_capacity_tokens', or a 'model' and a 'gpu'",
        ),
        (
            "{base_s: 15ms, ",
            "{base_s: 15, base: 1, ",
            "s.yaml:9:27: pools.chat.latency.base: no such key; did you mean 'base_s'?",
        ),
        (
            "base_s: 15ms, prefill_s_per_token: 5e-5, decode_s_per_seq: 4e-5",
            "base_s: 0, prefill_s_per_token: 5e-5, decode_s_per_seq: 0",
            "s.yaml:9:5: pools.chat.latency: an iteration must take time: base_s and decode_s_per_seq are both 0",
        ),
        (
            "kv_capacity_tokens: 400k",
            "kv_capacity_tokens: 400k\n    replica: {max_num_seqs: 300, max_batched_tokens: 200}",
            "s.yaml:11:29: pools.chat.replica.max_num_seqs: must not be above max_batched_tokens (200): an iteration "
            "gives every sequence a token; got 300",
        ),
        (
            "  output_tokens: {kind: constant, value: 10}\n",
            "",
            "s.yaml:3:1: workload: needs output_tokens (for batching replicas) or service (for slots replicas)",
        ),
        (
            "  arrivals: {kind: poisson, rate: 5/s}\n",
            "",
            "s.yaml:3:1: workload: needs exactly one of: arrivals (generated requests), trace (a file to replay), "
            "streams (several, by name)",
        ),
        (
            "kind: poisson, rate: 5/s",
            "rate: 5/s",
            "s.yaml:4:3: workload.arrivals: needs a 'kind', one of poisson, renewal, mmpp, batch, curve, diurnal, "
            "spike, cox, closed",
        ),
        (
            "pools:\n  chat:",
            "pools:\n  'a.b':",
            "s.yaml:8:3: pools.a.b: a pool's name may hold letters, digits, '_' and '-' (at most 60 characters); "
            "got 'a.b'",
        ),
        ("pools:\n", "pools:\n  x: 3\n", "s.yaml:8:6: pools.x: must be a mapping (key: value); got 3"),
        (
            "replicas: 8",
            "replicas: 0",
            "s.yaml:11:41: pools.chat.autoscaler.replicas: must be between 1 and 100000, got 0",
        ),
        (
            "{kind: fixed, replicas: 8}",
            "8",
            "s.yaml:11:17: pools.chat.autoscaler: must be a mapping (key: value); got 8",
        ),
        (
            "400k",
            "400k\n    queue: {kind: [1]}",
            "s.yaml:11:13: pools.chat.queue.kind: '[1]' is not one of per_replica, central",
        ),
        (
            "400k",
            "400k\n    model: {from: llama-3-8b, layers: x}",
            "s.yaml:11:39: pools.chat.model.layers: must be a whole number, such as 8, 4k or 1.5M; got 'x'",
        ),
    ],
)
def test_one_thing_wrong(old: str, new: str, said: str) -> None:
    assert complaints(changed(old, new)) == [said]


def test_streams_and_pools_must_fit() -> None:
    text = """\
name: streams
horizon: 1h
workload:
  streams:
    a: {arrivals: {kind: poisson, rate: 1}, service: {kind: constant, value: 1s}}
    b: {arrivals: {kind: poisson, rate: 1}, service: {kind: constant, value: 1s}, pool: picturs}
    chat: {arrivals: {kind: poisson, rate: 1}, service: {kind: constant, value: 1s}}
    pictures:
      arrivals: {kind: poisson, rate: 1}
      prompt_tokens: {kind: constant, value: 10}
      output_tokens: {kind: constant, value: 10}
pools:
  chat:
    model: llama-3-70b
    gpu: h100-sxm
    gpus_per_replica: 4
    autoscaler: {kind: fixed, replicas: 2}
  pictures:
    replica: {kind: slots}
    autoscaler: {kind: fixed, replicas: 2}
"""
    assert complaints(text) == [
        "s.yaml:5:5: workload.streams.a: needs 'pool', one of chat, pictures: with several pools, it is not clear "
        "where this stream goes",
        "s.yaml:6:89: workload.streams.b.pool: no pool is called 'picturs'; did you mean 'pictures'?",
        "s.yaml:7:5: workload.streams.chat: needs 'prompt_tokens' and 'output_tokens': the replicas of pool 'chat' are "
        "batching",
        "s.yaml:8:5: workload.streams.pictures: needs 'service': the replicas of pool 'pictures' are slots",
    ]


def derived(keys: str) -> str:
    """A pool that leaves its law and memory to model and GPU."""
    text = changed("    kv_capacity_tokens: 400k\n", keys)
    return text.replace("    latency:", "    # latency:")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            "    model: llama-3-70b\n    gpu: h100-sxm\n",
            "s.yaml:8:3: pools.chat: 'llama-3-70b' does not fit on 1 x h100-sxm: 131.4 GiB of bf16 weights and 2.7 GiB "
            "of reserve a GPU leave nothing of 72.0 GiB (memory_share 0.9) for KV cache; what fits: "
            "gpus_per_replica: 2, or gpu: b200 or gb200 or mi300x",
        ),
        (
            "    model: llama-3-70b\n    gpu: h100-sxm\n    gpus_per_replica: 3\n",
            "s.yaml:12:23: pools.chat.gpus_per_replica: must divide the 64 attention heads of 'llama-3-70b'; got 3; "
            "such as 2 or 4",
        ),
        (
            "    model: llama-3-8b\n",
            "s.yaml:8:3: pools.chat: a batching pool needs 'latency', or a 'model' and a 'gpu'",
        ),
        (
            "    model: llama-3-8b\n    gpu: h200\n    engine: vllm-0.16\n",
            "s.yaml:12:13: pools.chat.engine: no engine is called 'vllm-0.16'; did you mean 'vllm-0.15'?",
        ),
        (
            "    model: llama-3-8b\n    gpu: h200\n    engine: {o1: 20us}\n",
            "s.yaml:12:5: pools.chat.engine.o0: is missing: host seconds that every iteration costs",
        ),
        (
            "    model: llama-3-8b\n    gpu: h200\n    precision: int4\n",
            "s.yaml:12:16: pools.chat.precision: 'int4' is not one of bf16, fp16, fp8, mxfp4",
        ),
        (
            "    model: llama-3-8b\n    gpu: h200\n    latency_source: calibrated\n",
            "s.yaml:12:21: pools.chat.latency_source: there are no measured runs of 'llama-3-8b' in bf16 on 1 x h200 "
            "with engine 'vllm-0.15'",
        ),
        (
            "    model: {from: llama-3-8b, kv_heads: 5}\n    gpu: h200\n",
            "s.yaml:10:41: pools.chat.model.kv_heads: must divide heads (32): each serves as many heads; got 5",
        ),
        (
            "    model: llama-3-8b\n    gpu: {name: mine, memory: 80GiB}\n",
            "s.yaml:8:3: pools.chat: the GPU sheet 'mine' lacks memory_bandwidth, bf16_flops, which iteration times "
            "are computed from",
        ),
    ],
)
def test_what_a_pair_cannot_be(keys: str, said: str) -> None:
    assert said in complaints(derived(keys))


def test_engine_beside_latency_is_refused() -> None:
    text = changed("400k\n", "400k\n    engine: vllm-0.15\n")
    assert complaints(text) == [
        "s.yaml:11:5: pools.chat.engine: says nothing beside 'latency', which gives the iteration time; remove one"
    ]


def test_what_slots_do_not_use_is_refused() -> None:
    text = changed("    kv_capacity_tokens: 400k\n", "    replica: {kind: slots}\n")
    said = "says nothing for replicas of kind slots, which serve by the stream's 'service'; remove it"
    assert complaints(text) == [f"s.yaml:9:5: pools.chat.latency: {said}"]


def test_problems_in_a_referenced_file_are_placed_there() -> None:
    Path("gpus").mkdir()
    Path("gpus/mine.yaml").write_text("name: mine\nmemory: 80 gigs\ntpd_w: 3\n")
    text = changed("kv_capacity_tokens: 400k", "kv_capacity_tokens: 400k\n    gpu: gpus/mine.yaml")
    assert complaints(text.replace("horizon: 1h", "horizon: soon")) == [
        "s.yaml:2:10: horizon: must be a duration, such as 90s, 5m, 24h or 250ms; got 'soon'",
        "gpus/mine.yaml:2:9: pools.chat.gpu.memory: must be a size in bytes, such as 80GiB, 80GB or 512MiB; "
        "got '80 gigs'",
        "gpus/mine.yaml:3:1: pools.chat.gpu.tpd_w: no such key; did you mean 'tdp_w'?",
    ]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("h10-sxm", "no GPU is called 'h10-sxm'; did you mean 'h100-sxm'?"),
        ("../../etc/passwd", "'../../etc/passwd': no such file"),
        ("..", "no GPU is called '..'"),
        ("sub/", "'sub/': is a folder"),
        ("trace.csv", "'trace.csv' is a data file, not a GPU"),
        ("there", "no GPU is called 'there'; did you mean the file 'there.yaml'?"),
    ],
)
def test_references_that_lead_nowhere(reference: str, said: str) -> None:
    Path("sub").mkdir()
    Path("there.yaml").write_text("name: there\n")
    got = complaints(changed("kv_capacity_tokens: 400k", f"kv_capacity_tokens: 400k\n    gpu: {reference}"))
    assert len(got) == 1
    assert got[0].startswith(f"s.yaml:11:10: pools.chat.gpu: {said}")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("foo", "--set: must be KEY=VALUE, such as pools.chat.autoscaler.replicas=12; got 'foo'"),
        ("=3", "--set: must be KEY=VALUE, such as pools.chat.autoscaler.replicas=12; got '=3'"),
        ("a..b=3", "--set: must be KEY=VALUE, such as pools.chat.autoscaler.replicas=12; got 'a..b=3'"),
        ("seeed=3", "--set: seeed: no such key; did you mean 'seed'?"),
        ("pools.chta.autoscaler.replicas=3", "--set: pools.chta: no such key; did you mean 'chat'?"),
        (
            "pools.chat.autoscaler.replica=3",
            "--set: pools.chat.autoscaler.replica: no such key; did you mean 'replicas'?",
        ),
        ("pools.chat.autoscaler.replicas=x", "--set: pools.chat.autoscaler.replicas: must be a whole number"),
        ("horizon.x=1", "--set: horizon.x: 'horizon' is a value, not a mapping"),
        ("slo.0.under=5s", "--set: slo: there is no list to change; give it whole: slo=[...]"),
        ("workload.arrivals.rate=5s", "--set: workload.arrivals.rate: must be a rate, such as"),
        ("pools.chat.gpu=h10-sxm", "--set: pools.chat.gpu: no GPU is called 'h10-sxm'; did you mean 'h100-sxm'?"),
        ("pools.chat.replica={kind: slots", "--set: pools.chat.replica: not valid YAML: a ',' or '}' is missing"),
        ("seed=", "--set: seed: must be a whole number, such as 8, 4k or 1.5M; got nothing"),
    ],
)
def test_options_that_are_wrong(option: str, said: str) -> None:
    got = complaints(GOOD, option)
    assert any(line.startswith(said) for line in got), got


def test_all_wrong_options_at_once() -> None:
    assert len(complaints(GOOD, "foo", "bar")) == 2


def test_a_flood_of_problems_is_counted_not_shown() -> None:
    text = GOOD + "slo:\n" + "  - 7\n" * 80
    said = complaints(text)
    assert len(said) == 51
    assert said[-1] == "... and 30 more"


def test_a_key_in_the_wrong_place_is_told_where_it_belongs() -> None:
    inside = GOOD + "    contracts: {base: {kind: reserved, gpus: 2}}\n"
    assert complaints(inside) == [
        "s.yaml:12:5: pools.chat.contracts: no such key here; 'contracts' is a key at the top of the file"
    ]
    assert complaints(GOOD + "book: aws\n") == ["s.yaml:12:1: book: no such key here; 'book' is a key of pools.NAME"]


def test_the_entry_of_a_list_without_a_kind_is_told_which_there_are() -> None:
    assert complaints(GOOD, "slowness=[{metric: ttft}]") == [
        "--set: slowness.0: needs a 'kind', one of linear, sla_credits, lost_users, lost_requests"
    ]
