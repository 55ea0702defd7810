"""The files of a result's folder, each written from the result by one function. Bytes depend on the run alone."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from sim.result.frames import COUNTED, MAY_BE_NONE, Names, categories, request_columns
from sim.result.log import WHY
from sim.result.money.billing import paid_until_s

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.result.timeline import Columns
    from sim.scenario import Pool

ROW_GROUP = 1 << 18
"""Requests in memory at a time while they are written, and in one row group of the Parquet file."""


def json_text(document: Any) -> str:
    """JSON as people and tools like it: indented, keys in our order, never NaN (which is not JSON)."""
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def write_timeline(path: Path, columns: Columns) -> None:
    """`timeline.csv`: one row a bin; an empty cell where there is no data."""
    numbers = [column.tolist() for column in columns.values()]
    for place, name in enumerate(columns):
        if name in COUNTED:
            numbers[place] = [int(value) for value in numbers[place]]
    _write_csv(path, columns, zip(*numbers, strict=True))


def write_decisions(path: Path, log: RunLog) -> None:
    """`decisions.csv`: one row a decision of an autoscaler."""
    rows = ((row.at_s, row.pool, row.current, row.wanted, row.reason) for row in log.decisions)
    _write_csv(path, ("at_s", "pool", "current", "wanted", "reason"), rows)


def write_replicas(path: Path, log: RunLog, pools: Sequence[Pool]) -> None:
    """`replicas.csv`: one row a replica's life, in the order of orders; an empty cell for what it never reached."""
    until_s = paid_until_s(log.spans, dict(enumerate(pools)))
    stages = [name for name in log.spans.dtype.names or () if name.endswith("_s")]
    rows = (
        (
            log.pools[span["pool"]],
            int(span["replica"]),
            pools[span["pool"]].offers[span["make"] % len(pools[span["pool"]].offers)].name,
            int(span["zone"]),
            int(span["version"]),
            *(float(span[name]) if math.isfinite(span[name]) else math.nan for name in stages),
            float(paid_s) if math.isfinite(paid_s) else math.nan,
            WHY[span["why"]],
            int(span["lost"]),
        )
        for span, paid_s in zip(log.spans, until_s, strict=True)
    )
    _write_csv(path, ("pool", "replica", "offer", "zone", "version", *stages, "paid_until_s", "why", "lost"), rows)


def _write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([cell(value) for value in row] for row in rows)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", text) is not None


def cell(value: object) -> object:
    """A value as a spreadsheet may safely open it: text that would start a formula is quoted, NaN is an empty cell.

    A text that is a number stays one, below 0 too.
    """
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return "'" + value
    if isinstance(value, float) and math.isnan(value):
        return ""
    return value


def write_requests(path: Path, log: RunLog) -> None:
    """`requests.parquet`: one row an attempt in arrival order, null for what never happened; bounded memory."""
    with RequestsFile(path, log) as file:
        for first in range(0, max(len(log.requests), 1), ROW_GROUP):  # also of an empty run: the columns are there
            file.write(request_columns(log, slice(first, first + ROW_GROUP)))


class RequestsFile:
    """A `requests.parquet` that is being written, one row group after another."""

    def __init__(self, path: Path, names: Names) -> None:
        import pyarrow as pa

        self.path = path
        self.names = {name: pa.array(list(values), pa.string()) for name, values in categories(names).items()}
        self.writer: Any = None

    def write(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """A row group of these columns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrays = {}
        for name, column in columns.items():
            if name in self.names:
                arrays[name] = pa.DictionaryArray.from_arrays(pa.array(column, mask=column < 0), self.names[name])
            else:
                missing = column < 0 if name in MAY_BE_NONE else None
                arrays[name] = pa.array(column, mask=missing, from_pandas=True)
        table = pa.table(arrays)
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, table.schema, compression="zstd")
        self.writer.write_table(table)

    def __enter__(self) -> RequestsFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()
