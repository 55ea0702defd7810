"""Runs that keep no rows: how fast they are, what memory they take, how near their quantiles are (`make bench`).

The whole command is measured, from the start of Python to the summary, in a process of its own: 64 batching replicas
at 70 % of what they can carry, with the lengths of `test_speed`. A hundred million requests take a minute or two on a
quiet machine; `FLEETCAST_STREAM_REQUESTS` asks for fewer.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import load, simulate

pytestmark = pytest.mark.bench

REPLICAS = 64
RATE_PER_S = 7.5 * REPLICAS
REQUESTS = int(float(os.environ.get("FLEETCAST_STREAM_REQUESTS", "1e8")))
MOST_BYTES = 2 << 30
SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def scenario(requests: int) -> dict[str, Any]:
    prompts = {0: 4, 0.25: 380, 0.5: 1020, 0.75: 1700, 0.9: 2735, 0.99: 4142, 1: 6000}
    answers = {0: 1, 0.25: 60, 0.5: 129, 0.75: 350, 0.9: 424, 0.99: 601, 1: 1000}
    latency = {
        "base_s": 0.0156,
        "prefill_s_per_token": 5.58e-5,
        "decode_s_per_seq": 4.25e-5,
        "attention_s_per_token": 2.8e-8,
    }
    return {
        "name": "stream",
        "horizon": requests / RATE_PER_S,
        "workload": {
            "arrivals": {"kind": "poisson", "rate": RATE_PER_S},
            "prompt_tokens": {"kind": "quantiles", "at": prompts},
            "output_tokens": {"kind": "quantiles", "at": answers},
        },
        "pools": {
            "chat": {
                "replica": {"kind": "batching", "max_num_seqs": 256, "max_batched_tokens": 8192},
                "latency": latency,
                "kv_capacity_tokens": 1_000_000,
                "gpus_per_replica": 4,
                "price": {"on_demand": 3},
                "queue": {"kind": "per_replica", "router": "least_outstanding"},
                "autoscaler": {"kind": "fixed", "replicas": REPLICAS},
            }
        },
    }


def command(folder: Path, requests: int, *options: str) -> tuple[dict[str, Any], float, int]:
    """The summary of a run by the command line, its wall time, and the most memory that it had, in bytes."""
    file = folder / "stream.yaml"
    file.write_text(json.dumps(scenario(requests)))
    words = ["run", str(file), "--replications", "1", "--no-save", "--json", "--quiet", *options]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "sim", *words], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as out:
        text = out.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return json.loads(text), time.perf_counter() - began, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_a_hundred_million_requests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(tmp_path, 100_000, "--stream")  # so that the engine is compiled
    summary, wall_s, used = command(tmp_path, REQUESTS, "--stream")
    arrived = summary["requests"]["arrived"]
    own_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with capsys.disabled():
        print(
            f"\n{arrived / 1e6:.1f} M requests streamed in {wall_s:.1f} s ({own_s:.1f} s of processors): "
            f"{arrived / wall_s / 1e6:.2f} M/s, {used / 2**20:.0f} MB"
        )
    assert used < MOST_BYTES
    assert summary["requests"]["completed"] == arrived


def test_quantiles_beside_the_exact_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the same run, a tenth as long, with its rows collected on the way."""
    times: dict[str, list[Any]] = {"ttft_s": [], "e2e_s": []}

    def collect(rows: Any, _: float) -> None:
        times["ttft_s"].append(rows["first_token_s"] - rows["arrival_s"])
        times["e2e_s"].append(rows["finish_s"] - rows["arrival_s"])

    told = simulate(load(scenario(REQUESTS // 10)), stream=True, retired=lambda _: collect).summary()["latency"]
    for metric, parts in times.items():
        exact = dict(
            zip(SHARES, np.quantile(np.concatenate(parts), list(SHARES.values()), method="lower"), strict=True)
        )
        with capsys.disabled():
            pairs = ", ".join(f"{name} {told[metric][name]:.4f} s ({value:.4f})" for name, value in exact.items())
            print(f"\n{metric}, and exact: {pairs}")
        for name, value in exact.items():
            assert abs(told[metric][name] / value - 1) <= 0.011, (metric, name)
