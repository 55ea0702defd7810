"""`fleetcast run`: one scenario, from its file to a verdict, a table and a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.cli.progress import progress

if TYPE_CHECKING:
    from sim.result import Result

SLO_MISSED = 99
FILE_WIDTH = 100
"""Columns of the tables where no terminal says how wide it is."""


@click.command(short_help="Simulate a scenario.")
@click.argument("scenario")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key, by its dotted path; repeatable.")
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option("--calendar", type=click.Choice(["auto", "simpy", "compiled"]), help="Short for --set calendar=NAME.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the run's folder here, not below outputs/.")
@click.option("--force", is_flag=True, help="Replace the folder of an older run at --out.")
@click.option("--requests/--no-requests", default=None, help="Write a row a request (default: up to 2 million).")
@click.option("--no-save", is_flag=True, help="Write no folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON document, and nothing else.")
@click.option("--check", is_flag=True, help=f"Exit with {SLO_MISSED} when an objective of the scenario is missed.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.pass_context
def command(
    ctx: click.Context,
    scenario: str,
    sets: tuple[str, ...],
    seed: int | None,
    calendar: str | None,
    out: Path | None,
    force: bool,
    requests: bool | None,
    no_save: bool,
    as_json: bool,
    check: bool,
    quiet: bool,
) -> None:
    """Simulate SCENARIO, a file or the name of one that ships (`fleetcast examples`).

    Prints a verdict and a table, and writes a folder with the report, the numbers and the rows behind them.
    """
    from sim.engine import simulate
    from sim.result.save import check_folder, default_folder
    from sim.scenario import load

    short = [f"{key}={value}" for key, value in (("seed", seed), ("calendar", calendar)) if value is not None]
    wanted = load(scenario, [*sets, *short])
    if not no_save:
        # before the work, not after it: a folder that cannot be used costs the user a second
        check_folder(out or default_folder(wanted), replace=force or out is None)

    def compiling() -> None:
        if not quiet:
            click.echo("compiling the engine, once on this machine (some ten seconds) ...", err=True)

    with progress(quiet) as shown:
        result = simulate(wanted, progress=shown, on_compile=compiling)
    folder = None
    if not no_save:
        from sim.report import render

        folder = result.save(out, requests=requests, force=force, report=render, command=["fleetcast", *sys.argv[1:]])
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text(result.summary()), nl=False)
    else:
        _show(result, folder)
    if check and any(target["met"] is False for target in result.summary()["slo"]):
        ctx.exit(SLO_MISSED)


def _show(result: Result, folder: Path | None) -> None:
    """The verdict, the tables, the notes, and where the rest is."""
    from rich.console import Console
    from rich.table import Table

    from sim.report.tables import law_notes, tables

    console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
    console.print(result.verdict(), style="bold", markup=False, soft_wrap=True)
    summary = result.summary()
    for sheet in tables(summary):
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for i, head in enumerate(sheet.heading):
            table.add_column(
                f"{sheet.caption} {head}".strip() if i == 0 else head, justify="right" if i else "left", no_wrap=i > 0
            )
        for row in sheet.rows:
            table.add_row(*row)
        console.print()
        console.print(table)
    console.print()
    for note in [*result.log.notes, *law_notes(summary)]:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    if folder is not None:
        console.print(f"written to {folder}", markup=False, soft_wrap=True)
        if result.log.requests.size and not (folder / "requests.parquet").exists():
            console.print("(no row a request: ask for it with --requests)", markup=False)
