"""Recorded traffic: files of requests, one reader a format. Owns how a trace is recognised.

`AnyFormat` is the registry.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import DataError, Problem
from sim.workload import rows
from sim.workload.prefixes import PrefixLists, numbered
from sim.workload.rows import BLOCK_ROWS, Block
from sim.workload.traces.azure import Azure
from sim.workload.traces.burstgpt import BurstGpt
from sim.workload.traces.mooncake import Mooncake
from sim.workload.traces.part import Floats, Part, TraceFormat
from sim.workload.traces.plain import Plain

__all__ = ["AnyFormat", "Peek", "Trace", "format_names", "peek", "read_trace"]

# The union is the registry: recognition, the error text, the JSON Schema and the tests read it.
AnyFormat = Azure | BurstGpt | Mooncake | Plain
_HEAD_ROWS = 1000


@dataclass(frozen=True)
class Trace:
    """The requests of a trace file, in order; all columns of shape (n,)."""

    arrival_s: Floats
    """Counted from the trace's time 0, or from `start`; non-decreasing."""
    prompt_tokens: NDArray[np.int32] | None
    output_tokens: NDArray[np.int32] | None
    service_s: Floats | None
    prefixes: PrefixLists | None
    """Numbered; None if no request has any."""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.arrival_s)


@dataclass(frozen=True)
class Peek:
    """What the first rows of a trace tell."""

    kind: str
    has_tokens: bool
    has_service: bool
    requests: float
    """About how many requests the file holds."""
    rate_per_s: float
    """About how many a second, at its start; 0 if the first rows do not tell."""


@dataclass(frozen=True)
class _Source:
    """A trace file that has been recognised."""

    path: str
    form: type[TraceFormat]
    container: str
    columns: tuple[str, ...]

    def blocks(self, block_rows: int = BLOCK_ROWS, *, prefixes: bool) -> Iterator[Block]:
        """The raw columns, in blocks; the one of prefix hashes only if wanted."""
        columns = [name for name in self.columns if prefixes or name != self.form.prefix_column]
        if self.container == "jsonl":
            return rows.json_blocks(self.path, columns, block_rows, self.form.optional)
        read = {"csv": rows.csv_blocks, "parquet": rows.parquet_blocks}[self.container]
        return read(self.path, columns, block_rows)


def formats() -> tuple[type[TraceFormat], ...]:
    """All formats, in the order of the registry."""
    return get_args(AnyFormat)


def format_names() -> tuple[str, ...]:
    """What `format:` may say."""
    return tuple(form.kind for form in formats())


def read_trace(
    path: str, kind: str | None = None, *, start_s: float = 0.0, limit: int | None = None, prefixes: bool = True
) -> Trace:
    """Read a trace: the first `limit` requests at or after `start_s` of trace time, which becomes time 0.

    `kind` is one of `format_names()`, or None to recognise the file by its columns. Prefix hashes are not read without
    `prefixes`. Raises DataError with the line of
    the first wrong row, and for a file that leaves no request. Rows far after the limit are not read.
    """
    source = _recognised(path, kind)
    kept: list[Part] = []
    seen = skipped = failed = taken = 0
    last_s = -np.inf
    for part in source.form.parts(source.blocks(prefixes=prefixes)):
        last_s = _in_order(part, last_s, source.form.columns[0])
        keep = part.arrival_s >= start_s
        seen += len(keep)
        skipped += len(keep) - int(keep.sum())
        lost = np.zeros_like(keep) if part.failed is None else keep & part.failed
        chosen = np.flatnonzero(keep & ~lost)[: None if limit is None else limit - taken]
        taken += len(chosen)
        failed += int(lost[: chosen[-1] if taken == limit else None].sum())
        kept.append(part.only(chosen))
        if taken == limit:
            break
    if taken == 0:
        reason = (
            "has no requests" if seen == 0 else f"has no requests left: {skipped:,} before start, {failed:,} failed"
        )
        raise DataError(Problem(reason, "", path))
    name = os.path.basename(path)
    prompt_tokens = _tokens([part.prompt_tokens for part in kept])
    lists, told_apart = _prefixes([part.prefixes for part in kept], prompt_tokens)
    notes = [
        (skipped, f"{name}: {_counted(skipped, 'request')} before second {start_s:g} skipped (start)"),
        (failed, f"{name}: {_counted(failed, 'failed request')} (no response tokens) left out"),
        (taken == limit, f"{name}: read up to {_counted(taken, 'request')} (limit)"),
        (told_apart, f"{name}: {_counted(told_apart, 'prefix id')} at several places: shared where all before agrees"),
    ]
    return Trace(
        np.concatenate([part.arrival_s for part in kept]) - start_s,
        prompt_tokens,
        _tokens([part.output_tokens for part in kept]),
        _joined([part.service_s for part in kept]),
        lists,
        tuple(text for happened, text in notes if happened),
    )


def peek(path: str, kind: str | None = None) -> Peek:
    """Recognise a trace and estimate its size from its first rows, without reading it whole. Raises DataError."""
    source = _recognised(path, kind)
    part = next(source.form.parts(source.blocks(_HEAD_ROWS, prefixes=False)), None)
    if part is None:
        raise DataError(Problem("has no requests", "", path))
    count, span_s = len(part.arrival_s), float(part.arrival_s[-1] - part.arrival_s[0])
    requests = float(count)
    if source.container == "parquet":
        requests = rows.parquet_rows(path)
    elif count == _HEAD_ROWS:
        requests = _line_estimate(path, count)
    rate_per_s = (count - 1) / span_s if span_s > 0 else 0.0
    return Peek(source.form.kind, part.output_tokens is not None, part.service_s is not None, requests, rate_per_s)


def _line_estimate(path: str, head: int) -> float:
    """About how many lines a text file has, from the length of its first ones."""
    return head / rows.share_of(path, head)


def _recognised(path: str, kind: str | None) -> _Source:
    """Find the format of a file (unless it is given), its container and the columns to read. Raises DataError."""
    container, header = _header(path)
    for form in formats():
        if form.kind == kind or (kind is None and container in form.containers and set(form.columns) <= set(header)):
            if container not in form.containers:
                is_, want = _NAMES[container], " or ".join(_NAMES[name] for name in form.containers)
                raise DataError(Problem(f"is {is_}; the {form.kind} format is {want}", "", path))
            columns = form.columns + tuple(name for name in form.optional if name in header or container == "jsonl")
            if form.missing(columns):
                raise DataError(Problem(form.missing(columns), "", path))
            return _Source(path, form, container, columns)
    assert kind is None, f"{kind} is no format"
    known = "; ".join(f"{form.kind} ({', '.join(form.columns)})" for form in formats())
    found = ", ".join(header)[:200] or "none"
    raise DataError(Problem(f"no known trace format. Its columns: {found}. Known: {known}", "", path))


_NAMES = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}


def _header(path: str) -> tuple[str, list[str]]:
    """The container of a file and its column names."""
    if rows.is_parquet(path):
        return "parquet", rows.parquet_header(path)
    first = rows.first_line(path)
    if not first:
        raise DataError(Problem("is empty", "", path))
    if first.startswith("{"):
        return "jsonl", rows.json_keys(path)
    return "csv", rows.csv_header(path)


def _in_order(part: Part, last_s: float, column: str) -> float:
    """The last time of a part; an error if any time is before the one above it."""
    falls = np.diff(part.arrival_s, prepend=last_s) < 0
    if falls.any():
        part.block.refuse(int(np.argmax(falls)), column, "is earlier than the row before; sort the trace by time")
    return float(part.arrival_s[-1])


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _joined(columns: Sequence[Floats | None]) -> Floats | None:
    present = [column for column in columns if column is not None]
    return np.concatenate(present) if present else None


def _tokens(columns: Sequence[Floats | None]) -> NDArray[np.int32] | None:
    present = [column.astype(np.int32) for column in columns if column is not None]
    return np.concatenate(present) if present else None


def _prefixes(
    parts: Sequence[PrefixLists | None], prompt_tokens: NDArray[np.int32] | None
) -> tuple[PrefixLists | None, int]:
    """The parts' prefix lists as one, numbered, and how many ids had to be told apart; None if all are empty."""
    present = [part for part in parts if part is not None]
    if prompt_tokens is None or not any(len(part.ids) for part in present):
        return None, 0
    lengths, ids = np.concatenate([part.lengths for part in present]), np.concatenate([part.ids for part in present])
    return numbered(PrefixLists(lengths, ids), prompt_tokens)
