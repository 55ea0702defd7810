"""What a scenario says of clients: patience, timeouts, retries, hedges; their draws, and what the model is told."""

from __future__ import annotations

import math
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from sim.config.errors import ConfigError
from sim.fleet import callers, deadlines, setup
from sim.model.tables import FAILED, REJECTED, TIMED_OUT
from sim.scenario import Scenario, load
from sim.workload import Demand
from tests.laws import chat, workload

COLUMNS = ("patience_s", "first_token_timeout_s", "token_timeout_s", "total_timeout_s")
OLD = ("arrival_s", "stream", "prompt_tokens", "output_tokens", "service_s", "first_service_s", "ticket")
POOL = {
    "latency": {"base_s": 0.01, "prefill_s_per_token": 1e-4, "decode_s_per_seq": 1e-3, "attention_s_per_token": 1e-6},
    "kv_capacity_tokens": "400k",
    "autoscaler": {"kind": "fixed", "replicas": 1},
}
SLOTS = {"replica": {"kind": "slots"}, "autoscaler": {"kind": "fixed", "replicas": 1}}


def scenario(pool: dict[str, Any] = POOL, **said: Any) -> Scenario:
    return load({"name": "x", "horizon": "1m", "workload": said, "pools": {"p": pool}})


def complaints(**said: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        scenario(**said)
    return [str(problem) for problem in caught.value.problems]


def one(**clients: Any) -> Scenario:
    return scenario(**chat(clients=clients))


def several(of_all: dict[str, Any], **own: dict[str, Any]) -> Scenario:
    return scenario(clients=of_all, streams={name: chat(clients=clients) for name, clients in own.items()})


def drawn(of: Scenario) -> Demand:
    return of.workload.demand(of.seed, 0, of.horizon_s)


def rows(of: Scenario) -> Any:
    demand = drawn(of)
    return callers.call_table(of, demand, setup.request_table(of, demand))


def test_clients_that_just_wait_cost_nothing() -> None:
    for clients in ({}, {"max_in_flight": 3}):
        assert rows(one(**clients)) is None
        assert all(getattr(drawn(one(**clients)), name) is None for name in COLUMNS)


@pytest.mark.parametrize(
    "clients",
    [
        {"patience": "5s"},
        {"token_timeout": 3},
        {"retry": {"attempts": 2}},
        {"hedge": {"after": "1s"}},
    ],
    ids=str,
)
def test_whatever_clients_do_needs_rows(clients: dict[str, Any]) -> None:
    table = rows(one(**clients))
    assert len(table) == len(drawn(one()))
    for name in COLUMNS:
        assert set(table[name]) == {
            {"patience_s": 5.0, "token_timeout_s": 3.0}[name] if name[:-2] in clients else math.inf
        }


def test_each_limit_has_random_numbers_of_its_own_and_changes_nobody_elses() -> None:
    law = {"kind": "exponential", "mean": "10s"}
    limits = {name.removesuffix("_s"): law for name in COLUMNS}
    plain, all_of_them = drawn(one()), drawn(one(**limits))
    for name in OLD:
        assert np.array_equal(getattr(plain, name), getattr(all_of_them, name)), name
    columns = [getattr(all_of_them, name) for name in COLUMNS]
    for name, column in zip(COLUMNS, columns, strict=True):
        key = (0, crc32(name.removesuffix("_s").encode()), crc32(b"requests"))
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(0, spawn_key=key)))
        assert column.tolist() == (rng.standard_exponential(len(plain)) * 10).tolist(), "written out by hand"
        alone = drawn(one(**{name.removesuffix("_s"): law}))
        assert np.array_equal(getattr(alone, name), column)
    assert len({column[0] for column in columns}) == len(COLUMNS)


def test_limits_of_several_streams_follow_their_requests() -> None:
    of = several({}, a={"patience": {"kind": "uniform", "low": 1, "high": 2}}, b={"total_timeout": 30}, c={})
    demand = drawn(of)
    names = [demand.streams[index] for index in demand.stream]
    assert demand.first_token_timeout_s is None
    assert demand.patience_s is not None
    assert demand.total_timeout_s is not None
    for name, patience_s, total_s in zip(names, demand.patience_s, demand.total_timeout_s, strict=True):
        assert 1 <= patience_s <= 2 if name == "a" else patience_s == math.inf
        assert total_s == (30 if name == "b" else math.inf)
    alone = drawn(scenario(streams={"a": chat(clients={"patience": {"kind": "uniform", "low": 1, "high": 2}})}))
    assert alone.patience_s is not None
    assert demand.patience_s[np.array(names) == "a"].tolist() == alone.patience_s.tolist()


def test_a_streams_own_keys_go_before_those_of_all() -> None:
    of = several({"patience": 5, "retry": {"attempts": 4, "base": "2s"}}, a={}, b={"patience": 7, "retry": None})
    a, b = (of.workload.clients_of(name) for name in "ab")
    assert (a.patience_s, b.patience_s) == (5, 7)
    assert a.retry == b.retry
    changed = several({"retry": {"attempts": 4, "base": "2s"}}, a={"retry": {"attempts": 2}}).workload.clients_of("a")
    assert changed.retry is not None
    assert (changed.retry.attempts, changed.retry.base_s) == (2, 0.5), "a block is taken whole"


def test_a_resolved_scenario_says_the_same() -> None:
    of = several(
        {"patience": {"kind": "erlang", "phases": 2, "mean": "3s"}, "hedge": {"after": "1s"}}, a={"patience": 1}
    )
    again = load({**_plain(of)})
    assert again == of
    assert callers.senders(again) == callers.senders(of)


def _plain(of: Scenario) -> dict[str, Any]:
    return of.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_the_model_is_told_what_clients_do() -> None:
    budget = {
        "kind": "fixed",
        "base": 0,
        "attempts": 4,
        "budget": "10%",
        "on": ["timed_out"],
        "heeds_retry_after": False,
    }
    of = several(
        {"max_in_flight": 9},
        none={},
        default={"retry": {"attempts": 3}},
        fixed={"retry": budget, "hedge": {"after": "2s", "attempts": 3}},
        own={"retry": {"kind": "exponential", "attempts": 5, "base": 1, "cap": "1m", "jitter": "decorrelated"}},
        burst={"retry": {"attempts": 2, "budget": 1, "budget_burst": 50}},
    )
    none, default, fixed, own, burst = callers.senders(of)
    assert (none.attempts, none.retries, none.hedges, none.hedge_s, none.max_in_flight) == (1, (), 0, math.inf, 9)
    assert (default.attempts, default.retries) == (3, (REJECTED, TIMED_OUT, FAILED))
    assert (default.exponential, default.jitter, default.backoff_s, default.longest_backoff_s) == (True, "full", 0.5, 8)
    assert (default.budget, default.heeds) == (math.inf, True)
    assert (fixed.exponential, fixed.jitter, fixed.backoff_s) == (False, "none", 0)
    assert (fixed.attempts, fixed.retries, fixed.heeds) == (4, (TIMED_OUT,), False)
    assert (fixed.budget, fixed.most_credit, fixed.hedge_s, fixed.hedges) == (0.1, 10, 2, 2)
    assert (own.jitter, own.longest_backoff_s) == ("decorrelated", 60)
    assert (burst.budget, burst.most_credit) == (1, 50)


@pytest.mark.parametrize(
    ("clients", "said"),
    [
        (
            {"first_token_timeout": "20s", "total_timeout": {"kind": "constant", "value": "10s"}},
            "first_token_timeout: must not be above total_timeout (10 s), which ends before it; got 20 s",
        ),
        (
            {"token_timeout": 20, "total_timeout": 10},
            "token_timeout: must not be above total_timeout (10 s), which ends before it; got 20 s",
        ),
        (
            {"hedge": {"after": "3s"}, "first_token_timeout": "3s", "total_timeout": 10},
            "hedge.after: must be below first_token_timeout (3 s), or no copy is ever sent; got 3 s",
        ),
        ({"hedge": {"after": 0}}, "hedge.after: must be above 0, got 0"),
        ({"hedge": {}}, "hedge.after: is missing: without a first token for so long, a copy is sent"),
        (
            {"hedge": {"after": 1, "attempts": 1}},
            "hedge.attempts: counts the first time too, so it must be at least 2; got 1 (for one, leave this out)",
        ),
        ({"total_timeout": 0}, "total_timeout: must be above 0, got 0"),
        ({"patience": "soon"}, "patience: must be a duration, such as 90s, 5m, 24h or 250ms; got 'soon'"),
        ({"patience": {"kind": "exponental"}}, None),
        (
            {"retry": {"attempts": 1}},
            "retry.attempts: counts the first time too, so it must be at least 2; got 1 (for one, leave this out)",
        ),
        ({"retry": {}}, "retry.attempts: is missing: how often a request is sent at most, the first time included"),
        (
            {"retry": {"kind": "linear", "attempts": 2}},
            "retry.kind: 'linear' is not one of fixed, exponential",
        ),
        ({"retry": {"attempts": 2, "base": 0}}, "retry.base: must be above 0, got 0"),
        (
            {"retry": {"attempts": 2, "base": "10s"}},
            "retry.cap: must be at least base (10 s), the first pause; got 8 s",
        ),
        ({"retry": {"attempts": 2, "budget": 0}}, "retry.budget: must be above 0, got 0"),
        (
            {"retry": {"attempts": 2, "budget": 10}},
            "retry.budget: must be between 0 and 1, got 10; did you mean '10%'?",
        ),
        (
            {"retry": {"attempts": 2, "budget_burst": 5}},
            "retry.budget_burst: is what a budget keeps; give a 'budget', such as 10%",
        ),
        (
            {"retry": {"attempts": 2, "on": []}},
            "retry.on: must name at least one outcome; leave 'retry' out for clients that never try again",
        ),
        ({"retry": {"attempts": 2, "on": ["failed", "failed"]}}, "retry.on.1: names 'failed' twice"),
        (
            {"retry": {"attempts": 2, "on": ["lost"]}},
            "retry.on.0: 'lost' is not one of rejected, timed_out, failed, abandoned",
        ),
        (
            {"retry": {"kind": "fixed", "attempts": 2, "jitter": "decorrelated"}},
            "retry.jitter: 'decorrelated' is not one of none, full, equal",
        ),
        ({"patiance": 3}, "patiance: no such key; did you mean 'patience'?"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(clients: dict[str, Any], said: str | None) -> None:
    found = complaints(**chat(clients=clients))
    assert len(found) == 1
    if said is None:
        assert found[0].startswith("workload.clients.patience.kind: 'exponental' is not one of constant, exponential,")
    else:
        assert found == [f"workload.clients.{said}"]


def test_a_stream_may_contradict_what_is_said_of_all() -> None:
    said = complaints(
        clients={"total_timeout": 10}, streams={"a": chat(clients={"first_token_timeout": 20}), "b": chat()}
    )
    assert said == [
        "workload.streams.a.clients.first_token_timeout: must not be above total_timeout (10 s), which ends before it; "
        "got 20 s"
    ]


def test_the_most_of_laws_may_cross() -> None:
    law = {"kind": "uniform", "low": 1, "high": 30}
    one(first_token_timeout=law, total_timeout=10)
    one(first_token_timeout=20, total_timeout=law)


def refusal(of: Scenario) -> list[str]:
    demand, (specs, _) = drawn(of), setup.pool_specs(of)
    try:
        deadlines.check(of, specs, demand, setup.request_table(of, demand))
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_deadline_that_no_request_can_meet_is_refused() -> None:
    # 100 prompt tokens: 10 ms + 10 ms; then 99 tokens of 11 ms and a little attention
    answer = {"output_tokens": {"kind": "constant", "value": 100}}
    of = scenario(**chat(**answer, clients={"first_token_timeout": "19ms", "total_timeout": "1.2s"}))
    assert refusal(of) == [
        "workload.clients.first_token_timeout: is 0.019 s at most, and no request of stream 'requests' gets its first "
        "token in less than 0.02 s by pool 'p': all would time out; allow more time or serve it faster"
    ]
    few = {"kind": "constant", "value": 10}
    slow: dict[str, Any] = {
        "clients": {"total_timeout": "1s"},
        "streams": {"a": chat(**answer), "b": chat(output_tokens=few)},
    }
    assert [said.split(":")[0] for said in refusal(scenario(**slow))] == ["workload.clients.total_timeout"]
    slow["streams"]["a"]["clients"] = {"total_timeout": "0.5s"}
    assert "workload.streams.a.clients.total_timeout: is 0.5 s at most" in refusal(scenario(**slow))[0]


def test_a_deadline_that_another_pool_can_meet_is_fine() -> None:
    slow = {**SLOTS, "overhead": "2s"}
    said = {"arrivals": {"kind": "poisson", "rate": 5}, "service": {"kind": "constant", "value": 1}}
    late = {"workload": {**said, "pool": "p", "clients": {"total_timeout": "2s"}}, "name": "x", "horizon": 60}
    refused = load({**late, "pools": {"p": slow, "fast": SLOTS}})
    assert "less than 3 s by pool 'p'" in refusal(refused)[0]
    spilling = {**slow, "queue": {"spill": {"to": "fast", "above": 2}}}
    assert refusal(load({**late, "pools": {"p": spilling, "fast": SLOTS}})) == []


def test_a_deadline_that_some_can_meet_is_fine() -> None:
    answer = {"output_tokens": {"kind": "uniform", "low": 2, "high": 1000}}
    assert refusal(scenario(**chat(**answer, clients={"total_timeout": "400ms"}))) == []
    assert refusal(scenario(**chat(clients={"total_timeout": {"kind": "exponential", "mean": "1ms"}}))) != []
    assert refusal(scenario(**chat(clients={"total_timeout": {"kind": "exponential", "mean": "1s"}}))) == []


def test_a_deadline_below_the_shortest_service_is_refused() -> None:
    said = {"arrivals": {"kind": "poisson", "rate": 5}, "service": {"kind": "uniform", "low": 2, "high": 3}}
    found = refusal(scenario({**SLOTS, "overhead": "500ms"}, **said, clients={"total_timeout": "2.4s"}))
    assert [line.split(":")[0] for line in found] == ["workload.clients.total_timeout"]
    assert refusal(scenario(SLOTS, **said, clients={"total_timeout": "2.4s"})) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"replica": {"max_batched_tokens": 256, "max_num_seqs": 64}},
        {"replica": {"speculation": {"draft_tokens": 3, "acceptance": "70%"}}, "overhead": "3ms"},
    ],
    ids=str,
)
def test_the_least_time_is_that_of_a_request_alone(changes: dict[str, Any]) -> None:
    from sim import simulate

    lengths = {name: {"kind": "constant", "value": 1000} for name in ("prompt_tokens", "output_tokens")}
    alone = {"arrivals": {"kind": "renewal", "gap": {"kind": "constant", "value": "50s"}}, **lengths}
    of = scenario({**POOL, **changes}, **alone)
    request = simulate(of).log.requests[:1]
    specs, _ = setup.pool_specs(of)
    first_s, total_s = deadlines._least_s(specs, 0, setup.request_table(of, drawn(of)))
    taken_s = [float(request[name][0] - request["arrival_s"][0]) for name in ("first_token_s", "finish_s")]
    assert [first_s, total_s] == pytest.approx(taken_s, rel=0.05)
    assert first_s <= taken_s[0] + 1e-12
    assert total_s <= taken_s[1] + 1e-12


def test_draws_of_a_longer_horizon_start_with_those_of_the_shorter() -> None:
    limits = workload(**chat(clients={"patience": {"kind": "gamma", "mean": 3, "cv": 2}}))
    short, long = limits.demand(1, 0, 60.0), limits.demand(1, 0, 600.0)
    assert short.patience_s is not None
    assert long.patience_s is not None
    assert short.patience_s.tolist() == long.patience_s[: len(short)].tolist()
