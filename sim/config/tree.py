"""A settings file in memory: a tree of plain values in which every value remembers where it was written.

Trees are never changed in place, so a part may stand in several places (YAML aliases, one file referred to twice).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from numbers import Integral, Real
from typing import Any

from sim.config.errors import ConfigError, Problem

Path = tuple[str | int, ...]
"""Keys and list indices from the root down."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
"""All but tab, line feed, carriage return and next line, which YAML has as white space."""
NODES_MAX = 32_000
"""Of a file: what larger ones hold takes more than a moment to look at."""
DEPTH_MAX = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: a file as its user would name it, line and column counted from 1 (0: none)."""

    file: str = ""
    line: int = 0
    column: int = 0

    def problem(self, message: str, path: Path = ()) -> Problem:
        """A problem at this place."""
        return Problem(message, dotted(path), self.file, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object built in Python that stands in a tree as it is: only a validator looks inside."""

    value: object


@dataclass(frozen=True, slots=True)
class Node:
    """One value: a scalar, a mapping of nodes or a list of nodes; or an object built in Python (`Opaque`)."""

    value: str | int | float | bool | dict[str, Node] | list[Node] | Opaque | None
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    """Where each key of a mapping was written."""
    size: int = 1
    """Nodes below and including this one, aliases counted each time they are used."""
    height: int = 0
    """Levels below this one, aliases followed."""

    def child(self, step: str | int) -> Node | None:
        """The node below by key or index, or nothing."""
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None

    def plain(self) -> Any:
        """The same tree as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value.value if isinstance(self.value, Opaque) else self.value


def mapping(entries: dict[str, Node], place: Place, keys: dict[str, Place]) -> Node:
    """A mapping node; `keys` says where each key was written."""
    return Node(entries, place, keys, *_extent(entries.values()))


def sequence(items: list[Node], place: Place) -> Node:
    """A list node."""
    return Node(items, place, {}, *_extent(items))


def replaced(root: Node, path: Path, new: Node, key_place: Place | None = None) -> Node:
    """The tree with `new` at `path`; the mappings above it must exist, the last key need not."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    child = root.child(step)
    assert child is not None or not rest, f"no node above {path}"
    below = new if child is None else replaced(child, rest, new, key_place)
    if isinstance(root.value, list):
        items = list(root.value)
        items[int(step)] = below
        return sequence(items, root.place)
    assert isinstance(root.value, dict)
    keys = dict(root.keys)
    if not rest and (key_place is not None or str(step) not in keys):
        keys[str(step)] = key_place or new.place
    return mapping({**root.value, str(step): below}, root.place, keys)


def replaced_at(root: Node, changes: Mapping[Path, Node]) -> Node:
    """The tree with each of these nodes at its path, which exists. None is below another."""
    if not changes:
        return root
    if () in changes:
        return changes[()]
    below: dict[str | int, dict[Path, Node]] = {}
    for path, new in changes.items():
        below.setdefault(path[0], {})[path[1:]] = new
    if isinstance(root.value, list):
        return sequence([replaced_at(item, below.get(at, {})) for at, item in enumerate(root.value)], root.place)
    assert isinstance(root.value, dict)
    entries = {key: replaced_at(item, below.get(key, {})) for key, item in root.value.items()}
    return mapping(entries, root.place, root.keys)


def from_python(
    value: object, place: Place, depth: int = 0, as_it_is: Callable[[object], bool] = lambda _: False
) -> Node:
    """A tree from dicts, lists and scalars built in Python. Keys become strings, as in a file.

    Objects that `as_it_is` picks are not looked into.
    """
    if depth > DEPTH_MAX:
        raise ConfigError(place.problem(f"is nested more than {DEPTH_MAX} levels deep"))
    if as_it_is(value):
        return Node(Opaque(value), place)
    if isinstance(value, Mapping):
        entries = {_key(key): from_python(item, place, depth + 1, as_it_is) for key, item in value.items()}
        return mapping(entries, place, dict.fromkeys(entries, place))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return sequence([from_python(item, place, depth + 1, as_it_is) for item in value], place)
    if isinstance(value, str):
        return text_node(value, place)
    if value is None or isinstance(value, bool):
        return Node(value, place)
    if isinstance(value, Integral):
        return Node(int(value), place)
    if isinstance(value, Real):
        return Node(float(value), place)
    if hasattr(value, "model_dump"):
        return from_python(value.model_dump(by_alias=True, exclude_none=True), place, depth + 1, as_it_is)
    if isinstance(value, date):
        return text_node(value.isoformat(), place)
    if hasattr(value, "__fspath__"):
        return text_node(str(value), place)
    raise ConfigError(place.problem(f"holds a {type(value).__name__}, which no settings file can hold"))


def text_node(text: str, place: Place) -> Node:
    """A node for a text that came from Python or the command line, and so may not be text that can be written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(place.problem(f"{text!a} is not valid Unicode text (a lone surrogate)")) from None
    check_text(text, place)
    return Node(text, place)


def check_text(text: str, place: Place) -> None:
    """Raise `ConfigError` for control characters: a terminal obeys them, and neither SVG nor a table can hold them."""
    if text.isprintable():
        return
    found = _CONTROL.search(text)
    if found is not None:
        raise ConfigError(place.problem(f"holds the control character U+{ord(found[0]):04X}; leave it out"))


def dotted(path: Path) -> str:
    """A path as errors show it and `--set` takes it: `pools.chat.replica`, `slo.0.under`."""
    return ".".join(str(step) for step in path)


def _extent(below: Iterable[Node]) -> tuple[int, int]:
    """Size and height of a node over these."""
    size, height = 1, 0
    for node in below:
        size, height = size + node.size, max(height, node.height + 1)
    return size, height


def _key(key: object) -> str:
    return str(key.value) if hasattr(key, "value") else str(key)
