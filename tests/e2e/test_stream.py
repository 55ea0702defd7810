"""`fleetcast run --stream`: what is printed and written where no row a request is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from tests.e2e.test_run import SMALL


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*options: str) -> Result:
    return CliRunner().invoke(main, ["run", "small.yaml", "--replications", "1", *options])


def test_the_same_numbers_but_for_quantiles_and_no_rows(here: Path) -> None:
    streamed = json.loads(run("--stream", "--json", "--out", "streamed").stdout)
    kept = json.loads(run("--no-stream", "--json", "--out", "kept").stdout)
    assert (here / "kept" / "requests.parquet").exists()
    written = [{path.name for path in (here / name).iterdir()} for name in ("kept", "streamed")]
    assert written[0] - written[1] == {"requests.parquet"}
    for name in ("requests", "utilization", "replicas", "calendar"):
        assert streamed[name] == kept[name]
    assert streamed["cost"]["total_usd"] == kept["cost"]["total_usd"]
    for metric, numbers in kept["latency"].items():
        assert streamed["latency"][metric] == {name: pytest.approx(value, rel=0.011) for name, value in numbers.items()}


def test_rows_are_written_when_they_are_asked_for(here: Path) -> None:
    assert run("--stream", "--requests", "--out", "streamed").exit_code == 0
    assert run("--no-stream", "--out", "kept").exit_code == 0
    streamed, kept = (here / name / "requests.parquet" for name in ("streamed", "kept"))
    assert streamed.read_bytes() == kept.read_bytes()
    assert len(pd.read_parquet(streamed)) > 1000
    manifest = json.loads((here / "streamed" / "manifest.json").read_text())
    assert manifest["files"]["requests.parquet"]["bytes"] == streamed.stat().st_size
    assert sorted(path.name for path in here.iterdir()) == ["kept", "small.yaml", "streamed"]


def test_what_cannot_be_streamed_is_told_and_leaves_nothing(here: Path) -> None:
    told = run("--stream", "--requests", "--out", "streamed", "--set", "workload.clients={patience: 5s}")
    assert told.exit_code == 2
    assert "workload.clients" in told.stderr
    both = run("--stream", "--regret", "--no-save")
    assert both.exit_code == 2
    assert "exclude one another" in both.stderr
    assert [path.name for path in here.iterdir()] == ["small.yaml"]
