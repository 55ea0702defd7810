"""A closed population: who asks first, who follows whom, and chunk after chunk of what they ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sim import load
from sim.fleet import callers, setup
from sim.workload import Demand
from tests.laws import chat, complaint, workload

THINK = {"kind": "exponential", "mean": "2s"}
LENGTHS = {"kind": "uniform", "low": 1, "high": 300}


def closed(users: int = 5, **keys: Any) -> dict[str, Any]:
    return chat(arrivals={"kind": "closed", "users": users, **keys}, prompt_tokens=LENGTHS)


def test_users_join_over_the_ramp_and_think_first() -> None:
    demand = workload(**closed(4, ramp="8s")).demand(1, 0, 100.0)
    assert demand.arrival_s[:5].tolist() == [0, 2, 4, 6, np.inf]
    at_once = workload(**closed(4)).demand(1, 0, 100.0)
    assert at_once.arrival_s[:5].tolist() == [0, 0, 0, 0, np.inf]
    thinking = workload(**closed(4000, think=THINK)).demand(1, 0, 100.0)
    first_s = thinking.arrival_s[thinking.arrival_s < np.inf]
    assert (np.diff(first_s) >= 0).all()
    assert first_s.mean() == pytest.approx(2, rel=0.1)


def test_who_would_come_after_the_horizon_never_does() -> None:
    demand = workload(**closed(4, ramp="8s")).demand(1, 0, 5.0)
    assert demand.links is not None
    assert demand.arrival_s[:4].tolist() == [0, 2, 4, np.inf]
    assert demand.links.sessions == len(demand.links.tails) == 3


def whole(demand: Demand, chunks: int) -> tuple[np.ndarray[Any, Any], list[Demand]]:
    """The calls of a demand and its next chunks, linked as a run links them."""
    pool = {"replica": {"kind": "slots"}, "autoscaler": {"replicas": 1}}
    keys = {"streams": {name: chat(service={"kind": "exponential", "mean": 1}) for name in demand.streams}}
    scenario = load({"name": "x", "horizon": 1, "workload": keys, "pools": {"p": pool}})
    links = demand.links
    assert links is not None
    assert demand.more is not None
    parts, tails, first = [demand], links.tails.astype(np.int64), len(demand)
    calls = callers.call_table(scenario, demand, setup.request_table(scenario, demand))
    assert calls is not None
    for number in range(1, chunks + 1):
        chunk = demand.more(number)
        assert chunk.links is not None
        more = callers.call_table(scenario, chunk, setup.request_table(scenario, chunk), first)
        assert more is not None
        calls = np.concatenate([calls, more])
        tails = callers.go_on(calls, tails, chunk.links, first)
        parts.append(chunk)
        first += len(chunk)
    return calls, parts


def test_each_user_goes_on_from_chunk_to_chunk() -> None:
    streams = {"talk": chat(session={"turns": 3}), "users": closed(5, think=THINK), "more": closed(700)}
    calls, parts = whole(workload(streams=streams).demand(1, 0, 20.0), 2)
    stream = np.concatenate([part.stream for part in parts])
    first = np.flatnonzero((calls["waits"] == 0) & (stream > 0))
    assert len(first) == 705
    seen = np.zeros(len(calls), int)
    for row in first.tolist():
        session, kind = calls["session"][row], stream[row]
        count = 0
        while row >= 0:
            seen[row] += 1
            count += 1
            assert (calls["session"][row], stream[row]) == (session, kind)
            assert calls["thens"][row] == (calls["then"][row] >= 0)
            row = int(calls["then"][row])
        assert count == 1 + (4096 // 5 * 7 if kind == 1 else 8 * 7)
    assert (seen[stream > 0] == 1).all()
    assert len(np.unique(calls["session"][first])) == 705
    asks = np.flatnonzero(calls["last"])
    assert len(asks) == 705
    assert (calls["then"][calls["then"][asks]] == -1).all(), "the last but one of those drawn asks for more"


def test_chunks_are_drawn_from_numbers_of_their_own_and_do_not_depend_on_order() -> None:
    one, other = (workload(**closed(5, think=THINK)).demand(1, 0, 20.0) for _ in range(2))
    assert one.more is not None
    assert other.more is not None
    later, sooner = one.more(2), other.more(1)
    again = other.more(2)
    for name in ("prompt_tokens", "ticket"):
        assert getattr(later, name).tolist() == getattr(again, name).tolist()
        assert getattr(later, name)[:100].tolist() != getattr(sooner, name)[:100].tolist()
        assert getattr(one, name)[:100].tolist() != getattr(sooner, name)[:100].tolist()
    assert later.links is not None
    assert sooner.links is not None
    assert later.links.pause_s[:50].tolist() != sooner.links.pause_s[:50].tolist()
    assert np.isinf(later.arrival_s).all()


def test_clients_of_a_chunk_have_their_limits() -> None:
    demand = workload(**closed(5), clients={"patience": {"kind": "exponential", "mean": 3}}).demand(1, 0, 20.0)
    assert demand.more is not None
    chunk = demand.more(1)
    assert chunk.patience_s is not None
    assert chunk.patience_s.shape == chunk.arrival_s.shape


def test_users_ask_on_after_failures_and_may_stay_away() -> None:
    pool = {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"replicas": 1}}
    keys = closed(5, comes_back={"slow": "10s", "share": "30%"})
    scenario = load({"name": "x", "horizon": "20s", "workload": keys, "pools": {"chat": pool}})
    (sender,) = callers.senders(scenario)
    assert (sender.persists, sender.slow_s, sender.leaves, sender.away_s) == (True, 10, 0.3, np.inf)


@pytest.mark.parametrize("users", [0, 2_000_000])
def test_a_population_has_somebody_and_not_everybody(users: int) -> None:
    with pytest.raises(ValidationError) as caught:
        workload(**closed(users))
    assert complaint(caught.value) == [f"users: must be between 1 and 1e+06, got {users}"]
