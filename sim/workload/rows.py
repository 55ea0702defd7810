"""Rows of data files: CSV, JSON lines and Parquet read in blocks, each value with its place. Owns every parsing error.

Reading is strict (nothing is guessed, nothing is skipped) and needs memory for one block and one line at a time.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import DataError, Problem
from sim.config.units import shown

Floats = NDArray[np.float64]
BLOCK_ROWS = 4_096  # more at a time is slower: the garbage collector walks every row it can see
_LONGEST_LINE_BYTES = 16_000_000  # a request with a million tokens of prefix hashes has about a tenth of that
_BLOCK_CHARS = 16_000_000  # of JSON text: a block of long lines has fewer rows
_MOST_UNPACKED, _LITTLE, _MOST_BLANK = 50, 1_000_000, 100_000
"""Times its packed size that a file may have, bytes that it always may have, and blank lines after one another."""
_MOST_ROWS_A_BYTE, _MOST_GROUP_BYTES = 100, 400_000_000
_MOST_ID = 2**63 - 1
_NUMERIC = frozenset("0123456789.eE+- ")
MOST_TOKENS = 10**9  # of a prompt or an answer: columns are int32, and so must their sum be


@dataclass(frozen=True)
class Block:
    """Some consecutive rows of one file, by column."""

    file: str
    lines: Sequence[int]
    """Shape (rows,): the line (text) or row (Parquet) of each, counted from 1."""
    columns: dict[str, Sequence[Any]]
    """Each of shape (rows,): strings from CSV, values from JSON and Parquet."""
    textual: bool
    numbered: str = "line"
    """What `lines` counts: `line` or `row`."""

    def __len__(self) -> int:
        return len(self.lines)

    def refuse(self, row: int, column: str, message: str) -> NoReturn:
        """Stop reading: the value at this row of the block is wrong."""
        if self.numbered == "row":
            raise DataError(Problem(f"row {self.lines[row]}: {message}", column, self.file))
        raise DataError(Problem(message, column, self.file, self.lines[row]))

    def numbers(self, column: str, *, whole: bool = False, least: float = 0.0) -> Floats:
        """A column as finite numbers of at least `least`, shape (rows,); whole and fit for int32 if they are tokens.

        Raises DataError for the first value that is not.
        """
        values = self.columns[column]
        numbers = self._converted(values)
        wrong = np.array([True]) if numbers is None else ~np.isfinite(numbers) | (numbers < least)
        if numbers is not None and whole:
            wrong |= (numbers != np.rint(numbers)) | (numbers > MOST_TOKENS)
        if numbers is None or wrong.any():
            for row, value in enumerate(values):
                self._check(row, column, value, whole, least)
            raise AssertionError(f"{self.file}: {column}: no wrong value found in a wrong block")
        return numbers

    def id_lists(self, column: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A column of lists of ids: the length of each, shape (rows,), and all ids, one list after another.

        None stands for an empty list. Raises DataError for the first list that is not one, holds anything but integers
        from 0 to 2^63-1, or holds one twice.
        """
        lists = [() if value is None else value for value in self.columns[column]]
        for row, ids in enumerate(lists):
            if ids != () and (wrong := _wrong_ids(ids)):
                self.refuse(row, column, wrong)
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        return lengths, np.fromiter(chain.from_iterable(lists), np.int64, int(lengths.sum()))

    def _converted(self, values: Sequence[Any]) -> Floats | None:
        if self.textual:
            if not _NUMERIC.issuperset("".join(values)):
                return None
        elif not {int, float}.issuperset(map(type, values)):
            return None
        try:
            return np.fromiter(map(float, values), dtype=np.float64, count=len(values))
        except (ValueError, OverflowError):
            return None

    def _check(self, row: int, column: str, value: Any, whole: bool, least: float) -> None:
        say = partial(self.refuse, row, column)
        if value is None or (isinstance(value, str) and not value.strip()):
            say("is empty; every row needs a number here")
        if self._converted([value]) is None:
            say(f"must be a number, got {shown(value)}")
        number = float(value)
        if not math.isfinite(number):
            say(f"must be a finite number, got {shown(value)}")
        if number < least:
            say(f"must be at least {least:g}, got {shown(value)}")
        if whole and number != round(number):
            say(f"must be a whole number, got {shown(value)}")
        if whole and number > MOST_TOKENS:
            say(f"must be at most {MOST_TOKENS:,}, got {shown(value)}")


def _wrong_ids(ids: Any) -> str:
    """What is wrong with a list of ids, in words; empty if nothing."""
    if not isinstance(ids, list):
        return f"must be a list of ids, got {shown(ids)}"
    if set(map(type, ids)) <= {int} and (not ids or (min(ids) >= 0 and max(ids) <= _MOST_ID)):
        if len(set(ids)) == len(ids):
            return ""
        return f"holds the id {shown(Counter(ids).most_common(1)[0][0])} more than once"
    at = next(at for at, one in enumerate(ids) if type(one) is not int or not 0 <= one <= _MOST_ID)
    return f"id {at + 1} of the list must be an integer from 0 to {_MOST_ID}, got {shown(ids[at])}"


def text_lines(path: str) -> Iterator[str]:
    """The lines of a UTF-8 file, with their ends. Raises DataError with the line that is not text."""
    number = blank = held = 0
    try:
        with _opened(path) as file:
            most = (
                max(_MOST_UNPACKED * Path(path).stat().st_size, _LITTLE)
                if isinstance(file, gzip.GzipFile)
                else math.inf
            )
            for raw in iter(partial(file.readline, _LONGEST_LINE_BYTES), b""):
                number += 1
                held += len(raw)
                blank = blank + 1 if raw.isspace() else 0
                if len(raw) == _LONGEST_LINE_BYTES:
                    raise DataError(Problem("line is longer than 16 MB: not a trace or a table", "", path, number))
                if blank > _MOST_BLANK:
                    raise DataError(Problem(f"more than {_MOST_BLANK:,} blank lines", "", path, number))
                if held > most:
                    told = f"is more than {_MOST_UNPACKED} times as large unpacked: not a trace or a table"
                    raise DataError(Problem(f"{told}; if it is one, unpack it first", "", path))
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        hint = "; unpack it first" if path.endswith((".gz", ".zip", ".zst", ".bz2", ".xz")) else ""
        raise DataError(Problem(f"not UTF-8 text{hint}", "", path, number)) from None
    except (EOFError, zlib.error):
        raise DataError(Problem("is cut off or damaged: it cannot be unpacked", "", path)) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _opened(path: str) -> BinaryIO:
    """The file's bytes, unpacked if it begins as gzip does."""
    _check_file(path)
    try:
        with Path(path).open("rb") as file:
            packed = file.read(3) == b"\x1f\x8b\x08"  # the only method there is
        return cast(BinaryIO, gzip.open(path, "rb")) if packed else Path(path).open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from None


def _check_file(path: str) -> None:
    """Raise DataError for a device, a pipe or a folder: they have no end, or are read once."""
    if os.path.exists(path) and not os.path.isfile(path):
        told = "is a folder" if os.path.isdir(path) else "is no file but a device or a pipe; write it to a file first"
        raise DataError(Problem(f"cannot be read: {told}", "", path))


def _unreadable(path: str, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(Problem("no such file", "", path))
    return DataError(Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", "", path))


def share_of(path: str, lines: int) -> float:
    """About which share of a text file its first so many lines are, packed or not."""
    with _opened(path) as file:
        for _ in range(lines):
            file.readline()
        raw = getattr(file, "fileobj", file)  # of a packed file, how much of it has been taken in
        return float(raw.tell() / max(Path(path).stat().st_size, 1))


def first_line(path: str) -> str:
    """The first line that is not blank, stripped; empty if there is none."""
    return next((line.strip() for line in text_lines(path) if line.strip()), "")


def csv_header(path: str) -> list[str]:
    """The column names of a CSV file, in order; empty for an empty file."""
    try:
        return [name.strip() for name in next(csv.reader([first_line(path)], strict=True), [])]
    except csv.Error:
        return []


def _no_gaps(rows: Iterator[tuple[int, Any]], blank: Callable[[Any], bool], path: str) -> Iterator[tuple[int, Any]]:
    """The rows without the blank ones at the end. A blank row between others is a hole."""
    gap = 0
    for line, row in rows:
        if blank(row):
            gap = gap or line
            continue
        if gap:
            raise DataError(Problem("blank line in the middle of the data", "", path, gap))
        yield line, row


def _csv_rows(path: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text_lines(path), strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(Problem(f"not a CSV row: {error}", "", path, reader.line_num)) from None


def csv_blocks(path: str, wanted: Sequence[str], block_rows: int = BLOCK_ROWS) -> Iterator[Block]:
    """The wanted columns of a CSV file with a header, in blocks. Every row must have as many fields as the header."""
    rows = _no_gaps(_csv_rows(path), lambda row: not row, path)
    _, header = next(rows, (0, []))
    header = [name.strip() for name in header]
    for name in wanted:
        if header.count(name) != 1:
            what = "column missing" if name not in header else "column appears more than once"
            raise DataError(Problem(f"{what}; the header is {','.join(header)[:200] or 'empty'}", name, path, 1))
    place = {name: header.index(name) for name in wanted}
    width = len(header)

    def block(lines: list[int], rows: list[list[str]]) -> Block:
        columns = list(zip(*rows, strict=True))
        return Block(path, lines, {name: columns[at] for name, at in place.items()}, textual=True)

    lines: list[int] = []
    kept: list[list[str]] = []
    for line, row in rows:
        if len(row) != width:
            raise DataError(Problem(f"{len(row)} fields where the header has {width}", "", path, line))
        lines.append(line)
        kept.append(row)
        if len(kept) == block_rows:
            yield block(lines, kept)
            lines, kept = [], []
    if kept:
        yield block(lines, kept)


def json_keys(path: str) -> list[str]:
    """The keys of the first object of a file with one JSON object a line. Raises DataError if it is not one."""
    return list(_json_object(*next(_json_rows(path)), path))


def _json_object(line: int, text: str, path: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = getattr(error, "msg", "too deep or too long")
        raise DataError(Problem(f"not JSON: {message}", "", path, line)) from None
    if not isinstance(row, dict):
        raise DataError(Problem(f"must be a JSON object, got {shown(row)}", "", path, line))
    return row


def _json_rows(path: str) -> Iterator[tuple[int, str]]:
    return _no_gaps(enumerate(text_lines(path), start=1), lambda line: not line.strip(), path)


_ABSENT = object()


def _below(row: dict[str, Any], name: str) -> Any:
    """The value of a key, or of a dotted path of keys where no key is spelt so; `_ABSENT` if there is none."""
    if name in row or "." not in name:
        return row.get(name, _ABSENT)
    here: Any = row
    for key in name.split("."):
        here = here.get(key, _ABSENT) if isinstance(here, dict) else _ABSENT
    return here


def json_blocks(
    path: str, wanted: Sequence[str], block_rows: int = BLOCK_ROWS, optional: Sequence[str] = ()
) -> Iterator[Block]:
    """The wanted keys of a file with one JSON object a line, in blocks.

    A key may be a dotted path (`usage.prompt_tokens`). One that is absent is an error, unless it is one of `optional`:
    then the value is None.
    """
    lines: list[int] = []
    chars = 0
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    for line, text in _json_rows(path):
        row = _json_object(line, text, path)
        for name in wanted:
            found = _below(row, name)
            if found is _ABSENT and name not in optional:
                raise DataError(Problem("is missing", name, path, line))
            columns[name].append(None if found is _ABSENT else found)
        lines.append(line)
        chars += len(text)
        if len(lines) == block_rows or chars > _BLOCK_CHARS:
            yield Block(path, lines, dict(columns), textual=False)
            lines, columns, chars = [], {name: [] for name in wanted}, 0
    if lines:
        yield Block(path, lines, dict(columns), textual=False)


def is_parquet(path: str) -> bool:
    """Whether the file opens with Parquet's magic bytes. Raises DataError if it cannot be read."""
    _check_file(path)
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == b"PAR1"
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def parquet_header(path: str) -> list[str]:
    """The column names of a Parquet file."""
    import pyarrow.parquet as pq

    with _damage_told(path):
        return list(pq.read_schema(path).names)


def parquet_blocks(path: str, wanted: Sequence[str], block_rows: int = BLOCK_ROWS) -> Iterator[Block]:
    """The wanted columns of a Parquet file, in blocks."""
    import pyarrow.parquet as pq

    header = parquet_header(path)
    for name in wanted:
        if header.count(name) != 1:
            raise DataError(Problem("column missing, or there more than once", name, path))
    start = 1
    with _damage_told(path), pq.ParquetFile(path) as file:
        _check_sizes(path, file.metadata)
        for batch in file.iter_batches(block_rows, columns=list(wanted)):
            columns = {name: batch.column(name).to_pylist() for name in wanted}
            yield Block(path, range(start, start + batch.num_rows), columns, textual=False, numbered="row")
            start += batch.num_rows


def _check_sizes(path: str, about: Any) -> None:
    """Raise DataError for a file that says that it becomes far more than it is."""
    rows, size = about.num_rows, Path(path).stat().st_size
    if rows > _MOST_ROWS_A_BYTE * size:
        raise DataError(Problem(f"says that it has {rows:,} rows in {size:,} bytes: not a trace or a table", "", path))
    for group in range(about.num_row_groups):
        # of all columns: to ask for one ends the process where its statistics are damaged (pyarrow 26)
        held = about.row_group(group).total_byte_size
        if held > _MOST_GROUP_BYTES:
            told = (
                f"has a row group of {held / 1e6:,.0f} MB unpacked, and up to {_MOST_GROUP_BYTES / 1e6:,.0f} are read"
            )
            raise DataError(Problem(f"{told}; write it with smaller row groups", "", path))


def parquet_rows(path: str) -> int:
    """How many rows a Parquet file says it has."""
    import pyarrow.parquet as pq

    with _damage_told(path):
        return int(pq.read_metadata(path).num_rows)


@contextmanager
def _damage_told(path: str) -> Iterator[None]:
    """Whatever pyarrow raises for a damaged file becomes a DataError."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        said = str(error).split("\n")[0].split(". ")[0][:200]
        raise DataError(Problem(f"not a Parquet file: {said}", "", path)) from None


def read_table(
    path: str, columns: Sequence[str], *, rising: str | None = None, some_above_zero: str | None = None
) -> dict[str, Floats]:
    """A small CSV table of numbers (at least 0), by column, each of shape (rows,).

    `rising` names a column that must not fall, `some_above_zero` one that must not be all zero. Raises DataError.
    """
    blocks = list(csv_blocks(path, columns))
    if not blocks:
        raise DataError(Problem("has no rows", "", path))
    table = {name: np.concatenate([block.numbers(name) for block in blocks]) for name in columns}
    if rising is not None:
        lines = [line for block in blocks for line in block.lines]
        for row, (before, after) in enumerate(pairwise(table[rising]), start=1):
            if after < before:
                raise DataError(Problem(f"must not fall, got {after:g} after {before:g}", rising, path, lines[row]))
    if some_above_zero is not None and not table[some_above_zero].any():
        raise DataError(Problem("is 0 in every row", some_above_zero, path))
    return table
