"""The files of `fleetcast sweep --out`: the table, the JSON, the pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sim.cli.sweep_study import Swept

FILES = ("sweep.json", "sweep.csv")
PICTURE = "sweep.svg"


def check_folder(out: Path, force: bool) -> None:
    """Raise `ConfigError` for a folder that cannot be written to: before the work, not after it."""
    from sim.cli import files

    files.check_folder(out, (*FILES, PICTURE), force)


def pictures_of(swept: Swept) -> dict[str, str]:
    """Pictures by the names of their files: of the cost, where slowness has a price, and of each number asked for."""
    from sim.report.cost_picture import of_curve
    from sim.report.metric_picture import of_metric

    made = {}
    best = swept.best
    if best is not None and best.curve is not None:
        made[PICTURE] = of_curve(best.curve)
    for path in swept.metrics:
        made[f"{re.sub(r'[^A-Za-z0-9._-]', '-', path)}.svg"] = of_metric(path, swept.design.keys, swept.runs)
    return made


def hand_over(document: dict[str, Any], pictures: Mapping[str, str], out: Path | None, as_json: bool) -> None:
    """The document and the pictures to where they were asked for."""
    from sim.result.files import json_text

    if as_json:
        click.echo(json_text(document), nl=False)
    if out is None:
        return
    from sim.cli.files import write_whole
    from sim.cli.sweep_tables import csv_text

    out.mkdir(exist_ok=True)
    for name, text in zip(FILES, (json_text(document), csv_text(document["runs"])), strict=True):
        write_whole(out / name, text)
    for name, text in pictures.items():
        write_whole(out / name, text)
    if PICTURE not in pictures:
        (out / PICTURE).unlink(missing_ok=True)  # of an older sweep
    if not as_json:
        click.echo(f"written to {out}")
