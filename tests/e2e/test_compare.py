"""`fleetcast compare` from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sim.cli import main

SCENARIO = """
name: queue
seed: 3
horizon: 120s
workload: {arrivals: {kind: poisson, rate: 3/s}, service: {kind: exponential, mean: 1s}}
pools:
  main:
    replica: {kind: slots}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 4}
    price: {on_demand: $1/h}
slo: [{metric: queue_wait, under: 1s, share: 90%}]
"""
REPLICAS = "pools.main.autoscaler.replicas"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(SCENARIO)
    Path("b.yaml").write_text(SCENARIO.replace("replicas: 4", "replicas: 5"))


def compare(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["compare", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    done = compare(*arguments, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_two_scenarios_as_json() -> None:
    found = document("a.yaml", "b.yaml", "--replications", "4")
    assert found["replications"] == {"number": 4, "stopped": "number"}
    assert found["baseline"]["name"] == "a"
    (other,) = found["alternatives"]
    assert (other["name"], other["scenario"], other["set"]) == ("b", "b.yaml", [])
    assert other["sentence"].startswith("b is ")
    assert "dearer by exactly $24 a day" in other["sentence"]
    by_path = {each["path"]: each for each in other["differences"]}
    low, high = by_path["cost.usd_per_day"]["interval"]
    assert low == high == pytest.approx(24.0)
    wait = by_path["latency.queue_wait_s.mean"]
    assert wait["distinguishable"]
    assert wait["interval"][0] < wait["difference"] < wait["interval"][1] < 0
    assert wait["baseline"] == found["baseline"]["summary"]["latency"]["queue_wait_s"]["mean"]
    # the same traffic in both
    assert by_path["requests.arrived"]["difference"] == 0
    assert other["refused"]["latency.ttft_s.p99"] > 0


def test_changes_of_the_baseline_are_the_same_as_files() -> None:
    files = document("a.yaml", "b.yaml", "--replications", "2")
    changed = document("a.yaml", "--with", f"{REPLICAS}=5", "--replications", "2")
    assert changed["alternatives"][0]["differences"] == files["alternatives"][0]["differences"]
    assert changed["alternatives"][0]["name"] == "replicas=5"
    faster = "workload.service={kind: exponential, mean: 0.9s}"
    both = document(
        *("a.yaml", "b.yaml", "--with", f"{REPLICAS}=3; {faster}", "--with", faster),
        *("--set", "horizon=60s", "--seed", "8", "--replications", "2"),
    )
    names = [each["name"] for each in both["alternatives"]]
    assert names == ["b", "replicas=3, service=exponential (mean: 0.9s)", "service=exponential (mean: 0.9s)"]
    assert both["baseline"]["summary"]["seed"] == 8
    assert {each["summary"]["measured_s"] for each in both["alternatives"]} == {60.0}
    assert [note for note in both["notes"] if "other traffic" in note]


def test_who_makes_the_runs_changes_nothing() -> None:
    one, two = (document("a.yaml", "b.yaml", "--replications", "3", "--workers", count) for count in ("1", "2"))
    assert one == two


def test_words_tables_and_files() -> None:
    done = compare("a.yaml", "--with", f"{REPLICAS}=5", "--walk", "--out", "compared", "--replications", "3")
    assert done.exit_code == 0, done.output
    first = done.stdout.splitlines()[0]
    assert "dearer by exactly $24 a day" in first
    for word in (
        "not distinguishable",
        "needs",
        "more requests",
        "\nreplicas: 4 → 5 ",
        "all together",
        "in another order",
    ):
        assert word in done.stdout
    assert done.stdout.endswith("written to compared\n")
    rows = list(csv.DictReader(Path("compared/comparison.csv").read_text().splitlines()))
    cost = next(row for row in rows if row["path"] == "cost.usd_per_day")
    assert (cost["alternative"], cost["distinguishable"]) == ("replicas=5", "true")
    assert float(cost["difference"]) == pytest.approx(24.0)
    found = json.loads(Path("compared/comparison.json").read_text())
    assert found["walk"][0]["changes"] == [{"key": REPLICAS, "before": 4, "after": 5}]
    assert found["walk"][0]["differences"] == found["alternatives"][0]["differences"]
    assert Path("compared/waterfall.svg").read_text().startswith("<svg ")
    again = compare("a.yaml", "b.yaml", "--out", "compared")
    assert again.exit_code == 2
    assert "is already there" in again.stderr
    assert compare("a.yaml", "b.yaml", "--out", "compared", "--force", "--replications", "2").exit_code == 0
    assert not Path("compared/waterfall.svg").exists(), "it was that of an older walk"


def test_the_same_twice_under_two_names() -> None:
    Path("c.yaml").write_text(SCENARIO.replace("seed: 3", "seed: 4"))
    done = compare("a.yaml", "c.yaml", "--replications", "2", "--walk", "--quiet")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "a and c give the same numbers in everything."
    assert "nothing to walk" in done.stdout
    assert "c is run with the seed of a (3), not its own (4)" in done.stdout


def test_numbers_that_only_one_has_are_no_sameness() -> None:
    Path("c.yaml").write_text(SCENARIO.replace("    price: {on_demand: $1/h}\n", ""))
    (other,) = document("a.yaml", "c.yaml", "--replications", "2")["alternatives"]
    assert other["sentence"].startswith("c has the same attainment of wait ≤ 1 s and mean wait as a")


def test_other_promises_and_other_times_are_told() -> None:
    Path("c.yaml").write_text(
        SCENARIO.replace("under: 1s", "under: 2s").replace("120s", "2min").replace("main:", "other:")
    )
    Path("c.yaml").write_text(Path("c.yaml").read_text().replace("horizon: 2min", "horizon: 90s"))
    found = document("a.yaml", "c.yaml", "--replications", "2")
    said = "\n".join(found["notes"])
    assert "the horizon is 1 min 30 s in c, 2 min in a" in said
    assert "promises something else" in said
    assert "share no pool" in said
    paths = {each["path"] for each in found["alternatives"][0]["differences"]}
    assert "latency.queue_wait_s.mean" in paths
    assert not {path for path in paths if path.endswith("attained") or path.startswith("pools")}


def test_numbers_may_be_picked() -> None:
    done = compare("a.yaml", "b.yaml", "--metric", "utilization", "--replications", "2", "--quiet")
    assert done.exit_code == 0, done.output
    assert "utilization.busy_share" in done.stdout
    assert "cost a day" not in done.stdout.split("\n", 1)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.yaml", "nothing.yaml"], "'nothing.yaml': no such file"),
        (["a.yaml", "mmcc"], "no scenario is called 'mmcc'; did you mean 'mmc'?"),
        (["a.yaml"], "nothing to compare with"),
        (["a.yaml", "a.yaml"], "'a.yaml' is given twice"),
        (["a.yaml", "--with", f"{REPLICAS}=5", "--with", f"{REPLICAS}=5"], f"--with: '{REPLICAS}=5' is given twice"),
        (["a.yaml", "b.yaml", "--replications", "1"], "one pair says nothing of chance"),
        (["a.yaml", "--with", "replicas"], "--with: must be KEY=VALUE"),
        (["a.yaml", "--with", "pools.main.replcas=3"], "did you mean"),
        (["a.yaml", "--with", "seed=3"], "the seed is the same for all"),
        (["a.yaml", "b.yaml", "--walk", "--with", f"{REPLICAS}=6"], "--walk goes from one scenario to one other"),
        (["a.yaml", "b.yaml", "--order", "pools"], "give both"),
        (["a.yaml", "b.yaml", "--walk", "--order", "horizon"], "--order: the scenarios do not differ in 'horizon'"),
        (["a.yaml", "b.yaml", "--out", "a.yaml"], "is a file; name a folder"),
        (["a.yaml", "b.yaml", "--replications", "2", "--metric", "latenc"], "--metric: 'latenc' is no number"),
        ([], "Missing argument"),
    ],
)
def test_mistakes_are_told(arguments: list[str], said: str) -> None:
    done = compare(*arguments)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Traceback" not in done.stderr
