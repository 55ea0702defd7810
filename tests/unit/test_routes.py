"""Routes: which pool a request is sent to by what it is; and what the scenario refuses, each at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.config.errors import ConfigError
from sim.engine import simulate
from sim.fleet import setup
from sim.fleet.routed import pools_of
from sim.model.tables import REQUEST
from sim.scenario import load

LATENCY = {"base_s": 0.01, "prefill_s_per_token": 1e-5, "decode_s_per_seq": 1e-4, "attention_s_per_token": 0}


def pool(**more: Any) -> dict[str, Any]:
    return {"latency": LATENCY, "kv_capacity_tokens": 100_000, "autoscaler": {"kind": "fixed", "replicas": 1}} | more


def stream(**more: Any) -> dict[str, Any]:
    law = {"kind": "uniform", "low": 1, "high": 10_000}
    drawn = {"arrivals": {"kind": "poisson", "rate": "2/s"}, "prompt_tokens": law}
    return drawn | {"output_tokens": {"kind": "constant", "value": 20}} | more


def scenario(**more: Any) -> dict[str, Any]:
    return {
        "name": "routes",
        "horizon": "100s",
        "workload": {"streams": {"chat": stream(pool="short"), "code": stream(pool="long")}},
        "pools": {"short": pool(), "long": pool(), "spare": pool()},
    } | more


def sent(routes: list[dict[str, Any]], rows: list[tuple[int, int, int]]) -> list[str]:
    """The pools of requests of (stream, prompt tokens, output tokens)."""
    requests = np.zeros(len(rows), REQUEST)
    requests["stream"], requests["prompt_tokens"], requests["output_tokens"] = np.array(rows).T
    read = load(scenario(routes=routes))
    return [list(read.pools)[row] for row in pools_of(read, requests)]


def test_the_first_rule_of_which_all_holds_decides() -> None:
    routes = [
        {"stream": "chat", "prompt_tokens": {"over": "4k", "at_most": "8k"}, "to": "long"},
        {"prompt_tokens": {"over": "4k"}, "output_tokens": {"at_most": 200}, "to": "spare"},
    ]
    rows = [(0, 4000, 9), (0, 4001, 9), (0, 8000, 9), (0, 8001, 200), (0, 8001, 201), (1, 4001, 9), (1, 1, 1)]
    assert sent(routes, rows) == ["short", "long", "long", "spare", "short", "spare", "long"]


def test_shares_are_drawn_for_each_rule_anew_and_only_grow() -> None:
    def taken(*shares: str) -> np.ndarray[Any, Any]:
        requests = np.zeros(20_000, REQUEST)
        requests["ticket"] = np.random.default_rng(1).random(len(requests))
        names = ("long", "spare")
        routes = [{"stream": "chat", "share": share, "to": name} for share, name in zip(shares, names, strict=False)]
        return pools_of(load(scenario(routes=routes)), requests)

    few, more = taken("20%", "50%"), taken("30%")
    assert abs((few == 1).mean() - 0.2) < 0.01
    assert abs((few == 2).mean() - 0.5 * 0.8) < 0.01
    assert (more[few == 1] == 1).all()
    tickets = np.random.default_rng(1).random(len(few))
    assert abs(tickets[few == 1].mean() - 0.5) < 0.02  # a router's luck is not that of the rules


def test_a_stream_that_names_a_model_goes_to_the_pool_that_serves_it() -> None:
    served = {"large": {"model": "llama-3-70b", "gpus_per_replica": 4}, "small": {"model": "llama-3-8b"}}
    pools = {name: {"gpu": "h100-sxm", "autoscaler": pool()["autoscaler"], **told} for name, told in served.items()}
    streams = {"a": stream(model="llama-3-8b"), "b": stream(model="llama-3-70b"), "c": stream(model="llama-3-8b")}
    routes = [{"model": "llama-3-8b", "prompt_tokens": {"over": 9_000}, "to": "large"}]
    read = load(scenario(workload={"streams": streams}, pools=pools, routes=routes))
    assert read.stream_pools == ("small", "large", "small")
    assert load(read.to_yaml() and read.model_dump(mode="json", by_alias=True, exclude_none=True)) == read


def test_a_run_counts_requests_where_they_went() -> None:
    spill = {"kind": "per_replica", "router": {"kind": "least_tokens", "refresh": "50ms"}, "spill": {"to": "spare"}}
    tight = {"queue": spill | {"max_waiting": 0}, "replica": {"kind": "batching", "max_num_seqs": 1}}
    pools = {"short": pool(**tight), "long": pool(), "spare": pool()}
    found = {}
    for calendar in ("simpy", "compiled"):
        text = scenario(pools=pools, routes=[{"prompt_tokens": {"over": 5_000}, "to": "long"}], calendar=calendar)
        found[calendar] = simulate(load(text)).log.requests
    rows = found["simpy"]
    assert rows.tobytes() == found["compiled"].tobytes()
    assert (rows["pool"][rows["prompt_tokens"] > 5_000] == 1).all()
    assert {0, 2} == set(rows["pool"][(rows["prompt_tokens"] <= 5_000) & (rows["stream"] == 0)].tolist())
    assert not (rows["outcome"] == 2).any()


def test_a_pool_that_requests_can_spill_to_must_be_able_to_serve_them() -> None:
    pools = {"short": pool(queue={"spill": {"to": "spare"}}), "long": pool(), "spare": pool(kv_capacity_tokens=5_000)}
    read = load(scenario(pools=pools))
    demand = read.workload.demand(1, 0, 100.0)
    with pytest.raises(ConfigError, match=r"pools\.spare: .* can never be served"):
        setup.check_servable(read, setup.pool_specs(read)[0], setup.request_table(read, demand))


HEAD = """\
name: routes
horizon: 100s
workload:
  streams:
    chat: {arrivals: &a {kind: poisson, rate: 1/s}, prompt_tokens: &t {kind: constant, value: 9},
      output_tokens: *t, pool: a}
    jobs: {arrivals: *a, service: {kind: exponential, mean: 1s}, pool: s}
pools:
  a: {gpu: &g h100-sxm, model: &m llama-3-8b, autoscaler: &f {kind: fixed, replicas: 1}, queue: {QUEUE}}
  b: {gpu: *g, model: *m, autoscaler: *f, queue: {spill: {to: a}}}
  s: {replica: {kind: slots}, autoscaler: *f, queue: {SLOTS}}
routes:
"""


def told(tmp_path: Path, rules: str = "", queue: str = "", slots: str = "") -> list[str]:
    text = HEAD.replace("{QUEUE}", f"{{{queue}}}").replace("{SLOTS}", f"{{{slots}}}")
    text = text + rules if rules else text.replace("routes:\n", "")
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(problem).replace(f"{path}:", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("{stream: chta, to: a}", "routes.0.stream: no stream is called 'chta'; did you mean 'chat'?"),
        ("{class: paid, to: a}", "routes.0.class: no stream has 'class: paid'"),
        ("{to: c}", "routes.0.to: no pool is called 'c'"),
        ("{prompt_tokens: {over: 9, at_most: 9}, to: b}", "routes.0.prompt_tokens.at_most: must be above 'over' (9)"),
        ("{prompt_tokens: {}, to: b}", "routes.0.prompt_tokens: needs over, at_most or both"),
        ("{stream: jobs, prompt_tokens: {over: 9}, to: s}", "routes.0: can never match: there is no stream"),
        ("{stream: chat, to: s}", "routes.0.to: the replicas of pool 's' are slots, those of 'a', where stream 'chat'"),
        ("{share: 0, to: b}", "routes.0.share: must be above 0"),
        ("{stream: chat, to: b}\n- {stream: chat, share: 5%, to: a}", "routes.1: can never match: the rules before it"),
        (
            "{prompt_tokens: {over: 4}, to: b}\n- {prompt_tokens: {over: 5, at_most: 9}, to: a}",
            "routes.1: can never match: the rules before it",
        ),
    ],
)
def test_rules_that_cannot_work(tmp_path: Path, rule: str, complaint: str) -> None:
    (only,) = told(tmp_path, f"- {rule}\n")
    assert complaint in only
    assert only.startswith(("12:", "13:", "14:"))


def test_a_later_rule_may_take_what_is_left() -> None:
    routes = [
        {"stream": "chat", "share": "50%", "to": "long"},
        {"stream": "chat", "prompt_tokens": {"over": 5}, "to": "spare"},
        {"prompt_tokens": {"over": 4}, "to": "long"},
        {"to": "spare"},
    ]
    assert load(scenario(routes=routes)).routes is not None


@pytest.mark.parametrize(
    ("queue", "complaint"),
    [
        ("spill: {to: d}", "pools.a.queue.spill.to: no pool is called 'd'"),
        ("spill: {to: b}", "pools.a.queue.spill.to: goes in a circle: a > b > a; the last pool must keep what it gets"),
        ("spill: {to: a}", "pools.a.queue.spill.to: goes in a circle: a > a"),
        ("spill: {to: s}", "pools.a.queue.spill.to: the replicas of pool 's' are slots, those here are batching"),
        ("router: {kind: rndom}", "pools.a.queue.router.kind: 'rndom' is not one of round_robin, random"),
        ("router: {kind: random, refresh: 1s}", "pools.a.queue.router.refresh: says nothing for 'random'"),
        ("router: {kind: least_kv, refresh: 1ns}", "pools.a.queue.router.refresh: must be at least 1e-06 s"),
        ("router: {kind: least_kv, load_bound: 2}", "pools.a.queue.router.load_bound: is for session_affinity and"),
        ("router: {kind: prefix_aware, load_bound: 0.9}", "pools.a.queue.router.load_bound: must be between 1 and"),
        ("router: {kind: least_kv, counts_own: true}", "pools.a.queue.router.counts_own: says nothing without"),
        ("router: {refresh: 1s}", "pools.a.queue.router.kind: is missing: the router"),
    ],
)
def test_queues_that_cannot_work(tmp_path: Path, queue: str, complaint: str) -> None:
    (only,) = told(tmp_path, queue=queue)
    assert complaint in only
    assert only.startswith("9:")


def test_prompts_are_not_known_to_slots(tmp_path: Path) -> None:
    (only,) = told(tmp_path, slots="router: prefix_aware")
    assert "pools.s.queue.router: 'prefix_aware' is for batching replicas" in only


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({"model": "llama-3-9b"}, "workload.streams.x.model: no pool serves model 'llama-3-9b'; did you mean"),
        ({"model": "llama-3-8b", "pool": "large"}, "workload.streams.x.pool: pool 'large' serves 'llama-3-70b', and"),
    ],
)
def test_a_model_that_its_pool_does_not_serve(wish: dict[str, str], complaint: str) -> None:
    pools = {
        "large": {"model": "llama-3-70b", "gpu": "h100-sxm", "gpus_per_replica": 4, "autoscaler": pool()["autoscaler"]},
        "small": {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": pool()["autoscaler"]},
    }
    with pytest.raises(ConfigError) as caught:
        load(scenario(workload={"streams": {"x": stream(**wish)}}, pools=pools))
    assert complaint in str(caught.value)
