"""How fast it is: the numbers of one machine, measured on demand, not checked."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

SPEED = DOCS / "speed.txt"
BEGIN = (
    *("compiled calendar", "SimPy calendar", "time per request", "fleetcast "),
    *("a week under ", r"[\d.]+ M requests ", r"\d+ runs, "),
)
"""How the lines begin that are kept of what benchmarks print."""


def measure() -> None:
    """Run the benchmarks and keep the lines that they print."""
    command = [sys.executable, "-m", "pytest", "-m", "bench", "tests/benchmarks", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    SPEED.write_text("\n".join(_printed(done.stdout)) + "\n", encoding="utf-8")


def _printed(output: str) -> Iterator[str]:
    for line in output.splitlines():
        line = line.strip().lstrip(".")
        if re.match(rf"({'|'.join(BEGIN)})", line):
            yield line


def row_bytes() -> int:
    """Memory of one request row."""
    from sim.model.tables import REQUEST

    return REQUEST.itemsize


def events_per_request() -> str:
    """Transitions called for each request of chat-h100."""
    from sim import load, simulate

    summary = simulate(load("chat-h100")).summary()
    return f"{summary['run']['events'] / summary['requests']['arrived']:.1f}"


def speed() -> str:
    """What the benchmarks printed when they were last measured."""
    return f"```text\n{SPEED.read_text(encoding='utf-8').strip()}\n```"
