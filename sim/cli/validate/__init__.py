"""`fleetcast validate`: every measured operating point beside what the simulator says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.engine_options import engine_options, setting_from
from sim.cli.shared.files import check_folder, check_free, check_svg, write_folder, write_whole
from sim.cli.shared.options import QUIET
from sim.cli.shared.progress import Counted, compiling

if TYPE_CHECKING:
    from sim.study.fidelity.cases import Case
    from sim.study.fidelity.measured import OperatingPoint
    from sim.study.fidelity.validate import Law, Validation

FILES = ("validation.json", "errors.svg", "report.html")


@click.command(short_help="Compare predictions with measured runs.")
@click.argument("files", nargs=-1)
@click.option(
    "--law",
    type=click.Choice(["shipped", "held-out", "roofline"]),
    default="shipped",
    help="Iteration times: as shipped; fitted without the experiment that is predicted; or from data sheets alone.",
)
@engine_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the report, the JSON and a picture into this folder; or only the picture: FILE.svg.",
)
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print every comparison as one JSON document, and nothing else.")
@QUIET
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    law: str,
    max_in_flight: int | None,
    format_: str | None,
    out: Path | None,
    force: bool,
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

    from sim.cli.shared.again import again
    from sim.study.fidelity.validate import Law, validate

    if out is not None:
        _check(out, force)
    cases, odd = _cases(files, format_, max_in_flight, engine)
    progress, on_compile = (None, None) if quiet else (Counted("points"), compiling)
    found = validate(cases, cast(Law, law), progress, on_compile)
    text = json.dumps([row.plain() for row in found.rows], indent=1, allow_nan=False)
    if out is not None:
        _write(out, found, cast("Law", law), text, again(ctx))
    for line in odd:
        click.echo(line, err=True)
    if as_json:
        click.echo(text)
    else:
        _show(found, law, bool(files), out)


def _check(out: Path, force: bool) -> None:
    """Raise `ConfigError` for a place that cannot be written to: before the work, not after it."""
    if out.suffix and not out.is_dir():
        check_svg(out)
        check_free(out, force)
    else:
        check_folder(out, FILES, force)


def _write(out: Path, found: Validation, law: Law, text: str, again: str) -> None:
    """The picture, or the folder with all there is."""
    from sim.report.drawing.paint.files import svg
    from sim.report.fidelity.errors_picture import of_validation
    from sim.report.fidelity.page import page_of
    from sim.report.page.render import render

    picture = svg(of_validation(found))
    if out.suffix and not out.is_dir():
        write_whole(out, picture)
        return
    write_folder(out, dict(zip(FILES, (text + "\n", picture, render(page_of(found, law, again))), strict=True)))


def _cases(
    files: tuple[str, ...], format_: str | None, max_in_flight: int | None, engine: dict[str, Any]
) -> tuple[list[Case], list[str]]:
    """What is to be predicted, and what is to be told about it."""
    from sim.config.errors import DataError, Problem
    from sim.study.fidelity.cases import cases_of_file, cases_of_results
    from sim.study.fidelity.measured import Measured, with_cap
    from sim.study.fidelity.shipped import read_measured, shipped_files
    from sim.study.fidelity.traps import all_said, assumed, held_back

    if not files:
        return [case for path in shipped_files() for case in cases_of_file(read_measured(path), path)], []
    from sim.exchange import read_given

    given = read_given(files, format_)
    cases = [case for file, path in given.points for case in cases_of_file(file, path)]
    warnings = _said_of(cases)
    notes: list[str] = []
    results = with_cap(given.results, max_in_flight)
    logs = results.iterations
    for points in _alike(results.points) or ([()] if logs else []):
        setting = setting_from(engine, points)
        warnings += all_said(points, setting, setting.from_sheets().law())
        notes += assumed(points)
        cases += cases_of_results(Measured(tuple(p for p in points if not held_back(p)), logs), setting)
        logs = ()  # logs do not say whose they are: predicted once
    if not cases:
        raise DataError(Problem("no point is left to predict: " + "; ".join(warnings)))
    return cases, [f"warning: {one}" for one in warnings] + [f"note: {one}" for one in dict.fromkeys(notes)]


def _said_of(cases: list[Case]) -> list[str]:
    """What is odd about points of files that say their engine."""
    from sim.study.fidelity.measured import OperatingPoint
    from sim.study.fidelity.traps import all_said

    by_setting: dict[int, list[Case]] = {}
    for case in cases:
        if isinstance(case.of, OperatingPoint):
            by_setting.setdefault(id(case.setting), []).append(case)
    return [
        said
        for alike in by_setting.values()
        for said in all_said(
            [case.of for case in alike if isinstance(case.of, OperatingPoint)],
            alike[0].setting,
            alike[0].setting.from_sheets().law(),
        )
    ]


def _alike(points: tuple[OperatingPoint, ...]) -> list[tuple[OperatingPoint, ...]]:
    """The points by what they say of model and GPUs, in their order."""
    found: dict[tuple[Any, ...], list[OperatingPoint]] = {}
    for point in points:
        found.setdefault((point.model, point.gpu, point.gpus_per_replica, point.precision), []).append(point)
    return [tuple(group) for group in found.values()]


def _show(found: Validation, law: str, every: bool, out: Path | None) -> None:
    from sim.cli.validate.tables import show

    show(found, law, every)
    if out is not None:
        click.echo(f"written to {out}")
