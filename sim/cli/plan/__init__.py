"""`fleetcast plan`: the cheapest fleet that keeps what is promised, with a certificate; or why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.options import CLUSTER, JSON, QUIET, SET, WORKERS, study_folder
from sim.cli.shared.study_options import check_who

if TYPE_CHECKING:
    from sim.study.planned.dossier import Dossier
    from sim.study.replanned.before import Before

NO_PLAN = 4


@click.command(short_help="The cheapest fleet that keeps the promises.")
@click.argument("scenario", metavar="SCENARIO", required=False)
@SET
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option(
    "--budget",
    type=click.IntRange(1_000, 10**12),
    metavar="N",
    help="Requests to simulate at most, about (default: 20,000,000).",
)
@WORKERS
@CLUSTER
@study_folder("the same command goes on after any end.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the plan's documents into this folder: report.html, plan.md, .json, .csv, planned.yaml.",
)
@click.option(
    "--drills/--no-drills", default=None, help="Run failure drills on the planned fleet (default: with --out)."
)
@click.option(
    "--sensitivity/--no-sensitivity",
    default=None,
    help="See which assumption moves cost and p99 most (default: with --out).",
)
@click.option(
    "--diff",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OLD.json",
    help="Say what has changed since that plan.json, and why.",
)
@click.option("--force", is_flag=True, help="Replace it where it is.")
@JSON
@QUIET
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
    drills: bool | None,
    sensitivity: bool | None,
    diff: Path | None,
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
    from sim.cli.plan import files
    from sim.config.errors import ConfigError
    from sim.result.files import json_text

    if not scenario:
        raise ConfigError("which scenario? give a file, or the name of one that ships (fleetcast examples)")
    check_who(workers, cluster)
    if out is not None:
        files.check(out, force)
    before = None if diff is None else files.read(diff)
    sets = (*sets, *([f"seed={seed}"] if seed is not None else []))
    looked = (_chosen(drills, out), _chosen(sensitivity, out))
    dossier = _made(scenario, sets, budget, (workers, cluster), study, quiet, looked, before)
    document: dict[str, Any] = dossier.as_document()
    if as_json:
        click.echo(json_text(document), nl=False)
    else:
        files.show(dossier)
    if out is not None:
        again = files.again(scenario, sets, budget, looked)
        files.write(dossier, document, out, force, again)
        if not as_json:
            click.echo(f"written to {out}: {', '.join(files.names(out))}")
    ctx.exit(0 if dossier.feasible else NO_PLAN)


def _say(told: str) -> None:
    click.echo(f"over time: {told}", err=True)


def _chosen(asked: bool | None, out: Path | None) -> bool:
    """Whether to make what belongs to the documents."""
    return out is not None if asked is None else asked


def _made(
    source: str,
    sets: tuple[str, ...],
    budget: int | None,
    hired: tuple[int | None, str | None],
    study: Path | None,
    quiet: bool,
    looked: tuple[bool, bool],
    before: Before | None,
) -> Dossier:
    from dataclasses import replace

    from sim.cli.shared.progress import Counted
    from sim.scenario import load
    from sim.study.executors import executor
    from sim.study.planned.make import dossier_of
    from sim.study.planned.planner import BUDGET
    from sim.study.planned.runs import Runs, kept_runs
    from sim.study.replanned.diff import diff_of

    scenario = load(source, sets)
    shown = None if quiet else Counted("runs of the plan:")

    def watch(part: str) -> Counted | None:
        return None if quiet else Counted(f"runs of the {part}")

    with kept_runs(study, scenario) as kept, executor(*hired) as workers:
        told = None if shown is None else lambda runs, _: shown(runs)
        runs = Runs(workers, kept, told=told)
        dossier = dossier_of(scenario, runs, workers, budget or BUDGET, *looked, watch, None if quiet else _say)
        return dossier if before is None else replace(dossier, diff=diff_of(before, dossier, runs))
