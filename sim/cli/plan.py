"""`fleetcast plan`: the cheapest fleet that keeps what is promised, with a certificate; or why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.study_options import CLUSTER, check_who

if TYPE_CHECKING:
    from sim.study.planned.result import Plan

NO_PLAN = 4
FILES = ("plan.json",)


@click.command(short_help="The cheapest fleet that keeps the promises.")
@click.argument("scenario", metavar="SCENARIO", required=False)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key, by its dotted path; repeatable.")
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option(
    "--budget",
    type=click.IntRange(1_000, 10**12),
    metavar="N",
    help="Requests to simulate at most, about (default: 20,000,000).",
)
@click.option("--workers", type=click.IntRange(1, 10_000), metavar="N", help="Processes (default: as many as pay).")
@CLUSTER
@click.option(
    "--study",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep every run in this folder: the same command goes on after any end.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write the plan into this folder.")
@click.option("--force", is_flag=True, help="Replace it where it is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.pass_context
def command(
    ctx: click.Context,
    scenario: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    budget: int | None,
    workers: int | None,
    cluster: str | None,
    study: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Plan the fleet of SCENARIO, a file or the name of one that ships: the cheapest that keeps all of its objectives.

    What may be chosen is in the scenario's `plan` (GPUs, limits of the engine, replicas, what the fleet must survive);
    without it, only the number of replicas is. Theory says where to look, runs on common
    random numbers find the smallest fleet, and runs on fresh seeds certify that it is enough and that one replica fewer
    is not. Exit code 4: no fleet keeps the promises, and why.
    """
    from sim.cli.files import check_folder, write_whole
    from sim.config.errors import ConfigError
    from sim.result.files import json_text

    if not scenario:
        raise ConfigError("which scenario? give a file, or the name of one that ships (fleetcast examples)")
    check_who(workers, cluster)
    if out is not None:
        check_folder(out, FILES, force)
    sets = (*sets, *([f"seed={seed}"] if seed is not None else []))
    found = _planned(scenario, sets, budget, (workers, cluster), study, quiet)
    document: dict[str, Any] = found.as_document()
    if as_json:
        click.echo(json_text(document), nl=False)
    else:
        _show(found)
    if out is not None:
        out.mkdir(exist_ok=True)
        write_whole(out / FILES[0], json_text(document))
        if not as_json:
            click.echo(f"written to {out}")
    ctx.exit(0 if found.feasible else NO_PLAN)


def _planned(
    source: str,
    sets: tuple[str, ...],
    budget: int | None,
    hired: tuple[int | None, str | None],
    study: Path | None,
    quiet: bool,
) -> Plan:
    from sim.cli.progress import Counted
    from sim.scenario import load
    from sim.study.executors import executor
    from sim.study.planned.planner import BUDGET, planned
    from sim.study.planned.runs import Runs
    from sim.study.planned.study import kept_runs

    scenario = load(source, sets)
    shown = None if quiet else Counted("runs of the plan:")
    with kept_runs(study, scenario) as kept, executor(*hired) as workers:
        told = None if shown is None else lambda runs, _: shown(runs)
        return planned(scenario, Runs(workers, kept.known, kept.keep, told), budget or BUDGET)


def _show(found: Plan) -> None:
    from sim.cli.plan_words import sentences, verdict

    click.echo(verdict(found))
    for sentence in sentences(found):
        click.echo(sentence)
