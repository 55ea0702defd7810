"""Where a scenario may name another file instead of spelling something out, and how such names are resolved.

Two kinds. A *reference* stands for a mapping: a string there is the name of a catalogue file or a path, and is replaced
by the file's content, which keeps its own places for errors; `{from: NAME, ...}` is that content with the other keys
laid over it. A *data path* stays a string (a trace, a table), made absolute. All are relative to the file that names
them; given by `--set` or built in Python, to the current folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sim.config import catalogue
from sim.config.errors import ConfigError, Problem
from sim.config.loader import read_file
from sim.config.tree import Node, Place, dotted, mapping, replaced, sequence
from sim.config.tree import Path as KeyPath

FROM = "from"
_NUMERIC = re.compile(r"\s*[+-]?\.?[0-9]")
_DATA_SUFFIXES = (".csv", ".jsonl", ".parquet", ".gz", ".tsv")


@dataclass(frozen=True)
class Reference:
    """One kind of place where a name or a path may stand for a mapping."""

    at: tuple[str, ...]
    """Keys from the root; `*` is any key, or any entry of a list."""
    folder: str
    """The part of the catalogue that names are looked up in."""
    noun: str
    """As errors call it: `workload`, `GPU`."""
    or_number: bool = False
    """Whether a text that starts as a number does is no name but a quantity (`90s`)."""

    def matches(self, path: KeyPath) -> bool:
        """Whether `path` is such a place."""
        return len(path) == len(self.at) and all(want in ("*", step) for want, step in zip(self.at, path, strict=True))

    def is_quantity(self, text: str) -> bool:
        """Whether a text that could be a name is a quantity instead."""
        return self.or_number and _NUMERIC.match(text) is not None and not catalogue.is_path(text)


def reference_at(path: KeyPath, references: Sequence[Reference]) -> Reference | None:
    """The reference rule for this place, if there is one."""
    return next((reference for reference in references if reference.matches(path)), None)


def resolved(node: Node, path: KeyPath, reference: Reference) -> Node:
    """The content of the file that a string or a `from` refers to; any other node as it is. Raises `ConfigError`."""
    if isinstance(node.value, str):
        if reference.is_quantity(node.value):
            return node
        return read_file(locate(node.value, reference.folder, reference.noun, node.place, path))
    base = node.child(FROM)
    if base is None or not isinstance(node.value, dict):
        return node
    if not isinstance(base.value, str):
        raise ConfigError(base.place.problem(f"must be the name or the path of a {reference.noun}", (*path, FROM)))
    entries = {key: item for key, item in node.value.items() if key != FROM}
    over = mapping(entries, node.place, {key: place for key, place in node.keys.items() if key != FROM})
    return _laid_over(read_file(locate(base.value, reference.folder, reference.noun, base.place, (*path, FROM))), over)


def locate(text: str, folder: str, noun: str, place: Place, path: KeyPath = ()) -> Path:
    """The file that a name or a path means. Raises `ConfigError`, with the nearest name."""
    text = text.strip()
    if text.lower().endswith(_DATA_SUFFIXES):
        remedy = f"; write {noun}: {{trace: {text}}}" if noun == "workload" else ""
        raise ConfigError(place.problem(f"'{text}' is a data file, not a {noun}{remedy}", path))
    if catalogue.is_path(text):
        # os.path rather than pathlib: any text at all may stand here, and these never raise.
        found = os.path.join(base_folder(place), os.path.expanduser(text))
        if not os.path.isfile(found):
            what = "is a folder" if os.path.isdir(found) else "no such file"
            raise ConfigError(place.problem(f"'{text}': {what}", path))
        return Path(found)
    named = catalogue.find(folder, text)
    if named is None:
        beside = os.path.join(base_folder(place), text)
        if os.path.isfile(beside):
            return Path(beside)
        if os.path.isfile(f"{beside}.yaml"):
            raise ConfigError(
                place.problem(f"no {noun} is called '{text}'; did you mean the file '{text}.yaml'?", path)
            )
        known = catalogue.names(folder)
        raise ConfigError(place.problem(f"no {noun} is called '{text}'{catalogue.did_you_mean(text, known)}", path))
    return named


def resolve_all(root: Node, references: Sequence[Reference], problems: list[Problem]) -> Node:
    """The tree with every reference replaced. What cannot be resolved is added to `problems` and left as it is."""
    for reference in references:
        for path in list(_matching(root, reference.at)):
            node = _at(root, path)
            try:
                root = replaced(root, path, resolved(node, path, reference))
            except ConfigError as error:
                # of a file that cannot be read at all: named by the key that refers to it
                problems.extend(replace(problem, path=problem.path or dotted(path)) for problem in error.problems)
    return root


def absolute_data_paths(node: Node, keys: frozenset[str]) -> Node:
    """The tree with the text under each of these keys made an absolute path."""
    if isinstance(node.value, list):
        return sequence([absolute_data_paths(item, keys) for item in node.value], node.place)
    if not isinstance(node.value, dict):
        return node
    entries = {
        key: _absolute(item) if key in keys and isinstance(item.value, str) else absolute_data_paths(item, keys)
        for key, item in node.value.items()
    }
    return mapping(entries, node.place, node.keys)


def base_folder(place: Place) -> Path:
    """The folder that relative paths written at this place start from."""
    return Path(place.file).parent if place.line else Path()


def _laid_over(below: Node, above: Node) -> Node:
    """One mapping over another, key by key. A mapping that names its `kind` is complete and replaces what was there."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict) or "kind" in above.value:
        return above
    entries = dict(below.value)
    for key, item in above.value.items():
        entries[key] = _laid_over(entries[key], item) if key in entries else item
    return mapping(entries, below.place, {**below.keys, **above.keys})


def _absolute(node: Node) -> Node:
    text = str(node.value).strip()
    if not text or "\0" in text:
        return node
    folder, name = os.path.split(os.path.join(base_folder(node.place), os.path.expanduser(text)))
    return Node(os.path.join(os.path.realpath(folder), name), node.place)  # one spelling for one file


def _matching(root: Node, at: Sequence[str], above: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths in the tree that fit a pattern."""
    if not at:
        yield above
    elif isinstance(root.value, dict):
        for key, node in root.value.items():
            if at[0] in ("*", key):
                yield from _matching(node, at[1:], (*above, key))
    elif isinstance(root.value, list) and at[0] == "*":
        for index, node in enumerate(root.value):
            yield from _matching(node, at[1:], (*above, index))


def _at(root: Node, path: KeyPath) -> Node:
    for step in path:
        child = root.child(step)
        assert child is not None, f"no node at {path}"
        root = child
    return root
