"""`fleetcast export focus`: the bill of a run as rows of the FinOps Open Cost and Usage Specification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sim.cli.files import check_free, write_lines
from sim.cli.progress import compiling, progress

if TYPE_CHECKING:
    from sim.result import Result
    from sim.scenario import Scenario


@click.command("focus", short_help="Write the bill of a run as FOCUS rows.")
@click.argument("scenario", metavar="SCENARIO|FOLDER")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key, by its dotted path; repeatable.")
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
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def focus(
    scenario: str,
    sets: tuple[str, ...],
    starts: str | None,
    by: str,
    out: Path | None,
    force: bool,
    quiet: bool,
) -> None:
    """Simulate SCENARIO and write its bill as a FOCUS 1.2 cost and usage dataset (CSV).

    A FOLDER that `fleetcast run` has written is simulated again, from the scenario in it. Every row says x_Simulated,
    so that it is never taken for money that was spent.
    """
    from sim.config.errors import ConfigError
    from sim.exchange.focus import focus_lines
    from sim.scenario import load, located

    if out is not None:
        check_free(out, force)
    file, sets = _file_of(scenario), (*sets, *([f"starts={starts}"] if starts else []))
    wanted = load(file, sets)
    try:
        lines = focus_lines(_simulated(wanted, quiet), by)
        if out is None:
            for line in lines:
                click.echo(line, nl=False)
        else:
            click.echo(f"written to {out}: {write_lines(out, lines) - 1} rows")
    except ConfigError as error:
        raise located(error, file, sets) from None


def _file_of(scenario: str) -> str:
    """The scenario itself, or that of a run's folder. Raises `ConfigError` for another folder."""
    from sim.config.errors import ConfigError, Problem

    folder = Path(scenario)
    if not folder.is_dir():
        return scenario
    inside = folder / "scenario.yaml"
    if not inside.is_file():
        told = "is a folder without a scenario.yaml; name a scenario, or a folder that `fleetcast run` wrote"
        raise ConfigError(Problem(told, file=str(folder)))
    return str(inside)


def _simulated(scenario: Scenario, quiet: bool) -> Result:
    """A run of the scenario, once it is known that a bill can be made of it."""
    from sim.engine import simulate
    from sim.exchange.focus import check_ready

    check_ready(scenario)
    with progress(quiet) as shown:
        return simulate(scenario, progress=shown, on_compile=None if quiet else compiling)
