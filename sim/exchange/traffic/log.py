"""Request logs: CSV, JSON lines (both packed by gzip or not) and Parquet, one row a request, in any order."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import DataError, Problem
from sim.config.units import shown
from sim.exchange.traffic.columns import chosen, outcome_of, scale_of
from sim.exchange.traffic.measured import Floats, GaveUp, Sampled, Traffic
from sim.forecast import DemandHistory
from sim.workload import rows
from sim.workload.rows import Block

MOST_ROWS = 20_000_000
_YEARS_S = 20 * 366 * 86_400.0
_LEAST_GAVE_UP = 20
_SHORTEST_STAMP = len("2023-11-16 18:17")
_ZONED = re.compile(r"(?:[Zz]|[+-][0-9]{2}:?(?:[0-9]{2})?)$")
_DURATIONS = ("ttft", "e2e")
_MOST_STREAMS = 50


@dataclass
class _Table:
    """Columns of the whole log, in pieces."""

    parts: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    rows: int = 0
    dated: bool = False

    def add(self, key: str, values: NDArray[Any]) -> None:
        self.parts.setdefault(key, []).append(values)

    def column(self, key: str) -> NDArray[Any] | None:
        found = self.parts.get(key)
        return np.concatenate(found) if found else None


def read_log(
    path: str, given: Mapping[str, str] | None = None, time_unit_s: float | None = None, zone: tzinfo = UTC
) -> list[Traffic]:
    """The requests of a log, by stream; one stream without a name where the log is not split.

    `given`: columns by what they mean (see `columns.NAMES`). `time_unit_s`: of times that are numbers, where their
    name does not tell. `zone`: of stamps without one. Raises `DataError` with the line of the first wrong value.
    """
    container, header = _header(path)
    names = chosen(header, given or {}, path, container == "jsonl")
    table = _Table()
    for block in _blocks(path, container, tuple(names.values())):
        table.rows += len(block)
        if table.rows > MOST_ROWS:
            raise DataError(Problem(f"has more than {MOST_ROWS:,} rows; give a part of it", "", path))
        _take(block, names, table, time_unit_s, zone)
    if not table.rows:
        raise DataError(Problem("has no requests", "", path))
    columns = {key: found for key in table.parts if (found := table.column(key)) is not None}
    return _split(columns, path, table.dated, names)


def _header(path: str) -> tuple[str, list[str]]:
    if rows.is_parquet(path):
        return "parquet", rows.parquet_header(path)
    first = rows.first_line(path)
    if not first:
        raise DataError(Problem("is empty", "", path))
    return ("jsonl", rows.json_keys(path)) if first.startswith("{") else ("csv", rows.csv_header(path))


def _blocks(path: str, container: str, wanted: tuple[str, ...]) -> Iterator[Block]:
    if container == "jsonl":
        return rows.json_blocks(path, wanted, optional=wanted)
    return (rows.csv_blocks if container == "csv" else rows.parquet_blocks)(path, wanted)


def _take(block: Block, names: Mapping[str, str], table: _Table, unit_s: float | None, zone: tzinfo) -> None:
    """Check and keep the rows of a block."""
    at_s, dated = _times(block, names["time"], unit_s, zone)
    table.dated |= dated
    table.add("time", at_s)
    kinds = [outcome_of(value) for value in block.columns[names["outcome"]]] if "outcome" in names else None
    kind = np.array(kinds) if kinds is not None else np.full(len(block), "completed")
    for key in ("prompt_tokens", "output_tokens", "cached_tokens"):
        if key in names:
            table.add(key, _tokens(block, names[key], kind, key))
    table.add("outcome", kind)
    for key in _DURATIONS:
        if key in names:
            table.add(key, _optional(block, names[key]) * scale_of(names[key]))
    for key, into in (("first_token", "ttft"), ("end", "e2e")):
        if key in names and into not in names:
            table.add(into, _optional_times(block, names[key], unit_s, zone) - at_s)
    if "stream" in names:
        table.add("stream", np.array([str(value) for value in block.columns[names["stream"]]], dtype=object))


def _times(block: Block, column: str, unit_s: float | None, zone: tzinfo) -> tuple[Floats, bool]:
    """Times in seconds, and whether they are dates."""
    values = block.columns[column]
    first = next((value for value in values if value not in (None, "")), None)
    if isinstance(first, int | float) or (isinstance(first, str) and _is_number(first)):
        found = block.numbers(column) * (unit_s or _unit_s(column, block))
        return found, bool(len(found) and found[0] > 1e8)
    return _stamps(block, column, values, zone), True


def _unit_s(column: str, block: Block) -> float:
    """Mooncake's times are milliseconds without saying so; its other columns give it away."""
    mooncake = column == "timestamp" and "input_length" in block.columns
    return 1e-3 if mooncake else scale_of(column)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _stamps(block: Block, column: str, values: Any, zone: tzinfo) -> Floats:
    """ISO times in Unix seconds; those without a zone are of `zone`."""
    import pandas as pd

    texts = ["" if value is None else str(value) for value in values]
    stamps = pd.to_datetime(pd.Series(texts, dtype=object), format="ISO8601", utc=True, errors="coerce")
    short = np.fromiter((len(text) < _SHORTEST_STAMP for text in texts), bool, len(texts))
    wrong = short | ~stamps.dt.year.between(1971, 2200).to_numpy()  # no time at all has no year
    if wrong.any():
        row = int(np.argmax(wrong))
        such = f"must be a time such as 2026-03-01 14:00:00.5, got {shown(values[row])}"
        block.refuse(row, column, such if texts[row].strip() else "is empty")
    if zone is not UTC:
        naive = np.fromiter((_ZONED.search(text) is None for text in texts), bool, len(texts))
        local = stamps.dt.tz_localize(None).dt.tz_localize(zone, ambiguous=naive, nonexistent="shift_forward")
        stamps = stamps.where(~naive, local.dt.tz_convert("UTC"))
    return stamps.dt.as_unit("ns").to_numpy(dtype="datetime64[ns]").astype(np.int64) / 1e9


def _tokens(block: Block, column: str, kind: NDArray[Any], key: str) -> Floats:
    """Tokens of each request; NaN where one that failed has none, or a cache count is absent."""
    values = block.columns[column]
    absent = np.array([value is None or (isinstance(value, str) and not value.strip()) for value in values])
    lacks = absent if key == "cached_tokens" else absent & (kind != "completed")
    found = np.full(len(block), np.nan)
    there = np.flatnonzero(~lacks)
    found[there] = _only(block, there, column).numbers(column, whole=True)
    return found


def _optional(block: Block, column: str) -> Floats:
    """Numbers of at least 0, NaN where there is none."""
    values = block.columns[column]
    there = np.array([i for i, value in enumerate(values) if not _is_absent(value)], dtype=np.intp)
    found = np.full(len(block), np.nan)
    found[there] = _only(block, there, column).numbers(column)
    return found


def _optional_times(block: Block, column: str, unit_s: float | None, zone: tzinfo) -> Floats:
    values = block.columns[column]
    there = np.array([i for i, value in enumerate(values) if not _is_absent(value)], dtype=np.intp)
    found = np.full(len(block), np.nan)
    if len(there):
        found[there] = _times(_only(block, there, column), column, unit_s, zone)[0]
    return found


def _is_absent(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in ("", "nan", "null", "none")
    return value is None or (isinstance(value, float) and math.isnan(value))


def _only(block: Block, there: NDArray[np.intp], column: str) -> Block:
    """Some rows of one column, still with their lines."""
    values = block.columns[column]
    return replace(block, lines=[block.lines[i] for i in there], columns={column: [values[i] for i in there]})


def _split(columns: dict[str, NDArray[Any]], path: str, dated: bool, names: Mapping[str, str]) -> list[Traffic]:
    """The table in the order of its times, one traffic a stream."""
    order = np.argsort(columns["time"], kind="stable")
    late = int((np.diff(columns["time"]) < 0).sum())
    columns = {key: column[order] for key, column in columns.items()}
    span_s = float(columns["time"][-1] - columns["time"][0])
    if span_s > _YEARS_S:
        told = f"times span {span_s / 31_557_600:.3g} years: name their unit with --time-unit (ms, us or ns)"
        raise DataError(Problem(told, names["time"], path))
    if span_s == 0:
        raise DataError(Problem("all requests have the same time: no rate can be told", names["time"], path))
    notes = [f"{late:,} rows stood before a later one: sorted by time"] if late else []
    start_s = float(columns["time"][0])
    if dated:  # whole seconds of the clock
        start_s = math.floor(start_s)
        span_s = float(columns["time"][-1]) - start_s
    bin_s, coarse = _bin_s(columns["time"], span_s)
    if coarse:
        notes.append(f"times are told to {coarse:g} s only: bursts shorter than that are not seen")
    span = _Span(start_s, span_s, bin_s, dated)
    if "stream" not in columns:
        return [_traffic("", columns, span, notes, path)]
    streams, counts = np.unique(columns["stream"].astype(str), return_counts=True)
    if len(streams) > _MOST_STREAMS:
        told = f"holds {len(streams):,} values; at most {_MOST_STREAMS} streams are made of a column"
        raise DataError(Problem(told, names["stream"], path))
    parts = []
    for name in streams[np.argsort(-counts, kind="stable")].tolist():
        mine = columns["stream"].astype(str) == name
        part = {key: column[mine] for key, column in columns.items()}
        parts.append(_traffic(name, part, span, notes, path))
    return parts


@dataclass(frozen=True)
class _Span:
    """The time of the whole log, the same for all of its streams."""

    start_s: float
    span_s: float
    bin_s: float
    dated: bool

    @property
    def bins(self) -> int:
        """Steps in it; the last one, if it is cut off, would look like a lull."""
        bins = max(math.ceil(self.span_s / self.bin_s), 1)
        return bins - 1 if bins > 20 and bins * self.bin_s - self.span_s > 0.01 * self.bin_s else bins


def _traffic(name: str, columns: dict[str, NDArray[Any]], span: _Span, notes: list[str], path: str) -> Traffic:
    arrival_s, bin_s, bins = columns["time"] - span.start_s, span.bin_s, span.bins
    n, kind = len(arrival_s), columns["outcome"]
    prompt, output = columns["prompt_tokens"], columns["output_tokens"]
    whole = (kind == "completed") & (output >= 1) & np.isfinite(prompt)
    if not whole.any():
        raise DataError(Problem(f"no request{f' of {name}' if name else ''} was completed: no lengths", "", path))
    found = list(notes)
    if n > int(whole.sum()):
        found.append(f"{n - int(whole.sum()):,} of {n:,} requests were not completed: they count, their lengths do not")
    counts = np.bincount(np.minimum((arrival_s / bin_s).astype(np.int64), bins), minlength=bins)[:bins]
    cached = columns.get("cached_tokens")
    share = None
    if cached is not None and np.isfinite(cached[whole]).any():
        share = float(np.nansum(np.minimum(cached, prompt)[whole]) / prompt[whole].sum())
    return Traffic(
        name,
        DemandHistory(span.start_s if span.dated else 0.0, bin_s, counts / bin_s),
        span.dated,
        Sampled(np.sort(prompt[whole])),
        Sampled(np.sort(output[whole])),
        float(n),
        arrival_s,
        _rank_correlation(prompt[whole], output[whole]),
        share,
        _gave_up(columns, whole),
        tuple(found),
    )


def _bin_s(arrival_s: Floats, span_s: float) -> tuple[float, float]:
    """The base step of counts, and the grid of the times where it is a coarse one (else 0)."""
    gaps = np.diff(arrival_s)
    some = gaps[gaps > 1e-9]
    grid = float(some.min()) if len(some) and len(some) < 0.8 * len(gaps) else 0.0
    if grid < 0.5:
        grid = 0.0
    return max(
        next(step for step in (1.0, 10.0, 60.0, 3600.0) if span_s / step <= 1_000_000 or step == 3600.0), grid
    ), grid


def _rank_correlation(one: Floats, other: Floats) -> float | None:
    from scipy import stats

    if len(one) < 10 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(stats.spearmanr(one, other).statistic)


def _gave_up(columns: dict[str, NDArray[Any]], whole: NDArray[np.bool_]) -> GaveUp | None:
    """Those who went away, where the log tells how long they waited."""
    gone, e2e_s, ttft_s = columns["outcome"] == "gave_up", columns.get("e2e"), columns.get("ttft")
    if int(gone.sum()) < _LEAST_GAVE_UP or e2e_s is None or not np.isfinite(e2e_s[gone]).any():
        return None
    tokens = np.nan_to_num(columns["output_tokens"])
    early = bool((tokens[gone] < 1).mean() > 0.5) and ttft_s is not None
    waited = e2e_s.copy()
    if early and ttft_s is not None:
        waited[whole] = ttft_s[whole]
    after = e2e_s[gone & np.isfinite(e2e_s)]
    middle = float(np.median(after))
    alike = float((np.abs(after - middle) <= 0.02 * middle + 0.05).mean()) > 0.9
    count = float(gone.sum())
    return GaveUp(count, count / len(gone), float(np.nansum(waited)), early, middle if alike else None)
