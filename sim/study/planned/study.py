"""The folder of a plan's runs: what it is of (`plan-study.json`), and a journal with a line a run.

Which fleets a plan tries is only known once it has tried others, so the folder is no grid of points as that of a sweep:
it keeps whatever was run, and the same command finds its runs there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.scenario import Scenario
from sim.study.store import locks
from sim.study.store.folder import in_use, put
from sim.study.store.inputs import data_of, libraries
from sim.study.store.journal import Journal, runs_in
from sim.study.store.kept import Kept, Key
from sim.version import VERSION

FILE, JOURNAL = "plan-study.json", "journal.jsonl"


@dataclass
class KeptRuns:
    """The runs of a folder, open to add more."""

    known: dict[Key, Kept]
    journal: Journal | None

    def keep(self, run: Kept) -> None:
        """Keep a run that has just been made."""
        self.known[run.key] = run
        if self.journal is not None and not run.failed:
            self.journal.add(run)


@contextmanager
def kept_runs(folder: Path | None, scenario: Scenario) -> Iterator[KeptRuns]:
    """The runs of a folder, which is made if it is not there; without a folder, none, and they are kept nowhere.

    Raises `ConfigError` for a folder that is in use, or of something else, and `DataError` for a damaged one.
    """
    if folder is None:
        yield KeptRuns({}, None)
        return
    if folder.exists() and not folder.is_dir():
        raise ConfigError(Problem("is a file; name a folder", file=str(folder)))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FILE).exists():
        raise ConfigError(Problem("holds other things and no plan; name another folder", file=str(folder)))
    folder.mkdir(parents=True, exist_ok=True)
    with locks.of(folder) as lock:
        if not lock.alone():
            raise in_use(folder)
        asked = _about(scenario)
        if (folder / FILE).exists():
            _check(_read(folder / FILE), asked, folder)
        else:
            put(folder / FILE, (json.dumps(asked, indent=1) + "\n").encode())
        path = folder / JOURNAL
        known = {run.key: run for run in runs_in(path)} if path.exists() else {}
        journal = Journal(path)
        try:
            yield KeptRuns(known, journal)
        finally:
            journal.close()


def _about(scenario: Scenario) -> dict[str, Any]:
    """What decides the runs beside the text of each."""
    return {
        "format": "fleetcast-plan",
        "version": VERSION,
        "libraries": libraries(),
        "scenario": scenario.name,
        "data_sha256": data_of([scenario]),
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise DataError(Problem("is damaged; delete it, and run the same command", file=str(path))) from None
    if not isinstance(found, dict) or found.get("format") != "fleetcast-plan":
        raise ConfigError(Problem("was not written by fleetcast plan; name another folder", file=str(path)))
    return found


def _check(stored: dict[str, Any], asked: dict[str, Any], folder: Path) -> None:
    """Raise `ConfigError` where its runs would not be made the same now."""
    for key, told in (
        ("version", f"holds runs of fleetcast {stored.get('version')}, this is {VERSION}"),
        ("libraries", "holds runs made with other versions of libraries"),
        ("scenario", f"holds runs of another scenario ({stored.get('scenario')})"),
        ("data_sha256", "holds runs on data files that have changed since"),
    ):
        if stored.get(key) != asked[key]:
            raise ConfigError(Problem(f"{told}; name another folder", file=str(folder)))
