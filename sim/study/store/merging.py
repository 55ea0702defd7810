"""Parts of a study, made by processes that knew nothing of each other, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sim.config.errors import ConfigError, DataError, Problem
from sim.study.store.damage import damage_told
from sim.study.store.design import Design
from sim.study.store.folder import opened, read, together
from sim.study.store.kept import Kept, Key
from sim.study.swept.campaign import Looking

_NAMED = 8
"""Points whose missing runs are named one by one."""


def merge(folders: Sequence[Path], out: Path) -> tuple[Design, dict[Key, Kept]]:
    """Write the whole study of several folders, which may be one that several shards have worked in, to another.

    Raises `ConfigError` for folders of different studies, and `DataError` where two disagree on a run, or runs are
    missing; nothing is written then.
    """
    parts = [read(folder) for folder in folders]
    design = parts[0][0]
    for folder, (other, _) in zip(folders[1:], parts[1:], strict=True):
        if _what(other) != _what(design):
            told = (
                f"holds another study than {folders[0]}: all parts must be made by one command, "
                "of the same data files, with the same software"
            )
            raise ConfigError(Problem(told, file=str(folder)))
    runs = together([of.values() for _, of in parts], ", ".join(map(str, folders)))
    with damage_told(", ".join(map(str, folders))):
        missing = missing_runs(design, runs)
    if missing:
        raise DataError(f"runs are missing, so nothing was written: {missing}; run their shards again")
    with opened(out, design) as store:
        for key in sorted(runs.keys() - store.runs.keys()):
            store.add(runs[key])
        together([runs.values(), store.runs.values()], str(out))
        store.finish()
        return store.design, store.runs


def _what(design: Design) -> tuple[object, ...]:
    """What all parts must have in common."""
    return design.places, design.rule, design.version, design.libraries, sorted(design.data.values())


def missing_runs(design: Design, runs: Mapping[Key, Kept]) -> str:
    """The runs that are not there, in words; nothing: all are."""
    lacking = {}
    for place in design.places:
        missing = Looking(place.digest, design.rule).missing(runs)
        if missing:
            lacking[place.told] = missing
    named = [f"{told}: {'replications' if len(of) > 1 else 'replication'} {_few(of)}" for told, of in lacking.items()]
    more = f"; and of {len(named) - _NAMED:,} more points" if len(named) > _NAMED else ""
    return "; ".join(named[:_NAMED]) + more


def _few(replications: Sequence[int]) -> str:
    shown = ", ".join(map(str, replications[:_NAMED]))
    return shown if len(replications) <= _NAMED else f"{shown} and {len(replications) - _NAMED:,} more"
