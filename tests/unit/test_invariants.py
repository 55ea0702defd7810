"""The invariants see what they are for: each kind of damage to a good run is found, and by the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim import Scenario, load, simulate
from sim.model.tables import COMPLETED, FAILED, NONE, REJECTED, UNFINISHED
from sim.result import RunLog
from tests import invariants, runs, sweep_invariants
from tests.invariant_parts import parts
from tests.invariants import MOST_ROWS, check
from tests.property.test_elastic_oracle import elastic_case
from tests.property.test_oracle import random_case
from tests.token_invariants import tokens

SERVICE = {"arrivals": {"kind": "poisson", "rate": 3.2}, "service": {"kind": "exponential", "mean": 1.0}}
CHAT = {
    "arrivals": {"kind": "poisson", "rate": 3},
    "prompt_tokens": {"kind": "exponential", "mean": 300, "max": 2000},
    "output_tokens": {"kind": "exponential", "mean": 40, "max": 300},
}
SLOTS = {"replica": {"kind": "slots", "concurrency": 2}, "autoscaler": {"kind": "fixed", "replicas": 2}}
ENGINE = {
    "replica": {"max_num_seqs": 32},
    "latency": {
        "base_s": 0.015,
        "prefill_s_per_token": 5e-5,
        "decode_s_per_seq": 4e-5,
        "attention_s_per_token": 3e-8,
        "overhead_s": 0.02,
    },
    "kv_capacity_tokens": 50_000,
    "autoscaler": {"kind": "fixed", "replicas": 2},
    "price": {"on_demand": 2},
}
POOLS: dict[str, dict[str, Any]] = {
    "line": {"workload": SERVICE, "pool": SLOTS | {"queue": {"kind": "central", "max_waiting": 5}}},
    "turn": {"workload": SERVICE, "pool": SLOTS | {"queue": {"kind": "per_replica", "router": "round_robin"}}},
    "chat": {"workload": CHAT, "pool": ENGINE | {"queue": {"kind": "per_replica", "router": "random"}}},
}


def scenario(name: str, **changes: Any) -> Scenario:
    pool = POOLS[name]["pool"] | changes
    whole = {"horizon": 300, "warmup": 30, "workload": POOLS[name]["workload"], "pools": {"only": pool}}
    return load({"name": name, "seed": 5, **whole})


@pytest.fixture(scope="module")
def logs() -> dict[str, RunLog]:
    return {name: simulate(scenario(name)).log for name in POOLS}


def test_good_runs_pass_and_have_something_to_lose(logs: dict[str, RunLog]) -> None:
    for name, log in logs.items():
        check(scenario(name), log)
        check(scenario(name), log, most_rows=100)
    assert (logs["line"].requests["outcome"] == REJECTED).any()
    for log in logs.values():
        assert (log.requests["start_s"] > log.requests["arrival_s"]).any()


Damage = Callable[[Any], None]


def row(name: str, place: int, value: float) -> Damage:
    """Set a column of the place-th completed request."""

    def damage(rows: Any) -> None:
        rows[name][np.flatnonzero(rows["outcome"] == COMPLETED)[place]] = value

    return damage


def moved(place: int, by_s: float, *names: str) -> Damage:
    def damage(rows: Any) -> None:
        for name in names:
            rows[name][np.flatnonzero(rows["outcome"] == COMPLETED)[place]] += by_s

    return damage


def rejected(rows: Any) -> None:
    place = np.flatnonzero(rows["outcome"] == COMPLETED)[0]
    for name in ("start_s", "first_token_s", "finish_s"):
        rows[name][place] = np.nan
    rows["outcome"][place], rows["replica"][place] = REJECTED, NONE


def overtaken(rows: Any) -> None:
    """Two that wait, one right after the other, go in the wrong order, each for as long as before."""
    waits = rows["start_s"] > rows["arrival_s"]
    place = np.flatnonzero(waits[:-1] & waits[1:] & (rows["start_s"][:-1] < rows["start_s"][1:]))[0]
    starts = rows["start_s"][[place, place + 1]][::-1]
    rows["start_s"][[place, place + 1]] = starts
    for name, service in (("first_token_s", "first_service_s"), ("finish_s", "service_s")):
        rows[name][[place, place + 1]] = starts + rows[service][[place, place + 1]]


TIMES = ("start_s", "first_token_s", "finish_s")

ROWS: list[tuple[str, Damage, str]] = [
    ("line", row("outcome", 3, UNFINISHED), "not every request ended"),
    ("line", row("finish_s", 3, np.nan), "has no finish_s"),
    ("line", row("done_tokens", 3, 1), "more tokens done"),
    ("chat", lambda rows: rows["done_tokens"].__setitem__(rows["output_tokens"] > 2, 1), "nobody was preempted"),
    ("line", lambda rows: rows["arrival_s"].__setitem__(7, rows["arrival_s"][5] - 1e-3), "out of order"),
    ("line", moved(3, -9.0, "start_s"), "start_s before arrival_s"),
    ("chat", moved(3, -9.0, "finish_s"), "finish_s before first_token_s"),
    ("line", moved(3, 1e-9, "finish_s"), "a service took another time"),
    ("turn", row("replica", 3, 7), "served by another pool"),
    ("turn", row("replica", 3, 0), "not round robin"),
    ("chat", lambda rows: rows["replica"].__setitem__(slice(None), 1 - rows["replica"]), "not by the ticket"),
    ("chat", moved(3, 1e-3, "finish_s"), "Little at"),
    ("line", rejected, "Little at"),
]


@pytest.mark.parametrize(("name", "damage", "said"), ROWS)
def test_damaged_rows(logs: dict[str, RunLog], name: str, damage: Damage, said: str) -> None:
    rows = logs[name].requests.copy()
    damage(rows)
    with pytest.raises(AssertionError, match=said):
        check(scenario(name), replace(logs[name], requests=rows))


SWEEPS: list[tuple[str, Damage, str, str]] = [
    ("line", overtaken, "order", "first come, first served"),
    ("turn", moved(3, 1e4, *TIMES), "order", "overtook on a replica"),
    ("line", moved(3, 0.25, *TIMES), "conservation", "beside a free seat"),
    ("line", rejected, "rejections", "rejected with room left"),
    ("turn", rejected, "rejections", "any number may wait"),
    ("chat", moved(3, -0.05, "first_token_s", "finish_s"), "lower_bounds", "first token came faster"),
    ("chat", moved(3, -0.2, "finish_s"), "lower_bounds", "tokens came faster"),
]


@pytest.mark.parametrize(("name", "damage", "invariant", "said"), SWEEPS)
def test_damage_that_one_invariant_alone_must_see(
    logs: dict[str, RunLog], name: str, damage: Damage, invariant: str, said: str
) -> None:
    rows = logs[name].requests.copy()
    damage(rows)
    [part] = parts(scenario(name), replace(logs[name], requests=rows), MOST_ROWS)
    arguments = [part] if invariant in ("order", "lower_bounds") else [part, part.done]
    held_by = invariants if hasattr(invariants, invariant) else sweep_invariants
    with pytest.raises(AssertionError, match=said):
        getattr(held_by, invariant)(*arguments)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("line", {"replica": {"kind": "slots", "concurrency": 1}}, "requests in 1 seats"),
        ("turn", {"replica": {"kind": "slots", "concurrency": 3}}, "beside a free seat"),
        ("line", {"queue": {"kind": "central", "max_waiting": 4}}, "5 wait, 4 may"),
        ("line", {"queue": {"kind": "central", "max_waiting": 6}}, "rejected with room left"),
        ("chat", {"kv_capacity_tokens": 2500}, "prompt tokens in 2500"),
        ("chat", {"replica": {"max_num_seqs": 3}}, "requests in 3 seats"),
        ("chat", {"latency": ENGINE["latency"] | {"base_s": 0.0151}}, "came faster than alone"),
        ("chat", {"latency": ENGINE["latency"] | {"base_s": 0.0149}}, "was held up"),
    ],
)
def test_a_run_of_another_scenario(logs: dict[str, RunLog], name: str, changes: dict[str, Any], said: str) -> None:
    """The log is good, but of a fleet with another capacity or another speed."""
    with pytest.raises(AssertionError, match=said):
        check(scenario(name, **changes), logs[name])


@pytest.mark.parametrize(
    ("column", "factor", "said"),
    [
        ("running_s", 1 + 1e-6, "Little at"),
        ("busy_s", 1 - 1e-6, "idle with a request"),
        ("ready_s", 1 + 1e-6, "ready for"),
        ("kv_tokens_s", 1e3, "kv_tokens_s is more than kv_capacity_s"),
        ("seats_s", -1.0, "the integral seats_s fell"),
    ],
)
def test_damaged_samples(logs: dict[str, RunLog], column: str, factor: float, said: str) -> None:
    samples = logs["chat"].samples.copy()
    samples[column] *= factor
    with pytest.raises(AssertionError, match=said):
        check(scenario("chat"), replace(logs["chat"], samples=samples))


def test_a_replica_that_is_not_billed(logs: dict[str, RunLog]) -> None:
    spans = logs["chat"].spans.copy()
    spans["gone_s"][1] = 200.0
    with pytest.raises(AssertionError):
        check(scenario("chat"), replace(logs["chat"], spans=spans))


CRASHES = {"faults": [{"kind": "crash", "mtbf": "60s", "repair": {"kind": "constant", "value": "10s"}}]}
ELASTIC: dict[str, dict[str, Any]] = {
    "retried": CRASHES | {"drain": {"lost": "retry"}},
    "failed": CRASHES | {"drain": {"lost": "fail"}},
    "replaced": {"boot": "20s", "faults": [{"kind": "crash", "mtbf": "60s"}], "drain": {"lost": "retry"}},
}


@pytest.fixture(scope="module")
def elastic_logs() -> dict[str, RunLog]:
    """Two replicas that crash every minute: repaired in place or replaced, with requests begun again or failed."""
    return {name: simulate(scenario("turn", **keys)).log for name, keys in ELASTIC.items()}


def test_replicas_that_crash_pass_and_have_something_to_lose(elastic_logs: dict[str, RunLog]) -> None:
    for name, log in elastic_logs.items():
        check(scenario("turn", **ELASTIC[name]), log)
        assert (log.requests["lost"] > 0).sum() > 5, name
    assert (elastic_logs["failed"].requests["outcome"] == FAILED).any()
    assert len(elastic_logs["retried"].down) > 3
    assert len(elastic_logs["replaced"].spans) > 5


def first_of(chosen: Callable[[Any], Any], name: str, value: float, place: int = 0) -> Damage:
    """Set a column of one of some requests."""

    def damage(rows: Any) -> None:
        rows[name][np.flatnonzero(chosen(rows))[place]] = value

    return damage


def failed(rows: Any) -> Any:
    return rows["outcome"] == FAILED


def untouched(rows: Any) -> Any:
    return (rows["outcome"] == COMPLETED) & (rows["lost"] == 0)


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("failed", first_of(failed, "finish_s", 100.0), "no replica ended then"),
        ("failed", first_of(failed, "lost", 0), "lost no replica"),
        ("failed", first_of(failed, "replica", 1), "has a replica still"),
        ("failed", first_of(failed, "first_token_s", 1e9), "first_token_s after it had failed"),
        ("failed", first_of(failed, "outcome", UNFINISHED), "unfinished, and has an end"),
        ("retried", lambda rows: rows["replica"].__setitem__(untouched(rows), 0), "which was not there"),
        ("retried", first_of(lambda rows: rows["lost"] > 0, "start_s", 0.0), "before arrival"),
        ("retried", first_of(lambda rows: rows["lost"] > 0, "finish_s", 1e-3), "finish_s before first_token_s"),
        ("retried", first_of(lambda rows: rows["lost"] > 0, "service_s", 1e3), "a service was cut short"),
        ("retried", first_of(untouched, "service_s", 1e-3), "a service took another time"),
        ("replaced", lambda rows: rows["lost"].fill(0), "requests lost on replicas"),
    ],
)
def test_damaged_rows_of_an_elastic_fleet(
    elastic_logs: dict[str, RunLog], name: str, damage: Damage, said: str
) -> None:
    rows = elastic_logs[name].requests.copy()
    damage(rows)
    with pytest.raises(AssertionError, match=said):
        check(scenario("turn", **ELASTIC[name]), replace(elastic_logs[name], requests=rows))


def test_somebody_waits_beside_a_replica_that_is_ready(elastic_logs: dict[str, RunLog]) -> None:
    """Of requests that lost nothing; and more seats than there are make the same complaint."""
    more = {"replica": {"kind": "slots", "concurrency": 3}}
    with pytest.raises(AssertionError, match="beside a free seat"):
        check(scenario("turn", **ELASTIC["failed"], **more), elastic_logs["failed"])


@pytest.mark.parametrize("counter", ["prefilled", "recomputed", "decoded", "seated", "kv", "outstanding"])
def test_a_token_too_many(counter: str) -> None:
    specs, jobs = random_case(3, ties=False)
    specs = [replace(spec, kv_capacity_tokens=10**6) for spec in specs if spec.batching]
    state = runs.run(specs, runs.table([replace(job, pool=0) for job in jobs]))
    tokens(state)
    state.replicas[counter][0] += 1
    with pytest.raises(AssertionError):
        tokens(state)


@pytest.mark.parametrize("seed", range(40))
def test_tokens_are_conserved_whatever_is_preempted(seed: int) -> None:
    specs, jobs = random_case(seed, ties=seed % 2 == 0)
    tokens(runs.run(specs, runs.table(jobs)))


@pytest.mark.parametrize("seed", range(60))
def test_tokens_are_conserved_whatever_replicas_do(seed: int) -> None:
    specs, jobs, most_in_flight, steps, lets_go = elastic_case(seed, ties=seed % 2 == 0)
    tokens(runs.play(specs, runs.table(jobs), steps, most_in_flight, runs.prefixes(jobs), lets_go)[0])


def test_every_run_that_a_test_makes_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that gets one time wrong does not get past `simulate`."""

    def wrong(requests: Any, **rest: Any) -> RunLog:
        row("finish_s", 3, requests["finish_s"][3] + 1e-3)(requests)
        return RunLog(requests=requests, **rest)

    monkeypatch.setattr("sim.engine.RunLog", wrong)
    with pytest.raises(AssertionError, match="Little at"):
        simulate(scenario("turn"))


def test_the_tables_of_every_run_that_a_test_makes_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that loses count of its tokens."""
    import sim.engine

    built = sim.engine.state.build

    def remembered(*arguments: Any) -> Any:
        tables.append(built(*arguments))
        return tables[-1]

    def wrong(**fields: Any) -> RunLog:
        tables[-1].replicas["prefilled"][0] += 1
        return RunLog(**fields)

    tables: list[Any] = []
    monkeypatch.setattr(sim.engine.state, "build", remembered, raising=False)
    monkeypatch.setattr("sim.engine.RunLog", wrong)
    with pytest.raises(AssertionError, match="prefilled"):
        simulate(scenario("chat"))
