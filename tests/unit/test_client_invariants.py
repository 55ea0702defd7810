"""The invariants of clients see what they are for: each kind of damage to a good run is found, and by the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim import load, simulate
from sim.model.tables import ABANDONED, COMPLETED, TIMED_OUT
from sim.result import RunLog
from tests.client_invariants import clients
from tests.invariants import check

CLIENTS = {
    "patience": {"kind": "exponential", "mean": "4s"},
    "total_timeout": "1.5s",
    "retry": {"kind": "exponential", "attempts": 3, "base": "200ms", "jitter": "full"},
    "hedge": {"after": "900ms", "attempts": 2},
}
SCENARIO = load(
    {
        "name": "storm",
        "seed": 3,
        "horizon": 60,
        "calendar": "simpy",
        "workload": {
            "arrivals": {"kind": "poisson", "rate": 5},
            "service": {"kind": "exponential", "mean": 0.5},
            "clients": CLIENTS,
        },
        "pools": {
            "only": {
                "replica": {"kind": "slots", "concurrency": 2},
                "queue": {"kind": "central"},
                "autoscaler": {"kind": "fixed", "replicas": 1},
            }
        },
    }
)


@pytest.fixture(scope="module")
def log() -> RunLog:
    return simulate(SCENARIO).log


def test_a_good_run_passes_and_has_something_of_everything(log: RunLog) -> None:
    check(SCENARIO, log)
    assert log.calls is not None
    ended = np.bincount(log.requests["outcome"], minlength=6)
    assert ended[[COMPLETED, ABANDONED, TIMED_OUT]].min() > 0
    assert log.calls["attempt"].max() == 3
    assert (log.calls["copy"] == 1).any()
    assert np.isfinite(log.calls["left_s"]).any()


Damage = Callable[[Any, Any], None]


def at(table: str, name: str, which: Callable[[Any, Any], Any], value: Callable[[Any], Any]) -> Damage:
    """Change a column of the first row (of requests or calls) of those that `which` finds."""

    def damage(requests: Any, calls: Any) -> None:
        row = int(np.flatnonzero(which(requests, calls))[0])
        column = (requests if table == "requests" else calls)[name]
        column[row] = value(column[row])

    return damage


def retried(requests: Any, calls: Any) -> Any:
    return calls["attempt"] > 1


def late(requests: Any, calls: Any) -> Any:
    return requests["outcome"] == TIMED_OUT


def tired(requests: Any, calls: Any) -> Any:
    return (requests["outcome"] == ABANDONED) & (calls["hedged"] == 0) & (calls["copy"] == 0)


def answered(requests: Any, calls: Any) -> Any:
    return requests["outcome"] == COMPLETED


def in_its_slot(requests: Any, calls: Any) -> Any:
    return np.isfinite(calls["left_s"])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (at("calls", "first", retried, lambda row: row + 10**6), "a first attempt after a later one"),
        (at("calls", "sent", answered, lambda _: 0), "not sent"),
        (at("calls", "attempt", retried, lambda number: number + 1), "attempts out of order"),
        (at("requests", "prompt_tokens", retried, lambda tokens: tokens + 1), "differ in prompt_tokens"),
        (at("requests", "arrival_s", retried, lambda at_s: at_s - 5.0), "before the last attempt was over"),
        (at("calls", "left_s", answered, lambda _: 50.0), "answered, and left its replica"),
        (at("calls", "left_s", in_its_slot, lambda _: 0.0), "left before it came"),
        (at("requests", "finish_s", late, lambda at_s: at_s - 0.25), "timed out at another time"),
        (at("requests", "finish_s", tired, lambda at_s: np.nextafter(at_s, 0)), "gave up, and neither"),
        (at("requests", "finish_s", answered, lambda at_s: at_s + 4.0), "there after its deadline"),
        (at("requests", "start_s", answered, lambda at_s: at_s + 40.0), "lost patience"),
    ],
)
def test_damage_is_found(log: RunLog, damage: Damage, said: str) -> None:
    assert log.calls is not None
    broken = replace(log, requests=log.requests.copy(), calls=log.calls.copy())
    damage(broken.requests, broken.calls)
    with pytest.raises(AssertionError, match=said):
        clients(broken)


def test_nobody_is_answered_twice(log: RunLog) -> None:
    assert log.calls is not None
    broken = replace(log, requests=log.requests.copy(), calls=log.calls.copy())
    twice = np.flatnonzero((log.calls["copy"] == 1) & (log.requests["outcome"] == ABANDONED))
    first = log.calls["first"][twice]
    row = int(twice[log.requests["outcome"][first] == COMPLETED][0])
    broken.requests["outcome"][row] = COMPLETED
    broken.calls["left_s"][row] = np.nan
    with pytest.raises(AssertionError, match="answered twice"):
        clients(broken)
