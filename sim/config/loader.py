"""YAML text to a tree of values with places, or one clear error. Owns what YAML means here: the YAML 1.2 core schema.

So `no`, `on` and `12:30` are text, `010` is ten and `1e3` a thousand. A key may stand once in a mapping. A file is
UTF-8, holds one mapping, and is refused when absurdly large, deep or self-multiplying (aliases), before that costs
memory.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import yaml

from sim.config.errors import ConfigError, Problem
from sim.config.tree import DEPTH_MAX, NODES_MAX, Node, Place, check_text, mapping, sequence, text_node

BYTES_MAX = 4 * 2**20
_DOCUMENTS_MAX = 1_000

# The C parser is ten times faster; both give the same events.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}

# What libyaml says, and what a reader can do about it.
_PLAIN_WORDS = {
    "found character that cannot start any token": "this character cannot start a value; put the text in quotes",
    "found a tab character that violates indentation": "a tab; indent with spaces",
    "mapping values are not allowed in this context": "an unexpected ':'; check the indentation, or quote the text",
    "could not find expected ':'": "a ':' is missing after a key",
    "did not find expected key": "the indentation does not fit the lines above",
    "did not find expected <document start>": "text after the end of the mapping; check the indentation",
    "block sequence entries are not allowed in this context": "an unexpected '-'; check the indentation",
    "did not find expected ',' or '}'": "a ',' or '}' is missing",
    "did not find expected ',' or ']'": "a ',' or ']' is missing",
    "found unexpected end of stream": "a quote is opened and never closed",
    "did not find expected node content": "a value is missing",
}


def read_file(path: Path) -> Node:
    """The tree of a YAML file. Raises `ConfigError` if it cannot be read or is not one YAML mapping."""
    place = Place(shown_path(path))
    return parse(_text_of(path, place), place.file)


def read_documents(path: Path) -> list[Node]:
    """The trees of a YAML file that may hold several documents, such as a manifest. Raises `ConfigError`."""
    place = Place(shown_path(path))
    return _Builder(place.file).build_all(_text_of(path, place))


def _text_of(path: Path, place: Place) -> str:
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise ConfigError(place.problem("is no file but a device or a pipe; write it to a file first"))
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except IsADirectoryError:
        raise ConfigError(place.problem("is a folder, not a file")) from None
    except FileNotFoundError:
        raise ConfigError(place.problem("no such file")) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(place.problem(f"cannot be read: {reason}")) from None
    if len(raw) > BYTES_MAX:
        most = BYTES_MAX // 2**20
        raise ConfigError(place.problem(f"is larger than {most} MiB; long tables belong in a CSV file beside it"))
    return _decoded(raw, place)


def parse(text: str, file: str = "") -> Node:
    """The tree of a YAML text that holds one mapping; `file` names it in errors."""
    root = _Builder(file).build(text)
    if root is None or root.value is None:
        raise ConfigError(
            Place(file, 1, 1).problem("is empty; it must hold a mapping of keys (`fleetcast init` writes a scenario)")
        )
    if not isinstance(root.value, dict):
        found = "a list" if isinstance(root.value, list) else "a single value"
        raise ConfigError(root.place.problem(f"must be a mapping (key: value) at the top, got {found}"))
    return root


def parse_value(text: str, place: Place) -> Node:
    """A value given on the command line: a flow value if it opens like one, else a plain scalar, whatever it holds."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "[", '"', "'"):
        meant = scalar(stripped)
        return text_node(meant, place) if isinstance(meant, str) else Node(meant, place)
    builder = _Builder(place.file, fixed_place=place)
    root = builder.build(stripped)
    assert root is not None, "a text that is not blank has a root"
    return root


def scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means by the YAML 1.2 core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 400:
        return int(text)
    if _BASED.fullmatch(text) and len(text) < 400:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def shown_path(path: Path) -> str:
    """A path as its user would write it: relative when it lies below the current folder."""
    try:
        inside = os.path.relpath(path)
    except ValueError:  # another drive, or a NUL
        return str(path)
    return str(path.absolute()) if inside.startswith("..") and path.is_absolute() else inside


def _decoded(raw: bytes, place: Place) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigError(place.problem("is UTF-16 text; save it as UTF-8"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        here = Place(place.file, line, column)
        raise ConfigError(
            here.problem(f"is not UTF-8 text (byte 0x{raw[error.start]:02x}); save it as UTF-8")
        ) from None


class _Builder:
    """Turns parser events into nodes, one open collection at a time, so no depth of nesting can exhaust the stack."""

    def __init__(self, file: str, fixed_place: Place | None = None) -> None:
        self.file = file
        self.fixed_place = fixed_place
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}
        self.root: Node | None = None
        self.roots: list[Node] = []
        self.documents = 0
        self.several = False

    def build_all(self, text: str) -> list[Node]:
        """Every document that is not empty."""
        self.several = True
        self.build(text)
        return self.roots

    def build(self, text: str) -> Node | None:
        try:
            for event in yaml.parse(text, Loader=_Loader):
                self.take(event)
        except yaml.MarkedYAMLError as error:
            raise ConfigError(self.yaml_problem(error, text)) from None
        except yaml.reader.ReaderError as error:
            line, column = _line_column(text, error.position)
            code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
            here = self.fixed_place or Place(self.file, line, column)
            raise ConfigError(here.problem(f"the character U+{code:04X} is not allowed in YAML")) from None
        except UnicodeEncodeError as error:
            line, column = _line_column(text, error.start)
            here = Place(self.file, line, column)
            raise ConfigError(here.problem("is not valid Unicode text (a lone surrogate)")) from None
        return self.root

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1 and not self.several:
                raise ConfigError(self.place(event).problem("a second YAML document ('---'); a file holds one"))
            if self.documents > _DOCUMENTS_MAX:
                raise ConfigError(self.place(event).problem(f"more than {_DOCUMENTS_MAX} YAML documents ('---')"))
        elif isinstance(event, yaml.DocumentEndEvent) and self.several:
            self.roots += [] if self.root is None or self.root.value is None else [self.root]
            self.anchors.clear()
        elif isinstance(event, yaml.ScalarEvent):
            self.add(self.scalar_node(event), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self.add(self.alias_node(event), None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self.start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.open.pop()
            self.add(done.node(), done.anchor)

    def start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        place = self.place(event)
        if event.tag is not None and event.tag not in ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise ConfigError(place.problem(f"YAML tags such as {_tag(event.tag)} are not supported"))
        if self.open and self.open[-1].wants_key():
            raise ConfigError(place.problem("a key must be a single word or number"))
        if len(self.open) >= DEPTH_MAX:
            raise ConfigError(place.problem(f"is nested more than {DEPTH_MAX} levels deep"))
        self.open.append(_Open(isinstance(event, yaml.MappingStartEvent), place, event.anchor))

    def add(self, node: Node, anchor: str | None) -> None:
        if node.size > NODES_MAX:
            raise ConfigError(node.place.problem(f"holds more than {NODES_MAX} values once its aliases are expanded"))
        if len(self.open) + node.height > DEPTH_MAX:
            raise ConfigError(node.place.problem(f"is nested more than {DEPTH_MAX} levels deep"))
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        top.add(node)
        if top.size > NODES_MAX:
            raise ConfigError(node.place.problem(f"more than {NODES_MAX} values; long tables belong in a CSV file"))

    def scalar_node(self, event: yaml.ScalarEvent) -> Node:
        place = self.place(event)
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise ConfigError(place.problem(f"YAML tags such as {_tag(event.tag)} are not supported"))
        if event.style == '"':  # nothing else can write them
            check_text(event.value, place)
        if self.open and self.open[-1].wants_key():
            if event.value == "<<":
                raise ConfigError(place.problem("merge keys ('<<') are not YAML 1.2; write the keys out"))
            return Node(event.value, place)  # keys stay as they are written
        plain = event.implicit[0] and event.tag is None
        return Node(scalar(event.value) if plain else event.value, place)

    def alias_node(self, event: yaml.AliasEvent) -> Node:
        name = str(event.anchor)
        if self.open and self.open[-1].wants_key():
            raise ConfigError(self.place(event).problem("a key cannot be an alias"))
        if any(above.anchor == name for above in self.open):
            raise ConfigError(self.place(event).problem(f"the alias '*{name}' contains itself"))
        if name not in self.anchors:
            raise ConfigError(self.place(event).problem(f"the alias '*{name}' has no '&{name}' before it"))
        return self.anchors[name]

    def place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        if self.fixed_place is not None or mark is None:
            return self.fixed_place or Place(self.file)
        return Place(self.file, mark.line + 1, mark.column + 1)

    def yaml_problem(self, error: yaml.MarkedYAMLError, text: str) -> Problem:
        mark = error.problem_mark or error.context_mark
        said = str(error.problem or error.context or "not understood")
        message = _PLAIN_WORDS.get(said, said)
        if mark is None:
            return Place(self.file).problem(f"not valid YAML: {message}")
        lines = text.splitlines()
        line = lines[mark.line] if mark.line < len(lines) else ""
        if "\t" in line[: mark.column + 1] and not line[: mark.column].strip():
            message = "a tab; indent with spaces"
        place = self.fixed_place or Place(self.file, mark.line + 1, mark.column + 1)
        return place.problem(f"not valid YAML: {message}")


class _Open:
    """A mapping or list whose end has not been seen yet."""

    def __init__(self, is_mapping: bool, place: Place, anchor: str | None) -> None:
        self.is_mapping = is_mapping
        self.place = place
        self.anchor = anchor
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Place] = {}
        self.items: list[Node] = []
        self.key: str | None = None
        self.size = 1

    def wants_key(self) -> bool:
        return self.is_mapping and self.key is None

    def add(self, node: Node) -> None:
        if not self.is_mapping:
            self.items.append(node)
            self.size += node.size
        elif self.key is None:
            self.key = str(node.value)
            if self.key in self.keys:
                first = self.keys[self.key]
                twice = f"the key '{self.key}' stands twice in this mapping; the first is on line {first.line}"
                raise ConfigError(node.place.problem(f"{twice}, column {first.column}"))
            self.keys[self.key] = node.place
        else:
            self.entries[self.key] = node
            self.size += node.size
            self.key = None

    def node(self) -> Node:
        if self.is_mapping:
            return mapping(self.entries, self.place, self.keys)
        return sequence(self.items, self.place)


def _tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _line_column(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
