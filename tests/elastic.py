"""Random elastic fleets: every policy, lifecycle, fault and supply, in small runs that are over in milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import TypeAdapter

from sim.autoscaling import AnyPolicy
from sim.autoscaling.history import unanswerable
from sim.autoscaling.observation import Pipeline
from tests.contract.test_policies import EXAMPLES_OF

POLICIES = [(kind, dict(keys)) for kind, found in sorted(EXAMPLES_OF.items()) for keys in found]

BOOTS: list[Any] = [
    "0s",
    "20s",
    {"kind": "lognormal", "mean": "40s", "cv": 0.5},
    {"node": {"kind": "lognormal", "mean": "30s", "cv": 0.5}, "image": "5s", "weights": "10s", "engine": "15s"},
]
BATCHING = {
    "latency": {
        "base_s": 0.03125,
        "prefill_s_per_token": 0.0001220703125,
        "decode_s_per_seq": 0.0009765625,
        "attention_s_per_token": 0.0,
    },
    "kv_capacity_tokens": 3000,
}


def scenario(seed: int, *, ties: bool = False) -> dict[str, Any]:
    """A scenario with one or two pools; with ties, arrivals stand on a grid on which control and services stand too."""
    rng = np.random.default_rng([seed, 4])
    names = ["a", "b"][: int(rng.integers(1, 3))]
    pools = {name: _pool(rng, ties) for name in names}
    return {
        "name": f"elastic {seed}",
        "seed": seed,
        "horizon": "10m",
        "workload": {"streams": {name: _stream(rng, pools[name], ties) for name in names}},
        "pools": pools,
    }


def _stream(rng: np.random.Generator, pool: dict[str, Any], ties: bool) -> dict[str, Any]:
    rate = float(rng.choice([0.05, 0.3, 1.0]))
    gap = {"kind": "constant", "value": 4.0} if ties else {"kind": "gamma", "mean": 1 / rate, "cv": 2.0}
    arrivals: dict[str, Any] = {"kind": "renewal", "gap": gap}
    if not ties and rng.random() < 0.3:
        arrivals = {"kind": "spike", "rate": rate, "at": "3m", "factor": 6, "duration": "2m"}
    stream: dict[str, Any] = {"arrivals": arrivals}
    if pool["replica"]["kind"] == "slots":
        law = {"kind": "constant", "value": 8.0} if ties else {"kind": "lognormal", "mean": 6.0, "cv": 1.0}
        return stream | {"service": law}
    lengths = {"kind": "constant", "value": 256} if ties else {"kind": "lognormal", "mean": 300, "cv": 1, "max": 1200}
    return stream | {"prompt_tokens": lengths, "output_tokens": {"kind": "uniform", "low": 1, "high": 200}}


def _pool(rng: np.random.Generator, ties: bool) -> dict[str, Any]:
    slots = bool(rng.random() < 0.4)
    kind, keys = POLICIES[int(rng.integers(len(POLICIES)))]
    queue: dict[str, Any] = {"kind": "central"}
    if rng.random() < 0.6:
        queue = {"kind": "per_replica", "router": str(rng.choice(["least_outstanding", "round_robin", "random"]))}
    if rng.random() < 0.3:
        queue["max_waiting"] = int(rng.integers(0, 20))
    pool: dict[str, Any] = {
        "replica": {"kind": "slots", "concurrency": int(rng.integers(1, 4))} if slots else {"kind": "batching"},
        "queue": queue,
        "autoscaler": {"kind": kind, **keys},
        "boot": BOOTS[int(rng.integers(2 if ties else len(BOOTS)))],
        "drain": {
            "queued": str(rng.choice(["redirect", "stay"])),
            "lost": str(rng.choice(["retry", "fail", "resume"])),
            "first": str(rng.choice(["newest", "oldest", "least_busy"])),
        },
        "price": {"on_demand": 3, "spot": 1},
    }
    if not slots:
        pool |= BATCHING
        pool["replica"] |= {"max_num_seqs": int(rng.integers(1, 9)), "max_batched_tokens": 512}
    if rng.random() < 0.5:
        pool["drain"]["grace"] = int(rng.choice([0, 4, 30]))
    if rng.random() < 0.3:
        pool["billing"] = {"granularity": "60s", "minimum": "120s"}
    if rng.random() < 0.4:
        pool["metrics"] = {"scrape_interval": int(rng.choice([5, 15])), "delay": int(rng.choice([0, 30]))}
        if not _answerable(pool):
            del pool["metrics"]
    pool["faults"] = _faults(rng)
    if rng.random() < 0.4:
        pool["supply"] = _offers(rng)
    if any(fault["kind"] == "zone_outage" for fault in pool["faults"]):
        pool.setdefault("supply", [{"name": "zonal", "zones": 2}])
        pool["supply"][0]["zones"] = 2
    if rng.random() < 0.3:
        to = {} if slots or rng.random() < 0.5 else {"to": {"latency": {**BATCHING["latency"], "base_s": 0.0625}}}
        pool["rollouts"] = [{"at": "200s", "max_surge": 1, "max_unavailable": "25%", **to}]
    return pool


def _answerable(pool: dict[str, Any]) -> bool:
    """Whether the policy's windows hold as many samples as they need."""
    policy: Any = TypeAdapter(AnyPolicy).validate_python(pool["autoscaler"])
    pipeline = Pipeline(pool["metrics"]["scrape_interval"])
    return not any(unanswerable(query, pipeline) for query in policy.queries)


def _faults(rng: np.random.Generator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if rng.random() < 0.4:
        crash: dict[str, Any] = {"kind": "crash", "mtbf": "6m"}
        if rng.random() < 0.5:
            crash["repair"] = {"kind": "exponential", "mean": "40s"}
        if rng.random() < 0.4:
            crash |= {"scope": "node", "replicas_per_node": 2}
        found.append(crash)
    if rng.random() < 0.3:
        found.append({"kind": "zone_outage", "zone": int(rng.integers(0, 2)), "at": "240s", "lasts": "60s"})
    return found


def _offers(rng: np.random.Generator) -> list[dict[str, Any]]:
    spot = {
        "name": "spot",
        "market": "spot",
        "spot": {"hazard": "20/h", "notice": int(rng.choice([0, 20])), "batch": float(rng.choice([0, 0.5]))},
        "stock_out": {"refused": float(rng.choice([0, 0.5])), "delayed": {"share": 0.3, "by": "25s"}},
        "zones": int(rng.integers(1, 4)),
        "retry": "15s",
    }
    on_demand = {"name": "on demand", "overhead": float(rng.choice([0, 0.25]))}
    base = {"name": "base", "most": int(rng.integers(1, 3))}
    return [base, spot, on_demand][int(rng.integers(0, 2)) :]
