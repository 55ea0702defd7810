"""Pictures of one line in what `run` and `sweep` print: there where they say something and can be shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sim.cli import main

SCENARIO = """\
name: Wave
horizon: 30m
workload:
  arrivals: {kind: curve, points: [[0s, 0.5/s], [15m, 6/s], [30m, 0.5/s]]}
  service: {kind: exponential, mean: 1s}
pools:
  desk:
    boot: 1m
    replica: {kind: slots, concurrency: 2}
    queue: {kind: central}
    price: {on_demand: $3/h}
    autoscaler: {kind: hpa, min_replicas: 1, max_replicas: 4, metrics: [{metric: num_requests_running, target: 1.6}]}
"""


@pytest.fixture
def wave(tmp_path: Path) -> Path:
    path = tmp_path / "wave.yaml"
    path.write_text(SCENARIO)
    return path


def printed(charset: str, *args: object) -> list[str]:
    done = CliRunner(charset=charset).invoke(main, [*map(str, args), "--quiet"])
    assert done.exit_code == 0, done.stderr
    return done.stdout.splitlines()


def test_run_shows_load_queue_replicas_waits_and_cost_over_time(wave: Path) -> None:
    lines = printed("utf-8", "run", wave, "--no-save", "--replications", 1)
    at = lines.index("Over time, 0 s to 30 min")
    names = [line.split("  ")[0] for line in lines[at + 1 : at + 6]]
    assert names == ["requests arriving", "requests waiting", "replicas ready", "p99 TTFT", "cost an hour"]
    assert lines[at + 6] == ""
    replicas = lines[at + 3]
    assert replicas.endswith("1 to 4")
    assert replicas.count("█") > 3
    assert all(len(line) <= 100 for line in lines[at : at + 6])
    two = printed("utf-8", "run", wave, "--no-save", "--replications", 2)
    assert "Over time, 0 s to 30 min, first replication" in two


def test_blocks_that_cannot_be_written_are_left_out(wave: Path) -> None:
    lines = printed("ascii", "run", wave, "--no-save", "--replications", 1)
    assert not any("Over time" in line or "??" in line for line in lines)
    assert any("replicas" in line for line in lines)


def test_sweep_shows_its_numbers_over_the_key(wave: Path) -> None:
    key = "pools.desk.autoscaler.max_replicas"
    lines = printed("utf-8", "sweep", wave, "--over", f"{key}=1,2,3,4", "--replications", 1)
    at = lines.index(f"Over {key}, 1 to 4")
    assert [line.split("  ")[0] for line in lines[at + 1 : at + 3]] == ["p99 TTFT", "a day"]
    assert lines[at + 1].split()[2][0] == "█"  # waits fall
    assert lines[at + 2].split()[2][0] == "▁"  # and cost rises
    few = printed("utf-8", "sweep", wave, "--over", f"{key}=1,2", "--replications", 1)
    assert not any(line.startswith("Over ") for line in few)


def test_characters_that_a_terminal_has_not_are_spelled(wave: Path) -> None:
    lines = printed(
        "ascii", "run", wave, "--no-save", "--replications", 1, "--set", "slo=[{metric: ttft, under: 2s, share: 9%}]"
    )
    assert any(line.startswith("first token (TTFT) <= 2 s") for line in lines)


def test_more_requests_than_anybody_can_wait_for_are_refused(wave: Path) -> None:
    arrivals = "workload.arrivals={kind: poisson, rate: 1e30/s}"
    done = CliRunner().invoke(main, ["run", str(wave), "--no-save", "--stream", "--set", arrivals])
    assert done.exit_code == 2
    assert "workload: about 1.8e+33 requests before the horizon would take longer than a week" in done.stderr
