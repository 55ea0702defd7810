"""`fleetcast export focus`: from a scenario or a run's folder to a file that a FOCUS reader accepts."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from tests import focus_reader

SCENARIO = """\
name: Small
horizon: 3h
workload:
  arrivals: {kind: poisson, rate: 40/h}
  service: {kind: constant, value: 1m}
pools:
  servers:
    replica: {kind: slots}
    queue: {kind: central}
    price: {on_demand: $3/h}
    autoscaler: {kind: fixed, replicas: 2}
contracts:
  year: {kind: reserved, gpus: 3, price: $2/h}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def called(*args: object) -> Result:
    return CliRunner().invoke(main, [*map(str, args)])


def export(*args: object) -> Result:
    return called("export", "focus", *args)


def test_a_scenario_and_the_folder_of_its_run_have_the_same_bill(scenario: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "bill.csv", tmp_path / "run"
    done = export(scenario, "--starts", "2026-09-30", "--out", out)
    assert (done.exit_code, done.output) == (0, f"written to {out}: 9 rows\n")
    assert called("run", scenario, "--set", "starts=2026-09-30", "--out", folder, "--quiet").exit_code == 0
    again = export(folder, "--quiet")
    assert again.exit_code == 0
    assert again.stdout == out.read_text()
    rows = focus_reader.read(again.stdout)
    cost = json.loads((folder / "summary.json").read_text())["cost"]["total_usd"]
    assert math.fsum(row["EffectiveCost"] for row in rows) == pytest.approx(cost, abs=0.005)
    assert cost == pytest.approx(18.0)
    assert {row["x_Simulated"] for row in rows} == {"true"}
    by_day = focus_reader.read(export(folder, "--by", "day").stdout)
    assert [(row["x_Charge"], row["EffectiveCost"]) for row in by_day] == [
        ("recurring", 0.0),
        ("usage", 12.0),
        ("unused", 6.0),
    ]


def test_what_is_wrong_is_said_with_its_place(scenario: Path, tmp_path: Path) -> None:
    without = export(scenario)
    assert without.exit_code == 2
    assert "small.yaml" in without.stderr
    assert "starts: is missing: bills have dates" in without.stderr
    wrong = export(scenario, "--starts", "yesterday")
    assert wrong.exit_code == 2
    assert "starts: must be a day, such as 2026-08-26" in wrong.stderr
    other = export(scenario, "--starts", "2026-09-30", "--out", tmp_path / "bill.parquet")
    assert (other.exit_code, (tmp_path / "bill.parquet").exists()) == (2, False)
    assert "rows are written as CSV" in other.stderr
    out = tmp_path / "bill.csv"
    out.write_text("mine")
    taken = export(scenario, "--starts", "2026-09-30", "--out", out)
    assert taken.exit_code == 2
    assert "is already there" in taken.stderr
    assert out.read_text() == "mine"
    assert export(scenario, "--starts", "2026-09-30", "--out", out, "--force").exit_code == 0
    empty = export(tmp_path)
    assert empty.exit_code == 2
    assert "without a scenario.yaml" in empty.stderr
    assert export(scenario, "--focus-version", "9").exit_code == 2


def test_nothing_is_left_of_a_bill_that_fails(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "bill.csv"
    given = ["--set", "pools.servers.price=null", "--starts", "2026-09-30"]
    short = export(scenario, *given, "--set", "contracts.year.gpus=1", "--out", out)
    assert short.exit_code == 2
    assert "pools.servers.price: is missing: a bill needs it" in short.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_a_bill_that_cannot_be_made_has_no_header_either(scenario: Path) -> None:
    # one of two GPUs is reserved, and the other has no price
    done = export(
        scenario,
        "--starts",
        "2026-09-30",
        "--quiet",
        "--set",
        "contracts.year.gpus=1",
        "--set",
        "pools.servers.price=null",
    )
    assert (done.exit_code, done.stdout) == (2, "")
    assert "pools.servers.price: is missing: a bill needs it" in done.stderr
