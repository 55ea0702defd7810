"""`fleetcast import prometheus` against a real Prometheus server on loopback, and the workload it makes in a run."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sim.cli import main
from sim.engine import simulate
from sim.forecast import read_history
from sim.scenario import load
from tests.prometheus_server import BOUNDS, exporter, histogram_lines, needs_prometheus, server

pytestmark = needs_prometheus

STEP_S, STEPS = 900, 14 * 96
START_S = 1_767_571_200  # Monday 2026-01-05, 00:00 UTC
RATE = 0.5
PROMPTS = np.exp(np.random.default_rng(1).normal(6.2, 0.9, 20_000)).clip(1, 9000).round()
OUTPUTS = np.random.default_rng(2).exponential(180, 20_000).clip(1, 3000).round()
HOLE = range(333, 345)
"""Three hours without scraping."""
RESTART = 700
"""When the second pod begins again at 0."""


def rates() -> np.ndarray:
    """The day's wave, and a quiet weekend, a second."""
    at_h = np.arange(STEPS) * STEP_S / 3600
    day = 1 + 0.6 * np.cos((at_h % 24 - 15) / 24 * 2 * np.pi)
    return RATE * day * np.where(at_h // 24 % 7 >= 5, 0.5, 1.1)


def two_weeks() -> tuple[list[str], np.ndarray]:
    """Two pods' samples of vLLM's metrics as OpenMetrics, and the requests of each step."""
    rng = np.random.default_rng(7)
    lines: list[str] = []
    total = np.zeros(STEPS)
    for pod in (0, 1):
        labels = f'model_name="llama",engine="0",pod="llama-{pod}"'
        counts = rng.poisson(rates() / 2 * STEP_S)
        total += counts
        ended = aborted = 0
        prompt = output = np.zeros(len(BOUNDS))
        for step, count in enumerate(counts.tolist()):
            if pod == 1 and step == RESTART:
                ended = aborted = 0
                prompt = output = np.zeros(len(BOUNDS))
            ended, aborted = ended + count, aborted + int(rng.binomial(count, 0.02))
            prompt = prompt + rng.multinomial(count, buckets(PROMPTS))
            output = output + rng.multinomial(count, buckets(OUTPUTS))
            if step in HOLE:
                continue
            stamp = f" {START_S + (step + 1) * STEP_S}"
            finished = ("stop", ended - aborted), ("abort", aborted)
            lines += [
                f'vllm:request_success_total{{{labels},finished_reason="{why}"}} {n}{stamp}' for why, n in finished
            ]
            lines.append(f"vllm:num_requests_running{{{labels}}} 3{stamp}")
            lines.append(f"vllm:prefix_cache_queries_total{{{labels}}} {ended * 700}{stamp}")
            lines.append(f"vllm:prefix_cache_hits_total{{{labels}}} {ended * 210}{stamp}")
            lines.append(f"vllm:e2e_request_latency_seconds_sum{{{labels}}} {ended * 6.0}{stamp}")
            if step % 16 == 15:  # every four hours: they are asked for in longer steps
                for name, found, mean in (("prompt", prompt, PROMPTS.mean()), ("generation", output, OUTPUTS.mean())):
                    lines += histogram_lines(f"vllm:request_{name}_tokens", labels, found, ended * mean, stamp)
    return lines, total


def buckets(lengths: np.ndarray) -> np.ndarray:
    """The share of lengths in each bucket."""
    return np.diff(np.searchsorted(np.sort(lengths), BOUNDS, side="right") / len(lengths), prepend=0.0)


def iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()


def test_two_weeks_of_a_server_become_a_workload_and_a_history(tmp_path: Path) -> None:
    lines, total = two_weeks()
    out, history = tmp_path / "chat.yaml", tmp_path / "demand.csv"
    span = ["--start", iso(START_S + STEP_S), "--end", iso(START_S + STEPS * STEP_S), "--step", f"{STEP_S}s"]
    files = ["--out", str(out), "--history", str(history), "--json"]
    folder = tmp_path / "server"
    folder.mkdir()
    with server(folder, lines=lines) as url:
        done = CliRunner().invoke(main, ["import", "prometheus", url, *span, *files, "--shape", "week"])
        none = CliRunner().invoke(main, ["import", "prometheus", url, *span, "--match", 'pod="other"'])
    assert done.exit_code == 0, done.output
    assert none.exit_code == 3
    assert "no counter of requests" in none.output
    found = json.loads(done.stdout)
    (stream,) = found["streams"]
    kept = np.delete(total, [*HOLE, HOLE.stop, 0])  # the step after a hole belongs to it; the first one has no growth
    assert stream["rate_per_s"] == pytest.approx(kept.sum() / len(kept) / STEP_S, rel=0.01)
    assert stream["rate_error"]["3600 s"] < 0.08
    assert stream["prompt_tokens"]["ks"] < 0.02
    assert stream["prompt_tokens"]["mean_out"] == pytest.approx(PROMPTS.mean(), rel=0.02)
    assert stream["output_tokens"]["mean_out"] == pytest.approx(OUTPUTS.mean(), rel=0.02)
    assert found["workload"]["cached_share"] == pytest.approx(0.3, abs=0.001)
    timeout = found["workload"]["clients"]["total_timeout"]
    assert timeout["kind"] == "exponential"
    assert timeout["mean"] == pytest.approx(6.0 / 0.02, rel=0.1)
    assert any("was not recorded" in note for note in stream["notes"])
    demand = read_history(str(history))
    assert demand.step_s == 3600
    assert np.isnan(demand.rate_per_s).sum() in (2, 3, 4)
    assert found["streams"][0]["back_test"]["scores"][0]["mase"] < 0.5
    scenario = load(
        "chat-h100", [f"workload={out}", "horizon=2h", "workload.clients=null", "pools.chat.autoscaler.replicas=1"]
    )
    ran = simulate(scenario).summary()
    assert ran["requests"]["arrived"] == pytest.approx(rates()[:8].mean() * 7200, rel=0.1)


def test_a_server_that_scrapes_an_exporter(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    per_s, labels = 100.0, 'model_name="llama",engine="0"'
    came_s = np.cumsum(rng.exponential(1 / per_s, 10_000))
    prompts = rng.exponential(400, 10_000).clip(1, 9000).round()
    began = time.monotonic()

    def page() -> str:
        ended = int(np.searchsorted(came_s, time.monotonic() - began))
        lines = [f'vllm:request_success_total{{{labels},finished_reason="stop"}} {ended}']
        for name, lengths in (("prompt", prompts[:ended]), ("generation", prompts[:ended] // 4 + 1)):
            counts = buckets(lengths) * ended if ended else np.zeros(len(BOUNDS))
            lines += histogram_lines(f"vllm:request_{name}_tokens", labels, counts, float(lengths.sum()), "")
        return "\n".join(lines) + "\n"

    with exporter(page) as port:
        config = (
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            f"scrape_configs: [{{job_name: vllm, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
        )
        with server(tmp_path, config) as url:
            time.sleep(8)
            arguments = ["import", "prometheus", url, "--last", "7s", "--step", "200ms", "--json"]
            done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    (stream,) = json.loads(done.stdout)["streams"]
    assert stream["rate_per_s"] == pytest.approx(per_s, rel=0.15)  # six seconds hold 600 requests
    assert stream["prompt_tokens"]["mean_out"] == pytest.approx(400, rel=0.15)
