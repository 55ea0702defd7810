"""Small benchmark results as the tools write them, made up here from the shape of each format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sim.study.fidelity.measured import OperatingPoint

VLLM: dict[str, Any] = {
    "date": "20260101-000000",
    "backend": "openai",
    "model_id": "org/some-model",
    "num_prompts": 100,
    "request_rate": 4.0,
    "burstiness": 1.0,
    "max_concurrency": None,
    "duration": 26.0,
    "completed": 100,
    "failed": 0,
    "total_input_tokens": 51200,
    "total_output_tokens": 12900,
    "request_throughput": 3.85,
    "mean_ttft_ms": 40.0,
    "median_ttft_ms": 39.0,
    "p99_ttft_ms": 60.0,
    "mean_tpot_ms": 8.0,
    "median_tpot_ms": 8.0,
    "p99_tpot_ms": 9.0,
    "mean_itl_ms": 8.1,
    "median_itl_ms": 8.0,
    "p99_itl_ms": 12.0,
}
DETAILS: dict[str, Any] = {
    "completed": 2,
    "num_prompts": 3,
    "total_input_tokens": 300,
    "total_output_tokens": 5,
    "input_lens": [100, 150, 200],
    "output_lens": [2, 0, 3],
    "start_times": [11.0, 10.5, 10.0],
    "ttfts": [0.05, 0.0, 0.06],
    "itls": [[0.01], [], [0.01, 0.02]],
    "generated_texts": ["a", "", "b"],
}
SGLANG: dict[str, Any] = {
    "backend": "sglang",
    "request_rate": 4.0,
    "max_concurrency": None,
    "duration": 26.0,
    "completed": 100,
    "total_input_tokens": 76800,
    "total_output_tokens": 19200,
    "total_output_tokens_retokenized": 19100,
    "request_throughput": 3.85,
    "mean_e2e_latency_ms": 1600.0,
    "median_e2e_latency_ms": 1590.0,
    "p99_e2e_latency_ms": 1800.0,
    "mean_ttft_ms": 50.0,
    "median_ttft_ms": 49.0,
    "p99_ttft_ms": 80.0,
    "mean_tpot_ms": 8.1,
    "mean_itl_ms": 8.1,
}


def _all(mean: float, p99: float | None = None) -> dict[str, Any]:
    return {"successful": {"mean": mean, "median": mean, "percentiles": {"p50": mean, "p99": p99 or mean}}}


GUIDELLM: dict[str, Any] = {
    "metadata": {"version": 2, "guidellm_version": "0.8.1"},
    "benchmarks": [
        {
            "config": {"strategy": {"type_": "constant", "rate": 4.0}},
            "metrics": {
                "request_totals": {"successful": 50, "incomplete": 1, "errored": 2, "total": 53},
                "requests_per_second": _all(3.9),
                "request_latency": _all(1.3, 1.5),
                "prompt_token_count": _all(256.0),
                "output_token_count": _all(128.0),
                "time_to_first_token_ms": _all(49.0, 90.0),
                "time_per_output_token_ms": _all(10.2),
                "inter_token_latency_ms": _all(9.85),
            },
            "requests": {"successful": [], "incomplete": [], "errored": []},
        }
    ],
}
AIPERF: dict[str, Any] = {
    "request_throughput": {"unit": "requests/sec", "avg": 3.9},
    "request_latency": {"unit": "ms", "avg": 1300.0, "p50": 1290.0, "p99": 1500.0},
    "request_count": {"unit": "requests", "avg": 240.0},
    "time_to_first_token": {"unit": "us", "avg": 49000.0, "p50": 47000.0, "p99": 92000.0},
    "inter_token_latency": {"unit": "ms", "avg": 9.85, "p50": 9.8, "p99": 12.0},
    "input_sequence_length": {"unit": "tokens", "avg": 550.0},
    "output_sequence_length": {"unit": "tokens", "avg": 128.0},
    "input_config": {"endpoint": {"model_names": ["org/some-model"]}, "loadgen": {"request_rate": 4.0}},
    "was_cancelled": False,
}
STAGE: dict[str, Any] = {
    "load_summary": {"count": 240, "send_duration": 59.7, "requested_rate": 4.0, "achieved_rate": 4.02},
    "successes": {
        "count": 238,
        "latency": {
            "request_latency": {"mean": 1.31, "median": 1.30, "p99": 1.53},
            "time_to_first_token": {"mean": 0.049, "median": 0.047, "p99": 0.092},
            "inter_token_latency": {"mean": 0.0099},
        },
        "throughput": {"requests_per_sec": 3.98},
        "prompt_tokens": {"total": 60000.0, "cached": 15000.0, "mean": 256.0},
        "output_len": {"mean": 126.0},
    },
    "failures": {"count": 2},
}
LLMD: dict[str, Any] = {
    "version": "0.2.1",
    "run": {"uid": "abc"},
    "scenario": {
        "load": {"standardized": {"tool": "inference-perf", "rate_qps": 10.0}},
        "stack": [
            {
                "standardized": {
                    "kind": "inference_engine",
                    "replicas": 2,
                    "role": "decode",
                    "model": {"name": "org/some-model"},
                    "accelerator": {"model": "H100", "parallelism": {"tp": 4}},
                }
            }
        ],
    },
    "results": {
        "request_performance": {
            "aggregate": {
                "requests": {
                    "total": 500,
                    "failures": 5,
                    "input_length": {"units": "count", "mean": 1024},
                    "output_length": {"units": "count", "mean": 256},
                },
                "latency": {
                    "time_to_first_token": {"units": "ms", "mean": 41, "p50": 39, "p99": 90},
                    "inter_token_latency": {"units": "s/token", "mean": 0.0097},
                    "time_per_output_token": {"units": "ms/token", "mean": 9.7},
                    "request_latency": {"units": "s", "mean": 2.5, "p99": 3.1},
                },
                "throughput": {"request_rate": {"units": "queries/s", "mean": 9.9}},
            }
        }
    },
}
LLMD_OLDEST: dict[str, Any] = {
    "version": "0.1",
    "scenario": {
        "model": {"name": "org/some-model"},
        "host": {"type": ["replica"], "accelerator": [{"model": "H100", "count": 2, "parallelism": {"tp": 2}}]},
        "load": {"name": "vllm-benchmark", "args": {"request_rate": "inf", "max_concurrency": 32}},
    },
    "metrics": {
        "requests": {"total": 100, "failures": 0, "input_length": {"mean": 512}, "output_length": {"mean": 128}},
        "latency": {
            "time_to_first_token": {"units": "ms", "mean": 60.0},
            "request_latency": {"units": "ms", "mean": 1400.0},
        },
        "throughput": {"requests_per_sec": 20.0},
    },
}
AIPERF_CSV = """\
Metric,avg,min,max,p1,p5,p10,p25,p50,p75,p90,p95,p99,std
Inter Token Latency (ms),9.90,9.10,12.90,9.12,9.20,9.31,9.55,9.80,10.11,10.60,11.20,12.10,0.50
Time to First Token (ms),49.00,30.10,101.40,31.0,34.0,38.0,43.0,47.20,53.0,61.0,70.0,92.10,9.00
Request Latency (ms),"1,310.00",1190.0,1560.0,1201.0,1220.0,1231.0,1260.0,1302.0,1350.0,1402.0,1440.0,1533.0,66.0
Output Sequence Length (tokens),128.00,100.0,160.0,101.0,105.0,110.0,119.0,128.0,137.0,146.0,151.0,155.0,12.00
Input Sequence Length (tokens),550.00,550.0,550.0,550.0,550.0,550.0,550.0,550.0,550.0,550.0,550.0,550.0,0.00

Metric,Value
Request Throughput (requests/sec),3.92
Request Count (requests),240.00
"""
INFERENCEX: dict[str, Any] = {
    "hw": "h200", "conc": 64, "model": "org/some-model", "infmax_model_prefix": "some", "framework": "vllm",
    "precision": "fp8", "spec_decoding": "none", "disagg": False, "isl": 1024, "osl": 512, "is_multinode": False,
    "tp": 4, "pp": 1, "ep": 1, "dp_attention": "false", "tput_per_gpu": 3072.0, "output_tput_per_gpu": 1024.0,
    "mean_ttft": 0.112, "median_ttft": 0.101, "p99_ttft": 0.31, "mean_tpot": 0.0138, "mean_itl": 0.0138,
    "mean_e2el": 7.2, "p99_e2el": 8.9,
}  # fmt: skip
REQUESTS = """\
arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s
5.5,200,11,0.06,0.26
4.0,100,1,0.05,0.05
"""
ITERATIONS = "prefill_tokens,decode_seqs,ctx_tokens,ms\n0,1,500,6.5\n512,8,4000,25\n"


def aiperf_record(sent_ns: int, cancelled: bool = False, phase: str = "profiling") -> dict[str, Any]:
    return {
        "metadata": {"request_start_ns": sent_ns, "benchmark_phase": phase, "was_cancelled": cancelled},
        "metrics": {
            "input_sequence_length": {"value": 550, "unit": "tokens"},
            "output_sequence_length": {"value": 101, "unit": "tokens"},
            "time_to_first_token": {"value": 50.0, "unit": "ms"},
            "request_latency": {"value": 1.05, "unit": "s"},
        },
        "error": {"code": 499} if cancelled else None,
    }


def per_request(start: float, error: str | None = None, nested: bool = True) -> dict[str, Any]:
    answer = {"output_tokens": 3, "output_token_times": [start + 0.05, start + 0.06, start + 0.07]}
    info = {"input_tokens": 200, **({"response_metrics": answer} if nested else answer)}
    return {"start_time": start, "end_time": start + 0.08, "request": "x" * 50, "info": info, "error": error}


def write(path: Path, value: Any) -> str:
    """A value as JSON, or text as it is; returns the path."""
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return str(path)


def lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def vllm_like(point: OperatingPoint) -> dict[str, Any]:
    """An operating point as `vllm bench serve` would write it down."""
    assert point.ttft.mean is not None
    assert point.tpot.mean is not None
    return {
        **VLLM,
        "request_rate": point.rate_per_s if point.rate_per_s is not None else "inf",
        "max_concurrency": point.max_in_flight,
        "completed": point.requests,
        "total_input_tokens": round(point.prompt_tokens * point.requests),
        "total_output_tokens": round(point.output_tokens * point.requests),
        "request_throughput": point.achieved_per_s,
        "mean_ttft_ms": 1e3 * point.ttft.mean,
        "median_ttft_ms": 1e3 * (point.ttft.p50 or point.ttft.mean),
        "p99_ttft_ms": 1.5e3 * point.ttft.mean,
        "mean_tpot_ms": 1e3 * point.tpot.mean,
        "mean_itl_ms": 1e3 * point.tpot.mean,
    }
