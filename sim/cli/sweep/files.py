"""The files of `fleetcast sweep --out`: the report, the table, the JSON, the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sim.cli.sweep.study import Swept
    from sim.report.drawing.figure import Figure
    from sim.report.page.document import Page
    from sim.study.swept.turning import Found

FILES = ("sweep.json", "sweep.csv")
PICTURE, REPORT = "sweep.svg", "report.html"


def check_folder(out: Path, force: bool) -> None:
    """Raise `ConfigError` for a folder that cannot be written to: before the work, not after it."""
    from sim.cli.shared import files

    files.check_folder(out, (*FILES, PICTURE, REPORT), force)


def pictures_of(swept: Swept) -> dict[str, Figure]:
    """Pictures by the names of their files: of the cost, where slowness has a price, and of each number asked for."""
    from sim.report.swept.cost_picture import of_curve
    from sim.report.swept.metric_picture import key_of, of_metric

    made = {}
    best = swept.best
    if best is not None and best.curve is not None:
        made[PICTURE] = of_curve(best.curve, swept.runs)
    for path in swept.metrics:
        made[f"{key_of(path)}.svg"] = of_metric(path, swept.design.keys, swept.runs)
    return made


def page_of(swept: Swept, command: str) -> Page:
    """The report of a sweep."""
    from sim.cli.sweep.tables import cheapest_sentences, failures, of_chance, plain_table
    from sim.report.swept import page

    keys, best = swept.design.keys, swept.best
    said = page.Said(
        cheapest_sentences(keys, swept.runs, best),
        plain_table(keys, swept.runs, best, swept.metrics),
        of_chance(swept.runs),
        failures(swept.runs),
    )
    return page.page_of(swept.design, swept.runs, best, swept.metrics, said, command)


def page_of_search(scenario: str, found: Found, command: str) -> Page:
    """The report of a search."""
    from sim.cli.sweep.tables import plain_table, sentences
    from sim.report.swept import page

    said = page.Said(sentences(found), plain_table([found.along.key], found.in_order()))
    return page.page_of_search(scenario, found, said, command)


def hand_over(
    document: dict[str, Any], pictures: Mapping[str, Figure], page: Page | None, out: Path | None, as_json: bool
) -> None:
    """The document, the pictures and the report to where they were asked for."""
    from sim.result.files import json_text

    if as_json:
        click.echo(json_text(document), nl=False)
    if out is None:
        return
    from sim.cli.shared.files import write_folder
    from sim.cli.sweep.tables import csv_text
    from sim.report.drawing.paint.files import svg
    from sim.report.page.render import render

    files = dict(zip(FILES, (json_text(document), csv_text(document["runs"])), strict=True))
    files |= {name: svg(figure) for name, figure in pictures.items()}
    if page is not None:
        files[REPORT] = render(page)
    write_folder(out, files, gone={PICTURE} - files.keys())
    if not as_json:
        click.echo(f"written to {out}")
