"""The folder of a study: opened by one process (or one for each shard), read by anybody, whole at any moment."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from sim.config.errors import ConfigError, DataError, Problem, naming
from sim.study.store import design as designs
from sim.study.store import locks, parquet
from sim.study.store.design import Design, joined, read_design
from sim.study.store.journal import Journal, runs_in
from sim.study.store.kept import Kept, Key
from sim.version import VERSION

JOURNALS = "journal*.jsonl"
_WAIT_S, _LOOKS = 0.1, 50
"""Shards that start together wait for the one that writes `study.json`."""
_PART = re.compile(r"\..+\.[0-9a-f]{12}\.part")


class Store:
    """The folder of a study, open to add runs."""

    def __init__(self, folder: Path, design: Design, runs: dict[Key, Kept], journal: str) -> None:
        self.folder = folder
        self.design = design
        self.runs = runs
        """Those that are there, failed ones left out: they are made again."""
        self._name = journal
        self._journal: Journal | None = None

    def add(self, run: Kept) -> None:
        """Keep a run that has just been made."""
        if self._journal is None:
            self._journal = Journal(self.folder / self._name)
        self._journal.add(run)
        self.runs[run.key] = run

    def close(self) -> None:
        """Have all that was added on the disk."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def finish(self) -> None:
        """Make `runs.parquet` of all runs, and take the journals away. Cut off anywhere, nothing is lost."""
        self.close()
        self.design = written(self.folder, self.design, self.runs)
        for path in self.folder.glob(JOURNALS):
            path.unlink()


def written(folder: Path, design: Design, runs: Mapping[Key, Kept]) -> Design:
    """Write `runs.parquet`, then `study.json` with its digest."""
    by_digest: dict[str, list[Kept]] = {}
    for key in sorted(runs):
        by_digest.setdefault(key[0], []).append(runs[key])
    rows = [(place, run) for place, of in enumerate(design.places) for run in by_digest.get(of.digest, ())]
    data = parquet.bytes_of(design.places, rows)
    found = replace(design, runs_sha256=hashlib.sha256(data).hexdigest())
    put(folder / parquet.FILE, data)
    put(folder / designs.FILE, found.text().encode())
    return found


def read(folder: Path) -> tuple[Design, dict[Key, Kept]]:
    """What a folder holds now, also while others add to it. Raises `ConfigError` and `DataError`."""
    path = folder / designs.FILE
    if not path.is_file():
        raise ConfigError(Problem("holds no study (a folder that `fleetcast sweep --study` made)", file=str(folder)))
    while True:
        design = read_design(path)
        try:
            return design, _runs(folder, design.runs_sha256)
        except (DataError, FileNotFoundError):
            if read_design(path) == design:  # else it was finished just now, and its journals are gone
                raise


@contextmanager
def opened(folder: Path, asked: Design, has_rule: bool = True, shard: str = "") -> Iterator[Store]:
    """The folder of a study for adding to it; made if it is not there, and added to what it holds (see `joined`).

    `has_rule` False: how many replications is as the folder has it, where it has a study. `shard`, such as `2-of-4`:
    others may work in the same folder. Raises `ConfigError` for a folder that is in use, or of something else, and
    `DataError` for a damaged one.
    """
    _check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"journal-{shard}.jsonl" if shard else "journal.jsonl"
    with ExitStack() as held:
        lock = held.enter_context(locks.of(folder))
        if shard:
            own = held.enter_context(locks.of_file(folder / name))
            if not own.alone():
                raise in_use(folder / name)
            design = _shared(folder, lock, lambda: _designed(folder, asked, has_rule))
        else:
            if not lock.alone():
                raise in_use(folder)
            clear(folder)
            design, is_new = _designed(folder, asked, has_rule)
            if is_new:
                put(folder / designs.FILE, design.text().encode())
        digests = {place.digest for place in design.places}
        found = _runs(folder, design.runs_sha256)
        known = {key: run for key, run in found.items() if not run.failed and key[0] in digests}
        store = Store(folder, design, known, name)
        try:
            yield store
        finally:
            store.close()


def _shared(folder: Path, lock: locks.Lock, designed: Callable[[], tuple[Design, bool]]) -> Design:
    """What a folder that several shards work in is to hold; one of them writes it, while no other is at work."""
    for _ in range(_LOOKS):
        if lock.together():
            design, is_new = designed()
            if not is_new:
                return design
            if lock.alone():
                design, is_new = designed()
                if is_new:
                    put(folder / designs.FILE, design.text().encode())
                continue  # to hold it together with the others again
        time.sleep(_WAIT_S)
    raise in_use(folder)


def _designed(folder: Path, asked: Design, has_rule: bool) -> tuple[Design, bool]:
    """What the folder is to hold, and whether that is other than what it says now."""
    path = folder / designs.FILE
    if not path.exists():
        return asked, True
    stored = read_design(path)
    if stored.version != VERSION:
        told = f"holds a study made by fleetcast {stored.version}, this is {VERSION}: name another folder"
        raise ConfigError(Problem(told, file=str(folder)))
    if stored.libraries != asked.libraries:
        then, now = _versions(stored, asked), _versions(asked, stored)
        told = f"holds a study made with {then or 'other libraries'}, here is {now}: name another folder"
        raise ConfigError(Problem(told, file=str(folder)))
    asked = asked if has_rule else replace(asked, rule=stored.rule)
    found = joined(stored, asked, str(folder))
    return found, found != stored


def _versions(one: Design, other: Design) -> str:
    """The libraries of one that the other has in another version."""
    return ", ".join(
        f"{name} {version}" for name, version in one.libraries.items() if other.libraries.get(name) != version
    )


def _runs(folder: Path, sha256: str | None) -> dict[Key, Kept]:
    """All runs of a folder, by scenario and replication."""
    journals = sorted(folder.glob(JOURNALS))
    found: list[Iterable[Kept]] = []
    path = folder / parquet.FILE
    if path.exists():
        try:
            found.append(parquet.runs_of(path, sha256))
        except DataError:
            if not journals:
                raise
            # written just before the end came, its digest was not: then it can be read, and the journals are there
            found.append(parquet.runs_of(path, None))
    for journal in journals:
        found.append(runs_in(journal))
    return together(found, str(folder))


def together(parts: Iterable[Iterable[Kept]], file: str) -> dict[Key, Kept]:
    """Runs from several places by their keys. Raises `DataError` where two disagree on one."""
    found: dict[Key, Kept] = {}
    for part in parts:
        for run in part:
            other = found.get(run.key)
            if other is None or other.failed:
                found[run.key] = run
            elif not run.failed and other.text != run.text:
                told = f"scenario {run.key[0][:12]}, replication {run.key[1]} is there twice and not the same; made by "
                raise DataError(Problem(f"{told}different versions of some library? delete one of them", file=file))
    return found


def _check(folder: Path) -> None:
    """Raise `ConfigError` for a place where no study can be."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(Problem("is a file; name a folder", file=str(folder)))
    names = {path.name for path in folder.iterdir() if not is_part(path)} if folder.is_dir() else set()
    if names and designs.FILE not in names and parquet.FILE not in names and not any(folder.glob(JOURNALS)):
        raise ConfigError(Problem("holds other things and no study; name another folder", file=str(folder)))


def is_part(path: Path) -> bool:
    """Whether this is what `put` had begun when its process was killed."""
    return _PART.fullmatch(path.name) is not None


def clear(folder: Path) -> None:
    """Take away what processes that were killed had begun; only while no other is at work in the folder."""
    for path in folder.iterdir():
        if is_part(path):
            path.unlink(missing_ok=True)


def put(path: Path, data: bytes) -> None:
    """The file with this content, or as it was."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        with naming(path), beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Have the names of its files on the disk: a power cut must not bring back what journals are gone for."""
    if os.name == "nt":
        return  # there folders cannot be opened
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def in_use(path: Path) -> ConfigError:
    return ConfigError(Problem("is in use by another fleetcast; wait for it, or name another folder", file=str(path)))
