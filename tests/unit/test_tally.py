"""A run whose rows are not kept tells what a run that keeps them tells: all of it, quantiles within 1.1 %."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.engine import simulate
from sim.fleet import setup
from sim.model.tables import REQUEST, UNFINISHED
from sim.report.run.tail import latency_tail
from sim.result import Result
from sim.result.error_budget import spending
from sim.result.latency import METRICS, metric_s
from sim.result.recovery import in_time_at_end_share, looks_of
from sim.result.tally import Tally
from sim.result.ttft_map import ttft_counts
from sim.result.window import measured_window
from sim.scenario import Scenario, load
from sim.statistics import histogram
from sim.study.replicated.record import record_of
from tests import elastic

WITHIN = 0.011
BATCHES = {
    "latency": {"base_s": 0.008, "prefill_s_per_token": 4e-5, "decode_s_per_seq": 4e-4, "attention_s_per_token": 1e-7},
    "kv_capacity_tokens": 20_000,
    "replica": {"kind": "batching", "max_num_seqs": 8, "max_batched_tokens": 512},
    "price": {"on_demand": 3, "spot": 1},
}
TOKENS = {
    "prompt_tokens": {"kind": "lognormal", "mean": 300, "cv": 1, "max": 2000},
    "output_tokens": {"kind": "lognormal", "mean": 40, "cv": 1, "max": 200},
}
ELASTIC = {
    "kind": "hpa", "min_replicas": 1, "max_replicas": 6, "metrics": [
        {"metric": "num_requests_running", "type": "AverageValue", "target": 4},
    ],
}  # fmt: skip
SLO = [
    {"metric": "ttft", "under": "60ms", "share": "90%"},
    {"metric": "tpot", "under": "12ms", "share": "95%"},
    {"metric": "queue_wait", "under": "5ms", "share": "99%"},
]


def scenario(**parts: Any) -> Scenario:
    given = {
        "name": "told in parts", "seed": 3, "horizon": "60s", "warmup": "7s", "slo": SLO,
        "workload": {"arrivals": at("12/s"), **TOKENS},
        "pools": {"main": pool()},
    }  # fmt: skip
    return load(given | parts)


def pool(**parts: Any) -> dict[str, Any]:
    return {**BATCHES, "autoscaler": {"kind": "fixed", "replicas": 2}, **parts}


def at(rate: str) -> dict[str, Any]:
    return {"kind": "poisson", "rate": rate}


STREAMS = {
    "streams": {
        "chat": {"class": "paid", "tenant": "acme", "arrivals": at("5/s"), **TOKENS},
        "code": {"class": "paid", "tenant": "globex", "arrivals": at("4/s"), **TOKENS},
        "bulk": {"class": "free", "arrivals": at("4/s"), **TOKENS},
        "more": {"class": "paid", "tenant": "acme", "arrivals": at("2/s"), **TOKENS},
    }
}
PARTIES = {"classes": {"paid": {}, "free": {}}, "tenants": {"acme": {}, "globex": {}}}
MODEL = {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"kind": "fixed", "replicas": 2}}
SLOTS = {"replica": {"kind": "slots", "concurrency": 2}, "queue": {"kind": "central"}}
LIMITED = [
    {"metric": "ttft", "under": "60ms", "share": "90%", "class": "paid"},
    {"metric": "e2e", "under": "500ms", "share": "90%", "tenant": "acme"},
    {"metric": "ttft", "under": "50ms", "share": "90%", "class": "paid", "tenant": "globex"},
]
SLOW = [
    {"kind": "linear", "metric": "ttft", "usd_per_hour": "5", "beyond": "20ms", "unanswered": "10s"},
    {"kind": "lost_requests", "usd": 0.1},
    {"kind": "sla_credits", "metric": "e2e", "under": "400ms", "monthly_usd": 1000, "tiers": {"99%": "10%"}},
    {"kind": "lost_users", "metric": "ttft", "beyond": "50ms", "share": "2%", "lifetime_usd": 10},
    {
        "kind": "lost_users", "metric": "tpot", "curve": {"5ms": "0%", "20ms": "50%"}, "lifetime_usd": 10,
        "requests_per_user_per_day": 2000,
    },
]  # fmt: skip
CASES: dict[str, Mapping[str, Any]] = {
    "batches": {},
    "slots": {
        "workload": {"arrivals": at("9/s"), "service": {"kind": "exponential", "mean": "0.4s"}},
        "pools": {"main": SLOTS | {"autoscaler": {"kind": "fixed", "replicas": 2}, "price": {"on_demand": 3}}},
    },
    "overloaded, rejecting": {
        "workload": {"arrivals": at("90/s"), **TOKENS}, "horizon": "20s",
        "pools": {"main": pool(queue={"kind": "central", "max_waiting": 30})},
    },
    "elastic": {
        "horizon": "5m",
        "workload": {"arrivals": {"kind": "curve", "points": [[0, 2], ["2m", "14/s"], ["5m", 1]]}, **TOKENS},
        "pools": {"main": pool(autoscaler=ELASTIC, overhead="30ms")},
    },
    "parties": {"workload": STREAMS, **PARTIES, "slo": LIMITED},
    "handed over": {
        "workload": {"streams": {name: {"pool": "first", **stream} for name, stream in STREAMS["streams"].items()}},
        **PARTIES, "slo": LIMITED,
        "pools": {"first": {**MODEL, "kv_transfer": {"to": "second", "bandwidth": "5GB/s"}}, "second": MODEL},
    },
    "slowness": {
        "slowness": SLOW, "workload": {"arrivals": at("60/s"), **TOKENS}, "horizon": "20s",
        "pools": {"main": pool(queue={"kind": "central", "max_waiting": 30})},
    },
    "revenue, contracts, egress": {
        "workload": STREAMS, **PARTIES, "slo": LIMITED,
        "pools": {"main": pool(egress={"price": "$0.10/GB", "per_answer": "500MB", "per_output_token": 1000})},
        "revenue": [
            {"kind": "subscription", "class": "paid", "price": "$20/month", "requests_per_user_per_day": 10},
            {"kind": "per_request", "tenant": "acme", "price": 0.01},
        ],
        "contracts": {"year": {"kind": "reserved", "gpus": 1, "price": "$2/h", "term": "1y"}},
    },
    "a burst": {
        "horizon": "4m", "warmup": "10s", "workload": {
            "arrivals": {"kind": "curve", "points": [[0, 8], ["2m", 8], ["121s", 40], ["130s", 40], ["131s", 8]]},
            **TOKENS,
        },
    },
}  # fmt: skip


CASES |= {f"elastic {seed}": elastic.scenario(seed) for seed in range(8)}


def told_in_parts(result: Result, rows: int, lag_s: float) -> Result:
    """The same run, with a tally that is told of so many rows at a time, while the run goes on; then without rows."""
    scenario, log = result.scenario, result.log
    specs, _ = setup.pool_specs(scenario)
    now_s = 0.0
    tally = Tally(
        scenario, specs, log.streams, log.stream_class, log.stream_tenant, log.edges_s,
        lambda: [row for row in log.decisions if row.at_s <= now_s],
    )  # fmt: skip
    for first in range(0, len(log.requests), rows):
        part = log.requests[first : first + rows].copy()
        last_s = float(np.nanmax(part["finish_s"], initial=now_s))
        if (part["outcome"] == UNFINISHED).any():
            last_s = math.inf
        now_s = max(now_s, last_s - lag_s)
        tally.add(part, now_s)
        part["outcome"] = 250  # it may be used again
    now_s = math.inf
    assert tally.count == len(log.requests)
    return Result(scenario, replace(log, requests=np.zeros(0, REQUEST), tally=tally, work=tally.laws()))


def numbers(told: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(told, Mapping):
        for name, part in told.items():
            yield from numbers(part, (*path, name))
    elif isinstance(told, Sequence) and not isinstance(told, str):
        for place, part in enumerate(told):
            yield from numbers(part, (*path, str(place)))
    else:
        yield path, told


def is_quantile(path: tuple[str, ...]) -> bool:
    return "latency" in path and path[-1] in ("p50", "p90", "p95", "p99")


def close(value: Any, within: float) -> Any:
    return pytest.approx(value, rel=within, abs=1e-9) if isinstance(value, float) else value


@pytest.fixture(scope="module", params=list(CASES))
def run(request: pytest.FixtureRequest) -> Result:
    return simulate(scenario(**CASES[request.param]))


def check_same(run: Result, parts: Result) -> None:
    kept, told = dict(numbers(run.summary())), dict(numbers(parts.summary()))
    assert list(kept) == list(told)
    assert (kept.pop(("run", "quantiles")), told.pop(("run", "quantiles"))) == ("exact", "histogram")
    for path, value in kept.items():
        found = told[path]
        if path[0] == "theory":
            about = tuple(kept["theory", path[1], "path"].split("."))
            if is_quantile(about) and path[2] == "difference_share":  # from the theory's value
                value, found = 1 + value, 1 + found
            if path[2] in ("simulated", "difference_share"):
                path = about
        assert found == close(value, WITHIN if is_quantile(path) else 1e-9), path
    for name in (None, *run.log.pools):
        rows_s, parts_s = (each.columns if name is None else each.pool_timeline(name) for each in (run, parts))
        assert list(rows_s) == list(parts_s)
        for column, values in rows_s.items():
            within = WITHIN if column.startswith("ttft_s") else 1e-9
            np.testing.assert_allclose(parts_s[column], values, rtol=within, atol=1e-9, err_msg=column)
    assert parts.verdict()


@pytest.mark.parametrize(("rows", "lag_s"), [(10**9, 0.0), (97, 0.0), (50, 0.7)])
def test_every_number_is_that_of_the_rows(run: Result, rows: int, lag_s: float) -> None:
    check_same(run, told_in_parts(run, rows, lag_s))


def test_an_arrival_at_the_very_end_of_a_trace_is_in_it(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n" + "".join(f"{n / 4},300,{9 + n}\n" for n in range(101)))
    run = simulate(scenario(workload={"trace": str(trace)}, horizon=None, warmup="3s"))
    for name in ("arrival_s", "start_s", "first_token_s", "finish_s"):
        run.log.requests[name][-1] += 1.0
    assert run.log.requests["arrival_s"][-1] == run.log.edges_s[-1] == 26.0
    assert run.summary()["requests"]["arrived"] == 101 - 12
    for rows in (10**9, 10):
        check_same(run, told_in_parts(run, rows, 0.0))


def test_requests_that_never_end_count() -> None:
    run = simulate(scenario(**CASES["slowness"]))
    waiting, running = run.log.requests[-60:-30], run.log.requests[-30:]
    for rows in (waiting, running):
        rows["outcome"] = UNFINISHED
        rows["finish_s"] = rows["first_token_s"] = math.nan
    waiting["start_s"] = math.nan
    assert run.summary()["requests"]["unfinished"] > 0
    for number in (10**9, 70):
        check_same(run, told_in_parts(run, number, 0.0))


def test_what_studies_keep_is_that_of_the_rows(run: Result) -> None:
    parts = told_in_parts(run, 97, 0.0)
    rows = run.log.logical[measured_window(run.scenario, run.log).rows]
    kept = record_of(parts)
    for metric in METRICS:
        found, wanted = kept.latency[f"{metric}_s"], histogram.histogram_of(metric_s(rows, metric))
        assert isinstance(found, histogram.Histogram)
        assert np.array_equal(found.counts, wanted.counts)
        assert (found.zeros, found.least, found.most) == (wanted.zeros, wanted.least, wanted.most)
        assert found.sum == pytest.approx(wanted.sum)
    assert kept.in_time_at_end_share == in_time_at_end_share(run.scenario, run.log)
    looks = [looks_of(log, run.scenario.slo, run.log.edges_s) for log in (run.log, parts.log)]
    for name in ("offered", "in_time", "answered", "sent"):
        assert np.array_equal(*(getattr(each, name) for each in looks))


def test_the_map_of_first_tokens_and_the_budgets_are_those_of_the_rows(run: Result) -> None:
    parts = told_in_parts(run, 97, 0.0)
    assert np.array_equal(ttft_counts(parts.log), ttft_counts(run.log))
    for place in range(len(run.scenario.slo)):
        of_parts, of_rows = (spending(run.scenario, log, place) for log in (parts.log, run.log))
        assert np.array_equal(of_parts.came, of_rows.came)
        assert np.array_equal(of_parts.missed, of_rows.missed)


def test_the_picture_of_the_tail_is_that_of_the_rows(run: Result) -> None:
    curves = latency_tail(told_in_parts(run, 97, 0.0)).plot["data"]
    rows = run.log.logical[measured_window(run.scenario, run.log).rows]
    found_s = metric_s(rows, "e2e")
    found_s = found_s[~np.isnan(found_s)]
    curve = next(curve for curve in curves if curve["name"] == "E2E")
    for at_s, share in zip(curve["x"], curve["y"], strict=True):
        near = [np.mean(found_s > at_s * factor) for factor in (0.999, 1.001)]
        assert near[1] - 1e-3 <= share <= near[0] + 1e-3
