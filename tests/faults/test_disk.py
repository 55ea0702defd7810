"""The disk is full, or refuses: one line with the place and the remedy, and nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from sim.cli import main
from sim.cli.shared.files import write_files, write_folder
from tests.faults.killed_cases import LINE
from tests.studies import REPLICAS, bytes_in

ONE = ("--replications", "1", "--quiet")
SWEEP = ("sweep", "line.yaml", "--over", f"{REPLICAS}=7,8", "--replications", "2", "--quiet", "--study", "study")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.yaml").write_text(yaml.safe_dump({**LINE, "horizon": "20s", "warmup": "0s"}))
    return tmp_path


def fleetcast(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@contextmanager
def room(most_bytes: int) -> Iterator[None]:
    """No file can be longer than this: what a full disk is to whoever writes, C code of other libraries included."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("most_bytes", [0, 5_000, 50_000])
def test_a_run_is_not_there_then(here: Path, most_bytes: int) -> None:
    with room(most_bytes):
        done = fleetcast("run", "line.yaml", *ONE, "--out", "far/out")
    told = "error: cannot write far/out: File too large; nothing was kept; make room, or write elsewhere\n"
    assert (done.exit_code, done.stderr) == (1, told)
    assert names(here) == ["line.yaml"]


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("compare", "line.yaml", "--with", f"{REPLICAS}=9", "--replications", "2", "--out", "out"), "out"),
        (("export", "focus", "line.yaml", "--out", "out.csv"), "out.csv"),
        (("export", "trace", "line.yaml", "--out", "out.json.gz"), "out.json.gz"),
    ],
)
def test_other_files_neither(here: Path, words: tuple[str, ...], file: str) -> None:
    with room(100):
        done = fleetcast(*words, "--quiet")
    assert (done.exit_code, done.stderr) == (1, f"error: {file}: File too large; make room, or write elsewhere\n")
    assert names(here) == ["line.yaml"]


@pytest.mark.parametrize("most_bytes", [400, 12_000])
def test_a_study_goes_on_once_there_is_room(here: Path, most_bytes: int) -> None:
    with room(most_bytes):
        done = fleetcast(*SWEEP)
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: study")
    assert line.endswith(": File too large; make room, or write elsewhere")
    assert fleetcast(*SWEEP).exit_code == 0
    assert fleetcast(*SWEEP[:-1], "quiet").exit_code == 0
    assert bytes_in(here / "study") == bytes_in(here / "quiet")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_what_the_system_refuses_is_told_of_the_file_that_was_named(
    here: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(self))

    for method, words in (("write_bytes", ("import", "log", "log.csv", "--out", "out.yaml")), ("mkdir", SWEEP)):
        (here / "log.csv").write_text("arrival_s,prompt_tokens,output_tokens\n0,10,1\n5,20,2\n")
        with monkeypatch.context() as patched:
            patched.setattr(Path, method, refused)
            done = fleetcast(*words)
        assert done.exit_code == 1
        assert done.stderr.splitlines()[-1].startswith(f"error: {words[-1]}: {os.strerror(number)}")
        assert names(here) == ["line.yaml", "log.csv"]


def test_a_place_that_cannot_be_written_is_told_before_the_work(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "there").mkdir()
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    for words in (("export", "focus", "line.yaml", "--out", "there/a.csv"), ("sweep", *SWEEP[1:-2], "--out", "there")):
        done = fleetcast(*words)
        assert (done.exit_code, done.stderr) == (2, "error: there: cannot be written to; name another place\n")


def test_a_device_is_written_to_and_not_replaced_by_a_file(here: Path) -> None:
    for device, code in (("/dev/null", 0), ("/dev/full", 1)):
        done = fleetcast("export", "focus", "line.yaml", "--out", device)
        assert done.exit_code == code
        assert code == 0 or os.strerror(errno.ENOSPC) in done.stderr
        assert Path(device).is_char_device()


def test_a_link_stays_and_the_file_that_it_leads_to_is_written(here: Path) -> None:
    (here / "far").mkdir()
    (here / "far" / "old.csv").write_text("old")
    (here / "link.csv").symlink_to("far/old.csv")
    (here / "lost.csv").symlink_to("far/new.csv")
    assert fleetcast("export", "focus", "line.yaml", "--out", "link.csv").exit_code == 2, "it is there already"
    assert fleetcast("export", "focus", "line.yaml", "--out", "link.csv", "--force").exit_code == 0
    assert (here / "link.csv").is_symlink()
    assert (here / "far" / "old.csv").read_text() != "old"
    assert fleetcast("export", "focus", "line.yaml", "--out", "lost.csv", "--force").exit_code == 2
    assert names(here / "far") == ["old.csv"]


def test_a_file_that_vanishes_between_a_look_and_the_reading_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fleetcast(*SWEEP).exit_code == 0
    read = Path.read_text

    def gone(self: Path, *arguments: object, **options: object) -> str:
        if self.name == "study.json":  # and nothing else: what libraries read of themselves is no business of ours
            (here / "study" / self.name).unlink(missing_ok=True)
        return read(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", gone)
    done = fleetcast("sweep", "--show", "study")
    told = "error: study/study.json: No such file or directory\n"
    assert (done.exit_code, done.stderr) == (1, told)


# -- several files at once -----------------------------------------------------------------------------------------


def test_several_files_change_together_or_not_at_all(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_files({one: "1", two: b"2"})
    with pytest.raises(OSError, match="File too large"), room(3):
        write_files({one: "new", two: "longer"}, gone=[one])
    assert (one.read_text(), two.read_text()) == ("1", "2")
    write_files({two: "new"}, gone=[one, tmp_path / "never"])
    assert names(tmp_path) == ["two"]


def test_a_folder_comes_whole_and_is_added_to(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(OSError, match="File too large"), room(3):
        write_folder(folder, {"a": "abc", "b": "longer"})
    assert names(tmp_path) == []
    write_folder(folder, {"a": json.dumps(1), "b": "b"})
    (folder / "mine").write_text("kept")
    write_folder(folder, {"a": "2"}, gone=["b"])
    assert {name: (folder / name).read_text() for name in names(folder)} == {"a": "2", "mine": "kept"}
