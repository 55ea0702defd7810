"""Commands that are killed at random moments: all that write, a hundred times, and a few of them in every suite."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.killed_cases import CASES, Case
from tests.faults.kills import Killing, Point, points

SWEEP = next(case for case in CASES if case.name == "sweep")
STUDY = Case("study", (*SWEEP.words[:-4], "--study", "study"), ("study",))


def test_a_few_kills_are_survived(tmp_path: Path) -> None:
    killing = Killing(tmp_path)
    for point in (Point(STUDY, signal.SIGTERM, 0.6), Point(STUDY, signal.SIGKILL, 0.9)):
        assert killing.survived(point) == ""


@pytest.mark.slow
def test_a_hundred_kills_are_survived(tmp_path: Path) -> None:
    killing = Killing(tmp_path)
    lost = {str(point): wrong for point in points(100, seed=1) if (wrong := killing.survived(point))}
    assert lost == {}


def test_points_are_of_every_case() -> None:
    drawn = points(100, seed=1)
    assert {point.case for point in drawn} == set(CASES)
    assert {point.number for point in drawn} == {signal.SIGKILL, signal.SIGTERM}
    assert drawn == points(100, seed=1)


def test_what_a_half_written_folder_leaves_is_seen(tmp_path: Path) -> None:
    """The check itself: an output that lacks a file, a code that names no signal, two lines instead of one."""
    from tests.faults.kills import Quiet, _half, _wrong_end

    case, here = SWEEP, tmp_path
    (here / "out").mkdir()
    (here / "out" / "sweep.json").write_text("{}")
    quiet = Quiet(1.0, {}, {"out/sweep.json": b"{}", "out/sweep.csv": b""})
    assert _half(here, case, quiet) == "out is half there: ['out/sweep.json']"
    (here / "out" / "sweep.csv").touch()
    assert _half(here, case, quiet) == ""
    assert _wrong_end(signal.SIGTERM, 143, "interrupted\n") == ""
    assert _wrong_end(signal.SIGTERM, 143, "interrupted\ninterrupted\n").startswith("not one line")
    assert _wrong_end(signal.SIGTERM, 1, "error: x").startswith("exit code 1")
    assert _wrong_end(signal.SIGTERM, 143, "Traceback\ninterrupted").startswith("a complaint")
