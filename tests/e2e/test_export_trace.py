"""`fleetcast export trace`: valid for a viewer, and its slices and counters add up to the run's own numbers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sim import load, simulate
from sim.cli import main
from sim.exchange.trace import trace_of
from tests import trace_reader

TINY = """\
name: Tiny
horizon: 20s
workload: {trace: tiny.csv}
pools:
  chat:
    replica: {kind: batching, max_num_seqs: 2, max_batched_tokens: 1000}
    latency: {base_s: 1.0, prefill_s_per_token: 0, decode_s_per_seq: 0, attention_s_per_token: 0}
    kv_capacity_tokens: 10000
    autoscaler: {kind: fixed, replicas: 1}
"""
ARRIVALS = """\
arrival_s,prompt_tokens,output_tokens
1.0,10,3
1.5,20,2
2.5,30,1
"""

SLOTS = """\
name: Slots
horizon: 10m
warmup: 0s
workload:
  arrivals: {kind: poisson, rate: 3/s}
  service: {kind: exponential, mean: 2s}
pools:
  desk:
    overhead: 200ms
    boot: 30s
    billing: {granularity: 0s}
    replica: {kind: slots, concurrency: 2}
    queue: {kind: per_replica, router: least_outstanding}
    autoscaler:
      kind: hpa
      min_replicas: 2
      max_replicas: 8
      metrics: [{metric: num_requests_running, target: 1.6}]
      behavior: {scale_down: {stabilization_window: 15s}}
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.csv").write_text(ARRIVALS)
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def export(*args: object) -> Result:
    return CliRunner().invoke(main, ["export", "trace", *map(str, args)])


def test_three_requests_are_drawn_as_they_were_served(tiny: Path) -> None:
    found = trace_reader.read(export(tiny).stdout)
    assert (found.processes, found.threads[1, 1]) == ({1: "pool chat"}, "replica 0")
    state, *batches = found.slices[1, 1]
    assert (state.name, state.from_ns, state.to_ns) == ("ready", 0, 20 * 10**9)
    # an iteration a second: the first prefills, the second joins at 2 s; both end at 4 s; the third has waited
    assert [(each.name, each.from_ns / 1e9, each.to_ns / 1e9) for each in batches] == [
        ("prefill 1", 1.0, 2.0),
        ("prefill and decode 2", 2.0, 3.0),
        ("decode 2", 3.0, 4.0),
        ("prefill 1", 4.0, 5.0),
    ]
    assert batches[1].args == {
        "requests": 2,
        "prefilling": 1,
        "decoding": 1,
        "prompt_tokens": 30,
        "tokens_to_prefill": 20,
    }
    steps = [(at / 1e9, value) for at, value in found.counters[1, "waiting"]]
    assert steps == [(0.0, 0), (1.5, 1), (2.0, 0), (2.5, 1), (4.0, 0)]
    assert [(each.name, each.from_ns / 1e9, each.to_ns / 1e9) for each in found.requests[2]] == [
        ("request 2", 2.5, 5.0),
        ("waiting", 2.5, 4.0),
        ("prefill", 4.0, 5.0),
    ]
    assert found.requests[2][0].args["outcome"] == "completed"


def test_slices_and_counters_add_up_to_the_summary() -> None:
    scenario = load("chat-h100", ["horizon=90s", "warmup=0s", "pools.chat.autoscaler.replicas=2"])
    result = simulate(scenario)
    trace = trace_of(result)
    found, told = trace_reader.read("".join(trace.lines())), result.summary()
    horizon_ns = 90 * 10**9
    busy_ns = sum(max(min(each.to_ns, horizon_ns) - each.from_ns, 0) for each in found.of("batch"))
    assert busy_ns / (2 * horizon_ns) == pytest.approx(told["utilization"]["busy_share"], abs=1e-6)
    for counter, mean in (("waiting", "waiting"), ("running", "running")):
        assert found.integral_s(1, counter, horizon_ns) / 90 == pytest.approx(told["time_average"][mean], rel=1e-6)
    seats = scenario.pools["chat"].replica.seats
    assert 1 < max(each.args["requests"] for each in found.of("batch")) <= seats
    assert all(each.args["prefilling"] + each.args["decoding"] == each.args["requests"] for each in found.of("batch"))


def test_replicas_that_come_and_go_have_their_states_and_reasons(tmp_path: Path) -> None:
    path, out = tmp_path / "slots.yaml", tmp_path / "trace.json.gz"
    path.write_text(SLOTS)
    done = export(path, "--out", out)
    assert done.exit_code == 0, done.output
    assert gzip.decompress(out.read_bytes()).decode() == export(path, "--quiet").stdout
    found, result = trace_reader.read(gzip.decompress(out.read_bytes()).decode()), simulate(load(path))
    told, end_ns = result.summary(), 600 * 10**9

    def hours(*names: str) -> float:
        slices = [each for name in names for each in found.of("replica", name)]
        return sum(max(min(each.to_ns, end_ns) - each.from_ns, 0) for each in slices) / 3600e9

    assert hours("booting", "ready", "draining") == pytest.approx(told["replicas"]["replica_hours"], rel=1e-9)
    assert found.of("replica", "booting")[0].length_ns == 30 * 10**9
    assert max(each.args["requests"] for each in found.of("batch", "busy")) == 2
    busy_s = sum(max(min(each.to_ns, end_ns) - each.from_ns, 0) for each in found.of("batch")) / 1e9
    ready_s = told["utilization"]["busy_share"] * told["replicas"]["mean"] * 600
    assert busy_s == pytest.approx(ready_s, rel=1e-6)
    changed = [row for row in result.log.decisions if row.wanted != row.current]
    drawn = [each for each in found.instants if each["cat"] == "autoscaler"]
    assert [(each["args"]["wanted"], each["args"]["reason"]) for each in drawn] == [
        (row.wanted, row.reason) for row in changed
    ]
    assert changed
    lives = {each.args["replica"] for each in found.of("replica")}
    assert len(lives) == len(result.log.spans)


def test_a_large_run_is_cut_and_a_part_that_is_too_large_is_refused(tiny: Path) -> None:
    result = simulate(load("chat-h100", ["horizon=90s", "warmup=0s"]))
    cut = trace_of(result, most=2000)
    events = list(cut.events())
    assert not cut.window.whole
    assert 1000 < len(events) <= 2000 + 30
    trace_reader.read("".join(cut.lines()))
    later = trace_of(result, from_s=60.0, most=2000)
    assert min(event["ts"] for event in map(json.loads, later.events()) if "ts" in event) >= 60e6
    with pytest.raises(Exception, match=r"up to --to \d+s it is as many"):
        trace_of(result, from_s=10.0, to_s=80.0, most=2000)
    beyond = export(tiny, "--from", "1h")
    assert (beyond.exit_code, "--from: is 1 h, and the run is over after 20 s" in beyond.stderr) == (2, True)
    wrong = export(tiny, "--from", "5s", "--to", "soon")
    assert (wrong.exit_code, "--to: " in wrong.stderr) == (2, True)


def test_requests_that_moved_are_told_and_not_drawn_at_a_replica(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(SLOTS + "    faults: [{kind: crash, mtbf: 1m}]\n    drain: {lost: retry}\n")
    done = export(path, "--set", "horizon=5m")
    assert done.exit_code == 0, done.stderr
    found = trace_reader.read(done.stdout)
    assert any(each["name"] == "failed" for each in found.instants)
    assert "are counted for the pool" in done.stderr
