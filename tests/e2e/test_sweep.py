"""`fleetcast sweep` from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from sim.study.replicated import record as study

# A burst of two minutes leaves a queue; ten replicas need more than the hour to work it off, fifteen do not.
SCENARIO = """
name: burst
seed: 3
horizon: 40m
workload: {arrivals: {kind: spike, rate: 4/s, factor: 8, at: 10m, duration: 2m}, service: {kind: exponential, mean: 2s}}
pools: {main: {replica: {kind: slots}, queue: {kind: central}, autoscaler: {kind: fixed, replicas: 10}}}
slo: [{metric: queue_wait, under: 2s, share: 90%}]
"""
REPLICAS = "pools.main.autoscaler.replicas"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("burst.yaml").write_text(SCENARIO)


def sweep(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sweep", "burst.yaml", *arguments])


def once(*arguments: str) -> Result:
    """One plain run a point."""
    return sweep("--replications", "1", "--workers", "1", *arguments)


def test_a_grid_as_json() -> None:
    done = once("--over", f"{REPLICAS}=10,20", "--over", "seed=3,4", "--json", "--quiet")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert said["over"] == [{"key": REPLICAS, "values": ["10", "20"]}, {"key": "seed", "values": ["3", "4"]}]
    runs = said["runs"]
    assert [run["set"] for run in runs] == [{REPLICAS: n, "seed": s} for n in ("10", "20") for s in ("3", "4")]
    assert [run["summary"]["seed"] for run in runs] == [3, 4, 3, 4]
    # common random numbers: the same traffic, whatever the fleet
    arrived = [run["summary"]["requests"]["arrived"] for run in runs]
    assert arrived[0] == arrived[2] != arrived[1]
    slow, back = runs[0]["metrics"], runs[2]["metrics"]
    assert slow["recovery"] == "slow"
    assert slow["recovered_after_s"] is None
    assert back["recovery"] == "recovered"
    assert 0 < back["recovered_after_s"] < 600
    assert slow["attained"][0] < back["attained"][0]
    assert slow["attained"] == [runs[0]["summary"]["slo"][0]["attained"]]
    assert slow["completed_share"] == 1.0


def test_a_grid_as_a_table_and_files() -> None:
    done = once("--over", f"{REPLICAS}=10,20", "--out", "swept")
    assert done.exit_code == 0, done.output
    assert "run 2 of 2: pools.main.autoscaler.replicas=20" in done.stderr
    for word in ("replicas", "queue wait ≤ 2 s", "completed", "slow", "back in", "written to swept"):
        assert word in done.stdout
    rows = list(csv.DictReader(Path("swept/sweep.csv").read_text().splitlines()))
    assert [row[REPLICAS] for row in rows] == ["10", "20"]
    assert [row["recovery"] for row in rows] == ["slow", "recovered"]
    runs = json.loads(Path("swept/sweep.json").read_text())["runs"]
    assert float(rows[0]["attained.queue_wait"]) == runs[0]["metrics"]["attained"][0]
    again = once("--over", f"{REPLICAS}=10", "--out", "swept")
    assert again.exit_code == 2
    assert "is already there" in again.stderr
    assert once("--over", f"{REPLICAS}=10", "--out", "swept", "--force").exit_code == 0


def test_the_mildest_way_out() -> None:
    done = sweep("--find", "escape", "--along", f"{REPLICAS}=10..26", "--json", "--quiet")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    below, answer = map(int, found["bracket"])
    assert found["answer"] == str(answer)
    assert 10 <= below == answer - 1
    assert found["contradicted_by"] == []
    held = {run["set"][REPLICAS]: run["holds"] for run in found["runs"]}
    assert held["10"] is held[str(below)] is False
    assert held[str(answer)] is held["26"] is True
    told = sweep("--find", "escape", "--along", f"{REPLICAS}=10..26", "--quiet")
    assert (
        f"{REPLICAS}={answer} is the mildest value found that lets the service recover; {below} does not" in told.stdout
    )


def test_no_way_out_and_no_trigger() -> None:
    none = sweep("--find", "escape", "--along", f"{REPLICAS}=9..10", "--quiet")
    assert none.exit_code == 4
    assert "Nothing from 9 to 10 lets the service recover" in none.stdout
    # a queue that is worked off is no collapse
    fine = sweep("--find", "trigger", "--along", "workload.arrivals.factor=2.0..8.0", "--quiet")
    assert fine.exit_code == 0
    assert "leaves the service collapsed" in fine.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --over"),
        (("--find", "escape"), "--find and --along go together"),
        (("--over", "seed=1", "--find", "escape", "--along", "a=1..2"), "give --over"),
        (("--over", "seed"), "--over: must be KEY=V1,V2"),
        (("--find", "escape", "--along", "a=1"), "--along: must be KEY=FIRST..LAST"),
        (("--over", "sed=1,2"), "did you mean 'seed'"),
        (("--over", "seed=1", "--out", "burst.yaml"), "is a file; name a folder"),
        (("--over", "seed=1", "--out", "no/such"), "does not exist"),
        (("--over", "seed=1", "--replications", "2", "--precision", "5%"), "exclude each other"),
        (("--over", "seed=1", "--precision", "0%"), "must be a share"),
        (("--over", "seed=1", "--shard", "3/2", "--study", "s"), "must be I/N"),
        (("--over", "seed=1", "--shard", "1/2"), "--shard needs --study"),
        (("--over", "seed=1", "--points", "points.csv"), "give --over"),
        (("--over", "seed=1", "--study", "burst.yaml"), "is a file; name a folder"),
        (("--over", "seed=1", "--metric", "p99 tfft"), "no number is called 'p99 tfft'"),
        (("--show", "nothing"), "give it the folder of a study, and no scenario"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], told: str) -> None:
    done = sweep(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stdout == ""


def test_a_run_that_fails_is_told_and_the_others_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.config.errors import DataError

    real = study.simulate

    def simulate(scenario: object, *told: object, **how: object) -> object:
        if getattr(scenario, "seed") == 2:  # noqa: B009
            raise DataError("trace.csv: gone")
        return real(scenario, *told, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(study, "simulate", simulate)
    done = once("--over", "seed=1,2,3", "--json", "--quiet")
    assert done.exit_code == 5
    runs = json.loads(done.stdout)["runs"]
    assert [run["error"] for run in runs] == [None, "trace.csv: gone", None]
    assert runs[1]["metrics"] is None
    table = once("--over", "seed=1,2", "--quiet")
    assert table.exit_code == 5
    assert "failed" in table.stdout
    assert "error: seed=2: trace.csv: gone" in table.stderr


def test_what_was_done_is_shown_when_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = study.simulate

    def simulate(scenario: object, *told: object, **how: object) -> object:
        if getattr(scenario, "seed") == 2:  # noqa: B009
            raise KeyboardInterrupt
        return real(scenario, *told, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(study, "simulate", simulate)
    done = once("--over", "seed=1,2", "--quiet")
    assert done.exit_code == 130
    assert "slow" in done.stdout


PRICED = (
    *("--set", "workload.arrivals={kind: poisson, rate: 8/s}", "--set", "workload.service.mean=1s"),
    *("--set", "slowness=[{kind: linear, metric: queue_wait, usd_per_hour: $4}]"),
)
A_PRICE = ("--set", "pools.main.price={on_demand: $2/h}")


def test_the_cheapest_point_is_marked_and_drawn() -> None:
    done = once(*PRICED, *A_PRICE, "--over", f"{REPLICAS}=9..15:2", "--out", "swept", "--quiet")
    assert done.exit_code == 0, done.output
    said = json.loads(Path("swept/sweep.json").read_text())
    best = said["cheapest"]
    assert (best["set"], best["at_end"]) == ({REPLICAS: "11"}, None)
    assert (best["less"]["set"], best["more"]["set"]) == ({REPLICAS: "9"}, {REPLICAS: "13"})
    together = {run["set"][REPLICAS]: run["metrics"]["fleet_plus_slowness_usd_per_day"] for run in said["runs"]}
    assert list(together) == ["9", "11", "13", "15"]
    assert min(together, key=together.__getitem__) == "11"
    assert best["fleet_usd_per_day"] == pytest.approx(11 * 48)
    assert best["fleet_usd_per_day"] + best["slowness_usd_per_day"] == pytest.approx(together["11"])
    assert "Cheapest: replicas=11 at $" in done.stdout
    assert "; 9 costs $" in done.stdout
    marked = [line for line in done.stdout.splitlines() if "← cheapest" in line]
    assert [line.split()[0] for line in marked] == ["11"]
    for head in ("fleet a day", "slowness", "together"):
        assert head in done.stdout
    assert "after the burst" not in done.stdout, "there is none"
    assert "Cheapest at 11" in Path("swept/sweep.svg").read_text()
    rows = list(csv.DictReader(Path("swept/sweep.csv").read_text().splitlines()))
    assert float(rows[1]["slowness_usd_per_day"]) == best["slowness_usd_per_day"]
    # a sweep that has no such picture leaves none of an older one behind
    again = once(*PRICED, *A_PRICE, "--over", "seed=1,2", "--out", "swept", "--force", "--quiet")
    assert again.exit_code == 0, again.output
    assert not Path("swept/sweep.svg").exists()
    assert json.loads(Path("swept/sweep.json").read_text())["cheapest"] is None


def test_the_cheapest_point_at_an_end_and_without_a_price() -> None:
    done = once(*PRICED, *A_PRICE, "--over", f"{REPLICAS}=12..14", "--quiet")
    assert (
        f"That is the smallest value that was tried, and beyond it may be cheaper: try --over {REPLICAS}=10..12:1."
        in (done.stdout)
    )
    free = once(*PRICED, "--over", f"{REPLICAS}=10,11", "--quiet")
    assert "No cheapest point: a pool has no price; give it one (pools.NAME.price)." in free.stdout
    assert "cheapest" not in once("--over", f"{REPLICAS}=10,11", "--quiet").stdout
