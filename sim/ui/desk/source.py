"""From what a page says to a scenario, without letting a text that was pasted reach into this machine's files.

A text may name what is in the catalogue, no other file: no sheets, manifests, traces or policies of Python packages. A
stored run and the file that the server was started with are the user's own, and are read like any.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sim.config import catalogue
from sim.config.errors import ConfigError, Problem
from sim.config.loader import parse
from sim.config.references import FROM, Foreign, referring
from sim.config.tree import Node, dotted
from sim.scenario import RULES, Scenario, load
from sim.ui.shelf import Shelf
from sim.ui.wire.asked import Source
from sim.ui.wire.limits import Limits

__all__ = ["Files", "scenario_of"]

_REMEDY = "paste what it holds, or start the page with your file: fleetcast ui FILE"


@dataclass(frozen=True)
class Files:
    """The files that a page may mean beside those of the catalogue."""

    given: str | None = None
    """The scenario that the server was started with: its file, or the name of one that ships."""
    given_sets: tuple[str, ...] = ()
    outputs: Path | None = None
    """The folder below which stored runs are looked for."""
    known: dict[str, Path] = field(default_factory=dict, compare=False)
    """Scenario files that were found there, by their ids."""

    def stored(self, id_: str) -> Path | None:
        """The scenario file of a stored run, by its id."""
        if id_ not in self.known and self.outputs is not None:
            self.known.update(Shelf(self.outputs, Limits().stored).scenarios())
        return self.known.get(id_)

    def version(self, source: Source) -> int:
        """Changes with the user's own file that is meant, if it is one: what was made of an older one is not used."""
        path = self.stored(source.value) if source.kind == "stored" else Path(self.given or "")
        if source.kind not in ("stored", "given") or path is None:
            return 0
        try:
            return path.stat().st_mtime_ns
        except OSError:
            return 0


def scenario_of(source: Source, files: Files, sets: Sequence[str] = ()) -> Scenario:
    """The scenario that is meant, with `KEY=VALUE` changes. Raises `ConfigError` or `DataError`."""
    if source.kind == "given":
        if files.given is None:
            raise ConfigError(Problem("the server was started without a scenario", "source"))
        return load(files.given, (*files.given_sets, *sets))
    if source.kind == "stored":
        path = files.stored(source.value)
        if path is None:
            raise ConfigError(Problem("no stored run has this id; it may have been taken away", "source.value"))
        return load(path, sets)
    if source.kind == "name":
        if catalogue.find(catalogue.SCENARIOS, source.value) is None:
            rest = catalogue.did_you_mean(source.value[:80], catalogue.names(catalogue.SCENARIOS))
            raise ConfigError(Problem(f"no scenario of that name ships{rest}", "source.value"))
        return load(source.value, sets)
    root = parse(source.value, "scenario")
    problems = [*_names_of_files(root), *_data_files(root), *_own_policies(root, ())]
    if problems:
        raise ConfigError(problems)
    return load(root, sets)


def _names_of_files(root: Node) -> Iterator[Problem]:
    """References that lead out of the catalogue."""
    for path, node, reference in referring(root, RULES.references):
        if isinstance(reference, Foreign):
            key = node.child(reference.key)
            if key is not None:
                yield key.place.problem(f"names a file of the server's machine; {_REMEDY}", (*path, reference.key))
            continue
        named = node if isinstance(node.value, str) else node.child(FROM)
        if named is None or not isinstance(named.value, str) or reference.is_quantity(named.value):
            continue
        text = named.value.strip()
        if catalogue.find(reference.folder, text) is None:
            known = catalogue.names(reference.folder)
            rest = f"; {_REMEDY}" if catalogue.is_path(text) else catalogue.did_you_mean(text[:80], known)
            yield named.place.problem(f"no {reference.noun} of that name ships{rest}", path)


def _data_files(root: Node) -> Iterator[Problem]:
    """Traces and tables that are not the catalogue's."""
    for key in RULES.data_paths_under:
        part = root.child(key)
        if part is not None:
            yield from _data_files_in(part, (key,))


def _data_files_in(node: Node, path: tuple[str | int, ...]) -> Iterator[Problem]:
    for step, item in _below(node):
        at = (*path, step)
        if step in RULES.data_path_keys and isinstance(item.value, str):
            found = os.path.realpath(os.path.expanduser(item.value.strip().replace("\0", "")))
            if not Path(found).is_relative_to(catalogue.root().resolve()):
                yield item.place.problem(f"names a file of the server's machine; {_REMEDY}", at)
        else:
            yield from _data_files_in(item, at)


def _own_policies(node: Node, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """Policies that would be imported from a Python package."""
    for step, item in _below(node):
        at = (*path, step)
        if step == "kind" and isinstance(item.value, str) and re.search(r"\w\s*:\s*\w", item.value):
            told = f"'{dotted(at)[:60]}' names Python code of the server's machine; {_REMEDY}"
            yield item.place.problem(told, at)
        yield from _own_policies(item, at)


def _below(node: Node) -> list[tuple[str | int, Node]]:
    if isinstance(node.value, dict):
        return list(node.value.items())
    return list(enumerate(node.value)) if isinstance(node.value, list) else []
