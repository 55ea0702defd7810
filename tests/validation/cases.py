"""How a reference case is put: as scenarios, so many replications long, with what is measured.

The unit of time is the cases' own, taken as a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tests.validation.measures import QUANTILE
from tests.validation.replications import Case
from tests.validation.sizes import (
    FEWEST_REPLICATIONS,
    MILLIONS,
    MOST_A_REPLICATION,
    WIDE,
    WIDE_HERE,
    WIDE_WHEN_BUSY,
)

Vector = Mapping[str, Any]
Law = Mapping[str, Any]

WORK = ("service", "prompt_tokens", "output_tokens", "clients", "session")
"""Keys of a workload, beside its arrivals."""

EXPONENTIAL = {"kind": "exponential", "mean": 1.0}


def cases_of(vector: Vector, builders: Mapping[str, Callable[[Vector], list[Case]]]) -> list[Case]:
    """The case, or several variants of it that share the answer; builders are told by how its name begins."""
    for prefix, build in builders.items():
        if vector["id"].startswith(prefix):
            return build(vector)
    return []


def queue(replicas: int, concurrency: int = 1, **where: Any) -> dict[str, Any]:
    """A pool of slots; one line for all unless `where` says otherwise."""
    return {
        "replica": {"kind": "slots", "concurrency": concurrency},
        "queue": where or {"kind": "central"},
        "autoscaler": {"kind": "fixed", "replicas": replicas},
    }


def engine(base_s: float, decode_s_per_seq: float, max_num_seqs: int, **where: Any) -> dict[str, Any]:
    """A pool of one batching replica in which only decoding takes time and memory is no limit."""
    return {
        "replica": {"max_num_seqs": max_num_seqs, "max_batched_tokens": max(max_num_seqs, 8192)},
        "latency": {
            "base_s": base_s,
            "decode_s_per_seq": decode_s_per_seq,
            "prefill_s_per_token": 0,
            "attention_s_per_token": 0,
        },
        "kv_capacity_tokens": 10**12,
        "queue": where or {"kind": "per_replica"},
        "autoscaler": {"kind": "fixed", "replicas": 1},
    }


def poisson(rate: float) -> Law:
    return {"kind": "poisson", "rate": rate}


def case(
    vector: Vector,
    exact: Mapping[str, float],
    pool: Mapping[str, Any],
    arrivals: Law,
    rate: float,
    memory_s: float,
    variant: str = "",
    **more: Any,
) -> Case:
    """Put a case together; `memory_s` is about the time over which the system forgets how it started."""
    name = f"{vector['id']} {variant}".strip()
    requests = 1e6 * MILLIONS[name]
    replications = max(FEWEST_REPLICATIONS, math.ceil(requests / MOST_A_REPLICATION))
    warmup_s = 20 * memory_s
    work = {name: more.pop(name) for name in WORK if name in more}
    measured = {name: value for name, value in exact.items() if not (QUANTILE.fullmatch(name) and value == 0)}
    return Case(
        name=name,
        scenario={
            "horizon": warmup_s + requests / replications / rate,
            "warmup": warmup_s,
            "workload": {"arrivals": arrivals, **work},
            "pools": {"pool": pool},
        },
        exact=measured,
        replications=replications,
        width=WIDE | more.pop("width", {}) | WIDE_HERE.get(vector["id"], {}) | WIDE_HERE.get(name, {}),
        **more,
    )


def memory_s(load: float, servers: int, variability: float = 1.0, mean_service_s: float = 1.0) -> float:
    """About the relaxation time of a queue (exact for M/M/1 in heavy traffic), at least two services."""
    return max(2.0, 2 * variability / (servers * (1 - load / servers) ** 2)) * mean_service_s


def same(vector: Vector, *names: str, **renamed: str) -> dict[str, float]:
    """Expected values by the name of their measure, those first that are named first; `measure=key` renames."""
    expected = vector["expected"]
    return {name: expected[name] for name in names} | {name: expected[key] for name, key in renamed.items()}


def busy(utilization: float) -> dict[str, float]:
    return WIDE_WHEN_BUSY if utilization >= 0.9 else {}


def quantiles(vector: Vector) -> dict[str, float]:
    return {name: value for name, value in vector["expected"].items() if QUANTILE.fullmatch(name)}


SHAPES = {8: (2, 4), 14: (7, 2), 16: (4, 4), 32: (4, 8), 50: (5, 10), 200: (25, 8)}
"""Servers as replicas of several slots; other numbers are replicas of one slot."""
