"""`fleetcast plan`: the cheapest fleet that keeps what is promised, with a certificate; or why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.study_options import CLUSTER, check_who

if TYPE_CHECKING:
    from sim.study.planned.result import Plan
    from sim.study.purchased.purchases import Purchases

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
    found, bought = _planned(scenario, sets, budget, (workers, cluster), study, quiet)
    document: dict[str, Any] = found.as_document()
    if bought is not None:
        document["over_time"] = bought.as_document()
    if as_json:
        click.echo(json_text(document), nl=False)
    else:
        _show(found, bought)
    if out is not None:
        out.mkdir(exist_ok=True)
        write_whole(out / FILES[0], json_text(document))
        if not as_json:
            click.echo(f"written to {out}")
    ctx.exit(0 if found.feasible and (bought is None or bought.feasible) else NO_PLAN)


def _planned(
    source: str,
    sets: tuple[str, ...],
    budget: int | None,
    hired: tuple[int | None, str | None],
    study: Path | None,
    quiet: bool,
) -> tuple[Plan, Purchases | None]:
    from sim.cli.progress import Counted
    from sim.scenario import load
    from sim.study.executors import executor
    from sim.study.planned.planner import BUDGET, planned
    from sim.study.planned.runs import Runs
    from sim.study.planned.study import kept_runs
    from sim.study.purchased.bench import Bench
    from sim.study.purchased.rounds import plan_over_time
    from sim.study.purchased.sizing import Probed

    scenario = load(source, sets)
    shown = None if quiet else Counted("runs of the plan:")
    with kept_runs(study, scenario) as kept, executor(*hired) as workers:
        told = None if shown is None else lambda runs, _: shown(runs)
        found = planned(scenario, Runs(workers, kept.known, kept.keep, told), budget or BUDGET)
        if not found.feasible or scenario.plan is None or scenario.plan.over_time is None:
            return found, None
        # from the designs that were chosen on: their engine's limits, their GPUs to a replica
        pools = {name: pool.design.pool for name, pool in found.pools.items() if pool.design.mixed is None}
        scenario = scenario.model_copy(update={"pools": {**scenario.pools, **pools}})
        bench = Bench(workers, kept.known, kept.keep)
        certified = {
            (name, pool.design.pool.gpu.name if pool.design.pool.gpu is not None else "gpu"): pool.need
            for name, pool in found.pools.items()
        }
        sizing = Probed(scenario, bench, known={(*key, 1.0): need for key, need in certified.items()})
        return found, plan_over_time(scenario, sizing, bench=bench, watch=None if quiet else _watch)


def _watch(told: str) -> None:
    click.echo(f"over time: {told}", err=True)


def _show(found: Plan, bought: Purchases | None) -> None:
    from sim.cli.plan_words import sentences, verdict
    from sim.cli.purchase_words import purchase_sentences

    click.echo(verdict(found))
    for sentence in sentences(found):
        click.echo(sentence)
    for sentence in purchase_sentences(bought) if bought is not None else ():
        click.echo(sentence)
