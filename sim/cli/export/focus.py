"""`fleetcast export focus`: the bill of a run as rows of the FinOps Open Cost and Usage Specification."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from sim.cli.export.exported import file_of, simulated, told, written
from sim.cli.shared.files import check_free
from sim.cli.shared.options import FORCE_FILE, QUIET, SET


@click.command("focus", short_help="Write the bill of a run as FOCUS rows.")
@click.argument("scenario", metavar="SCENARIO|FOLDER")
@SET
@click.option("--starts", metavar="DATE", help="The day of the run's hour 0 (UTC); short for --set starts=DATE.")
@click.option("--by", type=click.Choice(["hour", "day"]), default="hour", show_default=True, help="Charge periods.")
@click.option(
    "--focus-version",
    type=click.Choice(["1.2"]),
    default="1.2",
    show_default=True,
    expose_value=False,
    help="Whose columns: there is one so far.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.csv", help="Write a file, not to stdout.")
@FORCE_FILE
@click.option("--json", "as_json", is_flag=True, help="Print the rows, or what was written, as one JSON document.")
@QUIET
def focus(
    scenario: str,
    sets: tuple[str, ...],
    starts: str | None,
    by: str,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate SCENARIO and write its bill as a FOCUS 1.2 cost and usage dataset (CSV).

    A FOLDER that `fleetcast run` has written is simulated again, from the scenario in it. Every row says x_Simulated,
    so that it is never taken for money that was spent.
    """
    from sim.config.errors import ConfigError, Problem
    from sim.exchange.focus import check_ready, focus_lines
    from sim.scenario import load, located

    if out is not None:
        if out.suffix not in ("", ".csv"):
            raise ConfigError(Problem(f"--out: rows are written as CSV; name a file .csv, not {out.suffix}"))
        check_free(out, force)
    file, sets = file_of(scenario), (*sets, *([f"starts={starts}"] if starts else []))
    wanted = load(file, sets)
    try:
        check_ready(wanted)
        lines = focus_lines(simulated(wanted, quiet), by)
        if out is None and as_json:
            _tell(lines)
            return
        rows = written(out, lines) - 1
        if out is not None and as_json:
            told(out, rows=rows)
        elif out is not None:
            click.echo(f"written to {out}: {rows} rows")
    except ConfigError as error:
        raise located(error, file, sets) from None


def _tell(lines: Iterable[str]) -> None:
    """Print the rows as one JSON document: the texts of the CSV, null where it has none."""
    import csv

    from sim.result.files import json_text

    rows = [{name: text or None for name, text in row.items()} for row in csv.DictReader(lines)]
    click.echo(json_text({"schema_version": 1, "rows": rows}), nl=False)
