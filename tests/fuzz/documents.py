"""Readers of other tools' documents: benchmark results, recorded observations, answers of a Prometheus."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any
from unittest import mock

from sim.autoscaling.knative.knative import Knative
from sim.autoscaling.kubernetes.hpa import Hpa
from sim.autoscaling.kubernetes.keda import Keda
from sim.exchange import read_given
from sim.exchange.documents import open_document
from sim.exchange.formats import format_names, read_benchmark
from sim.exchange.recorded import replay
from sim.exchange.traffic.counters import read_counters, traffic_of
from sim.exchange.traffic.fit import fitted
from sim.exchange.traffic.metrics import EVERY
from sim.exchange.traffic.server import Server
from sim.exchange.traffic.written import imported
from tests import benchmark_files as made
from tests.fuzz.reader import Reader, may

UNIX_S = 1_764_000_000.25
_POLICIES = (
    Hpa.model_validate(
        {
            "kind": "hpa",
            "max_replicas": 9,
            "metrics": [
                {"metric": "num_requests_waiting", "type": "AverageValue", "target": 1},
                {"metric": "busy_share", "type": "Utilization", "target": 80},
                {
                    "metric": "vllm:time_to_first_token_seconds",
                    "how": "p99",
                    "over": "1m",
                    "type": "Value",
                    "target": 1,
                },
            ],
        }
    ),
    Keda.model_validate(
        {
            "kind": "keda",
            "max_replicas": 9,
            "triggers": [
                {"metric": "num_requests_waiting", "threshold": 2},
                {"cron": {"timezone": "UTC", "start": "0 6 * * *", "end": "0 20 * * *", "desired_replicas": 3}},
            ],
        }
    ),
    Knative.model_validate({"kind": "knative", "max_replicas": 9, "target": 5}),
)


def _json(*found: Any) -> list[bytes]:
    return [(text if isinstance(text, str) else json.dumps(text)).encode() for text in found]


def benchmarks() -> Sequence[bytes]:
    return _json(
        *(made.VLLM, {**made.VLLM, **made.DETAILS}, made.SGLANG, made.GUIDELLM, made.AIPERF, made.STAGE, made.LLMD),
        *(made.LLMD_OLDEST, made.INFERENCEX, [made.per_request(1.0), made.per_request(2.0, "no")]),
        made.lines(made.aiperf_record(10**9), made.aiperf_record(2 * 10**9)),
        made.lines(made.VLLM, made.SGLANG),
    )


def benchmark_tables() -> Sequence[bytes]:
    return _json(made.AIPERF_CSV, made.REQUESTS, made.ITERATIONS)


def series(metric: str, values: Sequence[Any], step_s: float = 15.0, **labels: str) -> dict[str, Any]:
    samples = [[UNIX_S + step_s * place, str(value)] for place, value in enumerate(values) if value is not None]
    return {"metric": {"__name__": metric, **labels}, "values": samples}


def matrix(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(found)}}


def counters() -> Sequence[bytes]:
    """Of vLLM, with histograms of lengths, two models, a restart and an abort."""
    ended = "vllm:request_success_total"
    lengths = [
        series(f"{name}_{part}", [0, *range(9), 40], 60.0, **labels)
        for name in ("vllm:request_prompt_tokens", "vllm:request_generation_tokens")
        for part, labels in (("bucket", {"le": "100.0"}), ("bucket", {"le": "+Inf"}), ("sum", {}), ("count", {}))
    ]
    tokens = [series(f"vllm:{of}_tokens_total", [0, *range(9), 40], 60.0) for of in ("prompt", "generation")]
    one = series(ended, [0, 5, 9, 2, 4, 6, 9, 12, 15, 18, 21], 60.0, pod="a", finished_reason="stop")
    two = series(ended, [0, None, 3, 4, 9, 12, 15, 16, 17, 18, 30], 60.0, pod="b", model_name="m")
    gone = series(ended, [0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4], 60.0, pod="a", finished_reason="abort")
    running = series("vllm:num_requests_running", range(11), 60.0, pod="a")
    return _json(matrix(one, gone, running, *lengths), matrix(one, two, *tokens), matrix(one, *tokens))


def recordings() -> Sequence[bytes]:
    """Lines of observations, and series of a Prometheus."""
    seen = [
        {"at_s": 15, "current": 4, "ready": 3, "unready": 1, "values": {"num_requests_waiting": 60}},
        {"at_s": 30, "current": 4, "values": [{"metric": "busy_share", "how": "mean", "over_s": 9, "value": 0.5}]},
        {"at_s": 45, "ready": 2, "values": {}, "pods": [{"name": 1, "phase": "ready", "values": {"busy_share": 0.9}}]},
    ]  # fmt: skip
    waiting = series("vllm:num_requests_waiting", [0, 5, "NaN", 30, 7], pod="a")
    bucket = series("vllm:time_to_first_token_seconds_bucket", [0, 1, 2, 5, 9], pod="a", le="0.5")
    every = series("vllm:time_to_first_token_seconds_bucket", [0, 2, 4, 9, 20], pod="a", le="+Inf")
    replicas = series("kube_deployment_status_replicas", [1, 1, 2, 2, 2], deployment="d")
    return _json(made.lines(*seen), matrix(waiting, bucket, every, replicas))


def _benchmark(path: Path) -> object:
    names = format_names()
    forced = names[path.stat().st_size % len(names)]
    return may(read_benchmark, str(path), forced), read_given([str(path)])


def _decide(path: Path) -> object:
    policy = _POLICIES[path.stat().st_size % len(_POLICIES)]
    start = None if path.stat().st_size % 2 else 3
    return sum(1 for _, _ in zip(replay(policy, [str(path)], start).decisions, range(2_000), strict=False))


def _counted(path: Path) -> object:
    return read_counters([open_document(str(path))])


def _fitted(path: Path) -> object:
    found = imported(
        "prometheus", [fitted(each, "auto", None, UTC) for each in read_counters([open_document(str(path))])]
    )
    return found.text(), found.lines()


def _answered(path: Path) -> object:
    """A server that answers everything with this."""
    names = json.dumps({"status": "success", "data": [*EVERY]}).encode()
    data = path.read_bytes()

    def urlopen(asked: Any, timeout: float) -> io.BytesIO:
        first = asked.full_url.endswith("values") and len(data) % 5 > 0
        return io.BytesIO(names if first else data)

    with mock.patch("sim.exchange.traffic.server.request.urlopen", urlopen):
        return traffic_of(Server("http://prometheus:9090").series(UNIX_S, UNIX_S + 660, 60.0), "prometheus")


READERS = (
    Reader("benchmark", _benchmark, benchmarks, "json", 2.5, "b.json"),
    Reader("benchmark, CSV", _benchmark, benchmark_tables, "csv", 2.5, "b.csv"),
    Reader("observations", _decide, recordings, "json", 1.5, "o.jsonl"),
    Reader("Prometheus file", _counted, counters, "json", 1.5, "p.json"),
    Reader("Prometheus file, fitted", _fitted, counters, "json", 0.05, "p.json"),
    Reader("Prometheus server", _answered, counters, "json", 0.5, "p.json"),
)
