"""A CSV of iterations: `prefill_tokens, decode_seqs, ctx_tokens`, and their time as `seconds` or `ms`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sim.config.errors import DataError, Problem
from sim.exchange.base import Format
from sim.exchange.documents import Document
from sim.study.fidelity.measured import Iterations, Measured
from sim.workload.rows import csv_blocks

_COLUMNS = ("prefill_tokens", "decode_seqs", "ctx_tokens")
_TIMES = {"seconds": 1.0, "ms": 1e-3}
ROWS_MAX = 5_000_000


class IterationLog(Format):
    """One iteration a row; `ctx_tokens` is the context of the decoding sequences, added up."""

    kind: ClassVar[str] = "iterations"
    about: ClassVar[str] = f"CSV with the columns {', '.join(_COLUMNS)} and seconds or ms"

    @classmethod
    def fits(cls, document: Document) -> bool:
        return document.container == "csv" and set(_COLUMNS) <= set(document.first)

    @classmethod
    def read(cls, document: Document) -> Measured:
        file = document.file
        header = document.first if document.container == "csv" else []
        times = [name for name in _TIMES if name in header]
        if len(times) != 1:
            what = "needs a column 'seconds' or 'ms'" if not times else "has both 'seconds' and 'ms'; keep one"
            raise DataError(Problem(what, "", file, 1))
        parts: dict[str, list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = {
            name: [] for name in (*_COLUMNS, times[0])
        }
        rows = 0
        for block in csv_blocks(file, (*_COLUMNS, times[0])):
            rows += len(block)
            if rows > ROWS_MAX:
                raise DataError(Problem(f"has more than {ROWS_MAX:,} rows; give a sample", "", file))
            for name in _COLUMNS:
                parts[name].append(block.numbers(name, whole=True))
            seconds = block.numbers(times[0])
            if (seconds <= 0).any():
                block.refuse(int(np.argmax(seconds <= 0)), times[0], "an iteration takes time; got 0")
            parts[times[0]].append(seconds)
        if not rows:
            raise DataError(Problem("has no rows", "", file))
        prefill, seqs, context, seconds = (np.concatenate(parts[name]) for name in (*_COLUMNS, times[0]))
        empty = (prefill + seqs) == 0
        if empty.any():
            line = int(np.argmax(empty)) + 2
            raise DataError(Problem("an iteration of no tokens", "prefill_tokens", file, line))
        return Measured(iterations=(Iterations(file, prefill, seqs, context, seconds * _TIMES[times[0]]),))
