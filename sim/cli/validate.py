"""`fleetcast validate`: every measured operating point beside what the simulator says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.engine_options import engine_options, setting_from
from sim.cli.progress import Counted, compiling

if TYPE_CHECKING:
    from rich.table import Table

    from sim.study.cases import Case, Source
    from sim.study.measured import OperatingPoint
    from sim.study.validate import Comparison, Validation

_PLAIN_WIDTH = 132
_SHOWN = ("tpot_s_mean", "e2e_s_mean", "ttft_s_mean", "achieved_per_s", "sent_per_s", "iteration_s")
"""Columns of the table of points; the errors and the JSON hold the rest."""


_WORDS = {"achieved_per_s": "completed a second", "sent_per_s": "sent a second", "iteration_s": "iteration"}


@click.command(short_help="Compare predictions with measured runs.")
@click.argument("files", nargs=-1)
@click.option(
    "--law",
    type=click.Choice(["shipped", "held-out", "roofline"]),
    default="shipped",
    help="Iteration times: as shipped; fitted without the experiment that is predicted; or from data sheets alone.",
)
@engine_options
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a picture too, as SVG.")
@click.option("--json", "as_json", is_flag=True, help="Print every comparison as one JSON document, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    files: tuple[str, ...],
    law: str,
    max_in_flight: int | None,
    format_: str | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    **engine: Any,
) -> None:
    """Replay measured operating points: those that ship, or those of FILES, and print predicted beside measured.

    An error above zero means that the prediction is too large. FILES are results of benchmark tools, as `calibrate`
    reads them (say on which engine they were measured), or are written as those in configs/measured (and say it).
    """
    import json
    from typing import cast

    from sim.study.validate import Law, validate

    cases, warnings = _cases(files, format_, max_in_flight, engine)
    progress, on_compile = (None, None) if quiet else (Counted("points"), compiling)
    found = validate(cases, cast(Law, law), progress, on_compile)
    if out is not None:
        from sim.report.fidelity import picture

        out.write_text(picture(found), encoding="utf-8")
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps([row.plain() for row in found.rows], indent=1, allow_nan=False))
    else:
        _show(found, law, out)


def _cases(
    files: tuple[str, ...], format_: str | None, max_in_flight: int | None, engine: dict[str, Any]
) -> tuple[list[Case], list[str]]:
    """What is to be predicted, and what is odd about it."""
    from sim.config.errors import DataError, Problem
    from sim.study.cases import cases_of_file, cases_of_results
    from sim.study.measured import Measured
    from sim.study.shipped import read_measured, shipped_files
    from sim.study.traps import all_said, held_back

    if not files:
        return [case for path in shipped_files() for case in cases_of_file(read_measured(path), path)], []
    from sim.exchange import read_given
    from sim.study.calibrate import with_cap

    given = read_given(files, format_)
    cases = [case for file, path in given.points for case in cases_of_file(file, path)]
    warnings: list[str] = []
    results = with_cap(given.results, max_in_flight)
    logs = results.iterations
    for points in _alike(results.points) or ([()] if results.iterations else []):
        setting = setting_from(engine, points)
        setting.check()
        warnings += all_said(points, setting, setting.from_sheets().law())
        logs = (
            ()
            if any(isinstance(case.of, type(log)) for log in results.iterations for case in cases)
            else results.iterations
        )
        cases += cases_of_results(Measured(tuple(p for p in points if not held_back(p)), logs), setting)
    if not cases:
        raise DataError(Problem("no point is left to predict: " + "; ".join(warnings)))
    return cases, warnings


def _alike(points: tuple[OperatingPoint, ...]) -> list[tuple[OperatingPoint, ...]]:
    """The points by what they say of model and GPUs, in their order."""
    found: dict[tuple[Any, ...], list[OperatingPoint]] = {}
    for point in points:
        found.setdefault((point.model, point.gpu, point.gpus_per_replica, point.precision), []).append(point)
    return [tuple(group) for group in found.values()]


def _show(found: Validation, law: str, out: Path | None) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _PLAIN_WIDTH)  # a file or a pipe has no edge to fold at
    for source in found.sources:
        console.print(_points(found, source))
        for row in found.rows:
            if row.source == source.name and row.metric == "knee_per_s":
                console.print(_knee(row), markup=False, soft_wrap=True)
    console.print(_errors(found, law))
    if out is not None:
        console.print(f"written to {out}", markup=False, soft_wrap=True)


def _points(found: Validation, source: Source) -> Table:
    """One source: a row a point, predicted beside measured."""
    from rich import box
    from rich.table import Table

    metrics = [metric for metric in _SHOWN if found.of(source.name, metric)]
    table = Table(
        title=f"{source.description} ({source.about})", title_justify="left", title_style="",
        box=box.SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    table.add_column("case", overflow="fold")
    scales = {metric: _scale(metric, found.of(source.name, metric)) for metric in metrics}
    for metric in metrics:
        unit = scales[metric][1]
        for head in (f"{_word(metric)}\nmeasured {unit}", "\npredicted", "\nerror"):
            table.add_column(head, justify="right", no_wrap=True)
    by_case: dict[str, dict[str, Comparison]] = {}
    for row in found.rows:
        if row.source == source.name and row.metric in metrics:
            by_case.setdefault(row.case, {})[row.metric] = row
    for case, rows in by_case.items():
        cells = [cell for metric in metrics for cell in _cells(rows.get(metric), scales[metric][0])]
        table.add_row(case.removeprefix(f"{source.name}/"), *cells)
    return table


def _errors(found: Validation, law: str) -> Table:
    """All sources: the errors of each metric."""
    from rich import box
    from rich.table import Table

    told = {"shipped": "as shipped", "held-out": "without the experiment predicted", "roofline": "data sheets alone"}
    table = Table(
        title=f"Errors, iteration times {told[law]}", title_justify="left", title_style="",
        box=box.SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for head in ("source", "metric"):
        table.add_column(head)
    for head in ("points", "MAPE", "median", "bias", "worst"):
        table.add_column(head, justify="right")
    for source in found.sources:
        for metric in found.metrics(source.name):
            errors = found.errors(source.name, metric)
            if errors is None or metric == "knee_per_s":
                continue
            shares = (errors.mape_share, errors.median_share)
            signed = (errors.bias_share, errors.worst_share)
            cells = [*(f"{share:.1%}" for share in shares), *(f"{share:+.1%}" for share in signed)]
            table.add_row(source.name, _word(metric), str(errors.points), *cells)
    return table


def _knee(row: Comparison) -> str:
    measured, predicted = (
        "sustained throughout" if rate is None else f"not sustained from {rate:g}/s on"
        for rate in (row.measured, row.predicted)
    )
    return f"knee of {row.case}: measured {measured}, predicted {predicted}"


def _word(metric: str) -> str:
    """A metric as tables call it."""
    name, unit, statistic = metric.partition("_s_")
    if unit and statistic:
        return f"{name.upper()} {statistic}"
    return {"achieved_per_s": "completed a second", "sent_per_s": "sent a second", "iteration_s": "iteration"}.get(
        metric, metric
    )


def _scale(metric: str, rows: list[Comparison]) -> tuple[float, str]:
    """What a column is multiplied by, and its unit."""
    if metric in ("achieved_per_s", "sent_per_s"):
        return 1.0, "/s"
    largest = max((row.measured or 0.0 for row in rows), default=0.0)
    return (1.0, "s") if largest >= 1.0 else (1000.0, "ms")


def _cells(row: Comparison | None, scale: float) -> tuple[str, str, str]:
    if row is None:
        return ("", "", "")
    shown = ["none" if value is None else f"{scale * value:.4g}" for value in (row.measured, row.predicted)]
    return shown[0], shown[1], "" if row.error_share is None else f"{row.error_share:+.1%}"
