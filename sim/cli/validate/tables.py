"""The tables of `fleetcast validate`: predicted beside measured, the knee, and the errors of each metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.cli.shared.plain import console, seconds_as
from sim.cli.shared.plain import table as table_of

if TYPE_CHECKING:
    from rich.table import Table

    from sim.study.fidelity.cases import Source
    from sim.study.fidelity.validate import Comparison, Errors, Validation

_WIDE = 112
"""Columns of text that a table with a row a point needs; in less, it has a row a metric."""
_FEW_POINTS = 12
"""Of so few points every metric is shown."""
_SHOWN = ("tpot_s_mean", "e2e_s_mean", "ttft_s_mean", "iteration_s")
"""Metrics of the table of many points, and what was completed or sent a second; the JSON holds the rest."""
_RATES = ("achieved_per_s", "sent_per_s")
_WORDS = {"achieved_per_s": "completed a second", "sent_per_s": "sent a second", "iteration_s": "iteration"}
_LAWS = {
    "shipped": "Errors",
    "held-out": "Errors, iteration times fitted without the experiment predicted",
    "roofline": "Errors, iteration times from data sheets alone",
}


def show(found: Validation, law: str, every: bool) -> None:
    """Print everything; `every` metric, where that is not too long."""
    out = console()
    for source in found.sources:
        rows = [row for row in found.rows if row.source == source.name]
        points = [row for row in rows if row.metric != "knee_per_s"]
        few = every and len({row.case for row in points}) <= _FEW_POINTS
        shown = points if few else _main_metrics(points)
        out.print((_a_row_a_metric if few or out.width < _WIDE else _a_row_a_point)(source, shown))
        for row in rows:
            if row.metric == "knee_per_s":
                out.print(_knee(row, source), markup=False, soft_wrap=True)
    errors = [
        (source.name, metric, told)
        for source in found.sources
        for metric in found.metrics(source.name)
        if metric != "knee_per_s" and (told := found.errors(source.name, metric)) is not None
    ]
    if any(told.points > 1 for _, _, told in errors):
        out.print(_errors(errors, _LAWS[law]))


def _main_metrics(rows: list[Comparison]) -> list[Comparison]:
    rate = next((metric for metric in _RATES if any(row.metric == metric for row in rows)), "")
    return [row for row in rows if row.metric in (*_SHOWN, rate)]


def _a_row_a_metric(source: Source, rows: list[Comparison]) -> Table:
    table = table_of(f"{source.description} ({source.about})")
    table.add_column("case", overflow="fold", min_width=16)
    table.add_column("metric", no_wrap=True)
    for head in ("measured", "predicted", "error"):
        table.add_column(head, justify="right", no_wrap=True)
    before = ""
    for row in rows:
        if before not in ("", row.case):
            table.add_section()
        case = "" if row.case == before else row.case.removeprefix(f"{source.name}/")
        scale, unit = _scale(row.metric, [row])
        measured, predicted, error = _cells(row, scale)
        table.add_row(case, _word(row.metric), f"{measured} {unit}", f"{predicted} {unit}", error)
        before = row.case
    return table


def _a_row_a_point(source: Source, rows: list[Comparison]) -> Table:
    order = (*_SHOWN[:3], *_RATES, *_SHOWN[3:])
    by_metric = {metric: [row for row in rows if row.metric == metric] for metric in order}
    by_metric = {metric: some for metric, some in by_metric.items() if some}
    table = table_of(f"{source.description} ({source.about})")
    table.add_column("case", overflow="fold", min_width=16)
    scales = {metric: _scale(metric, some) for metric, some in by_metric.items()}
    for metric in by_metric:
        for head in (f"{_word(metric)}\nmeasured {scales[metric][1]}", "\npredicted", "\nerror"):
            table.add_column(head, justify="right", no_wrap=True)
    by_case: dict[str, dict[str, Comparison]] = {}
    for row in rows:
        by_case.setdefault(row.case, {})[row.metric] = row
    for case, of_case in by_case.items():
        cells = [cell for metric in by_metric for cell in _cells(of_case.get(metric), scales[metric][0])]
        table.add_row(case.removeprefix(f"{source.name}/"), *cells)
    return table


def _errors(errors: list[tuple[str, str, Errors]], title: str) -> Table:
    """All sources: the errors of each metric."""
    table = table_of(title)
    table.add_column("source", overflow="fold", min_width=16)
    table.add_column("metric", no_wrap=True)
    for head in ("points", "MAPE", "median", "bias", "worst"):
        table.add_column(head, justify="right", no_wrap=True)
    before = ""
    for source, metric, told in errors:
        shares = [f"{share:.1%}" for share in (told.mape_share, told.median_share)]
        signed = [f"{share:+.1%}" for share in (told.bias_share, told.worst_share)]
        table.add_row("" if source == before else source, _word(metric), str(told.points), *shares, *signed)
        before = source
    return table


def _knee(row: Comparison, source: Source) -> str:
    measured, predicted = (
        "sustained throughout" if rate is None else f"not sustained from {rate:g}/s on"
        for rate in (row.measured, row.predicted)
    )
    sweep = row.case.removeprefix(f"{source.name}/")
    return f"knee of {sweep}: measured {measured}, predicted {predicted}"


def _word(metric: str) -> str:
    """A metric as tables call it."""
    name, unit, statistic = metric.partition("_s_")
    return f"{name.upper()} {statistic}" if unit and statistic else _WORDS.get(metric, metric)


def _scale(metric: str, rows: list[Comparison]) -> tuple[float, str]:
    """What a column is multiplied by, and its unit."""
    if metric in _RATES:
        return 1.0, "/s"
    largest = max((max(row.measured or 0.0, row.predicted or 0.0) for row in rows), default=0.0)
    return seconds_as(largest)


def _cells(row: Comparison | None, scale: float) -> tuple[str, str, str]:
    if row is None:
        return ("", "", "")
    shown = ["none" if value is None else f"{scale * value:.4g}" for value in (row.measured, row.predicted)]
    return shown[0], shown[1], "" if row.error_share is None else f"{row.error_share:+.1%}"
