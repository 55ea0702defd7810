"""`fleetcast sweep` with `--study`, `--shard`, `--cluster`, `--show`, and `fleetcast merge`: always the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner, Result

from sim.cli import main
from sim.report.page.read import Report
from sim.study.executors import Local
from tests.killing import gone, hunted
from tests.studies import REPLICAS, SCENARIO, THREE, bytes_in, points_of, study

GRID = ("--over", f"{REPLICAS}=5,6", "--over", "seed=1,2", "--replications", "3", "--quiet")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(yaml.safe_dump(SCENARIO))


def fleetcast(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def sweep(*arguments: str) -> Result:
    return fleetcast("sweep", "study.yaml", *arguments)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The study, made by one process."""
    folder = tmp_path_factory.mktemp("alone") / "s"
    study(folder, points_of(5, 6))
    return bytes_in(folder)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_one_worker_and_two_give_the_same_bytes(workers: str, alone: bytes) -> None:
    done = sweep(*GRID, "--study", "s", "--workers", workers, "--json")
    assert done.exit_code == 0, done.output
    assert bytes_in(Path("s")) == alone
    said = json.loads(done.stdout)
    assert said["replications"] == {"replications": 3}
    assert [run["replications"] for run in said["runs"]] == [3] * 4
    low, high = said["runs"][0]["intervals"]["goodput_per_s"]
    assert low < said["runs"][0]["metrics"]["goodput_per_s"] < high
    assert low == said["runs"][0]["summary"]["intervals"]["throughput.goodput_per_s"][0]
    shown = fleetcast("sweep", "--show", "s", "--json")
    assert json.loads(shown.stdout) == said
    table = fleetcast("sweep", "--show", "s")
    assert "±" in table.stdout
    assert "3 runs a point; ± is half of a 95 % interval." in table.stdout


def test_two_shards_merged_give_the_same_bytes(alone: bytes) -> None:
    for number in (1, 2):
        done = sweep(*GRID, "--study", f"part{number}", "--shard", f"{number}/2", "--workers", "1")
        assert (done.exit_code, done.stdout) == (0, ""), done.output
    merged = fleetcast("merge", "part2", "part1", "--out", "s")
    assert merged.exit_code == 0, merged.output
    assert merged.stdout == "12 runs of 4 points in s; fleetcast sweep --show s\n"
    assert bytes_in(Path("s")) == alone
    missing = fleetcast("merge", "part2", "--out", "t")
    assert missing.exit_code == 3
    assert f"{REPLICAS}=5, seed=1: replications 0, 2" in missing.stderr


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Two processes of a Dask cluster on this machine."""
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made:
        yield made.scheduler_address


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_dask_cluster_gives_the_same_bytes(alone: bytes, cluster: str) -> None:
    done = sweep(*GRID, "--study", "s", "--cluster", cluster)
    assert done.exit_code == 0, done.output
    assert bytes_in(Path("s")) == alone


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_cluster_with_other_software_is_refused(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.study.executors import cluster as clusters

    here = clusters.versions()
    monkeypatch.setattr(clusters, "versions", _Versions({**here, "fleetcast": "0.0.1"}))
    done = sweep(*GRID, "--cluster", cluster)
    assert done.exit_code == 2
    assert f"has fleetcast {here['fleetcast']} (here 0.0.1); results would not be the same" in done.stderr


class _Versions:
    """What is said here, though it travels as the function that workers have."""

    def __init__(self, said: dict[str, str]) -> None:
        self.said = said

    def __call__(self) -> dict[str, str]:
        return self.said

    def __reduce__(self) -> tuple[object, ...]:
        return _really, ()


def _really() -> object:
    from sim.study.executors.cluster import versions

    return versions


def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path: Path, alone: bytes) -> None:
    killed = []
    with Local(2) as workers:

        def told(run: object, done: int, wanted: int) -> None:
            alive = [worker for worker in workers.crew if worker.process.pid not in killed]
            if alive and len(killed) < 2:
                one = max(alive, key=lambda worker: worker.place is not None)  # at work, if one is
                killed.append(one.process.pid)
                os.kill(one.process.pid or 0, signal.SIGKILL)

        study(tmp_path / "s", points_of(5, 6), THREE, workers, told=told)
    assert len(killed) == 2
    assert bytes_in(tmp_path / "s") == alone


def test_killed_at_any_moment_it_goes_on(tmp_path: Path) -> None:
    hunted(tmp_path, kills=3, seed=1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="who is left is seen in /proc")
def test_ctrl_c_keeps_what_was_done_and_leaves_nobody_behind() -> None:
    many = ("--over", f"{REPLICAS}=5..30", "--replications", "400", "--study", "s", "--workers", "2")
    command = [sys.executable, "-m", "sim", "sweep", "study.yaml", *many]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first run has ended
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "runs are kept in s; the same command goes on from there" in err
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "runs a point" in out or "replicas" in out
    gone(process.pid)
    shown = fleetcast("sweep", "--show", "s")
    assert shown.exit_code == 0
    assert "runs are still to be made" in shown.stderr


def test_an_extended_study_is_the_one_made_at_once() -> None:
    assert sweep("--over", f"{REPLICAS}=6", "--over", "seed=2", "--replications", "1", "--study", "s").exit_code == 0
    assert sweep(*GRID, "--study", "s", "--workers", "1").exit_code == 0
    assert sweep(*GRID, "--study", "t", "--workers", "1").exit_code == 0
    assert bytes_in(Path("s")) == bytes_in(Path("t"))
    assert Path("s/study.json").read_bytes() == Path("t/study.json").read_bytes()
    other = sweep(*GRID, "--study", "s", "--set", "horizon=21s")
    assert other.exit_code == 2
    assert "s: holds a study of another scenario (study.yaml), or the file or --set has changed since" in other.stderr
    # without a number of its own, a command has that of the study
    again = sweep("--over", f"{REPLICAS}=5", "--over", "seed=1,2", "--study", "s", "--json", "--quiet")
    assert [run["replications"] for run in json.loads(again.stdout)["runs"]] == [3] * 4


def test_numbers_that_were_asked_for_are_shown_and_drawn() -> None:
    asked = ("--metric", "mean e2e", "--metric", "usd_per_day", "--metric", "slo.0.attained")
    done = sweep(*GRID, *asked, "--out", "swept")
    assert done.exit_code == 0, done.output
    path = "latency.e2e_s.mean"
    runs = json.loads(Path("swept/sweep.json").read_text())["runs"]
    assert runs[1]["metrics"][path] == runs[1]["summary"]["latency"]["e2e_s"]["mean"]
    drawn = {figure.key: figure.plot["data"] for figure in Report(Path("swept/report.html")).figures}
    assert [[dot[:9] for dot in line["text"]] for line in drawn[path]] == [
        ["seed=1, 5", "seed=1, 6"],
        ["seed=2, 5", "seed=2, 6"],
    ]
    assert all(" to " in dot for line in drawn[path] for dot in line["text"]), "each with its interval"
    assert not any("error_y" in line for line in drawn["cost.usd_per_day"]), "a fixed fleet costs the same"
    assert ElementTree.fromstring(Path(f"swept/{path}.svg").read_text()).tag == f"{SVG}svg"
    assert Path("swept/slo.0.attained.svg").exists()


def test_points_from_a_list(tmp_path: Path) -> None:
    Path("points.csv").write_text(f"{REPLICAS},seed\n5,1\n6, 2\n\n")
    done = sweep("--points", "points.csv", "--replications", "1", "--json", "--quiet")
    assert done.exit_code == 0, done.output
    assert [run["set"] for run in json.loads(done.stdout)["runs"]] == [
        {REPLICAS: "5", "seed": "1"},
        {REPLICAS: "6", "seed": "2"},
    ]
    Path("points.csv").write_text("seed\n1,2\n")
    wrong = sweep("--points", "points.csv")
    assert wrong.exit_code == 3
    assert "points.csv:2: has 2 cells, not 1" in wrong.stderr


def test_without_a_word_each_point_gets_a_budget() -> None:
    said = json.loads(sweep("--over", f"{REPLICAS}=5,6", "--json", "--quiet").stdout)
    assert [run["replications"] for run in said["runs"]] == [10, 10]
    assert said["replications"]["at_most_requests"] == 500_000
    precise = sweep("--over", f"{REPLICAS}=5", "--precision", "20%", "--metric", "mean e2e", "--json", "--quiet")
    (run,) = json.loads(precise.stdout)["runs"]
    assert run["summary"]["replications"]["stopped"] == "precision"
