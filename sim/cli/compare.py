"""`fleetcast compare`: scenarios beside each other on the same random numbers, and what is more than chance."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.options import CLUSTER, FORCE_FOLDER, JSON, QUIET, WORKERS
from sim.cli.shared.study_options import check_who

if TYPE_CHECKING:
    from sim.report.comparison.page import Compared
    from sim.report.tables.table import Table
    from sim.study.compared.alternatives import Alternative
    from sim.study.compared.compare import Comparison
    from sim.study.compared.walk import Stride
    from sim.study.replicated.replications import Replicated

FILES = ("comparison.json", "comparison.csv")
REPORT = "report.html"
PICTURE = "waterfall.svg"


@click.command(short_help="Compare scenarios.")
@click.argument("scenarios", nargs=-1, required=True, metavar="A [B ...]")
@click.option(
    "--with",
    "withs",
    multiple=True,
    metavar='"KEY=VALUE; ..."',
    help="Compare with A, changed so; repeatable: each is one more alternative.",
)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key in all of them; repeatable.")
@click.option(
    "--replications",
    type=click.IntRange(max=100_000),
    metavar="N",
    help="Pairs of runs (default: until the main differences are known).",
)
@WORKERS
@CLUSTER
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option("--metric", "metrics", multiple=True, metavar="PATH", help="Show these numbers instead; repeatable.")
@click.option("--walk", "walks", is_flag=True, help="From A to the other one change at a time: what does each add?")
@click.option("--order", metavar="KEY,KEY", help="Which changes --walk makes first.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the report, the JSON and a table here.")
@FORCE_FOLDER
@JSON
@QUIET
@click.pass_context
def command(
    ctx: click.Context,
    scenarios: tuple[str, ...],
    withs: tuple[str, ...],
    sets: tuple[str, ...],
    replications: int | None,
    workers: int | None,
    cluster: str | None,
    seed: int | None,
    metrics: tuple[str, ...],
    walks: bool,
    order: str | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare scenario A with others, each a file or the name of one that ships, or with A changed by --with.

    All get the same random numbers, so that what differs is what was changed, and differences are known from far fewer
    runs than the figures themselves.
    """
    from sim.cli.shared.again import again
    from sim.cli.shared.files import check_folder
    from sim.report.comparison.page import Compared
    from sim.result.files import json_text
    from sim.study.compared.alternatives import alternatives, notes

    if replications is not None and replications < 2:
        raise click.UsageError(f"--replications {replications}: one pair says nothing of chance; at least 2")
    check_who(workers, cluster)
    if order is not None and not walks:
        raise click.UsageError("--order says in which order --walk makes the changes; give both")
    sets = (*sets, *([f"seed={seed}"] if seed is not None else []))
    baseline, *others = alternatives(scenarios, withs, sets)
    if walks and len(others) > 1:
        raise click.UsageError("--walk goes from one scenario to one other; name two")
    if out is not None:
        check_folder(out, (*FILES, REPORT, PICTURE), force)
    first = _order(baseline, others[0], order) if walks else []
    ours, compared, strides = _run(baseline, others, replications, (workers, cluster), first, walks, quiet)
    said = [note for other in others for note in notes(baseline, other)]
    if all(each.of("cost.usd_per_day") is None for each in compared):
        said.append("no cost is compared: a pool has no price (pools.NAME.price, or a GPU with one)")
    if not as_json:
        _say(baseline.name, ours, compared)
    document = _document(baseline, others, ours, compared, strides if walks else None, said)
    if as_json:
        click.echo(json_text(document), nl=False)
    if out is not None:
        made = Compared(baseline, others, ours, compared, strides if walks else None, said)
        _write(out, document, made, again(ctx))
    if not as_json:  # after the files, which a wrong --metric leaves whole
        _show(baseline.name, ours, compared, metrics, strides if walks else None, said)
        if out is not None:
            click.echo(f"written to {out}")


def _order(baseline: Alternative, other: Alternative, order: str | None) -> list[str]:
    """The keys that a walk changes first: as asked for, else as --with has them."""
    from sim.study.compared.steps import changes

    if order is not None:
        return [key.strip() for key in order.split(",") if key.strip()]
    found = changes(baseline.scenario, other.scenario)
    return [key for key in other.own_keys if any(change.is_about(key) for change in found)]


def _run(
    baseline: Alternative,
    others: Sequence[Alternative],
    replications: int | None,
    hired: tuple[int | None, str | None],
    order: Sequence[str],
    walks: bool,
    quiet: bool,
) -> tuple[Replicated, list[Comparison], list[Stride]]:
    """`hired`: so many processes, or a cluster."""
    from sim.cli.shared.counting import counted
    from sim.cli.shared.progress import compiling
    from sim.report.tables.running import difference
    from sim.study.compared.compare import compare
    from sim.study.compared.walk import walk
    from sim.study.executors import executor

    scenarios = [(each.name, each.scenario) for each in (baseline, *others)]
    told = None if quiet else compiling
    shown = counted(
        quiet, "at most {} runs", "fewer: --replications N", partial(difference, [name for name, _ in scenarios])
    )
    with executor(*hired) as made, shown as watch:
        if walks:
            ours, one, strides = walk(scenarios[0], scenarios[1], replications, made, watch, order, told)
            return ours, [one], strides
        return *compare(
            scenarios, replications, made, watch, look=None if watch is None else watch.look, on_compile=told
        ), []


# -- words -------------------------------------------------------------------------------------------------------------


def _say(name: str, ours: Replicated, compared: Sequence[Comparison]) -> None:
    from sim.report.comparison.words import sentence

    for each in compared:
        click.echo(sentence(name, ours, each))


def _show(
    name: str,
    ours: Replicated,
    compared: Sequence[Comparison],
    metrics: Sequence[str],
    strides: Sequence[Stride] | None,
    notes: Sequence[str],
) -> None:
    from sim.report.comparison.words import chosen, footnotes, main, stopped, table, walk_table

    sheets = [
        table(name, ours, each, chosen(each, metrics) if metrics else main(ours, each), with_refused=not metrics)
        for each in compared
    ]
    sheets += [walk_table(ours, strides)] if strides else []
    for sheet in sheets:
        _print(sheet)
    click.echo()
    for line in footnotes(sheets):
        click.echo(line)
    if strides:
        click.echo("A change adds this to those above it; in another order (--order) it may add something else.")
    elif strides is not None:
        click.echo("There is nothing to walk: the scenarios differ in no key that matters.")
    click.echo(stopped(ours))
    for note in notes:
        click.echo(f"note: {note}")


def _print(made: Table) -> None:
    from sim.cli.run import FILE_WIDTH
    from sim.cli.shared.plain import console
    from sim.cli.shared.sheets import fitting

    wide = console(FILE_WIDTH)
    wide.print()
    wide.print(fitting(made, wide))


# -- files -------------------------------------------------------------------------------------------------------------


def _document(
    baseline: Alternative,
    others: Sequence[Alternative],
    ours: Replicated,
    compared: Sequence[Comparison],
    strides: Sequence[Stride] | None,
    notes: Sequence[str],
) -> dict[str, Any]:
    """What is printed with --json, and written."""
    from sim.report.comparison.words import refused, sentence

    document: dict[str, Any] = {
        "schema_version": 1,
        "replications": {"number": len(ours.records), "stopped": ours.stopped},
        "baseline": {**_told(baseline), "summary": ours.summary()},
        "alternatives": [
            {
                **_told(other),
                "sentence": sentence(baseline.name, ours, each),
                "differences": [difference.plain() for difference in each.differences],
                "refused": refused(ours, each),
                "summary": each.replicated.summary(),
            }
            for other, each in zip(others, compared, strict=True)
        ],
        "notes": list(notes),
    }
    if strides is not None:
        document["walk"] = [each.plain() for each in strides]
    return document


def _told(one: Alternative) -> dict[str, Any]:
    return {"name": one.name, "scenario": one.source, "set": list(one.sets)}


def _csv(document: dict[str, Any]) -> str:
    """A row a number and alternative."""
    from sim.result.files import cell

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("alternative", "path", "baseline", "other", "difference", "low", "high", "distinguishable"))
    for one in document["alternatives"]:
        for each in one["differences"]:
            numbers = (each["baseline"], each["other"], each["difference"], *each["interval"])
            rows.writerow((cell(one["name"]), cell(each["path"]), *numbers, str(each["distinguishable"]).lower()))
    return text.getvalue()


def _write(out: Path, document: dict[str, Any], made: Compared, again: str) -> None:
    """The document, the table, the report, and the picture of a walk."""
    from sim.cli.shared.files import write_folder
    from sim.report.comparison.page import page_of
    from sim.report.comparison.walk_picture import of_walk
    from sim.report.drawing.paint.files import svg
    from sim.report.page.render import render
    from sim.result.files import json_text

    walked = of_walk(made.baseline.name, made.others[0].name, made.ours, made.strides) if made.strides else None
    files = dict(zip(FILES, (json_text(document), _csv(document)), strict=True))
    files[REPORT] = render(page_of(made, again))
    if walked is not None:
        files[PICTURE] = svg(walked)
    write_folder(out, files, gone={PICTURE} - files.keys())  # that of an older walk
