"""`fleetcast run` where it gets narrow: stopped half-way, in a small terminal, overloaded, with nothing to go on."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sim.cli import main
from sim.cli.shared import progress
from sim.config import catalogue
from tests.e2e.test_run import SMALL

ROOT = Path(__file__).parents[2]
LINE = """\
name: line
horizon: 2h
workload:
  arrivals: {kind: poisson, rate: 3/s}
  service: {kind: exponential, mean: 1s}
pools:
  servers:
    replica: {kind: slots}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 2}
slo:
  - {metric: queue_wait, under: 1s, share: 90%}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with two scenarios in it."""
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "line.yaml").write_text(LINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fleetcast(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


ALONE = ("--replications", "1")
"""One run and no other."""

# -- stopped ------------------------------------------------------------------------------------------------------

SLOW_WRITER = """\
import sys, time
from sim.cli import main
from sim.result import files

def slow(path, *_):
    path.write_text("half of it")
    print("writing", flush=True)
    time.sleep(60)

files.write_requests = slow
main(["run", "small.yaml", "--replications", "1", "--out", "far/run"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_writing_it_leaves_nothing_and_says_by_what(here: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    assert len(names(here / "far")) == 1, "a draft is there"
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert said == "interrupted\n"
    assert names(here) == ["line.yaml", "small.yaml"]


def test_a_signal_means_what_it_meant_once_the_command_is_over() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert fleetcast("examples").exit_code == 0
    assert signal.getsignal(signal.SIGTERM) is before


# -- on a terminal ------------------------------------------------------------------------------------------------


def on_a_terminal(columns: int, folder: Path, *arguments: str) -> list[str]:
    """The lines that a terminal of this width is sent, without the codes for bold and dim."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "sim", *arguments]
    done = subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.PIPE,
    )
    os.close(follower)
    sent = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other side has been closed
            break
        if not part:
            break
        sent += part
    os.close(leader)
    assert done.wait(timeout=60) == 0, done.stderr
    assert done.stderr is not None
    done.stderr.close()
    return re.sub(r"\x1b\[[\d;]*m", "", sent.decode()).splitlines()


def test_tables_fit_a_small_terminal_without_losing_a_number(here: Path) -> None:
    wide = on_a_terminal(120, here, "run", "line.yaml", "--no-save", "--replications", "2")
    narrow = on_a_terminal(80, here, "run", "line.yaml", "--no-save", "--replications", "2")
    assert any(line.startswith("first token (TTFT)") for line in wide)
    (row,) = [line for line in narrow if line.startswith("TTFT ")]
    assert row.split()[1:] == next(line for line in wide if line.startswith("first token")).split()[3:]
    blank = [place for place, line in enumerate(narrow) if not line]
    tables = narrow[1 + blank[0] : blank[-1]]
    assert max(map(len, tables)) <= 80
    assert "…" not in "".join(narrow)


def test_not_on_a_terminal_lines_are_as_wide_as_they_need(here: Path) -> None:
    lines = fleetcast("run", "line.yaml", *ALONE, "--no-save").stdout.splitlines()
    assert any(line.startswith("first token (TTFT) ") for line in lines)
    assert lines[1] == ""
    assert not [pair for pair in pairwise(lines) if pair == ("", "")], "no two empty lines"


# -- how far it is ------------------------------------------------------------------------------------------------


def test_progress_in_a_log_is_a_line_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.progress(quiet=False) as shown:
        for passed_s in (0.5, 4.9, 5.5, 6.0, 11.0):
            clock[0] = 100.0 + passed_s
            shown(3600.0, 30, 25, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "1 h simulated, 25 of 100 requests, about 16.5 s left",
        "1 h simulated, 25 of 100 requests, about 33 s left",
    ]
    with progress.progress(quiet=True) as shown:
        assert shown is None


def test_progress_on_a_terminal_is_a_bar_that_comes_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress(quiet=False) as shown:
        shown(1.0, 1, 1, 10)
        assert shown.bar is None
        clock[0] += 2.5
        shown(2.0, 6, 5, 10)
        (task,) = shown.bar.tasks
        assert task.completed == 5
        assert task.total == 10
        assert task.fields["left"] == "about 2.5 s left"


# -- what is asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("run",), ("run", "")])
def test_without_a_scenario_it_says_which_there_are(arguments: tuple[str, ...]) -> None:
    done = fleetcast(*arguments)
    assert done.exit_code == 2
    known = ", ".join(catalogue.names(catalogue.SCENARIOS))
    assert done.stderr == f"error: which scenario? give a file, or the name of one that ships: {known}\n"


def test_a_replay_without_a_trace_says_how_to_give_one(here: Path) -> None:
    done = fleetcast("run", "trace-replay")
    assert done.exit_code == 2
    assert "workload.trace" in done.stderr
    assert "--set workload.trace=PATH" in done.stderr
    assert names(here) == ["line.yaml", "small.yaml"]


def test_generated_arrivals_need_an_end(here: Path) -> None:
    done = fleetcast("run", "small.yaml", "--set", "horizon=null")
    assert done.exit_code == 2
    assert "horizon: is missing" in done.stderr


def test_every_mistake_is_told_at_once_with_its_place(here: Path) -> None:
    (here / "wrong.yaml").write_text(LINE.replace("rate: 3/s", "rate: 3 kg").replace("replicas: 2", "replica: 2"))
    done = fleetcast("run", "wrong.yaml")
    assert done.exit_code == 2
    assert re.search(r"^error: wrong\.yaml:4:\d+: workload\.arrivals\.rate: ", done.stderr, re.M)
    assert re.search(r"^error: wrong\.yaml:10:\d+: pools\.servers\.autoscaler\.replica: no such key", done.stderr, re.M)


def test_a_folder_that_cannot_be_made_is_said_before_the_work(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the run has begun")

    monkeypatch.setattr("sim.engine.simulate", never)
    for out, said in (("small.yaml", "exists already"), ("small.yaml/x", "is not a folder")):
        done = fleetcast("run", "small.yaml", "--out", out)
        assert done.exit_code == 2
        assert said in done.stderr
    monkeypatch.setattr(os, "access", lambda *_: False)
    done = fleetcast("run", "small.yaml", "--out", "new")
    assert done.exit_code == 2
    assert "cannot be written to" in done.stderr


def test_a_hostile_name_is_refused_where_a_name_is_meant(here: Path) -> None:
    bad = "</script><img src=x onerror=alert(1)>"
    stream = "{arrivals: {kind: poisson, rate: 1/s}, service: {kind: constant, value: 1s}, pool: servers}"
    begin, end = LINE.index("  arrivals"), LINE.index("pools:")
    (here / "bad.yaml").write_text(f'{LINE[:begin]}  streams:\n    "{bad}": {stream}\n{LINE[end:]}')
    for arguments in (("bad.yaml",), ("line.yaml", "--set", f"name={bad}")):
        done = fleetcast("run", *arguments)
        assert done.exit_code == 2
        assert "may hold" in done.stderr or "hold only letters" in done.stderr
    assert names(here) == ["bad.yaml", "line.yaml", "small.yaml"]


# -- what comes out -----------------------------------------------------------------------------------------------


def test_an_overload_is_told_as_a_queue_that_grows_to_the_end(here: Path) -> None:
    done = fleetcast("run", "line.yaml", *ALONE, "--out", "over", "--check")
    assert done.exit_code == 99
    verdict = done.stdout.splitlines()[0]
    assert verdict.startswith("Misses the SLO: only ")
    assert "The queue is still growing at the end, with " in verdict
    summary = json.loads((here / "over" / "summary.json").read_text())
    assert summary["utilization"]["busy_share"] > 0.99
    assert summary["requests"]["completed"] == summary["requests"]["arrived"], "followed to their end"
    assert summary["simulated_s"] > summary["measured_s"] == 7200
    assert summary["throughput"]["requests_per_s"] > 2.5, "all that arrived in the window and were completed"


def test_one_request_is_a_whole_result(here: Path) -> None:
    (here / "one.csv").write_text("arrival_s,prompt_tokens,output_tokens\n1.5,100,20\n")
    done = fleetcast("run", "trace-replay", *ALONE, "--set", "workload.trace=one.csv", "--out", "one", "--json")
    assert done.exit_code == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    assert summary["requests"]["completed"] == 1
    assert summary["latency"]["ttft_s"]["p99"] == summary["latency"]["ttft_s"]["mean"] > 0
    assert json.loads((here / "one" / "summary.json").read_text()) == summary


def test_when_nobody_comes_the_check_neither_passes_a_promise_nor_fails_one(here: Path) -> None:
    done = fleetcast(
        "run", "line.yaml", *ALONE, "--set", "workload.arrivals.rate=0.0000001/s", "--check", "--out", "none"
    )
    assert done.exit_code == 0
    assert done.stdout.startswith("No request arrived in the measured 2 h. ")
    assert "note: " in done.stdout
    (target,) = json.loads((here / "none" / "summary.json").read_text())["slo"]
    assert target["attained"] is None
    assert target["met"] is None


def test_rows_are_left_out_and_asked_for(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.result.save.REQUESTS_BY_DEFAULT", 100)
    assert "ask for it with --requests" in fleetcast("run", "line.yaml", *ALONE, "--out", "a").stdout
    assert "ask for it" not in fleetcast("run", "line.yaml", *ALONE, "--out", "b", "--requests").stdout
    assert "requests.parquet" not in names(here / "a")
    assert "requests.parquet" in names(here / "b")
