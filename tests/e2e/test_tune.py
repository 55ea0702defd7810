"""`fleetcast tune` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from sim.autoscaling.manifest_file import read_manifest
from sim.cli import main
from sim.scenario import load

SCENARIO = """
name: small
seed: 3
horizon: 3m
workload: {arrivals: {kind: poisson, rate: 1/s}, service: {kind: exponential, mean: 4s}}
pools:
  main:
    replica: {kind: slots}
    queue: {kind: central}
    boot: 10s
    price: {on_demand: 2}
    autoscaler:
      kind: hpa
      min_replicas: 4
      max_replicas: 20
      metrics: [{metric: num_requests_running, target: 500m}]
      behavior: {}
slo: [{metric: queue_wait, under: 2s, share: 90%}]
tune: {search_runs: 3, fresh_runs: 3, finalists: 4}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SCENARIO)


def tune(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["tune", "small.yaml", "--workers", "1", "--budget", "40 runs", *arguments])


def test_json_is_one_document_and_the_files_say_the_same() -> None:
    done = tune("--json", "--quiet", "--out", "out", "--study", "study")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert json.loads(Path("out/tune.json").read_text()) == said
    best, base = said["best"], said["baseline"]
    assert best["usd_per_hour"] <= base["usd_per_hour"]
    assert best["attained"][0] >= said["needed"][0]["needed"]
    assert base["parameters"] == {}
    low, high = best["intervals"]["saving_share"]
    assert low <= best["saving_share"] <= high
    assert {tuple(sorted(point["parameters"].items())) for point in said["front"]} <= {
        tuple(sorted(point["parameters"].items())) for point in [base, *said["finalists"]]
    }
    for picture in ("front.svg", "slices.svg"):
        assert Path("out", picture).read_text().startswith("<svg")
    # what is written is what was measured: again by hand, on the fresh seed
    seed = ["--set", f"seed={said['fresh_seed']}"]
    again = CliRunner().invoke(main, ["run", "out/tuned.yaml", *seed, "--replications", "3", "--json", "--quiet"])
    assert json.loads(again.stdout)["cost"]["usd_per_hour"] == best["usd_per_hour"]
    assert json.loads(again.stdout)["slo"][0]["attained"] == best["attained"][0]


def test_the_manifest_reads_back_as_the_tuned_policy() -> None:
    assert tune("--quiet", "--out", "out").exit_code == 0
    tuned = load("out/tuned.yaml").pools["main"].autoscaler
    assert read_manifest(Path("out/main.manifest.yaml")).policy == tuned
    diff = Path("out/main.manifest.diff").read_text()
    assert "-" in diff
    assert diff.startswith("--- as it is\n+++ tuned\n")
    target = yaml.safe_load(Path("out/main.manifest.yaml").read_text())["spec"]["metrics"][0]["external"]["target"]
    assert f"+          averageValue: {target['averageValue']}" in diff or "averageValue: 500m" in diff


def test_words_and_a_second_go() -> None:
    first = tune("--study", "study")
    assert first.exit_code == 0, first.output
    assert "on fresh seeds (3 runs each, seed 1000000010)" in first.stdout
    assert "batch 1" in first.stderr
    again = tune("--study", "study")
    assert again.stdout == first.stdout


def test_what_is_wrong_is_told_before_anything_is_run() -> None:
    wrong = tune("--set", "tune.ranges={pools.main.autoscaler.metrics.0.tarqet: {from: 1, to: 2}}")
    assert wrong.exit_code == 2
    assert "did you mean 'target'" in wrong.stderr
    budget = CliRunner().invoke(main, ["tune", "small.yaml", "--budget", "ten"])
    assert budget.exit_code == 2
    assert "--budget: must be runs, requests or a time" in budget.stderr
    Path("out").mkdir()
    Path("out/tuned.yaml").write_text("mine")
    assert tune("--out", "out").exit_code == 2
