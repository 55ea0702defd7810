"""The folder of a tuning: what was tuned, and every run, so that the same command goes on where it was stopped.

The search is the same every time, so all that is kept is its runs: whatever it asks for that is there is not run again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.study.store import Kept, locks
from sim.study.store.inputs import data_of, libraries
from sim.study.store.journal import Journal, runs_in
from sim.study.store.kept import Key
from sim.study.tuned.space import Candidate
from sim.version import VERSION

FILE, JOURNAL = "tuning.json", "journal.jsonl"
FORMAT = "fleetcast-tuning"


class Folder:
    """The runs of a folder, open to add more."""

    def __init__(self, path: Path, known: dict[Key, Kept]) -> None:
        self.known = known
        self._path = path
        self._journal: Journal | None = None

    def add(self, run: Kept) -> None:
        """Keep a run that has just been made."""
        if self._journal is None:
            self._journal = Journal(self._path / JOURNAL)
        self._journal.add(run)

    def close(self) -> None:
        """Have all that was added on the disk."""
        if self._journal is not None:
            self._journal.close()


@contextmanager
def opened(path: Path, base: Candidate) -> Iterator[Folder]:
    """The folder of a tuning of this scenario; made if it is not there.

    Raises `ConfigError` for a folder of something else, or in use, and `DataError` for a damaged one.
    """
    if path.exists() and not path.is_dir():
        raise ConfigError(Problem("is a file; name a folder", file=str(path)))
    path.mkdir(parents=True, exist_ok=True)
    with locks.of(path) as lock:
        if not lock.alone():
            raise ConfigError(Problem("is in use by another fleetcast; name another folder", file=str(path)))
        about = _about(base)
        if (path / FILE).exists():
            _check(path / FILE, about)
        elif any(path.iterdir()):
            raise ConfigError(Problem("holds other things and no tuning; name another folder", file=str(path)))
        else:
            beside = path / f".{FILE}.{os.getpid()}.part"
            beside.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            beside.replace(path / FILE)
        there = runs_in(path / JOURNAL) if (path / JOURNAL).exists() else []
        folder = Folder(path, {run.key: run for run in there if not run.failed})
        try:
            yield folder
        finally:
            folder.close()


def _about(base: Candidate) -> dict[str, Any]:
    """What decides the runs of a folder."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "libraries": libraries(),
        "base_sha256": base.digest,
        "data_sha256": data_of([base.scenario]),
    }


def _check(file: Path, about: dict[str, Any]) -> None:
    """Raise for a folder whose runs are not of this scenario, or were made otherwise."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise DataError(Problem("is damaged; delete it, and name another folder", file=str(file))) from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ConfigError(Problem("was not written by fleetcast tune; name another folder", file=str(file)))
    told = {
        "version": f"holds a tuning by fleetcast {found.get('version')}, this is {VERSION}",
        "libraries": "holds a tuning made with other versions of libraries",
        "base_sha256": "holds a tuning of another scenario, or the scenario or --set has changed since",
        "data_sha256": "holds a tuning on a data file that has changed since",
    }
    for key, words in told.items():
        if found.get(key) != about[key]:
            raise ConfigError(Problem(f"{words}; name another folder", file=str(file.parent)))
