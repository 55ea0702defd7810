"""A CSV of requests: when each was sent, how long it was, and when its answer came. Anybody's log, as a table."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sim.config.errors import DataError, Problem
from sim.exchange.base import Format, point_of_requests
from sim.exchange.documents import Document
from sim.study.fidelity.measured import Floats, Measured, Requests
from sim.workload.rows import csv_blocks

_NAMES = {
    "arrival_s": ("arrival_s",),
    "prompt_tokens": ("prompt_tokens", "input_tokens", "input_toks"),
    "output_tokens": ("output_tokens", "output_toks"),
    "e2e_s": ("e2e_s",),
    "ttft_s": ("ttft_s",),
}
"""What a column may be called; the last one may be absent."""
ROWS_MAX = 1_000_000


class RequestCsv(Format):
    """One operating point, replayed as it was sent."""

    kind: ClassVar[str] = "requests"
    about: ClassVar[str] = "CSV with the columns arrival_s, prompt_tokens, output_tokens, e2e_s and, at best, ttft_s"

    @classmethod
    def fits(cls, document: Document) -> bool:
        header = document.first if document.container == "csv" else []
        return all(any(name in header for name in names) for key, names in _NAMES.items() if key != "ttft_s")

    @classmethod
    def read(cls, document: Document) -> Measured:
        file = document.file
        columns = _columns(document)
        parts: dict[str, list[Floats]] = {key: [] for key in columns}
        rows = 0
        for block in csv_blocks(file, tuple(columns.values())):
            rows += len(block)
            if rows > ROWS_MAX:
                raise DataError(Problem(f"has more than {ROWS_MAX:,} rows; give a sample", "", file))
            for key, name in columns.items():
                parts[key].append(block.numbers(name, whole=key.endswith("_tokens")))
            if (parts["output_tokens"][-1] < 1).any():
                at = int(np.argmax(parts["output_tokens"][-1] < 1))
                block.refuse(at, columns["output_tokens"], "must be at least 1: leave out requests without an answer")
        if not rows:
            raise DataError(Problem("has no rows", "", file))
        table = {key: np.concatenate(part) for key, part in parts.items()}
        order = np.argsort(table["arrival_s"], kind="stable")
        table = {key: column[order] for key, column in table.items()}
        found = Requests(
            table["prompt_tokens"],
            table["output_tokens"],
            table["arrival_s"] - table["arrival_s"][0],
            table.get("ttft_s"),
            table["e2e_s"],
        )
        return point_of_requests(document, cls.kind, found)


def _columns(document: Document) -> dict[str, str]:
    """What each quantity's column is called in this file. Raises DataError for one that is missing."""
    header = document.first if document.container == "csv" else []
    columns = {}
    for key, names in _NAMES.items():
        name = next((name for name in names if name in header), None)
        if name is not None:
            columns[key] = name
        elif key != "ttft_s":
            raise DataError(Problem(f"needs a column '{key}'", "", document.file, 1))
    return columns
