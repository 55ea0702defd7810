"""What other versions have written: it opens, or it is said in one line what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sim.cli import main
from sim.study.planned.dossier import FORMAT
from sim.study.store.design import _checksum
from tests.faults.killed_cases import LINE
from tests.studies import REPLICAS

SHORT = {**LINE, "horizon": "20s", "warmup": "0s", "tune": {"search_runs": 1, "fresh_runs": 2, "finalists": 1}}
SWEEP = ("sweep", "line.yaml", "--over", f"{REPLICAS}=7,8", "--replications", "2", "--quiet", "--study", "study")
OTHER = "holds runs of fleetcast 0.0.1, this is "


def fleetcast(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.yaml").write_text(yaml.safe_dump(SHORT))
    return tmp_path


def changed(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """A file as another version would have left it; its checksum, if it has one, is right."""
    found = json.loads(path.read_text())
    change(found)
    if found.pop("sha256", None) is not None:
        found["sha256"] = _checksum(found)
    path.write_text(json.dumps(found))


def test_a_study(here: Path) -> None:
    assert fleetcast(*SWEEP).exit_code == 0
    study = here / "study" / "study.json"
    changed(study, lambda found: found.update(version="0.0.1"))
    shown = fleetcast("sweep", "--show", "study", "--json")
    assert shown.exit_code == 0, "its numbers are still there to be looked at"
    assert len(json.loads(shown.stdout)["runs"]) == 2
    done = fleetcast(*SWEEP)
    assert done.exit_code == 2
    assert "holds a study made by fleetcast 0.0.1, this is " in done.stderr
    assert done.stderr.endswith(": name another folder\n")
    changed(study, lambda found: found.update(schema_version=0))
    for words in (SWEEP, ("sweep", "--show", "study")):
        done = fleetcast(*words)
        told = "error: study/study.json: is of schema 0, this version reads 1; name another folder\n"
        assert (done.exit_code, done.stderr) == (2, told)


@pytest.mark.parametrize(("verb", "file"), [("plan", "plan-study.json"), ("tune", "tuning.json")])
def test_the_runs_of_a_search(here: Path, verb: str, file: str) -> None:
    study = here / "study"
    study.mkdir()
    known = {"plan": "fleetcast-plan", "tune": "fleetcast-tuning"}[verb]
    (study / file).write_text(json.dumps({"format": known, "version": "0.0.1", "libraries": {}}))
    scenario = {key: value for key, value in SHORT.items() if key != "tune"} if verb == "plan" else _elastic()
    (here / "line.yaml").write_text(yaml.safe_dump(scenario))
    done = fleetcast(verb, "line.yaml", "--study", "study", "--quiet", "--workers", "1")
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith(f"error: study: {OTHER}")
    assert done.stderr.endswith("; name another folder\n")


def _elastic() -> dict[str, Any]:
    from tests.faults.killed_cases import SCALED

    return SCALED


def test_a_plan_that_is_compared_with(here: Path) -> None:
    (here / "plan.json").write_text(json.dumps({"format": FORMAT, "schema_version": 0, "scenario": SHORT}))
    done = fleetcast("plan", "line.yaml", "--diff", "plan.json", "--quiet", "--workers", "1")
    assert done.exit_code == 3
    told = "its scenario is in it (key scenario): plan that again with this version"
    assert done.stderr == f"error: plan.json: has schema version 0, and this fleetcast reads 1; {told}\n"


def test_a_report(here: Path) -> None:
    (here / "report.html").write_text("<html><script id='data'>{}</script></html>")
    done = fleetcast("report", ".")
    assert done.exit_code == 3
    assert "is no report of fleetcast, or one of another version; name a report.html" in done.stderr


def test_a_run_of_an_older_version_is_still_ours_to_replace(here: Path) -> None:
    words = ("run", "line.yaml", "--replications", "1", "--quiet", "--out", "out")
    assert fleetcast(*words).exit_code == 0
    changed(here / "out" / "manifest.json", lambda found: found.update(version="0.0.1", schema_version=0))
    assert fleetcast(*words).exit_code == 2
    assert fleetcast(*words, "--force").exit_code == 0
    assert fleetcast("report", "out").exit_code == 0
