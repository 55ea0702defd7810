"""The folder of a run: whole or absent, never somebody else's, and safe to open."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import math
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sim.config.errors import ConfigError
from sim.result import DecisionRow, Result, files, save
from tests.made_logs import log, queue_log, requests, scenario

ROWS = (
    {"arrival_s": 1.0, "start_s": 1.0, "first_token_s": 2.0, "finish_s": 3.0, "replica": 1, "pool": 1},
    {"arrival_s": 2.0, "outcome": "rejected", "replica": -1},
)
POOLS: dict[str, dict[str, Any]] = {"a": {}, "b": {}}


@pytest.fixture
def result() -> Result:
    spans = [(0, 0, 0.0, math.inf), (1, 0, 0.0, math.inf)]
    decisions = (DecisionRow(0.0, "a", 0, 1, '=HYPERLINK("http://x")'), DecisionRow(0.0, "b", 0, 1, "fixed, at 1"))
    made = log(requests(*ROWS), [0.0, 4.0, 8.0, 10.0], spans, pools=tuple(POOLS), decisions=decisions)
    return Result(scenario(POOLS, name="a / b: c"), made)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_manifest_tells_what_is_there(here: Path, result: Result) -> None:
    folder = result.save(command=["fleetcast", "run", "x"])
    assert folder == Path("outputs") / f"a-b-c-{result.scenario.digest[:12]}"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == set(names(folder)) - {"manifest.json"}
    for name, told in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert told == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert manifest["command"] == ["fleetcast", "run", "x"]
    assert manifest["requests"] == 2
    assert folder.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_rows_say_null_for_what_never_happened(here: Path, result: Result) -> None:
    rows = pd.read_parquet(result.save("run") / "requests.parquet")
    assert rows["outcome"].tolist() == ["completed", "rejected"]
    assert rows["pool"].tolist() == ["b", "a"]
    assert rows["replica"].isna().tolist() == [False, True]
    assert rows["replica"][0] == 0, "counted within its pool"
    for name in ("start_s", "first_token_s", "finish_s"):
        assert rows[name].isna().tolist() == [False, True], name
    frame = result.requests
    assert list(frame.columns) == list(rows.columns)
    assert frame["outcome"].tolist() == rows["outcome"].tolist()


def test_a_cell_is_never_a_formula_and_never_nan(here: Path, result: Result) -> None:
    folder = result.save("run")
    with (folder / "decisions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["reason"] == '\'=HYPERLINK("http://x")'
    assert rows[1]["reason"] == "fixed, at 1"
    with (folder / "timeline.csv").open(newline="") as file:
        bins = list(csv.DictReader(file))
    assert [row["arrivals"] for row in bins] == ["2", "0", "0"]
    assert bins[1]["ttft_s_p50"] == "", "nobody came"
    assert "nan" not in (folder / "timeline.csv").read_text()
    for start in "=+-@\t\r\n＝":
        assert files.cell(f"{start}a") == f"'{start}a"
    for formula in ("=1", "@1", "-1+1", "+1-A1", "-1e", "--1"):
        assert files.cell(formula) == f"'{formula}"
    for number in (-1.5, "-1.5", "+2", "-1e-3", "-7"):
        assert files.cell(number) == number, "a number stays one"


def test_many_rows_are_written_in_groups_and_all_of_them(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROW_GROUP", 300)
    made = Result(scenario(horizon_s=100.0), queue_log(1000, 100.0, 10, servers=3))
    rows = pd.read_parquet(made.save("run") / "requests.parquet")
    assert rows["request"].tolist() == list(range(1000))
    np.testing.assert_array_equal(rows["arrival_s"], made.log.requests["arrival_s"])
    np.testing.assert_array_equal(rows["finish_s"], made.log.requests["finish_s"])


def test_rows_by_default_up_to_a_size_and_beyond_it_on_request(
    here: Path, result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(save, "REQUESTS_BY_DEFAULT", 1)
    assert "requests.parquet" not in names(result.save("one"))
    assert "requests.parquet" in names(result.save("two", requests=True))
    monkeypatch.setattr(save, "REQUESTS_BY_DEFAULT", 2)
    assert "requests.parquet" in names(result.save("three"))
    assert "requests.parquet" not in names(result.save("four", requests=False))


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()]
)
def test_a_report_that_fails_leaves_nothing(here: Path, result: Result, fault: BaseException) -> None:
    def report(_: Result) -> str:
        raise fault

    with pytest.raises(type(fault)):
        result.save("far/away/run", report=report)
    assert names(here) == []


def test_an_older_run_survives_a_newer_one_that_fails(
    here: Path, result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = result.save("run")
    before = {name: (folder / name).read_bytes() for name in names(folder)}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_requests", full)
        with pytest.raises(OSError, match="No space left on device; nothing was kept"):
            result.save("run", force=True)
    renaming = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.suffix == ".draft":
            raise OSError(errno.EACCES, "Permission denied")
        return renaming(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        with pytest.raises(OSError, match="Permission denied"):
            result.save("run", force=True)
    assert names(here) == ["run"]
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_a_folder_made_while_we_were_running_is_not_ours_to_replace(here: Path, result: Result) -> None:
    def report(_: Result) -> str:
        (here / "run").mkdir()
        (here / "run" / "notes.txt").write_text("mine")
        return ""

    with pytest.raises(ConfigError, match="exists already"):
        result.save("run", force=True, report=report)
    assert names(here) == ["run"]
    assert names(here / "run") == ["notes.txt"]


def test_folders_that_cannot_be_used(here: Path, result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "file").write_text("x")
    ours = result.save("ours")
    (here / "link").symlink_to(ours)
    (here / "dangling").symlink_to("nowhere")
    cases = [
        ("file", False, "exists already; choose another --out, or add --force"),
        ("file", True, "was not written by fleetcast"),
        ("link", True, "was not written by fleetcast"),
        ("dangling", False, "exists already"),
        ("file/below", False, "is not a folder"),
        ("file/far/below", True, "is not a folder"),
    ]
    for folder, force, said in cases:
        with pytest.raises(ConfigError, match=said):
            result.save(folder, force=force)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may write anywhere
    with pytest.raises(ConfigError, match="cannot be written to"):
        result.save("new")
    assert names(here) == ["dangling", "file", "link", "ours"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_last_step_waits_until_the_folder_is_there(
    here: Path, result: Result, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    renaming = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        signal.raise_signal(number)
        return renaming(self, target)

    before = signal.signal(number, signal.default_int_handler)
    try:
        monkeypatch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            result.save("run")
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert names(here) == ["run"], "renamed before anybody was told"


def test_a_result_is_saved_from_any_thread(here: Path, result: Result) -> None:
    thread = threading.Thread(target=result.save, args=("run",))
    thread.start()
    thread.join()
    assert "manifest.json" in names(here / "run")
