"""Files of other tools as plain values with their place. Owns size limits and every complaint about what is in them.

Nothing is evaluated; a value of the wrong type is a `DataError` that names the file, the line and the key.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from sim.config.errors import ConfigError, DataError, Problem
from sim.config.loader import read_file
from sim.config.units import shown
from sim.workload.rows import csv_header

DOCUMENT_BYTES_MAX = 128 * 2**20
"""Of one JSON value, so of one line where each line is a value: parsing takes several times as much."""

_BULKY = frozenset(
    ("generated_texts", "request", "response", "request_data", "response_data", "response_chunks", "pdf", "messages")
)
"""Texts of prompts and answers: of no use here, and most of such a file."""


@dataclass(frozen=True)
class Fields:
    """One mapping in a file, with its place."""

    values: Mapping[str, Any]
    file: str
    line: int = 0
    path: str = ""

    def refuse(self, message: str, key: str = "") -> NoReturn:
        """Stop reading: this key (or the whole mapping) is wrong."""
        raise DataError(Problem(message, ".".join(filter(None, (self.path, key))), self.file, self.line))

    def child(self, *keys: str) -> Fields:
        """The mapping below these keys. It must be there."""
        here = self
        for key in keys:
            below = here.maybe(key)
            if below is None:
                here.refuse("is missing", key)
            here = below
        return here

    def maybe(self, *keys: str) -> Fields | None:
        """The mapping below these keys, or nothing if one of them is absent or null."""
        here = self
        for key in keys:
            value = here.values.get(key)
            if value is None:
                return None
            if not isinstance(value, Mapping):
                here.refuse(f"must be a mapping, got {shown(value)}", key)
            here = replace(here, values=value, path=".".join(filter(None, (here.path, key))))
        return here

    def number(self, key: str, *, least: float = 0.0) -> float:
        """A finite number. It must be there."""
        value = self.optional(key, least=least)
        if value is None:
            self.refuse("is missing", key)
        return value

    def optional(self, key: str, *, least: float = 0.0) -> float | None:
        """A finite number, or nothing if it is absent or null."""
        value = self.values.get(key)
        return None if value is None else self.checked(value, key, least)

    def checked(self, value: Any, key: str, least: float = 0.0) -> float:
        """A value as a finite number of at least `least`."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"must be a number, got {shown(value)}", key)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.refuse(f"must be a finite number, got {shown(value)}", key)
        if number < least:
            self.refuse(f"must be at least {least:g}, got {shown(value)}", key)
        return number

    def count(self, key: str, *, least: int = 0) -> int:
        """A whole number. It must be there."""
        number = self.number(key, least=least)
        if number != round(number):
            self.refuse(f"must be a whole number, got {number:g}", key)
        return int(number)

    def optional_count(self, key: str, *, least: int = 0) -> int | None:
        """A whole number, or nothing."""
        return None if self.values.get(key) is None else self.count(key, least=least)

    def text(self, key: str) -> str:
        """A text; empty if it is absent."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def items(self, key: str) -> list[Any] | None:
        """A list, or nothing if it is absent or null."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, list):
            self.refuse(f"must be a list, got {shown(value)}", key)
        return value

    def mappings(self, key: str) -> list[Fields]:
        """A list of mappings; empty if it is absent."""
        found = []
        for index, value in enumerate(self.items(key) or ()):
            if not isinstance(value, Mapping):
                self.refuse(f"must be a mapping, got {shown(value)}", f"{key}.{index}")
            found.append(replace(self, values=value, path=".".join(filter(None, (self.path, f"{key}.{index}")))))
        return found

    def numbers(self, key: str, length: int | None = None) -> list[float] | None:
        """A list of finite numbers of at least 0, or nothing; `length` is what others beside it have."""
        found = self.items(key)
        if found is None:
            return None
        if length is not None and len(found) != length:
            self.refuse(f"has {len(found)} entries where others have {length}", key)
        return [self.checked(value, f"{key}.{index}") for index, value in enumerate(found)]


@dataclass(frozen=True)
class Document:
    """One file, its first record read."""

    file: str
    container: str
    """`json` (one value), `jsonl` (one a line), `yaml` or `csv`."""
    first: Any
    """The value, the first line's value, or a CSV file's column names."""

    def records(self) -> Iterator[Fields]:
        """The mappings of the file: its lines, the entries of its list, or itself."""
        if self.container == "jsonl":
            for number, text in enumerate(text_lines(self.file), start=1):
                if text.strip():
                    yield self._mapping(_json(text, self.file, number), number, "")
        elif isinstance(self.first, list):
            for index, value in enumerate(self.first):
                yield self._mapping(value, 0, str(index))
        else:
            yield self._mapping(self.first, 0, "")

    def _mapping(self, value: Any, line: int, path: str) -> Fields:
        if not isinstance(value, Mapping):
            raise DataError(Problem(f"must be an object, got {shown(value)}", path, self.file, line))
        return Fields(value, self.file, line, path)


def open_document(file: str) -> Document:
    """The file's container, told by its content, and its first record. Raises DataError."""
    lines = (text for text in text_lines(file) if text.strip())
    first, second = next(lines, ""), next(lines, "")
    start = first.strip()[:1]
    if not start:
        raise DataError(Problem("is empty", "", file))
    if start in "{[":
        if second:
            try:
                return Document(file, "jsonl", json.loads(first, object_pairs_hook=_slim))
            except (ValueError, RecursionError):
                pass  # a value over several lines
        return Document(file, "json", _whole_json(file))
    if "," in first and ":" not in first and start != "#":
        return Document(file, "csv", csv_header(file))
    try:
        return Document(file, "yaml", read_file(Path(file)).plain())
    except ConfigError as error:
        raise DataError(error.problems[0]) from None


def text_lines(file: str) -> Iterator[str]:
    """The lines of a UTF-8 file, however long up to the limit. Raises DataError with the line that is not text."""
    number = 0
    if os.path.exists(file) and not os.path.isfile(file) and not os.path.isdir(file):
        raise DataError(Problem("is no file but a device or a pipe; write it to a file first", "", file))
    try:
        with Path(file).open("rb") as opened:
            for raw in iter(lambda: opened.readline(DOCUMENT_BYTES_MAX + 1), b""):
                number += 1
                if len(raw) > DOCUMENT_BYTES_MAX:
                    raise _too_large(file)
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except DataError:
        raise
    except UnicodeDecodeError:
        if number == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(Problem("is UTF-16 text; save it as UTF-8", "", file)) from None
        hint = "; unpack it first" if file.endswith((".gz", ".zip", ".zst", ".bz2", ".xz")) else ""
        raise DataError(Problem(f"not UTF-8 text{hint}", "", file, number)) from None
    except FileNotFoundError:
        raise DataError(Problem("no such file", "", file)) from None
    except IsADirectoryError:
        raise DataError(Problem("is a folder; name the files in it", "", file)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataError(Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", "", file)) from None


def _too_large(file: str) -> DataError:
    most = DOCUMENT_BYTES_MAX // 2**20
    return DataError(Problem(f"is larger than {most} MiB; leave out prompts and answers, or split it", "", file))


def _whole_json(file: str) -> Any:
    text: list[str] = []
    held = 0
    for line in text_lines(file):
        held += len(line)
        if held > DOCUMENT_BYTES_MAX:
            raise _too_large(file)
        text.append(line)
    return _json("".join(text), file, 0)


def _json(text: str, file: str, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_slim)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        message = "ends in the middle: is it complete?" if cut else f"not JSON: {error.msg}"
        raise DataError(Problem(message, "", file, line or error.lineno, error.colno)) from None
    except _TwiceError as error:
        raise DataError(Problem("stands twice in one mapping", str(error), file, line)) from None
    except (ValueError, RecursionError):
        raise DataError(Problem("not JSON: nested too deep, or a number too long", "", file, line)) from None


class _TwiceError(ValueError):
    """A key that a mapping has twice: which of its values is meant?"""


def _slim(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _TwiceError(next(key for key, times in counts.items() if times > 1))
    return {key: value for key, value in found.items() if key not in _BULKY}
