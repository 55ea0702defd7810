"""Runs of conversations and closed populations: who is sent when, what a replica still knows, who stays away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.model.tables import COMPLETED, NONE
from sim.result.log import RunLog
from tests.invariants import check

LENGTHS = {"kind": "uniform", "low": 20, "high": 300}
COUNTS = {"kind": "uniform", "low": 1, "high": 6}


def constant(value: float) -> dict[str, Any]:
    return {"kind": "constant", "value": value}


def batching(replicas: int = 1, **keys: Any) -> dict[str, Any]:
    latency = {"base_s": 0.015625, "prefill_s_per_token": 2**-12, "decode_s_per_seq": 2**-10}
    latency |= {"attention_s_per_token": 0}
    fleet: dict[str, Any] = {"kv_capacity_tokens": 200_000, "autoscaler": {"replicas": replicas}}
    return {"replica": {"max_num_seqs": 32}, "latency": latency, **fleet, **keys}


def slots(replicas: int = 1, concurrency: int = 1) -> dict[str, Any]:
    replica = {"kind": "slots", "concurrency": concurrency}
    return {"replica": replica, "queue": {"kind": "central"}, "autoscaler": {"replicas": replicas}}


def run(workload: dict[str, Any], pool: dict[str, Any], horizon: float = 60.0, **keys: Any) -> RunLog:
    """One run, checked by the invariants."""
    told = {"name": "x", "seed": 4, "horizon": horizon, "calendar": "simpy", "workload": workload, "pools": {"p": pool}}
    scenario = load(told | keys)
    log = simulate(scenario).log
    check(scenario, log)
    return log


def talk(**session: Any) -> dict[str, Any]:
    return {
        "arrivals": {"kind": "poisson", "rate": 0.5},
        "prompt_tokens": LENGTHS,
        "output_tokens": LENGTHS,
        "session": {"turns": COUNTS, **session},
    }


def follows(log: RunLog) -> tuple[Any, Any, Any, Any]:
    """Requests that followed another, with it: rows and calls of both."""
    assert log.calls is not None
    after = np.flatnonzero(log.calls["before"] != NONE)
    before = log.calls["before"][after]
    return log.requests[after], log.calls[after], log.requests[before], log.calls[before]


def test_the_next_turn_is_sent_after_the_answer_and_a_thought() -> None:
    log = run(talk(think="4s"), batching())
    rows, calls, before, earlier = follows(log)
    assert len(rows) > 30
    assert rows["arrival_s"].tolist() == (before["finish_s"] + 4).tolist()
    assert calls["turn"].tolist() == (earlier["turn"] + 1).tolist()
    assert calls["session"].tolist() == earlier["session"].tolist()
    assert log.requests["arrival_s"].max() < 60
    assert (np.diff(log.requests["arrival_s"]) >= 0).all()
    assert (log.requests["outcome"] == COMPLETED).all()


def known(before: Any, new_prompt: Any) -> Any:
    """What was computed of a turn: all but the last token, in whole blocks; and something is left to prefill."""
    whole = (before["prompt_tokens"] + before["output_tokens"] - 1) // 16 * 16
    return np.minimum(whole, new_prompt - 1)


def test_a_later_turn_prefills_what_is_new() -> None:
    rows, _, before, _ = follows(run(talk(think="4s"), batching()))
    assert rows["cached_tokens"].tolist() == known(before, rows["prompt_tokens"]).tolist()
    rows, _, _, _ = follows(run(talk(think="4s", prefix_cache=False), batching()))
    assert not rows["cached_tokens"].any()


def test_only_the_replica_that_has_served_the_conversation_knows_it() -> None:
    """Two replicas in turns, one conversation at a time: every turn meets the one before the last."""
    workload = talk(turns=6) | {"arrivals": {"kind": "renewal", "gap": constant(1e3)}}
    log = run(workload, batching(2, queue={"kind": "per_replica", "router": "round_robin"}), horizon=1100.0)
    rows, _, before, _ = follows(log)
    assert rows["replica"].tolist() == (1 - before["replica"]).tolist()
    assert rows["cached_tokens"][0] == 0
    # of the turn before last it knows all, and of the last nothing
    assert rows["cached_tokens"][1:].tolist() == known(before[:-1], rows["prompt_tokens"][1:]).tolist()


def test_what_memory_is_short_for_is_forgotten() -> None:
    roomy, tight = (run(talk(think="4s"), batching(kv_capacity_tokens=tokens)) for tokens in (200_000, 6_000))
    hits = [int(log.requests["cached_tokens"].sum()) for log in (roomy, tight)]
    assert 0 < hits[1] < 0.8 * hits[0]


def test_a_prompt_that_begins_elsewhere_is_new() -> None:
    log = run(talk(turns=6, max_context=700, prompt_tokens=constant(50)), batching())
    rows, _, before, _ = follows(log)
    cut = rows["prompt_tokens"] != before["prompt_tokens"] + before["output_tokens"] + 50
    assert 10 < np.count_nonzero(cut) < len(rows)
    assert not rows["cached_tokens"][cut].any()
    assert (rows["cached_tokens"][~cut] == known(before, rows["prompt_tokens"])[~cut]).all()
    assert (log.requests["prompt_tokens"] + log.requests["output_tokens"] <= 700).all()


def test_a_turn_waits_for_the_last_of_its_tools() -> None:
    tools = {"calls": constant(3), "prompt_tokens": LENGTHS, "output_tokens": LENGTHS}
    tools["delay"] = {"kind": "uniform", "low": 1, "high": 3}
    log = run(talk(turns=3, think="2s", tools=tools), batching(), horizon=120.0)
    assert log.calls is not None
    calls = log.calls
    joined = 0
    for row in np.flatnonzero(calls["turn"] > 0).tolist():
        called = np.flatnonzero(calls["then"] == row)
        if len(called) < 2:
            continue  # a tool's call: a turn names the first of them
        assert len(called) == 3
        assert log.requests["arrival_s"][row] == log.requests["finish_s"][called].max() + 2
        (turn,) = set(calls["before"][called].tolist())
        delay_s = log.requests["arrival_s"][called] - log.requests["finish_s"][turn]
        assert ((delay_s >= 1) & (delay_s <= 3)).all()
        joined += 1
    assert joined > 30


def test_a_conversation_ends_with_a_turn_that_is_not_answered() -> None:
    workload = {
        "arrivals": {"kind": "poisson", "rate": 1},
        "service": {"kind": "exponential", "mean": 1},
        "clients": {"patience": "500ms"},
        "session": {"turns": 4, "history": False},
    }
    log = run(workload, slots())
    _, _, before, _ = follows(log)
    assert (before["outcome"] == COMPLETED).all()
    assert (log.requests["outcome"] != COMPLETED).sum() > 10


def population(users: int = 5, **keys: Any) -> dict[str, Any]:
    return {"arrivals": {"kind": "closed", "users": users, **keys}, "service": {"kind": "exponential", "mean": 0.25}}


def test_each_user_has_one_request_under_way() -> None:
    log = run(population(30, think={"kind": "exponential", "mean": "500ms"}), slots(4), horizon=150.0)
    assert log.calls is not None
    for user in range(30):
        rows = log.requests[log.calls["session"] == user]
        assert (rows["arrival_s"][1:] >= rows["finish_s"][:-1]).all()
        assert len(rows) > 50
    rows, calls, before, _ = follows(log)
    assert (rows["arrival_s"] - before["finish_s"]).tolist() == pytest.approx(calls["pause_s"].tolist(), abs=1e-9)
    assert len(rows) == len(log.requests) - 30


def test_users_go_on_over_many_chunks() -> None:
    log = run(population(700), slots(700), horizon=12.0)
    assert log.calls is not None
    counts = np.bincount(log.calls["session"])
    assert len(counts) == 700
    assert counts.min() > 8
    assert counts.max() > 1 + 8 + 16 + 32, "three chunks"
    assert counts.sum() == pytest.approx(700 * 12 * 4, rel=0.05)


def test_users_ask_on_after_failures() -> None:
    log = run(population(10) | {"clients": {"patience": "100ms"}}, slots())
    _, _, before, _ = follows(log)
    assert (before["outcome"] != COMPLETED).sum() > 100


@pytest.mark.parametrize("away", ["20s", None])
def test_slow_answers_keep_a_share_of_users_away(away: str | None) -> None:
    back: dict[str, Any] = {"slow": "1s", "share": "40%"} | ({} if away is None else {"away": away})
    log = run(population(12, comes_back=back), slots(), horizon=200.0)
    rows, _, before, _ = follows(log)
    e2e_s = before["finish_s"] - before["arrival_s"]
    later_s = np.rint(rows["arrival_s"] - before["finish_s"])
    assert set(later_s.tolist()) == ({0.0, 20.0} if away else {0.0})
    slow = e2e_s > 1
    assert not later_s[~slow].any()
    if away is not None:
        assert slow.sum() > 20
        assert np.mean(later_s[slow] > 0) == pytest.approx(0.4, abs=0.12)
    else:
        assert log.calls is not None
        last_s = np.array([log.requests["arrival_s"][log.calls["session"] == user].max() for user in range(12)])
        assert np.count_nonzero(last_s < 100) > 3, "some have left for ever"


MIXED = {
    "streams": {
        "talk": talk(think={"kind": "exponential", "mean": 1}, max_context=900)
        | {"clients": {"total_timeout": "3s", "retry": {"kind": "fixed", "attempts": 3, "base": "500ms"}}},
        "agents": talk(
            turns=3,
            tools={
                "calls": {"kind": "uniform", "low": 0, "high": 3},
                "prompt_tokens": LENGTHS,
                "output_tokens": LENGTHS,
            },
        ),
        "users": population(6, comes_back={"slow": "1s", "share": "50%", "away": "5s"})
        | {"prompt_tokens": LENGTHS, "output_tokens": LENGTHS},
    }
}


@pytest.mark.parametrize("queue", [{"kind": "central"}, {"kind": "per_replica", "router": "prefix_aware"}])
def test_both_calendars_agree(queue: dict[str, Any]) -> None:
    pool = batching(2, kv_capacity_tokens=4_000, queue=queue)
    one, other = (run(MIXED, pool, 40.0, calendar=calendar) for calendar in ("simpy", "compiled"))
    assert one.calls is not None
    assert other.calls is not None
    for mine, theirs in ((one.requests, other.requests), (one.calls, other.calls)):
        for name in mine.dtype.names or ():
            if name != "timer":  # a place in a heap
                np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    assert (one.calls["attempt"] > 1).any()
    assert one.requests["cached_tokens"].any()
