"""The folder of the runs of a search (a plan, a tuning): what it is of, and a journal with a line a run.

Which runs a search makes is only known once it has seen others, so the folder is no grid of points as that of a sweep:
it keeps whatever was run, and the same command finds its runs there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.scenario import Scenario
from sim.study.store import locks
from sim.study.store.folder import clear, in_use, is_part, put
from sim.study.store.inputs import data_of, libraries
from sim.study.store.journal import Journal, runs_in
from sim.study.store.kept import Kept, Key
from sim.version import VERSION

JOURNAL = "journal.jsonl"


@dataclass
class KeptRuns:
    """Runs that are known, open to add more; in a folder where there is a journal, else for as long as this is."""

    known: dict[Key, Kept] = field(default_factory=dict)
    journal: Journal | None = None

    def keep(self, run: Kept) -> None:
        """Keep a run that has just been made; one that has failed is made again another time."""
        self.known[run.key] = run
        if self.journal is not None and not run.failed:
            self.journal.add(run)


@dataclass(frozen=True)
class About:
    """What a folder is of."""

    command: str
    """That makes it."""
    noun: str
    """What it makes."""
    file: str
    """In which this stands."""
    key: str
    """Under which it says which scenario it is of."""
    value: str
    another: str
    """What is told of another scenario, `{}` in it the value of that."""

    def plain(self, scenario: Scenario) -> dict[str, Any]:
        """The file: what decides the runs beside the text of each."""
        return {
            "format": f"fleetcast-{self.noun}",
            "version": VERSION,
            "libraries": libraries(),
            self.key: self.value,
            "data_sha256": data_of([scenario]),
        }


@contextmanager
def kept_in(folder: Path | None, about: About, scenario: Scenario) -> Iterator[KeptRuns]:
    """The runs of a folder, which is made if it is not there; without a folder, none, and they are kept nowhere.

    Raises `ConfigError` for a folder that is in use, or of something else, and `DataError` for a damaged one.
    """
    if folder is None:
        yield KeptRuns()
        return
    if folder.exists() and not folder.is_dir():
        raise ConfigError(Problem("is a file; name a folder", file=str(folder)))
    folder.mkdir(parents=True, exist_ok=True)
    with locks.of(folder) as lock:
        if not lock.alone():
            raise in_use(folder)
        file, path, asked = folder / about.file, folder / JOURNAL, about.plain(scenario)
        if file.exists():
            _check(file, about, asked)
        elif not all(map(is_part, folder.iterdir())):
            raise ConfigError(Problem(f"holds other things and no {about.noun}; name another folder", file=str(folder)))
        else:
            put(file, (json.dumps(asked, indent=1) + "\n").encode())
        clear(folder)
        known = {run.key: run for run in runs_in(path) if not run.failed} if path.exists() else {}
        journal = Journal(path)
        try:
            yield KeptRuns(known, journal)
        finally:
            journal.close()


def _check(file: Path, about: About, asked: dict[str, Any]) -> None:
    """Raise for a folder whose runs would not be made the same now."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise DataError(Problem("is damaged; name another folder", file=str(file))) from None
    if not isinstance(found, dict) or found.get("format") != asked["format"]:
        told = f"was not written by fleetcast {about.command}; name another folder"
        raise ConfigError(Problem(told, file=str(file)))
    for key, told in (
        ("version", f"holds runs of fleetcast {found.get('version')}, this is {VERSION}"),
        ("libraries", "holds runs made with other versions of libraries"),
        (about.key, f"holds runs of {about.another.format(found.get(about.key))}"),
        ("data_sha256", "holds runs on data files that have changed since"),
    ):
        if found.get(key) != asked[key]:
            raise ConfigError(Problem(f"{told}; name another folder", file=str(file.parent)))
