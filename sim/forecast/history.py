"""A demand history: rates at equal steps of time, with holes where nothing was recorded. Owns its CSV file.

A hole is not zero demand: it is NaN here, an absent row in the file, and is filled for a model by what the same hour
of other weeks (else days) brought.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import DataError, Problem
from sim.config.units import shown

Floats = NDArray[np.float64]
HOUR_S, DAY_S, WEEK_S = 3600.0, 86_400.0, 604_800.0
_MOST_STEPS = 2_000_000
_SHORTEST_S = 0.001
_YEARS = (1971, 2200)


@dataclass(frozen=True, eq=False)
class DemandHistory:
    """Mean rates of successive steps."""

    start_s: float
    """Unix time of the first step's start."""
    step_s: float
    rate_per_s: Floats
    """Shape (steps,): NaN in a hole."""

    @property
    def span_s(self) -> float:
        """From the first step's start to the last one's end."""
        return self.step_s * len(self.rate_per_s)

    @property
    def known_share(self) -> float:
        """Share of the steps that are no holes."""
        return float(np.isfinite(self.rate_per_s).mean()) if len(self.rate_per_s) else 0.0

    def steps_in(self, period_s: float) -> int:
        """Steps in a period; 0 if they do not fill it evenly."""
        steps = period_s / self.step_s
        return round(steps) if abs(steps - round(steps)) < 1e-9 and steps >= 2 else 0

    def until(self, steps: int) -> DemandHistory:
        """The first so many steps."""
        return replace(self, rate_per_s=self.rate_per_s[:steps])

    def from_whole(self, step_s: float) -> DemandHistory:
        """The same with holes before it, so that it begins at a whole multiple of a longer step, as clocks have it."""
        lacks = round(self.start_s % step_s / self.step_s)
        if lacks == 0 or abs(self.start_s % step_s - lacks * self.step_s) > 1e-3:
            return self
        rates = np.append(np.full(lacks, np.nan), self.rate_per_s)
        return DemandHistory(self.start_s - lacks * self.step_s, self.step_s, rates)

    def coarser(self, step_s: float) -> DemandHistory:
        """Means over longer steps, a whole multiple of these, by what is known in each; half of one must be."""
        many = round(step_s / self.step_s)
        if many <= 1:
            return self
        steps = round(len(self.rate_per_s) / many)
        lacks = max(steps * many - len(self.rate_per_s), 0)
        cut = np.append(self.rate_per_s, np.full(lacks, np.nan))[: steps * many].reshape(steps, many)
        known = np.isfinite(cut)
        counts = known.sum(axis=1)
        sums = np.where(known, cut, 0.0).sum(axis=1)
        # a step that is mostly a hole says too little of itself
        means = np.where(counts * 2 >= many, sums / np.maximum(counts, 1), np.nan)
        return DemandHistory(self.start_s, self.step_s * many, means)

    @cached_property
    def filled(self) -> Floats:
        """The rates with holes filled: the mean of the same time of other weeks, else days, else the overall mean."""
        rates = self.rate_per_s.copy()
        for period_s in (WEEK_S, DAY_S):
            period = self.steps_in(period_s)
            holes = np.flatnonzero(np.isnan(rates))
            if not len(holes):
                return rates
            if not period:
                continue
            known = np.isfinite(self.rate_per_s)
            phase = np.arange(len(rates)) % period
            counts = np.bincount(phase[known], minlength=period)
            sums = np.bincount(phase[known], self.rate_per_s[known], minlength=period)
            alike = phase[holes]
            told = counts[alike] > 0
            rates[holes[told]] = sums[alike[told]] / counts[alike[told]]
        known = self.rate_per_s[np.isfinite(self.rate_per_s)]
        return np.where(np.isnan(rates), known.mean() if len(known) else 0.0, rates)


def read_history(path: str) -> DemandHistory:
    """A CSV file with the columns `time` (ISO, UTC if it names no zone, or Unix seconds) and `rate_per_s`.

    Times rise by equal steps; rows that are left out, and rates that are empty or `nan`, are holes. Raises `DataError`.
    """
    times: list[float] = []
    rates: list[float] = []
    for line, row in _rows(path):
        at_s, rate = _time_s(row["time"], path, line), _rate(row["rate_per_s"], path, line)
        if times and at_s <= times[-1]:
            raise DataError(Problem(f"must be after the row before, got {shown(row['time'])}", "time", path, line))
        times.append(at_s)
        rates.append(rate)
    if len(times) < 2:
        raise DataError(Problem("needs at least two rows", "", path))
    if not np.isfinite(rates).any():
        raise DataError(Problem("holds no rate at all", "rate_per_s", path))
    return _on_steps(np.array(times), np.array(rates), path)


def _rows(path: str) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            found = [(name or "").strip() for name in reader.fieldnames or ()]
            reader.fieldnames = found
            for name in ("time", "rate_per_s"):
                if found.count(name) != 1:
                    header = ",".join(found)[:200] or "empty"
                    raise DataError(Problem(f"needs this column once; the header is {header}", name, path, 1))
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(Problem(f"must have {len(found)} fields", "", path, reader.line_num))
                yield reader.line_num, row
    except FileNotFoundError:
        raise DataError(Problem("no such file", "", path)) from None
    except UnicodeDecodeError:
        raise DataError(Problem("not UTF-8 text", "", path)) from None
    except csv.Error as error:
        raise DataError(Problem(f"not a CSV row: {error}", "", path, reader.line_num)) from None
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", "", path)) from None


def _time_s(text: str, path: str, line: int) -> float:
    try:
        at_s = float(text)
    except ValueError:
        try:
            stamp = datetime.fromisoformat(text.strip())
        except ValueError:
            told = f"must be a time such as 2026-03-01T14:00, or Unix seconds; got {shown(text)}"
            raise DataError(Problem(told, "time", path, line)) from None
        if not _YEARS[0] <= stamp.year <= _YEARS[1]:
            raise DataError(
                Problem(f"must be between the years {_YEARS[0]} and {_YEARS[1]}", "time", path, line)
            ) from None
        at_s = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(at_s) or not 0 <= at_s < 1e11:
        raise DataError(Problem(f"must be Unix seconds, got {shown(text)}", "time", path, line))
    return at_s


def _rate(text: str, path: str, line: int) -> float:
    if text.strip().lower() in ("", "nan"):
        return math.nan
    try:
        rate = float(text)
    except ValueError:
        raise DataError(Problem(f"must be a number, got {shown(text)}", "rate_per_s", path, line)) from None
    if not math.isfinite(rate) or rate < 0:
        raise DataError(Problem(f"must be finite and at least 0, got {shown(text)}", "rate_per_s", path, line))
    return rate


def _on_steps(times: Floats, rates: Floats, path: str) -> DemandHistory:
    """Rows on equal steps; the step is the smallest distance of two."""
    step_s = float(np.diff(times).min())
    if step_s < _SHORTEST_S:
        raise DataError(Problem(f"two times are less than {_SHORTEST_S:g} s apart: give longer steps", "time", path))
    places = (times - times[0]) / step_s
    whole = np.rint(places)
    if (np.abs(places - whole) > 0.01).any():
        told = f"times must be {step_s:g} s apart, as two of them are, or multiples of that: give equal steps"
        raise DataError(Problem(told, "time", path))
    if whole[-1] >= _MOST_STEPS:
        raise DataError(Problem(f"spans more than {_MOST_STEPS:,} steps: one of its times is wrong", "time", path))
    on = np.full(int(whole[-1]) + 1, np.nan)
    on[whole.astype(np.int64)] = rates
    return DemandHistory(float(times[0]), step_s, on)


def history_text(history: DemandHistory) -> str:
    """The CSV file of a history, holes left out; what `read_history` reads back."""
    lines = ["time,rate_per_s"]
    for index, rate in enumerate(history.rate_per_s.tolist()):
        if math.isfinite(rate):
            at = datetime.fromtimestamp(history.start_s + index * history.step_s, UTC)
            lines.append(f"{at.isoformat().replace('+00:00', 'Z')},{rate:.10g}")
    return "\n".join(lines) + "\n"
