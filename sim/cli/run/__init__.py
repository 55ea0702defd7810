"""`fleetcast run`: one scenario, from its file to a verdict, a table and a folder."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.options import CLUSTER, QUIET, SET, WORKERS
from sim.cli.shared.study_options import check_who

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid

    from sim.report.tables.table import Table
    from sim.result import Result

SLO_MISSED, INTERRUPTED = 99, 130
FILE_WIDTH = 100
"""Columns of the tables where no terminal says how wide it is."""


@click.command(short_help="Simulate a scenario.")
@click.argument("scenario", required=False, metavar="SCENARIO")
@SET
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option("--calendar", type=click.Choice(["auto", "simpy", "compiled"]), help="Short for --set calendar=NAME.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the run's folder here, not below outputs/.")
@click.option("--force", is_flag=True, help="Replace the folder of an older run at --out.")
@click.option("--requests/--no-requests", default=None, help="Write a row a request (default: up to 2 million).")
@click.option(
    "--stream/--no-stream",
    default=None,
    help="Keep no rows: runs of any size (default: above 20 million).",
)
@click.option("--no-save", is_flag=True, help="Write no folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON document, and nothing else.")
@click.option("--check", is_flag=True, help=f"Exit with {SLO_MISSED} when an objective or an assertion is missed.")
@click.option(
    "--replications",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="So many independent runs; 1: one plain run. Default: as many as the precision takes.",
)
@click.option("--precision", metavar="SHARE", help="How well to know p99 TTFT, attainment and cost (default: 5%).")
@WORKERS
@CLUSTER
@click.option("--steady", is_flag=True, help="Find the warm-up, and leave it out: for demand at a constant rate.")
@click.option("--regret", is_flag=True, help="Run again with autoscalers that know the future: what is yours worth?")
@QUIET
@click.pass_context
def command(
    ctx: click.Context,
    scenario: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    calendar: str | None,
    out: Path | None,
    force: bool,
    requests: bool | None,
    stream: bool | None,
    no_save: bool,
    as_json: bool,
    check: bool,
    replications: int | None,
    precision: str | None,
    workers: int | None,
    cluster: str | None,
    steady: bool,
    regret: bool,
    quiet: bool,
) -> None:
    """Simulate SCENARIO, a file or the name of one that ships (`fleetcast examples`).

    Prints a verdict and a table, and writes a folder with the report, the numbers and the rows behind them.
    """
    from sim.cli.run.replicating import Wanted
    from sim.config import catalogue
    from sim.config.errors import ConfigError
    from sim.result.save import check_folder, default_folder
    from sim.scenario import load, located

    if not scenario:
        known = ", ".join(catalogue.names(catalogue.SCENARIOS))
        raise ConfigError(f"which scenario? give a file, or the name of one that ships: {known}")
    check_who(workers, cluster)
    effort = Wanted.of(replications, precision, workers, steady, regret, quiet, stream, cluster)
    short = [f"{key}={value}" for key, value in (("seed", seed), ("calendar", calendar)) if value is not None]
    sets = (*sets, *short)
    wanted = load(scenario, sets)
    if check and not (wanted.slo or wanted.assertions):
        raise ConfigError("--check: there is nothing to check; the scenario has neither 'slo' nor 'assert'")
    if regret:
        from sim.study.regret import elastic_pools

        elastic_pools(wanted)
    if not no_save:
        # before the work, not after it: a folder that cannot be used costs the user a second
        check_folder(out or default_folder(wanted), replace=force or out is None)
    folder, place = None, out or default_folder(wanted)
    with ExitStack() as opened:
        try:
            rows = None
            if requests and not no_save and effort.streams(wanted):
                from sim.result.rows_draft import rows_draft

                rows = opened.enter_context(rows_draft(place))
            result, pictures = effort.run(wanted, None if rows is None else rows.begin)
        except ConfigError as error:
            raise located(error, scenario, sets) from None
        if not no_save:
            from sim.report import render

            written = requests if rows is None else rows.close()
            typed = ["fleetcast", *sys.argv[1:]]
            folder = result.save(
                out, requests=written, force=force, report=lambda made: render(made, pictures), command=typed
            )
    if as_json:
        from sim.report.tables.assertions import assertion_notes
        from sim.report.tables.contracts import contract_notes
        from sim.report.tables.intervals import replication_notes
        from sim.result.files import json_text

        summary = result.summary()
        click.echo(json_text(summary), nl=False)
        notes = [*result.log.notes, *replication_notes(summary), *contract_notes(wanted, summary)]
        for note in [*notes, *assertion_notes(summary)]:
            click.echo(f"note: {note}", err=True)
    else:
        show(result, folder)
    if result.summary().get("replications", {}).get("stopped") == "interrupted":
        ctx.exit(INTERRUPTED)
    if check and _missed(result.summary()):
        ctx.exit(SLO_MISSED)


def _missed(summary: dict[str, Any]) -> bool:
    """Whether an objective is missed, or an assertion does not pass."""
    from sim.report.tables.assertions import missed

    return missed(summary) or any(target["met"] is False for target in summary["slo"])


def show(result: Result, folder: Path | None) -> None:
    """Print the verdict, the tables, the notes, and where the rest is."""
    from rich.console import Console

    from sim.report.tables.assertions import assertion_notes
    from sim.report.tables.contracts import contract_notes
    from sim.report.tables.economics import economics_sentence
    from sim.report.tables.intervals import replication_notes, steady_note
    from sim.report.tables.run import pool_notes, tables
    from sim.report.tables.slowness import slowness_notes
    from sim.result.twin.words import theory_notes, theory_sentence
    from sim.result.verdict import ledger_sentence, regret_sentence

    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
    console.print(result.verdict(), style="bold", markup=False, soft_wrap=True)
    summary = result.summary()
    for note in [*replication_notes(summary), *assertion_notes(summary)]:
        console.print(note, markup=False, soft_wrap=True)
    told = (ledger_sentence(summary), economics_sentence(summary), regret_sentence(summary), steady_note(summary))
    for sentence in filter(None, told):
        console.print(sentence, markup=False, soft_wrap=True)
    _over_time(result, summary, console)
    for sheet in tables(summary):
        console.print()
        console.print(fitting(sheet, console))
    console.print()
    beside = theory_sentence(summary)
    if beside is not None:
        console.print(beside, markup=False, soft_wrap=True)
    notes = [*result.log.notes, *theory_notes(summary), *pool_notes(result.scenario, summary), *slowness_notes(summary)]
    for note in [*notes, *contract_notes(result.scenario, summary)]:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    if folder is not None:
        console.print(f"written to {folder}", markup=False, soft_wrap=True)
        if result.log.count and not (folder / "requests.parquet").exists():
            console.print("(no row a request: ask for it with --requests)", markup=False)


def _over_time(result: Result, summary: dict[str, Any], console: Console) -> None:
    """Print what changes over time, a line each."""
    from sim.cli.run import pictured
    from sim.report.tables import sparklines
    from sim.result.words import duration

    first = ", first replication" if summary.get("replications", {}).get("number", 1) > 1 else ""
    heading = f"Over time, 0 s to {duration(float(result.log.edges_s[-1]))}{first}"
    pictured.show(console, heading, sparklines.over_time(result.columns))


def fitting(sheet: Table, console: Console) -> Grid:
    """A table in full words if the terminal is wide enough, else in short ones, and then closer together."""
    boundless = console.options.update(width=10_000)
    for brief, gap in ((False, 2), (True, 2), (True, 1)):
        grid = _grid(sheet, brief, gap)
        if console.measure(grid, options=boundless).maximum <= console.width:
            break
    return grid


_LEAST_NAME = 10
"""Characters that the names of rows have at least, however narrow the terminal is."""


def _grid(sheet: Table, brief: bool, gap: int) -> Grid:
    """A table for the terminal; `brief` says TTFT for `first token (TTFT)`, `gap` is the space between columns."""
    from rich import table

    from sim.report.tables.intervals import SHORT

    grid = table.Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    title = sheet.caption if brief else f"{sheet.caption} {sheet.heading[0]}".strip()
    longest = max(map(len, (title, *(row[0] for row in sheet.rows))))
    grid.add_column(title, min_width=min(longest, _LEAST_NAME))  # what a row is about is not to be cut to a letter
    for head in sheet.heading[1:]:
        grid.add_column(head, justify="right", no_wrap=True)
    for name, *values in sheet.rows:
        if brief:
            name, values = re.sub(r"^.*\((TTFT|TPOT|E2E)\)", r"\1", name), [SHORT.sub(r"+\1", each) for each in values]
        grid.add_row(name, *values)
    return grid
