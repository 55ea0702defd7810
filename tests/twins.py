"""Scenarios whose answers theory knows, for the tests of what it says of them."""

from __future__ import annotations

from typing import Any

from sim import load
from sim.scenario import Scenario

EXPONENTIAL = {"kind": "exponential", "mean": 1}


def poisson(rate: float) -> dict[str, Any]:
    return {"kind": "poisson", "rate": rate}


def slots(
    arrivals: dict[str, Any],
    service: dict[str, Any] | None = None,
    replicas: int = 1,
    *,
    queue: dict[str, Any] | None = None,
    clients: dict[str, Any] | None = None,
    concurrency: int = 1,
    pool: dict[str, Any] | None = None,
    **changes: Any,
) -> Scenario:
    """A pool of slots; services of a second, and one line, unless they are given."""
    workload = {"arrivals": arrivals, "service": service or EXPONENTIAL}
    return load(
        {
            "name": "slots",
            "seed": 5,
            "horizon": "3000s",
            "warmup": "200s",
            "workload": workload | ({"clients": clients} if clients else {}),
            "pools": {
                "p": {
                    "replica": {"kind": "slots", "concurrency": concurrency},
                    "queue": queue or {"kind": "central"},
                    "autoscaler": {"kind": "fixed", "replicas": replicas},
                    **(pool or {}),
                }
            },
            **changes,
        }
    )


def batches(
    rate: float | dict[str, Any],
    replicas: int = 1,
    *,
    prompt: dict[str, Any] | None = None,
    output: dict[str, Any] | None = None,
    pool: dict[str, Any] | None = None,
    **changes: Any,
) -> Scenario:
    """A pool of batching replicas whose law is given, with memory for all."""
    return load(
        {
            "name": "batches",
            "seed": 5,
            "horizon": "1200s",
            "warmup": "100s",
            "workload": {
                "arrivals": rate if isinstance(rate, dict) else poisson(rate),
                "prompt_tokens": prompt or {"kind": "lognormal", "mean": 600, "cv": 1},
                "output_tokens": output or {"kind": "exponential", "mean": 150},
            },
            "pools": {
                "p": {
                    "replica": {"kind": "batching", "max_num_seqs": 32, "max_batched_tokens": 2048},
                    "latency": {
                        "base_s": 0.012,
                        "prefill_s_per_token": 5e-5,
                        "decode_s_per_seq": 2e-4,
                        "attention_s_per_token": 2e-8,
                    },
                    "kv_capacity_tokens": 1_000_000,
                    "autoscaler": {"kind": "fixed", "replicas": replicas},
                    **(pool or {}),
                }
            },
            **changes,
        }
    )
