"""Files that a user names: measured points as in configs/measured, or results of benchmark tools, told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sim.exchange.documents import open_document
from sim.exchange.formats import read_benchmarks
from sim.study.fidelity.measured import Measured
from sim.study.fidelity.shipped import MeasuredFile, read_measured


@dataclass(frozen=True)
class Given:
    """All that some files hold."""

    points: tuple[tuple[MeasuredFile, Path], ...]
    """Files of measured points, which say what was measured on what."""
    results: Measured
    """Of benchmark tools, which mostly do not."""


def read_given(files: Iterable[str], format: str | None = None) -> Given:
    """Read every file as what it is. Raises DataError; ConfigError for a format that there is not."""
    points, results = [], []
    for file in files:
        if format is None and _holds_points(file):
            points.append((read_measured(Path(file)), Path(file)))
        else:
            results.append(file)
    return Given(tuple(points), read_benchmarks(results, format))


def _holds_points(file: str) -> bool:
    first = open_document(file).first
    return isinstance(first, Mapping) and ("columns" in first or "experiments" in first)
