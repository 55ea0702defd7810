"""What `concepts.md` quotes and draws: a dozen requests on one replica, a queue at eight loads, a cold start.

A page reaches these names in `<!--= ... -->`. Each run takes a fraction of a second and is made once.
"""

from __future__ import annotations

import functools
from statistics import median
from typing import Any

from sim.result import words

WAY: dict[str, Any] = {
    "name": "way",
    "seed": 5,
    "horizon": "30s",
    "workload": {
        "arrivals": {"kind": "poisson", "rate": "0.5/s"},
        "prompt_tokens": {"kind": "lognormal", "mean": 3000, "cv": 0.8},
        "output_tokens": {"kind": "lognormal", "mean": 250, "cv": 0.6},
    },
    "pools": {
        "chat": {
            "model": "llama-3-70b",
            "gpu": "a100-80gb",
            "gpus_per_replica": 4,
            "replica": {"kind": "batching", "max_num_seqs": 4},
            "autoscaler": {"kind": "fixed", "replicas": 1},
        }
    },
}
"""One replica that answers four at a time."""

COLD: dict[str, Any] = {
    "name": "cold",
    "seed": 1,
    "horizon": "60m",
    "workload": {
        "arrivals": {
            "kind": "curve",
            "points": [["0m", "2/s"], ["15m", "2/s"], ["16m", "6/s"], ["40m", "6/s"], ["41m", "2/s"], ["60m", "2/s"]],
        },
        "service": {"kind": "exponential", "mean": "4s"},
    },
    "pools": {
        "chat": {
            "gpu": "l4",
            "replica": {"kind": "slots", "concurrency": 4},
            "queue": {"kind": "central"},
            "boot": "5m",
            "autoscaler": {
                "kind": "hpa",
                "min_replicas": 4,
                "max_replicas": 12,
                "metrics": [
                    {"metric": "num_requests_running", "type": "AverageValue", "target": 2.8},
                    {"metric": "num_requests_waiting", "type": "AverageValue", "target": 5},
                ],
            },
        }
    },
}
"""A load that triples within a minute, and replicas that take five to boot. Each serves a request a second."""

LOADS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
DRAWS = 12
SERVERS = 10


@functools.cache
def way() -> list[dict[str, float]]:
    """The rows of the requests that came first, in seconds."""
    from sim import load, simulate

    rows = simulate(load(WAY)).requests
    wanted = ["arrival_s", "start_s", "first_token_s", "finish_s", "prompt_tokens", "output_tokens"]
    return [{name: float(value) for name, value in row.items()} for row in rows[wanted].to_dict("records")]


def longest_wait() -> str:
    """Who of them waited longest for a seat, and how long."""
    return words.duration(max(row["start_s"] - row["arrival_s"] for row in way()))


@functools.cache
def waits() -> dict[float, list[float]]:
    """p99 of the wait by load: an hour of ten servers, with as many seeds."""
    from sim import load, simulate

    found = {}
    for share in LOADS:
        scenario = load("mmc", ["horizon=1h", f"workload.arrivals.rate={share * SERVERS}"])
        runs = (simulate(scenario, replication=number).summary() for number in range(DRAWS))
        found[share] = [told["latency"]["queue_wait_s"]["p99"] for told in runs]
    return found


def wait_at(share: float) -> str:
    """The median of these runs at a load."""
    return words.duration(median(waits()[share]))


def spread_at(share: float) -> str:
    """From the luckiest to the unluckiest of them."""
    return f"{words.duration(min(waits()[share]))} to {words.duration(max(waits()[share]))}"


@functools.cache
def cold() -> dict[str, list[float]]:
    """Columns of the timeline of the cold start."""
    from sim import load, simulate

    columns = simulate(load(COLD)).columns
    wanted = ("start_s", "end_s", "arrivals", "waiting", "running", "replicas", "booting")
    return {name: [float(value) for value in columns[name]] for name in wanted}


def most_waiting() -> str:
    """The longest queue of the cold start."""
    return f"{max(cold()['waiting']):.0f}"
