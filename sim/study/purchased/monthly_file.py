"""The CSV file of a forecast that was made elsewhere: a line a month, with quantiles or named demand scenarios."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from pathlib import Path

from sim.config.errors import ConfigError, DataError, Problem
from sim.scenario.plan_over_time import MonthlyFile

QUANTILES = ("p10", "p50", "p90")


def read_monthly(given: MonthlyFile, months: int, starts: str | None) -> dict[str, list[float]]:
    """The columns of the plan's months, as factors of the workload as given. Raises `DataError`, with file and line."""
    header, *body = _rows(given.file)
    if header[0] != "month" or len(header) < 2:
        told = "must begin with the columns month, p10, p50, p90 (or month and demand scenarios by name)"
        raise DataError(Problem(told, "", given.file, 1))
    first = 0
    if starts is not None and body:
        labels = [row[0] for row in body]
        if starts not in labels:
            told = f"has no month {starts}, the plan's first; it begins with {labels[0]}"
            raise DataError(Problem(told, "month", given.file))
        first = labels.index(starts)
    wanted = body[first : first + months]
    if len(wanted) < months:
        told = f"holds {len(wanted)} months from the plan's first on; the plan has {months}"
        raise DataError(Problem(told, "month", given.file))
    columns: dict[str, list[float]] = {name: [] for name in header[1:]}
    for line, row in enumerate(wanted, start=first + 2):
        for name, text in zip(header[1:], row[1:], strict=True):
            columns[name].append(_number(text, name, given, line))
        if set(columns) == set(QUANTILES):
            _check_order([columns[name][-1] for name in QUANTILES], given.file, line)
    return columns


def probabilities(columns: Iterable[str], given: MonthlyFile) -> dict[str, float]:
    """Of the demand scenarios that the columns are; all alike where none are given."""
    names = list(columns)
    if given.probabilities is None:
        return dict.fromkeys(names, 1 / len(names))
    place = "plan.over_time.demand.forecast.probabilities"
    if set(given.probabilities) != set(names):
        told = f"are of {', '.join(given.probabilities)}; the file has the demand scenarios {', '.join(names)}"
        raise ConfigError(Problem(told, place))
    total = sum(given.probabilities.values())
    if abs(total - 1) > 1e-6:
        raise ConfigError(Problem(f"must sum to 1; they sum to {total:.6g}", place))
    return dict(given.probabilities)


def _check_order(values: list[float], file: str, line: int) -> None:
    p10, p50, p90 = values
    if not p10 <= p50 <= p90:
        raise DataError(Problem(f"p10 <= p50 <= p90 must hold; got {p10:g}, {p50:g}, {p90:g}", "p50", file, line))


def _rows(file: str) -> list[list[str]]:
    try:
        with Path(file).open(encoding="utf-8-sig", newline="") as text:
            rows = [[cell.strip() for cell in row] for row in csv.reader(text) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(Problem(f"cannot be read: {error}", "", file)) from None
    if not rows:
        raise DataError(Problem("is empty", "", file))
    for line, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise DataError(Problem(f"has {len(row)} cells, and the header {len(rows[0])}", "", file, line))
    return rows


def _number(text: str, column: str, given: MonthlyFile, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise DataError(Problem(f"must be a number above 0; got '{text[:40]}'", column, given.file, line))
    return value / given.unit
