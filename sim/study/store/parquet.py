"""`runs.parquet`: one row a run, in the order of points, then replications; bytes that depend on the runs alone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.config.errors import DataError, Problem
from sim.study.replicated.estimates import figures
from sim.study.store.design import Place
from sim.study.store.kept import Kept, from_text, text_of

FILE = "runs.parquet"
_PARTS = ("buckets", "counts", "zeros", "sum", "least", "most")
_SHARE = "in_time_at_end_share"


def bytes_of(places: Sequence[Place], runs: Sequence[tuple[int, Kept]]) -> bytes:
    """The file, of runs with the places of their points, in the order of their rows.

    Columns: point, replication, a `set.KEY` for each key, scenario_sha256, error, a column for each number of the
    summary by its dotted path, in_time_at_end_share, the latencies as histograms (see `sim.statistics.histogram`), and
    the summary as JSON.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(_columns(places, runs))
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        compression="zstd",
        compression_level=3,
        version="2.6",
        data_page_version="1.0",
        store_schema=False,
        write_statistics=False,
        write_page_checksum=True,
        row_group_size=1 << 16,
    )
    return out.getvalue()


def _columns(places: Sequence[Place], runs: Sequence[tuple[int, Kept]]) -> dict[str, Any]:
    import pyarrow as pa

    read = [run.document() for _, run in runs]
    keys = dict.fromkeys(key for place in places for key in place.values)
    made: dict[str, Any] = {
        "point": pa.array([point for point, _ in runs], pa.int32()),
        "replication": pa.array([of["replication"] for of in read], pa.int32()),
    }
    for key in keys:
        made[f"set.{key}"] = pa.array([places[point].values.get(key) for point, _ in runs], pa.string())
    made["scenario_sha256"] = pa.array([of["scenario"] for of in read], pa.string())
    made["error"] = pa.array([of["error"] for of in read], pa.string())
    numbers = [figures(of["summary"]) if of["summary"] is not None else {} for of in read]
    for path in dict.fromkeys(path for row in numbers for path in row):
        made[path] = pa.array([None if path not in row else float(row[path]) for row in numbers], pa.float64())
    made[_SHARE] = pa.array([of[_SHARE] for of in read], pa.float64())
    kinds = (pa.list_(pa.int32()), pa.list_(pa.int64()), pa.int64(), pa.float64(), pa.float64(), pa.float64())
    for metric in dict.fromkeys(metric for of in read for metric in of["latency"]):
        for part, kind in zip(_PARTS, kinds, strict=True):
            values = [of["latency"].get(metric, {}).get(part) for of in read]
            made[f"histogram.{metric}.{part}"] = pa.array(values, kind)
    # the text itself, not what it says: it is to come back as it was
    made["summary"] = pa.array([_summary(run.text) for _, run in runs], pa.string())
    return made


def _summary(text: str) -> str | None:
    found = text[text.index(',"summary":') + len(',"summary":') : -1]
    return None if found == "null" else found


def runs_of(path: Path, sha256: str | None) -> list[Kept]:
    """The runs of a file (None: its digest is not known). Raises `DataError` for one that is not as it was written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = path.read_bytes()
    if sha256 is not None and hashlib.sha256(found).hexdigest() != sha256:
        raise damaged(path)
    try:
        table = pq.read_table(io.BytesIO(found), page_checksum_verification=True)
        return _runs(table)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError):
        raise damaged(path) from None


def damaged(path: Path) -> DataError:
    """What is told of a file that has changed since it was written."""
    return DataError(
        Problem("is damaged; delete it, and run the same command: its runs are made again", file=str(path))
    )


def _runs(table: Any) -> list[Kept]:
    fixed = ("scenario_sha256", "replication", "error", _SHARE, "summary")
    parts: dict[str, dict[str, str]] = {}
    for name in table.column_names:
        if name.startswith("histogram."):
            metric, _, part = name.removeprefix("histogram.").rpartition(".")
            parts.setdefault(metric, {})[part] = name
    columns = {name: table[name].to_pylist() for name in (*fixed, *(n for of in parts.values() for n in of.values()))}
    runs = []
    for row in range(table.num_rows):
        digest, replication, error, share, summary = (columns[name][row] for name in fixed)
        latency = {}
        for metric, names in parts.items():
            if columns[names["zeros"]][row] is not None:
                latency[metric] = {part: columns[names[part]][row] for part in _PARTS}
        text = text_of((digest, replication), error, share, latency, "null" if summary is None else summary)
        runs.append(from_text(text))
    return runs
