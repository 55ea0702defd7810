"""A study whose command is killed again and again, at moments drawn at random, and goes on each time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tests.studies import REPLICAS, SCENARIO, bytes_in

ROOT = Path(__file__).parents[1]
RUNS_A_KILL = 24
"""Of the study; a kill comes after about a third of them."""


def hunted(folder: Path, kills: int, seed: int) -> None:
    """Kill the command so many times, its workers with it or not; at the end the bytes are those of a quiet life."""
    (folder / "study.yaml").write_text(yaml.safe_dump(SCENARIO))
    draw = random.Random(seed)
    for kill in range(kills):
        before = _lines(folder / "s")
        process = _started(folder, kills, "s", draw.choice(("1", "1", "2")))
        runs = draw.randrange(0, RUNS_A_KILL // 2)
        while process.poll() is None and _lines(folder / "s") - before < runs:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.02 if runs else 1.0))
        assert process.poll() is None, f"it was done before kill {kill}"
        process.send_signal(signal.SIGKILL)
        process.wait()
        if Path("/proc/self/stat").exists():
            gone(process.pid)
    assert _started(folder, kills, "s", "1").wait() == 0
    assert _started(folder, kills, "quiet", "1").wait() == 0
    assert bytes_in(folder / "s") == bytes_in(folder / "quiet")


def _started(folder: Path, kills: int, name: str, workers: str) -> subprocess.Popen[bytes]:
    number = str((RUNS_A_KILL * kills) // 2)
    command = ["sweep", "study.yaml", "--over", f"{REPLICAS}=5,6", "--replications", number, "--study", name]
    return subprocess.Popen(
        [sys.executable, "-m", "sim", *command, "--workers", workers, "--quiet"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _lines(folder: Path) -> int:
    journal = folder / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def gone(session: int) -> None:
    """Wait until nobody of a session is left; all are to end by themselves, and soon."""
    until = time.monotonic() + 20
    while left := [pid for pid in _pids() if _session_of(pid) == session]:
        assert time.monotonic() < until, f"{left} have outlived the process that made them"
        time.sleep(0.05)


def _pids() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]


def _session_of(pid: int) -> int | None:
    """The session of a process that is alive (Linux)."""
    try:
        state, _, _, session, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else int(session)
