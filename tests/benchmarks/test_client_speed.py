"""How fast runs with clients that act are: two classes by priority, patience and retries, beside clients that wait.

The fleet and its traffic are those of test_elastic_speed. The two builds of the transitions cannot be in one process,
so each measurement is a process of its own, and they take turns.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

import pytest

from tests.benchmarks.test_elastic_speed import CHAT, REPLICA

pytestmark = pytest.mark.bench

HALF = {**CHAT, "arrivals": {"kind": "poisson", "rate": "30/s"}}
RETRY = {"kind": "exponential", "attempts": 3, "base": "100ms", "cap": "10s", "jitter": "full"}
ACTING = {"patience": {"kind": "exponential", "mean": "10s"}, "total_timeout": "2m", "retry": RETRY}
STREAMS = {"paid": {**HALF, "class": "paid"}, "free": {**HALF, "class": "free"}}
PLAIN = {"workload": {"streams": {name: {**stream} for name, stream in (("paid", HALF), ("free", HALF))}}}
CLIENTS = {
    "workload": {"streams": STREAMS, "clients": ACTING},
    "classes": {"paid": {"priority": 0}, "free": {"priority": 1}},
}
POOL = {**REPLICA, "autoscaler": {"kind": "fixed", "replicas": 8}}
BY_PRIORITY = {**POOL, "queue": {"kind": "per_replica", "order": "priority"}}

MEASURE = """
import sys
from sim import load, simulate
keys = eval(sys.argv[1])
simulate(load({**keys, "horizon": "10m"}))
print(max(simulate(load(keys)).summary()["run"]["requests_per_engine_s"] for _ in range(3)))
"""


def requests_per_s(told: dict[str, object], pool: dict[str, object]) -> float:
    """Requests simulated per second inside the engine, the best of three runs in a fresh process."""
    keys = {"name": "x", "horizon": "4h", "calendar": "compiled", **told, "pools": {"chat": pool}}
    done = subprocess.run([sys.executable, "-c", MEASURE, repr(keys)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_clients_that_act_beside_clients_that_wait(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [(requests_per_s(PLAIN, POOL), requests_per_s(CLIENTS, BY_PRIORITY)) for _ in range(5)]
    ratio = statistics.median(acting / plain for plain, acting in pairs)
    plain, acting = (statistics.median(column) for column in zip(*pairs, strict=True))
    with capsys.disabled():
        print(
            f"\ncompiled calendar with two classes, patience and retries: {acting / 1e6:.2f} M requests/s, without "
            f"{plain / 1e6:.2f} M, ratio {ratio:.2f} (bar 0.6)"
        )
    assert ratio >= 0.6
