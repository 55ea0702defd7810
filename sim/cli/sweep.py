"""`fleetcast sweep`: a scenario under many values of its keys, or the value at which it turns."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from sim.cli.progress import progress

if TYPE_CHECKING:
    from sim.study.cheapest import Cheapest
    from sim.study.sweep import Axis, Run
    from sim.study.turning import What

NO_ANSWER, SOME_FAILED = 4, 5


@click.command(short_help="Run a scenario over values of its keys.")
@click.argument("scenario", metavar="SCENARIO")
@click.option(
    "--over",
    "overs",
    multiple=True,
    metavar="KEY=V1,V2,...",
    help="Run with each (or KEY=FIRST..LAST:STEP); repeatable: a grid.",
)
@click.option(
    "--find",
    type=click.Choice(["trigger", "escape"]),
    help="Search along a key: for the smallest burst that leaves the service collapsed, or the mildest way out.",
)
@click.option("--along", metavar="KEY=FIRST..LAST", help="Where --find searches; FIRST is the mild end.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key in all runs; repeatable.")
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the table, the JSON and a picture of the cost into this folder.",
)
@click.option("--force", is_flag=True, help="Replace them where they are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.pass_context
def command(
    ctx: click.Context,
    scenario: str,
    overs: tuple[str, ...],
    find: str | None,
    along: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run SCENARIO with each combination of the values of --over, or search along one key with --find.

    All runs have the same seed. With a price of slowness (`slowness` in the scenario) the run is marked whose fleet and
    slowness cost least together; seeds (--over seed=1,2,3) are averaged over for that.

    The order in which the ends of --along are typed is that from mild to severe: from a small burst to a large one,
    from a weak remedy to a strong one.
    """
    _check_together(overs, find, along)
    sets = (*sets, *([f"seed={seed}"] if seed is not None else []))
    if out is not None:
        from sim.cli.files import check_folder

        check_folder(out, (*FILES, PICTURE), force)
    picture = None
    if find is None:
        document, picture, code = _grid(scenario, sets, overs, quiet, shown=not as_json)
    else:
        document, code = _turn(scenario, sets, cast("What", find), along or "", quiet, shown=not as_json)
    _hand_over(document, picture, out, as_json)
    ctx.exit(code)


def _check_together(overs: Sequence[str], find: str | None, along: str | None) -> None:
    if (find is None) != (along is None):
        raise click.UsageError("--find and --along go together: what to find, and along which key")
    if bool(overs) == (find is not None):
        raise click.UsageError("give --over KEY=V1,V2,... for a table, or --find with --along for a search")


def _grid(
    scenario: str, sets: Sequence[str], overs: Sequence[str], quiet: bool, shown: bool
) -> tuple[dict[str, Any], str | None, int]:
    """The runs of a grid as one document, the picture of what they cost, and the exit code.

    Interrupted, it shows what was done.
    """
    from sim.study.cheapest import cheapest
    from sim.study.sweep import axis_of, grid, sweep

    axes = [axis_of(text) for text in overs]
    points = grid(scenario, sets, axes)
    done: list[Run] = []
    try:
        for one in sweep(points, _watch(quiet, len(points))):
            done.append(one)
    except KeyboardInterrupt:
        if shown and done:
            show_grid(axes, done)
        raise
    if shown:
        show_grid(axes, done)
    best = cheapest(axes, done)
    document = {
        "schema_version": 1,
        "scenario": scenario,
        "set": list(sets),
        "cheapest": None if best is None else best.plain(),
        "over": [{"key": axis.key, "values": list(axis.values)} for axis in axes],
        "runs": [one.plain() for one in done],
    }
    return document, _picture(best), SOME_FAILED if any(one.error is not None for one in done) else 0


def _picture(best: Cheapest | None) -> str | None:
    """What the runs cost over the values of their key, where that can be drawn."""
    if best is None or best.curve is None:
        return None
    from sim.report.cost_picture import of_curve

    return of_curve(best.curve)


def _turn(
    scenario: str, sets: Sequence[str], find: What, along: str, quiet: bool, shown: bool
) -> tuple[dict[str, Any], int]:
    """What a search found as one document, and the exit code."""
    from sim.cli.sweep_tables import runs_table, sentences
    from sim.study import turning

    found = turning.find(scenario, sets, find, turning.range_of(along), _watch(quiet, None))
    if shown:
        click.echo("\n".join(sentences(found)))
        _print(runs_table([found.along.key], found.in_order()))
    document = {"schema_version": 1, "scenario": scenario, "set": list(sets), **found.plain()}
    return document, NO_ANSWER if find == "escape" and found.answer is None else 0


def _watch(quiet: bool, runs: int | None) -> Any:
    """What a study calls before each run."""
    count = 0

    def watched(told: str) -> AbstractContextManager[Any]:
        nonlocal count
        count += 1
        of = f"run {count}" if runs is None else f"run {count} of {runs}"
        if not quiet:
            click.echo(f"{of}: {told}", err=True)
        return progress(quiet, of)

    return watched


def show_grid(axes: Sequence[Axis], done: Sequence[Run]) -> None:
    """Print the cheapest point, a row a run, and why runs have failed."""
    from sim.cli.sweep_tables import cheapest_sentences, failures, runs_table
    from sim.study.cheapest import cheapest

    keys, best = [axis.key for axis in axes], cheapest(axes, done)
    for sentence in cheapest_sentences(keys, done, best):
        click.echo(sentence)
    _print(runs_table(keys, done, best))
    for line in failures(done):
        click.echo(line, err=True)


def _print(table: Any) -> None:
    from sim.cli.plain import console

    console().print(table)


# -- files -------------------------------------------------------------------------------------------------------------

FILES = ("sweep.json", "sweep.csv")
PICTURE = "sweep.svg"


def _hand_over(document: dict[str, Any], picture: str | None, out: Path | None, as_json: bool) -> None:
    """The document and the picture to where they were asked for."""
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
    if picture is not None:
        write_whole(out / PICTURE, picture)
    else:
        (out / PICTURE).unlink(missing_ok=True)  # of an older sweep
    if not as_json:
        click.echo(f"written to {out}")
