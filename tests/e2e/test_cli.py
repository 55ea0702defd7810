"""The command: its small verbs, and how errors leave it."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import sim
from sim.cli import VERBS, main
from sim.config import catalogue
from sim.config.errors import ConfigError, DataError, Problem
from sim.scenario import load
from sim.scenario.schema import json_schema

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fleetcast(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="fleetcast")


def test_help_names_every_verb() -> None:
    done = fleetcast("--help")
    assert done.exit_code == 0
    for verb, about in VERBS.items():
        assert f"{verb} " in done.output
        assert about in done.output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    done = fleetcast(verb, "--help")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: fleetcast {verb}")


def test_version() -> None:
    assert fleetcast("--version").output == f"fleetcast {sim.__version__}\n"


def test_a_wrong_verb() -> None:
    done = fleetcast("rnu")
    assert done.exit_code == 2
    assert "no such verb 'rnu'; did you mean 'run'?" in done.stderr


def test_help_is_quick() -> None:
    """The best of several: a busy machine may disturb any one of them."""
    spent_s = []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sim", "--help"], cwd=ROOT, check=True, capture_output=True)
        spent_s.append(time.perf_counter() - start)
    assert min(spent_s) < 0.3, spent_s


def test_python_m_sim_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sim", "examples"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "mmc" in done.stdout


def test_schema() -> None:
    done = fleetcast("schema")
    assert json.loads(done.stdout) == json_schema()


def test_examples() -> None:
    done = fleetcast("examples")
    lines = done.stdout.splitlines()
    first = [line.split()[0] for line in lines]
    assert sorted(first) == list(catalogue.names(catalogue.SCENARIOS))
    assert all(line.endswith("?") for line in lines)
    # the gallery stands last, each with its row
    gallery = [line.split()[:2] for line in lines if re.match(r"\S+ +A\d+ ", line)]
    assert gallery[0] == ["chatgpt-2023", "A1"]
    assert [name for name, _ in gallery] == first[-len(gallery) :]
    assert [int(row[1:]) for _, row in gallery] == sorted(int(row[1:]) for _, row in gallery)


def test_examples_as_json() -> None:
    rows = json.loads(fleetcast("examples", "--json").stdout)
    assert {"name", "question", "path", "gallery", "system"} == set(rows[0])
    (plain,) = (row for row in rows if row["name"] == "mmc")
    (first,) = (row for row in rows if row["gallery"] == "A1")
    assert (plain["gallery"], plain["system"]) == (None, None)
    assert (first["name"], first["system"]) == ("chatgpt-2023", "ChatGPT in February 2023")
    assert all(Path(row["path"]).is_file() and row["question"].endswith("?") for row in rows)


def test_one_example() -> None:
    shown = fleetcast("examples", "mmc").stdout
    assert shown == (catalogue.root() / "configs/mmc.yaml").read_text()
    assert json.loads(fleetcast("examples", "mmc", "--json").stdout)["yaml"] == shown
    done = fleetcast("examples", "mmcc")
    assert done.exit_code == 2
    assert done.stderr == "error: no scenario is called 'mmcc'; did you mean 'mmc'?\n"


@pytest.mark.parametrize("verb", ["run", "examples", "check"])
def test_a_name_like_no_other_is_told_where_names_are(verb: str) -> None:
    done = fleetcast(verb, "nosuch")
    assert done.exit_code == 2
    remedy = "`fleetcast examples` lists those that ship, or give a file"
    assert done.stderr == f"error: no scenario is called 'nosuch'; {remedy}\n"


def test_init_writes_a_scenario_that_loads_and_its_schema() -> None:
    done = fleetcast("init", "my-fleet.yaml")
    assert done.exit_code == 0, done.output
    first = Path("my-fleet.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=fleetcast.schema.json"
    assert json.loads(Path("fleetcast.schema.json").read_text()) == json_schema()
    assert load("my-fleet.yaml").name == "my-fleet"
    assert sorted(os.listdir()) == ["fleetcast.schema.json", "my-fleet.yaml"]


def test_the_starter_runs_as_it_is() -> None:
    assert fleetcast("init").exit_code == 0
    scenario = sim.load("scenario.yaml")
    summary = sim.simulate(scenario).summary()
    assert summary["requests"]["completed"] == summary["requests"]["arrived"] > 30_000
    assert all(target["met"] for target in summary["slo"])


def test_init_without_a_name_then_again() -> None:
    assert fleetcast("init").exit_code == 0
    Path("scenario.yaml").write_text("mine")
    done = fleetcast("init")
    assert done.exit_code == 2
    assert done.stderr == "error: scenario.yaml: is already there; name another file, or move it away\n"
    assert Path("scenario.yaml").read_text() == "mine"
    assert fleetcast("init", "second.yaml").exit_code == 0


def test_init_leaves_a_strangers_schema_alone() -> None:
    Path("fleetcast.schema.json").write_text("{}")
    done = fleetcast("init")
    assert done.exit_code == 2
    assert "fleetcast.schema.json: is already there and is not ours" in done.stderr
    assert os.listdir() == ["fleetcast.schema.json"]


@pytest.mark.parametrize(
    ("file", "said"),
    [("no/x.yaml", "the folder 'no' does not exist"), (".", "is already there")],
)
def test_init_where_it_cannot_write(file: str, said: str) -> None:
    done = fleetcast("init", file)
    assert done.exit_code == 2
    assert said in done.stderr
    assert os.listdir() == []


@pytest.mark.parametrize(
    "file", ["1e3.yaml", "it's.yaml", "é.yaml", "a b.yaml", "starter.yaml", ".hidden.yaml", "no.yaml"]
)
def test_init_under_strange_names(file: str) -> None:
    assert fleetcast("init", file).exit_code == 0
    assert load(Path(file)).horizon_s == 3600


def test_init_leaves_nothing_half_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *rest: Any, **named: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    done = fleetcast("init")
    assert done.exit_code == 1
    assert "No space left on device; make room, or write elsewhere" in done.stderr
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (
            ConfigError([Problem("no such key", "a.b", "s.yaml", 2, 3), Problem("is empty")]),
            2,
            "error: s.yaml:2:3: a.b: no such key\nerror: is empty\n",
        ),
        (DataError(Problem("a hole", file="t.csv", line=7)), 3, "error: t.csv:7: a hole\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "error: /x: Permission denied\n"),
        (MemoryError(), 1, "error: not enough memory for this run; shorten the horizon or lower the rate\n"),
        (click.UsageError("what?"), 2, "Error: what?"),
    ],
)
def test_errors_become_words_and_codes(
    raised: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _failing(raised, monkeypatch)
    assert done.exit_code == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_control_codes_are_shown_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _failing(ConfigError(Problem("no such key", "\x1b[31mred\n\ud800")), monkeypatch)
    assert done.stderr == "error: \\x1b[31mred\\n\\ud800: no such key\n"


def test_our_own_bugs_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _failing(AssertionError("heap is broken"), monkeypatch)
    assert done.exit_code == 1
    assert "Traceback" in done.stderr
    assert "heap is broken" in done.stderr
    assert done.stderr.endswith(
        "error: this is a bug in fleetcast, not in your scenario; please report it with the lines above\n"
    )


def _failing(raised: BaseException, monkeypatch: pytest.MonkeyPatch) -> Result:
    @click.command()
    def command() -> None:
        raise raised

    monkeypatch.setattr("sim.cli.schema.command", command)
    return fleetcast("schema")


def test_output_into_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m sim schema | head -c 10"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
