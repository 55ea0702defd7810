"""The reports of a validation and of a calibration: how far off the predictions are, point by point."""

from __future__ import annotations

from collections.abc import Sequence

from sim.report.drawing.figure import Figure
from sim.report.fidelity.errors_picture import BAND, dots_of, dots_of_fit, panels_of
from sim.report.page.document import Page, Section, Tile
from sim.report.page.sources import software_of
from sim.report.tables.table import Table
from sim.result import words
from sim.study.fidelity.fitted import Fit
from sim.study.fidelity.validate import KNEE, Comparison, Errors, Law, Validation, errors_of

_LAWS = {
    "shipped": "Iteration times are those that ship, fitted to measurements where there are some.",
    "held-out": "Iteration times were fitted without the experiment that is predicted.",
    "roofline": "Iteration times come from data sheets alone.",
}
_NAMES = {
    "achieved_per_s": "completed a second",
    "sent_per_s": "sent a second",
    "iteration_s": "iteration",
    KNEE: "knee",
}
_MAIN = ("tpot_s_mean", "e2e_s_mean", "ttft_s_mean", "iteration_s")
_MOST_ROWS = 120
_READING = (
    "An error is predicted over measured, less one: above zero the prediction is too large.",
    "MAPE is the mean of the errors' sizes, bias the mean of the errors with their sign.",
    "A measured run is itself one run: another of the same load would differ from it too.",
)


def page_of(found: Validation, law: Law, command: str) -> Page:
    """The report of a validation."""
    first, *rest = panels_of(dots_of(found)) or (None,)
    told = {metric: errors for metric in _MAIN if (errors := _of(found.rows, metric)) is not None}
    return Page(
        title="Predicted beside measured",
        verdict=_verdict(told),
        confidence=_LAWS[law],
        facts=(words.plural(len({row.case for row in found.rows}), "measured point"), f"law: {law}"),
        tiles=tuple(_tile(metric, errors) for metric, errors in told.items()),
        hero=first,
        sections=(
            Section("By metric", figures=_kept(rest)),
            Section("Errors of each source", tables=(_by_source(found),)),
            Section("Point by point", tables=_points(found)),
            Section("How to read the numbers", items=_READING),
        ),
        sources=(*((source.name, source.about) for source in found.sources), *software_of()),
        command=command,
    )


def page_of_fit(fit: Fit, title: str, coefficients: Table, command: str) -> Page:
    """The report of a calibration. `coefficients`: as the terminal shows them."""
    first, *rest = panels_of(dots_of_fit(fit)) or (None,)
    used = [row for row in fit.residuals if row.used]
    off = sum(abs(row.error_share) for row in used) / len(used) if used else 0.0
    held = fit.calibration.held_out_error_share
    sure = "" if held is None else f"TPOT of each experiment, predicted from the others: {words.share(held)} off."
    rows = tuple(
        (
            row.point,
            row.metric.upper() if len(row.metric) < 5 else row.metric,
            words.duration(row.measured),
            words.duration(row.predicted),
            f"{row.error_share:+.1%}",
            "" if row.used else "not fitted",
        )
        for row in fit.residuals[:_MOST_ROWS]
    )
    heading = ("point", "metric", "measured", "predicted", "error", "")
    return Page(
        title=f"Calibrated: {title}",
        verdict=f"The fitted law is {words.share(off)} off, on average, over the {len(used)} numbers it was fitted to.",
        confidence=sure,
        facts=(words.plural(len(fit.residuals), "number"), *fit.formats),
        mood="plain",
        hero=first,
        sections=(
            Section("Coefficients", tables=(coefficients,)),
            Section("By metric", figures=_kept(rest)),
            Section("Point by point", tables=(Table("Residuals", heading, rows),)),
            Section("Cautions and assumptions", items=(*fit.warnings, *fit.notes, _READING[0])),
        ),
        sources=software_of(),
        command=command,
    )


def _kept(figures: Sequence[Figure | None]) -> tuple[Figure, ...]:
    return tuple(figure for figure in figures if figure is not None)


def _of(rows: Sequence[Comparison], metric: str) -> Errors | None:
    return errors_of([row for row in rows if row.metric == metric])


def _verdict(told: dict[str, Errors]) -> str:
    if not told:
        return "No prediction could be held against a measurement."
    each = [f"{words.share(errors.mape_share)} for {_name(metric)}" for metric, errors in told.items()]
    return f"Predictions are off by {', '.join(each)}, on average over all points."


def _tile(metric: str, errors: Errors) -> Tile:
    mood = "good" if errors.mape_share <= BAND else "bad"
    around = f"median {words.share(errors.median_share)}, worst {errors.worst_share:+.1%}"
    return Tile(words.share(errors.mape_share), f"mean error of {_name(metric)}, {errors.points} points", mood, around)


def _name(metric: str) -> str:
    name, unit, statistic = metric.partition("_s_")
    return f"{name.upper()} {statistic}" if unit and statistic else _NAMES.get(metric, metric)


def _by_source(found: Validation) -> Table:
    rows = [
        (
            source.name,
            _name(metric),
            str(told.points),
            *(f"{share:.1%}" for share in (told.mape_share, told.median_share)),
            *(f"{share:+.1%}" for share in (told.bias_share, told.worst_share)),
        )
        for source in found.sources
        for metric in found.metrics(source.name)
        if metric != KNEE and (told := found.errors(source.name, metric)) is not None
    ]
    return Table("Errors", ("source", "metric", "points", "MAPE", "median", "bias", "worst"), tuple(rows))


def _points(found: Validation) -> tuple[Table, ...]:
    """A table a source, its main metrics."""
    made = []
    for source in found.sources:
        kept = [row for row in found.rows if row.source == source.name and row.metric in (*_MAIN, KNEE)]
        rows = tuple(
            (row.case.removeprefix(f"{source.name}/"), _name(row.metric), *_cells(row)) for row in kept[:_MOST_ROWS]
        )
        left = f" (the first {_MOST_ROWS} of {len(kept)} numbers)" if len(kept) > _MOST_ROWS else ""
        made.append(Table(f"{source.description}{left}", ("case", "metric", "measured", "predicted", "error"), rows))
    return tuple(made)


def _cells(row: Comparison) -> tuple[str, str, str]:
    def say(value: float | None) -> str:
        if row.metric == KNEE:
            return "none" if value is None else f"{value:g}/s"
        return words.MISSING if value is None else words.duration(value)

    return say(row.measured), say(row.predicted), "" if row.error_share is None else f"{row.error_share:+.1%}"
