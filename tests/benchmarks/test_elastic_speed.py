"""How fast elastic fleets are: beside a fleet of fixed size, and over a week of a real rate curve under every policy.

The fleet and its traffic are those of test_speed: a 70B model on four H100 a replica, 7.5 requests a second each.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sim import load, simulate
from tests.validation.reference import SHARED

pytestmark = pytest.mark.bench

CHAT = {
    "arrivals": {"kind": "poisson", "rate": "60/s"},
    "prompt_tokens": {
        "kind": "quantiles",
        "at": {0: 4, 0.25: 380, 0.5: 1020, 0.75: 1700, 0.9: 2735, 0.99: 4142, 1: 6000},
    },
    "output_tokens": {"kind": "quantiles", "at": {0: 1, 0.25: 60, 0.5: 129, 0.75: 350, 0.9: 424, 0.99: 601, 1: 1000}},
}
REPLICA = {
    "latency": {
        "base_s": 0.0156,
        "prefill_s_per_token": 5.58e-5,
        "decode_s_per_seq": 4.25e-5,
        "attention_s_per_token": 2.8e-8,
    },
    "kv_capacity_tokens": 1_000_000,
    "replica": {"max_num_seqs": 256, "max_batched_tokens": 8192},
}
HPA = {
    "kind": "hpa",
    "min_replicas": 7,
    "max_replicas": 9,
    "start_replicas": 8,
    "sync_period": "15s",
    "metrics": [{"metric": "num_requests_running", "type": "AverageValue", "target": 75}],
}


def requests_per_s(autoscaler: dict[str, Any]) -> tuple[float, float]:
    """Requests simulated per second inside the engine, and the mean size of the fleet."""
    pool = {**REPLICA, "autoscaler": autoscaler}
    keys = {"name": "x", "horizon": "4h", "calendar": "compiled", "workload": CHAT, "pools": {"chat": pool}}
    told = simulate(load(keys)).summary()
    return told["run"]["requests_per_engine_s"], told["replicas"]["mean"]


def test_a_control_tick_every_15_s_beside_a_fixed_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    fixed = {"kind": "fixed", "replicas": 8}
    requests_per_s(fixed), requests_per_s(HPA)  # compiled by now
    ratios = []
    for _ in range(15):
        (static, _), (elastic, size) = requests_per_s(fixed), requests_per_s(HPA)
        ratios.append(elastic / static)
    ratio = statistics.median(ratios)
    with capsys.disabled():
        print(
            f"\ncompiled calendar under an HPA every 15 s ({size:.1f} replicas): {elastic / 1e6:.2f} M requests/s, "
            f"fixed fleet {static / 1e6:.2f} M, ratio {ratio:.2f} (bar 0.7)"
        )
    assert ratio >= 0.7


WEEK = SHARED / "data" / "traces" / "servegen_m-large_week1_rate_10min.csv"
BOUNDS = {"min_replicas": 3, "max_replicas": 60}
ON_LOAD = {"metric": "num_requests_running", "target": 12}
POLICIES: dict[str, dict[str, Any]] = {
    "hpa": {**BOUNDS, "metrics": [{**ON_LOAD, "type": "AverageValue"}], "behavior": {}},
    "keda": {"max_replicas": 60, "triggers": [{"metric": "concurrency", "threshold": 12}]},
    "knative": {"min_replicas": 0, "max_replicas": 60, "target": 17},
    "ray_serve": {**BOUNDS, "target_ongoing_requests": 12},
    "aws_target_tracking": {**BOUNDS, "metrics": [ON_LOAD]},
    "aws_step_scaling": {
        **BOUNDS,
        "policies": [
            {
                "metric": "num_requests_running",
                "threshold": 14,
                "comparison": "GreaterThanThreshold",
                "steps": [{"lower": 0, "adjustment": 3}],
            },
            {
                "metric": "num_requests_running",
                "threshold": 9,
                "comparison": "LessThanThreshold",
                "steps": [{"upper": 0, "adjustment": -1}],
            },
        ],
    },
    "gcp_mig": {**BOUNDS, "signals": [ON_LOAD]},
    "dynamo_planner": {**BOUNDS, "requests_per_s_per_replica": "0.5/s"},
    "wva": BOUNDS,
    "aibrix": {**BOUNDS, **ON_LOAD},
    "scheduled": {"replicas": 20, "rows": [{"from": "08:00", "to": "22:00", "replicas": 50}]},
    "predictive": {**BOUNDS, "per_replica": "0.5/s", "lead": "7m"},
    "queue_length": {**BOUNDS, "target": 12},
    "slo_feedback": {**BOUNDS, "target": "2s"},
    "clairvoyant": {**BOUNDS, "lead": "7m"},
}


def week(kind: str) -> dict[str, Any]:
    """The weekly curve scaled to a peak that some 50 replicas carry: long answers, 32 sequences a replica."""
    rate = {"kind": "curve", "file": str(WEEK), "columns": ["t", "total_rate_rps"], "peak": "20/s"}
    pool = {
        "latency": {
            "base_s": 0.03,
            "prefill_s_per_token": 1.2e-4,
            "decode_s_per_seq": 1e-4,
            "attention_s_per_token": 4e-8,
        },
        "kv_capacity_tokens": 400_000,
        "replica": {"max_num_seqs": 32},
        "gpus_per_replica": 8,
        "price": {"on_demand": "$3/h"},
        "boot": {"kind": "lognormal", "mean": "7m", "cv": 0.3},
        "autoscaler": {"kind": kind, **POLICIES[kind]},
    }
    lengths = {
        "prompt_tokens": {"kind": "lognormal", "mean": 2000, "cv": 1.5},
        "output_tokens": {"kind": "lognormal", "mean": 1500, "cv": 1.2, "max": 8000},
    }
    workload = {"arrivals": rate, **lengths}
    return {"name": "week", "horizon": "7d", "calendar": "compiled", "workload": workload, "pools": {"chat": pool}}


@pytest.mark.skipif(not WEEK.exists(), reason="the weekly rate curve of ServeGen is not beside this checkout")
@pytest.mark.parametrize("kind", list(POLICIES))
def test_a_week_of_servegen_in_a_minute(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole of it in a process of its own: generate, simulate, summarize; 60 s and 2 GB on one core."""
    program = (
        "import json, resource, sys, time\n"
        "began = time.perf_counter()\n"
        "from sim import load, simulate\n"
        "told = simulate(load(json.loads(sys.argv[1]))).summary()\n"
        "took = time.perf_counter() - began\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6\n"
        "print(json.dumps([took, peak, told['requests']['arrived'], told['replicas'], told['slo']]))\n"
    )
    command = ["taskset", "-c", "0", sys.executable, "-c", program, json.dumps(week(kind))]
    ran = subprocess.run(
        command if Path("/usr/bin/taskset").exists() else command[3:], capture_output=True, text=True, check=True
    )
    took_s, peak_gb, arrived, replicas, _ = json.loads(ran.stdout)
    with capsys.disabled():
        print(
            f"\na week under {kind}: {arrived / 1e6:.1f} M requests, {replicas['mean']:.1f} replicas "
            f"({replicas['min']} to {replicas['max']}): {took_s:.1f} s (bar 60), {peak_gb:.2f} GB (bar 2)"
        )
    assert took_s < 60
    assert peak_gb < 2
