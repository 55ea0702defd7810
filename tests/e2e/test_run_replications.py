"""`fleetcast run` with several replications: what is told, written and refused, and that it does not depend on who."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sim import load, simulate
from sim.cli import main
from sim.study.replicated.record import TIMES

ROOT = Path(__file__).parents[2]
LINE = """\
name: line
horizon: 10m
workload:
  arrivals: {kind: poisson, rate: 0.6/s}
  service: {kind: exponential, mean: 1s}
pools:
  servers:
    replica: {kind: slots}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 1}
    price: {on_demand: $2/h}
slo:
  - {metric: queue_wait, under: 3s, share: 86%}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with a single server in it, at 60 % load."""
    (tmp_path / "line.yaml").write_text(LINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fleetcast(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", "line.yaml", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    done = fleetcast(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def without_run(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "run"}


def test_numbers_are_estimates_with_intervals_whoever_makes_the_runs(here: Path) -> None:
    found = document("--replications", "6", "--out", "alone", "--workers", "1")
    again = document("--replications", "6", "--out", "shared", "--workers", "2")
    assert without_run(found) == without_run(again)
    assert set(found["run"]) == {*TIMES, "events", "version", "config_sha256", "quantiles"}
    assert found["replications"]["number"] == 6
    assert found["replications"]["stopped"] == "number"
    low, high = found["intervals"]["latency.queue_wait_s.mean"]
    assert low < found["latency"]["queue_wait_s"]["mean"] < high
    for name in ("requests.parquet", "timeline.csv", "replications.csv", "report.html", "scenario.yaml"):
        assert (here / "alone" / name).read_bytes() == (here / "shared" / name).read_bytes(), name
    assert json.loads((here / "alone" / "summary.json").read_text()) == found
    manifest = json.loads((here / "alone" / "manifest.json").read_text())
    assert manifest["replications"] == found["replications"]

    rows = list(csv.DictReader((here / "alone" / "replications.csv").read_text().splitlines()))
    assert [row["replication"] for row in rows] == list("012345")
    waits_s = [float(row["latency.queue_wait_s.mean"]) for row in rows]
    counts = [float(row["requests.completed"]) for row in rows]
    weighted_s = sum(wait_s * count for wait_s, count in zip(waits_s, counts, strict=True)) / sum(counts)
    assert found["latency"]["queue_wait_s"]["mean"] == pytest.approx(weighted_s)
    assert (
        found["latency"]["queue_wait_s"]["max"]
        > simulate(load("line.yaml")).summary()["latency"]["queue_wait_s"]["p99"]
    )


def test_one_replication_is_the_plain_run(here: Path) -> None:
    found = document("--replications", "1", "--no-save")
    assert without_run(found) == without_run(json.loads(json.dumps(simulate(load("line.yaml")).summary())))
    assert not {"replications", "intervals", "refused"} & set(found)
    said = fleetcast("--replications", "1", "--no-save").stdout
    assert "replication" not in said
    assert "Intervals" not in said


def test_without_a_number_it_goes_on_until_it_knows_or_the_budget_is_spent(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = document("--precision", "60%", "--no-save", "--set", "pools.servers.autoscaler.replicas=3")
    assert loose["replications"]["stopped"] == "budget" or loose["replications"]["number"] >= 10
    monkeypatch.setattr("sim.study.replicated.answer.MOST_REQUESTS", 1_000)
    spent = fleetcast("--no-save")
    assert "2 replications of " in spent.stdout
    assert "Stopped at the budget of 1,000 requests: " in spent.stdout
    assert "is not known yet; 5% takes about " in spent.stdout
    monkeypatch.setattr("sim.study.replicated.answer.MOST_REQUESTS", 300)
    alone = fleetcast("--no-save")
    assert "1 replication of " in alone.stdout
    assert "For some, say how many: --replications 5." in alone.stdout


def test_a_number_with_a_precision_is_the_most(here: Path) -> None:
    found = document("--replications", "3", "--precision", "0.01", "--no-save")
    assert (found["replications"]["number"], found["replications"]["stopped"]) == (3, "budget")
    assert found["replications"]["precision"] == 0.01


@pytest.mark.parametrize("wrong", ["0", "100%", "5 percent", "-1%", "", "nan"])
def test_a_precision_that_is_none_gets_one_clear_message(here: Path, wrong: str) -> None:
    done = fleetcast("--precision", wrong)
    assert done.exit_code == 2
    told = f"must be a share above 0 and below 100%, such as 5% or 0.05, got '{wrong}'"
    assert done.stderr == f"error: --precision: {told}\n"
    assert done.stdout == ""


def test_a_quantile_without_enough_requests_is_not_told(here: Path) -> None:
    found = document("--replications", "3", "--no-save")
    assert found["latency"]["queue_wait_s"]["p99"] is None
    lacking = found["refused"]["latency.queue_wait_s.p99"]
    assert lacking == round(10_000 - 3 * found["requests"]["completed"])
    said = fleetcast("--replications", "3", "--no-save").stdout
    assert f"needs {lacking:,} more" in said
    assert "A quantile that needs more requests is not told" in said


def test_a_verdict_that_chance_decides_is_not_given(here: Path) -> None:
    # from empty some 86 % wait less than 3 s, and the target is just that
    done = fleetcast("--replications", "4", "--out", "kept")
    assert done.stdout.startswith("Meets or misses the SLO, 4 replications cannot tell: ")
    assert "undecided" in done.stdout
    page = (here / "kept" / "report.html").read_text()
    assert "Meets or misses the SLO" in page
    assert "Numbers are estimates from 4 replications" in page
    assert "fleetcast run scenario.yaml --replications 4" in page


def test_the_warm_up_is_found_told_drawn_and_set(here: Path) -> None:
    found = document("--steady", "--replications", "3", "--out", "kept")
    assert found["steady"]["horizon_s"] == 600 * 2 ** found["steady"]["extended"]
    assert found["measured_s"] == pytest.approx(found["steady"]["horizon_s"] - found["steady"]["warmup_s"])
    assert (here / "kept" / "warmup.svg").read_text().startswith("<svg")
    page = (here / "kept" / "report.html").read_text()
    assert 'data-plot="warmup"' in page
    (here / "line.yaml").write_text((here / "kept" / "scenario.yaml").read_text())
    again = document("--replications", "3", "--no-save")
    assert without_run(again) == {name: value for name, value in without_run(found).items() if name != "steady"}


def test_a_rate_that_changes_is_not_steady(here: Path) -> None:
    spike = "workload.arrivals={kind: spike, rate: 1, factor: 2, at: 10, duration: 5}"
    done = fleetcast("--steady", "--set", spike)
    assert done.exit_code == 2
    assert "workload.arrivals: spike: the rate changes over time" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stopped_among_the_later_replications_it_keeps_those_that_are_done(here: Path, workers: str) -> None:
    arguments = ["run", "line.yaml", "--replications", "100000", "--workers", workers, "--out", "kept"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sim", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert re.fullmatch(r"\d+ of 100000 replications: (mean queue wait|p99 TTFT) .* \(.* to .*\)\n", first)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    kept = json.loads((here / "kept" / "summary.json").read_text())
    number = kept["replications"]["number"]
    assert kept["replications"]["stopped"] == "interrupted"
    fleetcast("--replications", str(number), "--out", "asked", "--workers", "1")
    both = [(here / out / "replications.csv").read_bytes() for out in ("kept", "asked")]
    assert both[0] == both[1], "the same as if only these had been asked for"


@pytest.mark.parametrize("verb", ["run", "compare", "sweep"])
def test_processes_or_a_cluster(verb: str) -> None:
    rest = {"run": (), "compare": ("mmc",), "sweep": ("--over", "seed=1,2")}[verb]
    done = CliRunner().invoke(main, [verb, "mmc", *rest, "--workers", "2", "--cluster", "tcp://nobody:1"])
    assert done.exit_code == 2
    assert "--cluster and --workers exclude each other" in done.stderr
