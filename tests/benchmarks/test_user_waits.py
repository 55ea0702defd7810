"""What a user waits for: help, the first result on a new machine, a day of ChatGPT-scale traffic (`make bench`)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.bench

ROOT = Path(__file__).parents[2]


def fleetcast(folder: Path, *arguments: str) -> tuple[float, str]:
    """Run the command line in a folder of its own, with a compiler cache of its own: (seconds, stderr)."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    environment.pop("NUMBA_CACHE_DIR", None)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "sim", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    passed = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    return passed, done.stderr


def test_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fastest = min(fleetcast(tmp_path, "--help")[0] for _ in range(5))
    with capsys.disabled():
        print(f"\nfleetcast --help: {fastest:.2f} s (bar 0.3 s)")
    assert fastest < 0.3


def test_first_result_with_a_cold_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cold, said = fleetcast(tmp_path, "run", "chat-h100")
    warm, said_later = fleetcast(tmp_path, "run", "chat-h100")
    with capsys.disabled():
        print(f"\nfleetcast run chat-h100: {cold:.1f} s with a cold cache (bar 20 s), {warm:.1f} s after that")
    assert "compiling the engine, once" in said
    assert "compiling" not in said_later
    assert cold < 20


def test_a_day_of_chatgpt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleetcast(tmp_path, "run", "mmc", "--calendar", "compiled", "--no-save")
    began = time.perf_counter()
    # measured from a small process: a child's peak counts that of its parent when it was made
    program = (
        "import resource, subprocess, sys; subprocess.run([sys.executable, '-m', 'sim', 'run', 'chatgpt-2023'], "
        "check=True, stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    wall = time.perf_counter() - began
    peak_gb = int(done.stdout) * 1024 / 1e9
    with capsys.disabled():
        print(
            f"\nfleetcast run chatgpt-2023 (11.1 million requests): {wall:.1f} s (bar 20 s), {peak_gb:.2f} GB (bar 2)"
        )
    assert wall < 20
    assert peak_gb < 2
