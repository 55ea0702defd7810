"""`fleetcast report`: what a report says, two of them side by side, its pictures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.options import JSON

if TYPE_CHECKING:
    from sim.report.page.read import Report


@click.command(short_help="Show a report, lay two side by side, write its pictures.")
@click.argument("first", metavar="FOLDER", type=click.Path(path_type=Path))
@click.argument("second", metavar="[FOLDER2]", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.html", help="Write one page with both.")
@click.option(
    "--pictures", type=click.Path(path_type=Path), metavar="DIR", help="Write the report's pictures into this folder."
)
@click.option(
    "--format", "forms", type=click.Choice(["svg", "png"]), multiple=True, help="Of the pictures (default: both)."
)
@click.option("--force", is_flag=True, help="Replace what is there.")
@JSON
def command(
    first: Path,
    second: Path | None,
    out: Path | None,
    pictures: Path | None,
    forms: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Say what stands in the report of FOLDER (what a verb has written with --out), or in a report.html.

    With FOLDER2, --out writes the page of FOLDER with that of FOLDER2 beside it, pictures on the same axes.
    --pictures writes all pictures of the first as SVG (light and dark) and PNG. Nothing is run.
    """
    from sim.report.page.read import Report, located

    if (second is None) != (out is None):
        raise click.UsageError("two reports go into one page: give FOLDER2 and --out FILE.html together")
    if forms and pictures is None:
        raise click.UsageError("--format is that of --pictures DIR; give both")
    reports = [Report(located(path)) for path in (first, second) if path is not None]
    made = _pictures(reports[0], forms) if pictures is not None else {}
    _check(out, pictures, list(made), force)
    page = reports[0].with_beside(reports[1]) if out is not None else ""
    from sim.cli.shared.files import write_folder, write_whole

    if pictures is not None:
        write_folder(pictures, made)
    if out is not None:
        write_whole(out, page)
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text(_document(reports, out, pictures, list(made))), nl=False)
    else:
        _show(reports, out, pictures, list(made))


def _check(out: Path | None, pictures: Path | None, names: list[str], force: bool) -> None:
    """Raise `ConfigError` for places that cannot be written to, before anything is."""
    from sim.cli.shared.files import check_ending, check_folder, check_free

    if out is not None:
        check_ending(out, ".html")
        check_free(out, force)
    if pictures is not None:
        check_folder(pictures, names, force)


def _pictures(report: Report, forms: tuple[str, ...]) -> dict[str, bytes]:
    """The pictures by the names of their files. Raises `DataError` for one that is not as fleetcast draws it."""
    import warnings

    from sim.config.errors import DataError, Problem
    from sim.report.drawing.paint.files import FORMATS, picture

    made = {}
    for figure in report.figures:
        for form in forms or FORMATS:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of numbers beyond what can be drawn
                    made[f"{figure.key}.{form}"] = picture(figure, form)
            except Exception:  # the file may say anything, and each part of the drawing chokes on something else
                told = f"its picture '{figure.key}' is not one that fleetcast draws; write the report again"
                raise DataError(Problem(told, file=str(report.path))) from None
    return made


def _document(reports: list[Report], out: Path | None, pictures: Path | None, written: list[str]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "reports": [{"file": str(one.path), **one.data.model_dump(exclude={"plots", "format"})} for one in reports],
        "page": None if out is None else str(out),
        "pictures": [str(pictures / name) for name in written] if pictures is not None else [],
    }


def _show(reports: list[Report], out: Path | None, pictures: Path | None, written: list[str]) -> None:
    from sim.cli.shared.plain import printable

    for one in reports:
        click.echo(printable(f"{one.data.title}: {one.data.verdict}"))
        if one.data.confidence:
            click.echo(printable(f"  {one.data.confidence}"))
        for tile in one.data.tiles:
            around = f" ({tile.around})" if tile.around else ""
            click.echo(printable(f"  {tile.value}  {tile.label}{around}"))
        click.echo(f"  in {one.path}, {len(one.data.plots)} pictures")
    if pictures is not None:
        click.echo(f"written to {pictures}: {', '.join(written)}")
    if out is not None:
        click.echo(f"written to {out}")
