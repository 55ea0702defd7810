"""Where a scenario may name another file instead of spelling something out, and how such names are resolved.

Three kinds. A *reference* stands for a mapping: a string there is the name of a catalogue file or a path, and is
replaced by the file's content, which keeps its own places for errors; `{from: NAME, ...}` is that content with the
other keys laid over it. A *foreign* file is in another system's words (`{manifest: hpa.yaml, ...}`): what it means in
ours takes its place, the other keys laid over it. A *data path* stays a string (a trace, a table), made absolute. All
are relative to the file that names them; given by `--set` or built in Python, to the current folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from sim.config import catalogue
from sim.config.errors import ConfigError, Problem
from sim.config.loader import read_file
from sim.config.tree import Node, Place, dotted, mapping, replaced_at, sequence
from sim.config.tree import Path as KeyPath

FROM = "from"
_NUMERIC = re.compile(r"\s*[+-]?\.?[0-9]")
_LOST_MAX, _REFERRING_MAX = 60, 2_000
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

    def is_quantity(self, text: str) -> bool:
        """Whether a text that could be a name is a quantity instead."""
        return self.or_number and _NUMERIC.match(text) is not None and not catalogue.is_path(text)


@dataclass(frozen=True)
class Foreign:
    """One kind of place where a mapping may name a file of another system."""

    at: tuple[str, ...]
    """Keys from the root; `*` is any key."""
    key: str
    """The key that names the file."""
    read: Callable[[Path], Node]
    """What such a file means, as the mapping that could stand there. Raises `ConfigError`."""
    told: tuple[str, ...] = ()
    """Keys that the file alone says, so that none of them may stand beside it."""


AnyReference = Reference | Foreign


def reference_at(path: KeyPath, references: Sequence[AnyReference]) -> AnyReference | None:
    """The reference rule for this place, if there is one."""
    return next((reference for reference in references if _matches(reference.at, path)), None)


def _matches(at: tuple[str, ...], path: KeyPath) -> bool:
    return len(path) == len(at) and all(want in ("*", step) for want, step in zip(at, path, strict=True))


def referring(root: Node, references: Sequence[AnyReference]) -> Iterator[tuple[KeyPath, Node, AnyReference]]:
    """The places of a tree that these rules are about, whether something is referred to there or spelt out."""
    for reference in references:
        for path in _matching(root, reference.at):
            yield path, _at(root, path), reference


def resolved(node: Node, path: KeyPath, reference: AnyReference, read: Callable[[Path], Node] = read_file) -> Node:
    """The content of the file that a node refers to; a node that refers to none as it is. Raises `ConfigError`.

    `read`: as `read_file` does.
    """
    if isinstance(reference, Foreign):
        return _translated(node, path, reference)
    if isinstance(node.value, str):
        if reference.is_quantity(node.value):
            return node
        return read(locate(node.value, reference.folder, reference.noun, node.place, path))
    base = node.child(FROM)
    if base is None or not isinstance(node.value, dict):
        return node
    if not isinstance(base.value, str):
        raise ConfigError(base.place.problem(f"must be the name or the path of a {reference.noun}", (*path, FROM)))
    file = locate(base.value, reference.folder, reference.noun, base.place, (*path, FROM))
    return _laid_over(read(file), _without(node, FROM))


def _translated(node: Node, path: KeyPath, foreign: Foreign) -> Node:
    """What a foreign file means, the keys beside its name laid over it."""
    named = node.child(foreign.key)
    if named is None or not isinstance(node.value, dict):
        return node
    at = (*path, foreign.key)
    if not isinstance(named.value, str):
        raise ConfigError(named.place.problem("must be the path of a file", at))
    for key in foreign.told:
        if key in node.value:
            remedy = f"says nothing beside '{foreign.key}', which tells it; remove one"
            raise ConfigError(node.keys[key].problem(remedy, (*path, key)))
    return _laid_over(foreign.read(_file(named.value.strip(), named.place, at)), _without(node, foreign.key))


def _without(node: Node, key: str) -> Node:
    """A mapping without one of its keys."""
    assert isinstance(node.value, dict)
    entries = {other: item for other, item in node.value.items() if other != key}
    return mapping(entries, node.place, {other: place for other, place in node.keys.items() if other != key})


def locate(text: str, folder: str, noun: str, place: Place, path: KeyPath = ()) -> Path:
    """The file that a name or a path means. Raises `ConfigError`, with the nearest name."""
    text = text.strip()
    if text.lower().endswith(_DATA_SUFFIXES):
        remedy = f"; write {noun}: {{trace: {text}}}" if noun == "workload" else ""
        raise ConfigError(place.problem(f"'{text}' is a data file, not a {noun}{remedy}", path))
    if catalogue.is_path(text):
        return _file(text, place, path)
    named = catalogue.find(folder, text)
    if named is None:
        beside = os.path.join(base_folder(place), text)
        if os.path.isfile(beside):
            return Path(beside)
        if os.path.isfile(f"{beside}.yaml"):
            raise ConfigError(
                place.problem(f"no {noun} is called '{text}'; did you mean the file '{text}.yaml'?", path)
            )
        raise ConfigError(place.problem(f"no {noun} is called '{text}'{catalogue.names_beside(text, folder)}", path))
    return named


def _file(text: str, place: Place, path: KeyPath) -> Path:
    """The file at a path that is written at a place. Raises `ConfigError`."""
    # os.path rather than pathlib: any text at all may stand here, and these never raise.
    found = os.path.join(base_folder(place), os.path.expanduser(text))
    if not os.path.isfile(found):
        what = "is a folder" if os.path.isdir(found) else "no such file"
        raise ConfigError(place.problem(f"'{text}': {what}", path))
    return Path(found)


def resolve_all(
    root: Node, references: Sequence[AnyReference], problems: list[Problem]
) -> tuple[Node, tuple[str, ...]]:
    """The tree with every reference replaced, and the dotted paths of those that cannot be.

    Such are left as they are, with what is wrong added to `problems`.
    """
    lost: list[str] = []
    read = cache(read_file)  # a sheet that many pools name is read once
    for reference in references:
        changes: dict[KeyPath, Node] = {}
        for path in _matching(root, reference.at):
            node = _at(root, path)
            if len(lost) >= _LOST_MAX:  # more are not shown
                lost.append(dotted(path))
                continue
            try:
                found = resolved(node, path, reference, read)
            except ConfigError as error:
                # of a file that cannot be read at all: named by the key that refers to it
                problems.extend(replace(problem, path=problem.path or dotted(path)) for problem in error.problems)
                lost.append(dotted(path))
            else:
                if found is not node:
                    changes[path] = found
                if len(changes) > _REFERRING_MAX:
                    told = f"refers to other files in more than {_REFERRING_MAX:,} places"
                    raise ConfigError(root.place.problem(told))
        root = replaced_at(root, changes)
    return root, tuple(lost)


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
