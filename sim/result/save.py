"""The folder of a run: where it goes, what is in it, and that it is there whole or not at all."""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.config.errors import ConfigError
from sim.result import files
from sim.result.frames import ROWS_GONE
from sim.result.provenance import software, version

if TYPE_CHECKING:
    from sim.result.result import Result
    from sim.scenario import Scenario

REQUESTS_BY_DEFAULT = 2_000_000
"""Up to so many requests, `requests.parquet` is written without asking."""

MANIFEST = "manifest.json"
_STOPPING = (signal.SIGINT, signal.SIGTERM)

FORMAT = "fleetcast-run"
"""Marks a manifest as ours: only a folder that has it is ever replaced."""


def default_folder(scenario: Scenario) -> Path:
    """`outputs/<name>-<digest>` below the current directory: the same scenario, the same folder."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", scenario.name).strip("-.")[:80] or "run"
    return Path("outputs") / f"{slug}-{scenario.digest[:12]}"


Marker = tuple[str, str]
"""A file and what stands at its beginning: only a folder in which that is so is ever replaced."""
OF_RUNS: Marker = (MANIFEST, f'"{FORMAT}"')


def check_folder(folder: Path, replace: bool, marker: Marker = OF_RUNS) -> None:
    """Refuse a folder that cannot be written or would cost somebody their files. Raises ConfigError with the remedy."""
    if os.path.lexists(folder):
        if not replace:
            raise ConfigError(f"{folder}: exists already; choose another --out, or add --force to replace it")
        if not _is_ours(folder, marker):
            raise ConfigError(
                f"{folder}: exists and was not written by fleetcast, so it is not replaced; choose another --out"
            )
    parent = folder.absolute().parent
    while not os.path.lexists(parent):
        parent = parent.parent
    if not parent.is_dir():
        raise ConfigError(f"{folder}: cannot be made, because {parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: cannot be made, because {parent} cannot be written to")


def save(
    result: Result,
    folder: str | Path | None = None,
    *,
    requests: bool | Path | None = None,
    force: bool = False,
    report: Callable[[Result], str] | None = None,
    command: Sequence[str] = (),
) -> Path:
    """Write a result's folder; see `Result.save`."""
    target = default_folder(result.scenario) if folder is None else Path(folder)
    replace = force or folder is None
    check_folder(target, replace)
    if requests is None:
        requests = result.log.tally is None and result.log.count <= REQUESTS_BY_DEFAULT
    if requests is True and result.log.tally is not None:
        raise ConfigError(ROWS_GONE)
    try:
        with whole_or_absent(target, replace) as draft:
            _write_files(draft, result, requests, report)
            files.write_text(draft / MANIFEST, files.json_text(_manifest(draft, result, command)))
    except OSError as error:
        raise OSError(error.errno, f"cannot write {target}: {error.strerror or error}; nothing was kept") from error
    return target


def _write_files(draft: Path, result: Result, requests: bool | Path, report: Callable[[Result], str] | None) -> None:
    files.write_text(draft / "scenario.yaml", result.scenario.to_yaml())
    files.write_text(draft / "summary.json", files.json_text(result.summary()))
    files.write_timeline(draft / "timeline.csv", result.columns)
    files.write_decisions(draft / "decisions.csv", result.log)
    files.write_replicas(draft / "replicas.csv", result.log, list(result.scenario.pools.values()))
    if isinstance(requests, Path):
        requests.rename(draft / "requests.parquet")
    elif requests:
        files.write_requests(draft / "requests.parquet", result.log)
    for name, text in ({} if result.together is None else result.together.files).items():
        files.write_text(draft / name, text)
    if report is not None:
        files.write_text(draft / "report.html", report(result))


def _manifest(draft: Path, result: Result, command: Sequence[str]) -> dict[str, Any]:
    """What made this folder and what is in it; nothing that tells the machine or the user."""
    log = result.log
    together = {} if result.together is None else result.together.summary
    several = {"replications": together["replications"]} if "replications" in together else {}
    return {
        "format": FORMAT,
        "schema_version": 1,
        "name": result.scenario.name,
        "seed": result.scenario.seed,
        "config_sha256": result.scenario.digest,
        "calendar": log.calendar,
        "version": version(),
        "software": software(),
        "command": list(command),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **several,
        "requests": log.count,
        "preemptions": log.preemptions,
        "notes": list(log.notes),
        "files": {path.name: _fingerprint(path) for path in sorted(draft.iterdir())},
    }


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _is_ours(folder: Path, marker: Marker) -> bool:
    """Whether this is a folder that fleetcast wrote (a link to one is not: it is somebody's arrangement)."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    path = folder / marker[0]
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return marker[1] in file.read(1000).decode(errors="replace")
    except OSError:
        return False


@contextmanager
def whole_or_absent(target: Path, replace: bool, marker: Marker = OF_RUNS) -> Iterator[Path]:
    """A draft folder beside the target that becomes the target at the end, or vanishes if anything goes wrong."""
    target = target.absolute()
    made: list[Path] = []
    # A name nobody else has: in containers, process numbers repeat.
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.draft")
    try:
        make_parents(target.parent, made)
        draft.mkdir()
        yield draft
        with uninterrupted():
            _put_in_place(draft, target, replace, marker)
    except BaseException:
        with uninterrupted():
            shutil.rmtree(draft, ignore_errors=True)
            for parent in reversed(made):
                remove_if_empty(parent)
        raise


def _put_in_place(draft: Path, target: Path, replace: bool, marker: Marker) -> None:
    """Rename the draft to the target. An older target steps aside first, and comes back if the renaming fails."""
    if not os.path.lexists(target):
        draft.rename(target)
        return
    if not (replace and _is_ours(target, marker)):  # somebody made it while we were running
        raise ConfigError(f"{target}: exists already; choose another --out, or add --force to replace it")
    aside = draft.with_suffix(".old")
    target.rename(aside)
    try:
        draft.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def make_parents(folder: Path, made: list[Path]) -> None:
    """Make the folder and its parents, noting each in `made`, so that a failure can take them away again."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        made.append(parent)


def remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM for the few renames and removals that must not be cut in two."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])  # now; whoever handles it decides what it means
