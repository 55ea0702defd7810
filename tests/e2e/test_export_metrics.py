"""`fleetcast export metrics`: valid OpenMetrics that adds up to the run, and that a real Prometheus answers from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from urllib import parse, request

import numpy as np
import pytest
from click.testing import CliRunner, Result

from sim import load, simulate
from sim.cli import main
from sim.exchange.openmetrics import metrics_of
from sim.exchange.openmetrics.families import TTFT_S
from tests import openmetrics_reader
from tests.prometheus_server import needs_prometheus, server

START_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z

SMALL = """\
name: Small fleet
horizon: 2m
workload:
  arrivals: {kind: poisson, rate: 4/s}
  prompt_tokens: {kind: lognormal, mean: 800, cv: 1}
  output_tokens: {kind: lognormal, mean: 60, cv: 1}
pools:
  chat:
    replica: {kind: batching, max_num_seqs: 8}
    latency: {base_s: 0.02, prefill_s_per_token: 1e-4, decode_s_per_seq: 5e-4, attention_s_per_token: 1e-8}
    kv_capacity_tokens: 20000
    overhead: 20ms
    autoscaler: {kind: fixed, replicas: 2}
"""

ELASTIC = """\
name: Elastic
horizon: 10m
workload:
  arrivals: {kind: poisson, rate: 3/s}
  service: {kind: exponential, mean: 2s}
pools:
  desk:
    boot: 30s
    replica: {kind: slots, concurrency: 2}
    queue: {kind: central}
    autoscaler:
      kind: hpa
      min_replicas: 2
      max_replicas: 8
      metrics: [{metric: num_requests_running, target: 1.6}]
      behavior: {scale_down: {stabilization_window: 15s}}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def export(*args: object) -> Result:
    return CliRunner().invoke(main, ["export", "metrics", *map(str, args)])


def test_the_last_samples_are_the_summary(small: Path) -> None:
    done = export(small)
    assert done.exit_code == 0, done.stderr
    found, result = openmetrics_reader.read(done.stdout), simulate(load(small))
    told, rows = result.summary(), result.requests
    assert found.last("vllm:request_success_total", finished_reason="stop") == told["requests"]["completed"]
    assert found.last("vllm:prompt_tokens_total") == rows.prompt_tokens.sum()
    assert found.last("vllm:generation_tokens_total") == rows.output_tokens.sum()
    assert found.last("vllm:inter_token_latency_seconds_count") == (rows.output_tokens - 1).sum()
    for name, metric in (("time_to_first_token", "ttft_s"), ("e2e_request_latency", "e2e_s")):
        of = f"vllm:{name}_seconds"
        mean = found.last(f"{of}_sum") / found.last(f"{of}_count")
        assert mean == pytest.approx(told["latency"][metric]["mean"], rel=1e-9)
    waited_s = found.last("vllm:request_queue_time_seconds_sum")
    assert waited_s == pytest.approx((rows.start_s - rows.arrival_s).sum(), rel=1e-9)
    parts = [found.last(f"vllm:request_{part}_time_seconds_sum") for part in ("prefill", "decode", "inference")]
    assert parts[0] + parts[1] == pytest.approx(parts[2], rel=1e-9)
    edge = str(TTFT_S[9])
    assert (
        found.last("vllm:time_to_first_token_seconds_bucket", le=edge)
        == (rows.first_token_s - rows.arrival_s <= TTFT_S[9]).sum()
    )


def test_samples_are_what_was_there_at_their_times(small: Path) -> None:
    found, rows = openmetrics_reader.read(export(small, "--every", "7s").stdout), simulate(load(small)).requests
    for pod in (0, 1):
        own = rows[rows.replica == pod]
        (gauge,) = found.of("vllm:num_requests_running", pod=f"chat-{pod}")
        (queue,) = found.of("vllm:num_requests_waiting", pod=f"chat-{pod}")
        at_s = np.array(gauge.times_s) - START_S
        assert at_s[0] == 0.0
        assert set(np.diff(at_s)) == {7.0}
        until = own.finish_s - 0.02  # a client hears of it later
        running = [((own.start_s <= t) & (until > t)).sum() for t in at_s]
        assert gauge.values == running
        assert queue.values == [((own.arrival_s <= t) & (own.start_s > t)).sum() for t in at_s]
        assert max(gauge.values) > 3
    (ready,) = found.of("kube_deployment_status_replicas_ready", deployment="chat")
    assert set(ready.values) == {2.0}
    kv = found.of("vllm:kv_cache_usage_perc", pod="chat")[0].values
    assert 0 < max(kv) <= 1


def test_counters_begin_at_zero_with_a_replica_and_its_gauges_end_at_zero(tmp_path: Path) -> None:
    path, out = tmp_path / "elastic.yaml", tmp_path / "metrics.om"
    path.write_text(ELASTIC)
    done = export(path, "--start", "2026-03-01", "--out", out)
    assert (done.exit_code, done.stdout) == (
        0,
        f"written to {out}: 2026-03-01T00:00:00Z to 2026-03-01T00:10:30Z, every 15 s\n",
    )
    found, result = openmetrics_reader.read(out.read_text()), simulate(load(path))
    spans = result.log.spans[np.isfinite(result.log.spans["ready_s"])]
    counters = [dict(labels) for name, labels in found.series if name == "vllm:prompt_tokens_total"]
    assert len(counters) == len(spans) > 4
    assert all(series.values[0] == 0 for series in found.of("vllm:request_success_total", finished_reason="stop"))
    gone = found.of("vllm:num_requests_running", pod="desk-2")[0]
    assert len(gone.values) < 40
    assert gone.values[-1] == 0
    stop = found.last("vllm:request_success_total", finished_reason="stop")
    assert stop == (result.requests.outcome == "completed").sum()
    (waiting,) = found.of("vllm:num_requests_waiting", pod="desk")
    rows = result.requests
    at_s = np.array(waiting.times_s) - waiting.times_s[0]
    assert waiting.values == [((rows.arrival_s <= t) & (rows.start_s > t)).sum() for t in at_s]
    (exist,), (ready,) = (found.of(f"kube_deployment_status_replicas{end}") for end in ("", "_ready"))
    assert exist.values[8] == ((spans["launched_s"] <= 120) & (spans["gone_s"] > 120)).sum()
    assert max(exist.values) > max(ready.values[:3])


def test_what_cannot_be_written_is_said(small: Path, tmp_path: Path) -> None:
    assert "error: --every: is longer than the run, which is over after" in export(small, "--every", "1e9s").stderr
    assert "--every: must be at least 1ms" in export(small, "--every", "0s").stderr
    assert "--start: must be a time, such as 2026-01-01" in export(small, "--start", "noon").stderr
    assert "--start: must be between 1971 and 2200" in export(small, "--start", "1969-01-01").stderr
    result = simulate(load(small))
    with pytest.raises(Exception, match=r"--every: makes .* samples, and 10,000 are the most"):
        metrics_of(result, START_S, every_s=1.0, most=10_000)
    long = export(small, "--every", "10m", "--set", "horizon=11m")
    assert "--query.lookback-delta of more than 10 min" in long.stderr


def answered(url: str, query: str, at_s: float) -> float:
    with request.urlopen(f"{url}/api/v1/query?{parse.urlencode({'query': query, 'time': at_s})}", timeout=10) as got:
        (series,) = json.load(got)["data"]["result"]
    return float(series["value"][1])


@needs_prometheus
def test_a_real_prometheus_shows_the_simulated_fleet(small: Path, tmp_path: Path) -> None:
    done, result = export(small, "--every", "1s"), simulate(load(small))
    lines = done.stdout.splitlines()
    assert lines.pop() == "# EOF"
    told = result.summary()
    end_s = START_S + math.ceil(result.log.end_s)
    with server(tmp_path, lines=lines) as url:
        name = "vllm:time_to_first_token_seconds_bucket"
        p99_s = answered(url, f"histogram_quantile(0.99, sum by (le) ({name}))", end_s)
        edges = (0.0, *TTFT_S)
        place = int(np.searchsorted(edges, told["latency"]["ttft_s"]["p99"]))
        assert edges[place - 1] <= p99_s <= edges[place]
        stop = answered(url, 'sum(vllm:request_success_total{finished_reason="stop"})', end_s)
        assert stop == told["requests"]["completed"]
        busy = answered(url, "avg_over_time(sum(vllm:num_requests_running)[2m:1s])", START_S + 120)
        assert busy == pytest.approx(told["time_average"]["running"], rel=0.1)
        span = ["--start", "2026-01-01T00:00:00Z", "--end", "2026-01-01T00:02:00Z", "--step", "1s", "--json"]
        back = CliRunner().invoke(main, ["import", "prometheus", url, *span])
    assert back.exit_code == 0, back.stderr
    (stream,) = json.loads(back.stdout)["streams"]
    assert stream["rate_per_s"] == pytest.approx(4.0, rel=0.1)
    assert stream["prompt_tokens"]["mean_out"] == pytest.approx(result.requests.prompt_tokens.mean(), rel=0.05)
    assert stream["output_tokens"]["mean_out"] == pytest.approx(result.requests.output_tokens.mean(), rel=0.05)
