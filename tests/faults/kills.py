"""Every verb that writes, killed at moments drawn at random: `python -m tests.faults.kills --points 100`.

After each kill what the command makes is there whole, as it was before, or not at all (a study: with the runs it has);
nobody outlives it. Then the same command is called again, and the bytes are those of one that was left in peace.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.killed_cases import CASES, Case, found_in, litter, prepared, started
from tests.killing import gone

STUDIES = ("study",)
"""Folders that grow as runs end; all others are there whole or not at all."""
ALREADY = "is already there", "exists already"


@dataclass(frozen=True)
class Quiet:
    """A command that is left in peace."""

    took_s: float
    before: dict[str, bytes]
    after: dict[str, bytes]


@dataclass(frozen=True)
class Point:
    """A kill: of which command, when, and by which signal."""

    case: Case
    number: signal.Signals
    at_share: float

    def __str__(self) -> str:
        return f"{self.case.name}, {self.number.name} at {self.at_share:.1%}"


def points(count: int, seed: int, cases: Sequence[Case] = CASES) -> list[Point]:
    """All cases in turn (long ones every third time), at random moments; a little beyond the end, too."""
    draw = random.Random(seed)
    turns = (case for turn in itertools.count() for case in cases if turn % 3 == 2 or not case.is_long)
    signals = (signal.SIGKILL, signal.SIGTERM)
    return [Point(next(turns), draw.choice(signals), draw.uniform(0, 1.03)) for _ in range(count)]


class Killing:
    """The kills, in a folder for all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._quiet: dict[str, Quiet] = {}

    def survived(self, point: Point) -> str:
        """What is wrong after this kill; nothing: it was survived."""
        case, quiet = point.case, self.quiet(point.case)
        here = self.folder / "here"
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(self.folder / _slug(case) / "before", here)
        process = started(case, here)
        time.sleep(point.at_share * quiet.took_s)
        process.send_signal(point.number)
        said = process.communicate(timeout=120)[1]
        gone(process.pid)
        wrong = _wrong_end(point.number, process.returncode, said) or _half(here, case, quiet)
        if not wrong and point.number is signal.SIGTERM and process.returncode == 143 and litter(here):
            wrong = f"left {litter(here)}"
        if wrong:
            return wrong
        process = started(case, here)
        said = process.communicate(timeout=600)[1]
        if process.returncode != 0 and not (any(word in said for word in ALREADY) and process.returncode == 2):
            return f"the second time: exit code {process.returncode}: {said}"
        found = found_in(here, case)
        other = sorted(path for path in quiet.after.keys() | found.keys() if quiet.after.get(path) != found.get(path))
        return f"the second time, not the same: {_differing(other, quiet.after, found)}; {said}" if other else ""

    def quiet(self, case: Case) -> Quiet:
        """The command without a kill; made once."""
        if case.name not in self._quiet:
            before, after = self.folder / _slug(case) / "before", self.folder / _slug(case) / "after"
            before.parent.mkdir()
            prepared(case, before)
            shutil.copytree(before, after)
            began = time.monotonic()
            process = started(case, after)
            said = process.communicate(timeout=600)[1]
            assert process.returncode == 0, f"{case.name}: {said}"
            took_s = time.monotonic() - began
            assert not litter(after), litter(after)
            self._quiet[case.name] = Quiet(took_s, found_in(before, case), found_in(after, case))
            assert self._quiet[case.name].after, case.name
        return self._quiet[case.name]


def _half(folder: Path, case: Case, quiet: Quiet) -> str:
    """What is neither whole, nor as before, nor absent."""
    found = found_in(folder, case)
    for name in case.makes:
        if name in STUDIES:
            continue  # that it goes on is seen the second time
        parts = [{path: of[path] for path in of if Path(path).parts[0] == name} for of in (found, quiet.before)]
        whole = {path: quiet.after[path] for path in quiet.after if Path(path).parts[0] == name}
        if parts[0] not in (parts[1], whole):
            return f"{name} is half there: {sorted(parts[0])}"
    return ""


def _wrong_end(number: int, code: int, said: str) -> str:
    """A signal that is told of in one line, and a code that says which it was."""
    if "Traceback" in said or "Exception ignored" in said or "bug in fleetcast" in said:
        return f"a complaint: {said}"
    if code not in (0, -number, 128 + number):  # before the command listens, Python itself is ended by the signal
        return f"exit code {code}: {said}"
    lines = said.splitlines()
    if code == 143 and lines.count("interrupted") != 1:
        return f"not one line: {said}"
    return ""


def _differing(paths: list[str], one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Where files first differ, and how."""
    told = []
    for path in paths:
        mine, theirs = one.get(path, b""), other.get(path, b"")
        place = next((k for k, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]), 0)
        told.append(f"{path} at {place}: {mine[place - 40 : place + 40]!r} and {theirs[place - 40 : place + 40]!r}")
    return told


def _slug(case: Case) -> str:
    return case.name.replace(" ", "-").replace(",", "")


def main() -> int:
    """Make so many kills, say what was not survived, and how many were."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--points", type=int, default=100)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", help="Cases whose name begins so.")
    options = asked.parse_args()
    cases = [case for case in CASES if case.name.startswith(options.only or "")]
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        killing = Killing(Path(folder))
        for place, point in enumerate(points(options.points, options.seed, cases), start=1):
            wrong = killing.survived(point)
            survived += not wrong
            print(f"{place}: {point}: {wrong or 'survived'}", flush=True)
    print(f"{survived} of {options.points} kill points survived")
    return 0 if survived == options.points else 1


if __name__ == "__main__":
    raise SystemExit(main())
