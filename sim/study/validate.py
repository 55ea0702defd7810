"""Predicted beside measured: every point given, the errors by source, and where throughput stops following the load."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sim.study.held_out import held_out_changes
from sim.study.replay import Case, cases, predict
from sim.study.shipped import MeasuredFile, read_measured, shipped_files

Law = Literal["shipped", "held-out", "roofline"]
LAWS: tuple[Law, ...] = ("shipped", "held-out", "roofline")

KEPT_UP_SHARE = 0.95
"""A load is sustained if at least this share of the requested rate was sent."""

KNEE = "knee_per_s"


@dataclass(frozen=True)
class Comparison:
    """One metric of one measured point, and what the simulator says."""

    case: str
    metric: str
    measured: float | None
    predicted: float | None
    source: str
    experiment: str
    split: str

    @property
    def error_share(self) -> float | None:
        """Predicted over measured, less 1: positive when the prediction is too large."""
        if not self.measured or self.predicted is None:
            return None
        return self.predicted / self.measured - 1.0

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "case": self.case,
            "metric": self.metric,
            "measured": self.measured,
            "predicted": self.predicted,
            "error_share": self.error_share,
        }


@dataclass(frozen=True)
class Errors:
    """How far off the predictions of one metric are."""

    points: int
    mape_share: float
    """Mean absolute error."""
    median_share: float
    """Median absolute error."""
    bias_share: float
    """Mean signed error."""
    worst_share: float
    """The largest, with its sign."""


@dataclass(frozen=True, eq=False)
class Validation:
    """All comparisons of some files, in their order."""

    files: tuple[MeasuredFile, ...]
    rows: tuple[Comparison, ...]

    def of(self, source: str, metric: str, where: Callable[[Comparison], bool] = lambda row: True) -> list[Comparison]:
        """The comparisons of one metric of one source."""
        return [row for row in self.rows if row.source == source and row.metric == metric and where(row)]

    def errors(self, source: str, metric: str, where: Callable[[Comparison], bool] = lambda row: True) -> Errors | None:
        """Their errors; None if there is none."""
        return errors_of(self.of(source, metric, where))

    def metrics(self, source: str) -> list[str]:
        """What was measured, in the file's order."""
        return list(dict.fromkeys(row.metric for row in self.rows if row.source == source))


def errors_of(rows: Sequence[Comparison]) -> Errors | None:
    """Mean, median and worst error of some comparisons."""
    found = np.array([row.error_share for row in rows if row.error_share is not None])
    if not len(found):
        return None
    size = np.abs(found)
    return Errors(
        points=len(found),
        mape_share=float(size.mean()),
        median_share=float(np.median(size)),
        bias_share=float(found.mean()),
        worst_share=float(found[int(size.argmax())]),
    )


def validate(
    paths: Iterable[Path] | None = None,
    law: Law = "shipped",
    progress: Callable[[int, int], None] | None = None,
    on_compile: Callable[[], None] | None = None,
) -> Validation:
    """Predict every point of these files (default: those that ship).

    `law`: as shipped; with calibrations that have not seen the experiment; or from data sheets alone. `progress` is
    called with (points done, points in all), `on_compile` as by `simulate`. Raises `DataError` for a wrong file.
    """
    chosen = list(shipped_files() if paths is None else paths)
    files = [read_measured(path) for path in chosen]
    found = [case for file, path in zip(files, chosen, strict=True) for case in cases(file, path)]
    changes: dict[str, dict[str, Any]] = {}
    if law == "held-out":
        changes = held_out_changes(found)
    elif law == "roofline":
        changes = {case.name: {"latency_source": "roofline"} for case in found}
    rows: list[Comparison] = []
    for done, case in enumerate(found, start=1):
        predicted = predict(case, changes.get(case.name), on_compile)
        rows += [_compared(case, name, value, predicted[name]) for name, value in case.measured.items()]
        if progress is not None:
            progress(done, len(found))
    rows += _knees(found, rows)
    return Validation(tuple(files), tuple(rows))


def _compared(case: Case, metric: str, measured: float | None, predicted: float | None) -> Comparison:
    predicted = predicted if predicted is not None and math.isfinite(predicted) else None
    return Comparison(case.name, metric, measured, predicted, case.source, case.experiment, case.split)


def _knees(found: Sequence[Case], rows: Sequence[Comparison]) -> Iterator[Comparison]:
    """For each sweep of rates, the first one that was not sustained: measured, and predicted."""
    sent = {row.case: row for row in rows if row.metric == "sent_per_s"}
    sweeps: dict[tuple[str, str], list[Case]] = {}
    for case in found:
        if case.name in sent and case.rate_per_s is not None:
            sweeps.setdefault((case.source, case.experiment), []).append(case)
    for (source, experiment), swept in sweeps.items():
        measured = _knee(swept, [sent[case.name].measured for case in swept])
        predicted = _knee(swept, [sent[case.name].predicted for case in swept])
        if measured is not None or predicted is not None:
            yield Comparison(f"{source}/{experiment}", KNEE, measured, predicted, source, experiment, swept[0].split)


def _knee(swept: Sequence[Case], sent_per_s: Sequence[float | None]) -> float | None:
    """The lowest requested rate that was not sustained."""
    rates = [
        case.rate_per_s
        for case, sent in zip(swept, sent_per_s, strict=True)
        if case.rate_per_s is not None and sent is not None and sent < KEPT_UP_SHARE * case.rate_per_s
    ]
    return min(rates, default=None)
