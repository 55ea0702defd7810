"""`fleetcast tune`: better values for what of a scenario may be tuned, measured on fresh seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.options import CLUSTER, FORCE_FOLDER, JSON, QUIET, SET_IN_ALL, WORKERS, study_folder
from sim.cli.shared.study_options import check_who

if TYPE_CHECKING:
    from sim.scenario import Scenario
    from sim.scenario.tune import Budget
    from sim.study.tuned.answer import Tuned


@click.command(short_help="Find better values for an autoscaler's parameters.")
@click.argument("scenario", metavar="SCENARIO")
@SET_IN_ALL
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option(
    "--objective",
    type=click.Choice(["cost", "p99", "attainment", "rejects", "regret"]),
    help="What is to be least (default: the scenario's, or cost).",
)
@click.option(
    "--budget", metavar="HOW_MUCH", help="Of the search: 200 runs, 50M requests; or a time for all of it, such as 10m."
)
@WORKERS
@CLUSTER
@study_folder("go on after any end.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the report, the tuned scenario, its manifests with what changes, and the JSON into this folder.",
)
@FORCE_FOLDER
@JSON
@QUIET
@click.pass_context
def command(
    ctx: click.Context, /, scenario: str, as_json: bool, quiet: bool, out: Path | None, force: bool, **options: Any
) -> None:
    """Look for better values of an autoscaler's parameters, and of other keys that SCENARIO names in `tune`.

    Without `tune`, each policy's own ranges are searched for the least cost at which every objective of the SLO attains
    what was promised (or, where it is missed now, as much as now). Points race on the same traffic; the best of them
    are measured again on fresh seeds, beside the scenario as it is, the smallest fixed fleet that does as well, and a
    policy that knows the future. Only those numbers are shown.
    """
    from sim.cli.shared.again import again
    from sim.cli.tune import files, tables
    from sim.scenario import load
    from sim.study.tuned.space import space_of

    check_who(options["workers"], options["cluster"])
    sets = (*options["sets"], *([f"seed={options['seed']}"] if options["seed"] is not None else []))
    if options["objective"] is not None:
        sets = (*sets, f"tune.objective={options['objective']}")
    budget = None if options["budget"] is None else _budget(options["budget"])
    wanted = load(scenario, sets)
    space_of(wanted)  # what is wrong with it is told before anything is run
    if out is not None:
        files.check_folder(out, wanted, force)
    found = _tuned(wanted, budget, quiet, options)
    document = found.as_document()
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text(document), nl=False)
    else:
        tables.show(found)
    if out is not None:
        files.write(found, document, out, again(ctx))
        if not as_json:
            click.echo(f"written to {out}")


def _tuned(scenario: Scenario, budget: Budget | None, quiet: bool, options: dict[str, Any]) -> Tuned:
    """The tuning; interrupted, it says what was kept."""
    from sim.study.executors import executor
    from sim.study.tuned.runs import kept_runs
    from sim.study.tuned.space import untouched
    from sim.study.tuned.tune import tune

    def told(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    folder: Path | None = options["study"]
    hired = (options["workers"], options["cluster"])
    with kept_runs(folder, untouched(scenario)) as kept, executor(*hired) as workers:
        try:
            return tune(scenario, workers, kept, budget, told)
        except KeyboardInterrupt:
            lost = "the runs made so far are lost; --study DIR keeps them, to go on from there"
            click.echo(lost if folder is None else f"runs are kept in {folder}; the same command goes on", err=True)
            raise


def _budget(text: str) -> Budget:
    """Raises `ConfigError` for what is no budget."""
    from sim.config.errors import ConfigError, Problem
    from sim.scenario.tune import budget_of

    try:
        return budget_of(text)
    except ValueError as error:
        raise ConfigError(Problem(str(error), "--budget")) from None
