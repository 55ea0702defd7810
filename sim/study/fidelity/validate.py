"""Predicted beside measured: every point given, the errors by source, and where throughput stops following the load."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sim.study.fidelity.cases import Case, Source
from sim.study.fidelity.held_out import held_out
from sim.study.fidelity.measured import OperatingPoint
from sim.study.fidelity.setting import Setting

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
    """All comparisons of some cases, in their order."""

    sources: tuple[Source, ...]
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
    cases: Iterable[Case],
    law: Law = "shipped",
    progress: Callable[[int, int], None] | None = None,
    on_compile: Callable[[], None] | None = None,
) -> Validation:
    """Predict every case.

    `law`: as shipped; with calibrations that have not seen the experiment; or from data sheets alone. `progress` is
    called with (cases done, cases in all), `on_compile` as by `simulate`. Raises `DataError` for what cannot run.
    """
    found = list(cases)
    settings: dict[str, Setting] = {}
    if law == "held-out":
        settings = held_out(found)
    elif law == "roofline":
        settings = {case.name: case.setting.from_sheets() for case in found}
    rows: list[Comparison] = []
    for done, case in enumerate(found, start=1):
        predicted = case.predict(settings.get(case.name), on_compile)
        rows += [_compared(case, name, value, predicted[name]) for name, value in case.measured.items()]
        if progress is not None:
            progress(done, len(found))
    rows += _knees(found, rows)
    return Validation(tuple(dict.fromkeys(case.source for case in found)), tuple(rows))


def _compared(case: Case, metric: str, measured: float | None, predicted: float | None) -> Comparison:
    predicted = predicted if predicted is not None and math.isfinite(predicted) else None
    return Comparison(case.name, metric, measured, predicted, case.source.name, case.experiment, case.split)


def _knees(found: Sequence[Case], rows: Sequence[Comparison]) -> Iterator[Comparison]:
    """For each sweep of rates, the first one that was not sustained: measured, and predicted."""
    by_case = {(row.case, row.metric): row for row in rows}
    sweeps: dict[tuple[str, str], list[Case]] = {}
    for case in found:
        if case.rate_per_s is not None:
            sweeps.setdefault((case.source.name, case.sweep), []).append(case)
    for (source, sweep), swept in sweeps.items():
        if len({case.rate_per_s for case in swept}) < 2:
            continue
        told = [(case, row) for case in swept if (row := _throughput(case, by_case)) is not None]
        light_s = min(map(_late_s, swept))
        light_s = light_s if math.isfinite(light_s) else 0.0
        measured = _knee([(case, row.metric, row.measured) for case, row in told], light_s)
        predicted = _knee([(case, row.metric, row.predicted) for case, row in told], light_s)
        if measured is not None or predicted is not None:
            case = swept[0]
            yield Comparison(f"{source}/{sweep}", KNEE, measured, predicted, source, case.experiment, case.split)


def _late_s(case: Case) -> float:
    """How long after the last request was sent its answer, or that of one shortly before it, may end."""
    found = (case.measured.get(name) for name in ("e2e_s_p99", "e2e_s_p95", "e2e_s_p90", "e2e_s_mean"))
    return next((value for value in found if value is not None), math.inf)


def _throughput(case: Case, by_case: dict[tuple[str, str], Comparison]) -> Comparison | None:
    """What was completed a second, else what was sent."""
    found = (by_case.get((case.name, metric)) for metric in ("achieved_per_s", "sent_per_s"))
    return next((row for row in found if row is not None), None)


def _knee(swept: Sequence[tuple[Case, str, float | None]], light_s: float) -> float | None:
    """The lowest requested rate that was not sustained. What is completed a second ends one long answer late."""
    rates = []
    for case, metric, per_s in swept:
        rate, of = case.rate_per_s, case.of
        assert rate is not None
        assert isinstance(of, OperatingPoint)
        sending_s = of.requests / rate
        whole = rate if metric == "sent_per_s" else of.requests / (sending_s + light_s)
        if per_s is not None and per_s < KEPT_UP_SHARE * whole:
            rates.append(rate)
    return min(rates, default=None)
