"""Fingerprints of runs, and a program that prints some: two processes that print the same made the same runs.

python -m tests.digest transitions 40    # of 40 random fleets, run bare
python -m tests.digest scenarios         # of a few whole runs, on both calendars
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np

from sim.model import compiled, transitions
from sim.result import Result, RunLog
from tests import runs
from tests.property.test_oracle import random_case

SCENARIOS: dict[str, dict[str, Any]] = {
    "line": {
        "horizon": 400,
        "warmup": 20,
        "workload": {
            "arrivals": {"kind": "mmpp", "rates": [1, 9], "leave": [0.1, 0.2]},
            "service": {"kind": "lognormal", "mean": 1.0, "cv": 1.0},
        },
        "pools": {
            "one": {
                "replica": {"kind": "slots", "concurrency": 2},
                "queue": {"kind": "central", "max_waiting": 20},
                "autoscaler": {"kind": "fixed", "replicas": 3},
            }
        },
    },
    "chat": {
        "horizon": 60,
        "workload": {
            "streams": {
                "chat": {
                    "arrivals": {"kind": "cox", "rate": 9, "cv": 0.5, "correlation": 10},
                    "prompt_tokens": {"kind": "lognormal", "mean": 400, "cv": 1.2, "max": 3000},
                    "output_tokens": {"kind": "exponential", "mean": 60, "max": 500},
                },
                "batch": {
                    "arrivals": {"kind": "batch", "rate": 0.2, "size": {"kind": "uniform", "low": 1, "high": 9}},
                    "prompt_tokens": {"kind": "constant", "value": 900},
                    "output_tokens": {"kind": "quantiles", "at": {0: 1, 0.5: 20, 1: 200}},
                },
            }
        },
        "pools": {
            name: {
                "replica": {"max_num_seqs": 16, "max_batched_tokens": 512},
                "latency": {
                    "base_s": 0.03,
                    "prefill_s_per_token": 5.58e-5,
                    "decode_s_per_seq": 4.25e-5,
                    "attention_s_per_token": 2.8e-8,
                    "overhead_s": 0.05,
                },
                "kv_capacity_tokens": 3600,
                "queue": {"kind": "per_replica", "router": router},
                "autoscaler": {"kind": "fixed", "replicas": 2},
                "price": {"on_demand": 2.5},
            }
            for name, router in (("chat", "power_of_two"), ("batch", "least_kv"))
        },
    },
}
"""Small, and between them most of what can differ: bursts, rejections, preemptions, two streams, every kind of draw."""


def of_tables(*tables: np.ndarray) -> str:
    """SHA-256 over every column (not the bytes between them, which nobody writes)."""
    digest = hashlib.sha256()
    for table in tables:
        for name in table.dtype.names or ():
            digest.update(np.ascontiguousarray(table[name]).tobytes())
    return digest.hexdigest()


def of_log(log: RunLog) -> str:
    """Of all that a run decides: requests, samples, spans, decisions. Not of the time it took, nor of the calendar."""
    told = repr((log.decisions, log.streams, log.pools, log.notes, log.end_s, log.preemptions))
    tables = of_tables(log.requests, log.samples, log.spans, log.down, *([] if log.calls is None else [log.calls]))
    return hashlib.sha256((tables + told + log.edges_s.tobytes().hex()).encode()).hexdigest()


def of_summary(result: Result) -> str:
    told = result.summary()
    del told["run"], told["calendar"]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def of_transitions(count: int) -> list[str]:
    """Of bare runs of random fleets, every second one on a grid where times tie."""
    digests = []
    for seed in range(count):
        specs, jobs = random_case(seed, ties=seed % 2 == 0)
        rows = runs.table(jobs)
        state = runs.run(specs, rows)
        digests.append(of_tables(rows, state.replicas, state.run))
    return digests


def of_scenarios(replication: int = 0) -> dict[str, list[str]]:
    """By scenario: its log on the SimPy calendar, on the compiled one, and its summary."""
    from sim import load, simulate

    digests = {}
    for name, scenario in SCENARIOS.items():
        told = [
            simulate(load({"name": name, "seed": 7, "calendar": calendar, **scenario}), replication)
            for calendar in ("simpy", "compiled")
        ]
        digests[name] = [of_log(told[0].log), of_log(told[1].log), of_summary(told[0])]
    return digests


def main(what: str, count: str = "30") -> None:
    if what == "transitions":
        compiled.compile_all()
    told = of_scenarios() if what == "scenarios" else of_transitions(int(count))
    json.dump({"compiled": hasattr(transitions.arrive, "py_func"), "digests": told}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
