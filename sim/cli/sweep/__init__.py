"""`fleetcast sweep`: a scenario under many values of its keys, or the value at which it turns."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from sim.cli.shared.options import FORCE_FOLDER, JSON, QUIET, SET_IN_ALL, study_folder
from sim.cli.shared.progress import progress
from sim.cli.shared.study_options import check_who, study_options

if TYPE_CHECKING:
    from sim.cli.sweep.study import Swept
    from sim.report.drawing.figure import Figure
    from sim.report.page.document import Page
    from sim.study.swept.turning import Found, What

NO_ANSWER, SOME_FAILED = 4, 5


@click.command(short_help="Run a scenario over values of its keys.")
@click.argument("scenario", metavar="SCENARIO", required=False)
@click.option(
    "--over",
    "overs",
    multiple=True,
    metavar="KEY=V1,V2,...",
    help="Run with each (or KEY=FIRST..LAST:STEP); repeatable: a grid.",
)
@click.option(
    "--points",
    "listed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Instead: a CSV file, a row a point; the columns are keys.",
)
@click.option(
    "--find",
    type=click.Choice(["trigger", "escape"]),
    help="Search along a key: for the smallest burst that leaves the service collapsed, or the mildest way out.",
)
@click.option("--along", metavar="KEY=FIRST..LAST", help="Where --find searches; FIRST is the mild end.")
@SET_IN_ALL
@click.option("--seed", type=int, help="Short for --set seed=N.")
@study_options
@study_folder("go on after any end, add values or runs later.")
@click.option("--shard", metavar="I/N", help="Make only this part of a study; `fleetcast merge` puts parts together.")
@click.option(
    "--show",
    "shown",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Show what is in the folder of a study, and run nothing.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Show and draw this number (p99 ttft, usd_per_day, any dotted path); repeatable.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the report, the table, the JSON and pictures into this folder.",
)
@FORCE_FOLDER
@JSON
@QUIET
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Run SCENARIO with each combination of the values of --over, or search along one key with --find.

    All points have the same seed, and so the same random numbers. Each is run up to ten times (or until 500,000
    requests are simulated), which gives intervals; --replications 1 is one plain run a point. With a price of slowness
    (`slowness` in the scenario) the point is marked whose fleet and slowness cost least together.

    With --study the same command goes on where it was stopped, and a command with more values or more replications
    makes only the runs that are missing.

    The order in which the ends of --along are typed is that from mild to severe: from a small burst to a large one,
    from a weak remedy to a strong one.
    """
    from sim.cli.shared.again import again
    from sim.cli.sweep import files, study

    _check_together(options)
    sets = (*options["sets"], *([f"seed={options['seed']}"] if options["seed"] is not None else []))
    out, as_json = options["out"], options["as_json"]
    if out is not None:
        files.check_folder(out, options["force"])
    pictures: dict[str, Figure] = {}
    page: Page | None = None
    if options["find"] is not None:
        find, along = cast("What", options["find"]), options["along"] or ""
        found, document, code = _turn(options["scenario"], sets, find, along, options["quiet"], not as_json)
        if out is not None:
            page = files.page_of_search(options["scenario"], found, again(ctx))
    else:
        swept = _swept(options, sets)
        if swept.is_part:
            ctx.exit(SOME_FAILED if swept.failed else 0)
        with study.of_folder(options["shown"]):
            document = study.document_of(swept)
            if out is not None:
                pictures, page = files.pictures_of(swept), files.page_of(swept, again(ctx))
            if not as_json:
                study.show(swept)
        code = SOME_FAILED if any(one.error is not None for one in swept.runs) else 0
    files.hand_over(document, pictures, page, out, as_json)
    ctx.exit(code)


def _swept(options: dict[str, Any], sets: Sequence[str]) -> Swept:
    """What was swept, or is in the folder that is to be shown."""
    from sim.cli.shared.study_options import shard_from
    from sim.cli.sweep import study

    if options["shown"] is not None:
        return study.from_folder(options["shown"], options["metrics"])
    asked = study.Asked(
        scenario=options["scenario"],
        sets=sets,
        overs=options["overs"],
        listed=options["listed"],
        metrics=options["metrics"],
        replications=options["replications"],
        precision=options["precision"],
        workers=options["workers"],
        cluster=options["cluster"],
        study=options["study"],
        shard=shard_from(options["shard"]),
        quiet=options["quiet"],
        shown=not options["as_json"],
    )
    return asked.run()


def _check_together(options: dict[str, Any]) -> None:
    """Raise `UsageError` for options that do not go together."""
    find, along, shown = options["find"], options["along"], options["shown"]
    points = bool(options["overs"]) or options["listed"] is not None
    runs = ("replications", "precision", "workers", "cluster", "study", "shard")
    if shown is not None:
        if options["scenario"] or points or find or options["sets"] or any(options[name] is not None for name in runs):
            raise click.UsageError("--show runs nothing: give it the folder of a study, and no scenario")
        return
    if not options["scenario"]:
        raise click.UsageError("which scenario? give a file, or the name of one that ships")
    if (find is None) != (along is None):
        raise click.UsageError("--find and --along go together: what to find, and along which key")
    if points == (find is not None) or (options["overs"] and options["listed"] is not None):
        raise click.UsageError("give --over KEY=V1,V2,... for a table, or --find with --along for a search")
    if find is not None and (options["metrics"] or any(options[name] is not None for name in runs)):
        raise click.UsageError("--find makes one run of each value that it looks at, here and one after another")
    if options["shard"] is not None and options["study"] is None:
        raise click.UsageError("--shard needs --study DIR: where its part of the runs is kept")
    check_who(options["workers"], options["cluster"])


def _turn(
    scenario: str, sets: Sequence[str], find: What, along: str, quiet: bool, shown: bool
) -> tuple[Found, dict[str, Any], int]:
    """What a search found, the same as one document, and the exit code."""
    from sim.cli.shared.plain import console
    from sim.cli.sweep.tables import runs_table, sentences
    from sim.study.swept import turning

    found = turning.find(scenario, sets, find, turning.range_of(along), _watch(quiet))
    if shown:
        click.echo("\n".join(sentences(found)))
        console().print(runs_table([found.along.key], found.in_order()))
    document = {"schema_version": 1, "scenario": scenario, "set": list(sets), **found.plain()}
    return found, document, NO_ANSWER if find == "escape" and found.answer is None else 0


def _watch(quiet: bool) -> Any:
    """What a search calls before each run."""
    count = 0

    def watched(told: str) -> AbstractContextManager[Any]:
        nonlocal count
        count += 1
        if not quiet:
            click.echo(f"run {count}: {told}", err=True)
        return progress(quiet, f"run {count}")

    return watched
