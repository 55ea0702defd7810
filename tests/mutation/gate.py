"""The gate of the ten seeded bugs (`make mutate`): the suite has to catch each of them within two minutes.

Each is put into a copy of the project, and the tests of `ORDER` run there until one fails. A copy without a bug runs
first, and has to pass. Ends with 1 if a bug is not caught, if a patch no longer fits, or if the copy fails without one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.mutation import patches
from tests.mutation.patches import ROOT, Patch, StaleError

ORDER = (
    "tests/unit/test_result.py",
    "tests/unit/test_attempts.py",
    "tests/unit/test_clients.py",
    "tests/unit/test_queueing.py",
    "tests/unit/test_spans.py",
    "tests/unit/test_elastic_edges.py",
    "tests/unit/test_ledger.py",
    "tests/property/test_elastic_oracle.py::test_300_seeds_that_never_change",
    "tests/property/test_client_oracle.py::test_300_seeds_that_never_change",
    "tests/property/test_queue_oracle.py::test_150_seeds_that_never_change",
)
"""The same for every bug, the quickest first: what is told of a run, what happens in it, then random fleets, clients
and queues beside the naive oracle, in cases that are the same every time."""

LIMIT_S = 120.0


@dataclass(frozen=True)
class Verdict:
    """What the suite said."""

    bug: str
    caught_by: str | None
    took_s: float
    note: str = ""


def main() -> int:
    """Run the gate; what the exit code is to be."""
    bugs = patches.seeded()
    with tempfile.TemporaryDirectory(prefix="fleetcast-mutate-") as name:
        copy = Path(name) / "copy"
        copy_project(copy)
        print(f"without a bug: {' '.join(ORDER)}", flush=True)
        code, told, took_s = run_tests(copy, None)
        if code != 0:
            print(told, f"\nThe suite fails without a bug (after {took_s:.0f} s): nothing can be said of the bugs.")
            return 1
        print(f"passes, in {took_s:.0f} s\n\n{'bug':<32} {'seconds':>7}  caught by", flush=True)
        verdicts = [_tell(judged(copy, bug)) for bug in bugs]
    caught = sum(verdict.caught_by is not None for verdict in verdicts)
    print(f"\n{caught} of {len(bugs)} caught, within {max(verdict.took_s for verdict in verdicts):.0f} s each")
    return 0 if caught == len(bugs) else 1


def copy_project(copy: Path) -> None:
    """What git knows of the checkout, and what it does not ignore, as it is now."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)


def judged(copy: Path, bug: Patch) -> Verdict:
    """Put a bug into the copy, run the tests, and take it out again."""
    try:
        changed = bug.changed(copy)
    except StaleError as problem:
        return Verdict(bug.name, None, 0.0, str(problem))
    before = {name: (copy / name).read_text() for name in changed}
    for name, text in changed.items():
        (copy / name).write_text(text)
    code, told, took_s = run_tests(copy, LIMIT_S)
    for name, text in before.items():
        (copy / name).write_text(text)
    # 1: tests failed. Anything else says that pytest itself did not get to them, or to the end of them in time.
    failed = re.search(r"^FAILED (\S+)", told, re.MULTILINE) if code == 1 else None
    if failed is None:
        note = {0: "no test failed", None: f"not within {LIMIT_S:.0f} s"}.get(
            code, f"pytest ended with {code}:\n{told}"
        )
        return Verdict(bug.name, None, took_s, note)
    return Verdict(bug.name, failed[1], took_s)


def run_tests(copy: Path, limit_s: float | None) -> tuple[int | None, str, float]:
    """Run the tests in the copy until one fails: exit code (None: time is up), what pytest told, seconds.

    In plain Python: compiling changed sources would take the larger part of the two minutes. No byte code is kept,
    because two bugs in one file within a second would look alike to its cache.
    """
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_DISABLE_JIT": "1"}
    guard = "import sys, pytest, sim; assert sim.__file__.startswith(sys.argv[1]), sim.__file__; "
    command = [sys.executable, "-c", guard + "sys.exit(pytest.main(sys.argv[2:]))", str(copy)]
    options = ["-x", "-rf", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [*command, *options, *ORDER], cwd=copy, env=environment, capture_output=True, text=True, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return None, "", time.monotonic() - begun
    return done.returncode, done.stdout + done.stderr, time.monotonic() - begun


def _tell(verdict: Verdict) -> Verdict:
    print(f"{verdict.bug:<32} {verdict.took_s:7.1f}  {verdict.caught_by or 'NOT CAUGHT: ' + verdict.note}", flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
