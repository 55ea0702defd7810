"""What exports of a run have in common: the scenario or folder it is of, the run, and where the lines go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sim.cli.shared.files import write_lines
from sim.cli.shared.options import SET
from sim.cli.shared.progress import compiling, progress

if TYPE_CHECKING:
    from sim.result import Result
    from sim.scenario import Scenario

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.argument("scenario", metavar="SCENARIO|FOLDER"),
    SET,
)


def of_scenario(command: _Command) -> _Command:
    """The scenario and its changes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def file_of(scenario: str) -> str:
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


def simulated(scenario: Scenario, quiet: bool) -> Result:
    """A run of the scenario."""
    from sim.engine import simulate

    with progress(quiet) as shown:
        return simulate(scenario, progress=shown, on_compile=None if quiet else compiling)


def duration_of(text: str | None, option: str) -> float | None:
    """`90s` in seconds. Raises `ConfigError`."""
    from sim.config.errors import ConfigError, Problem
    from sim.config.units import DURATION

    if text is None:
        return None
    try:
        return float(DURATION.parse(text))
    except ValueError as error:
        raise ConfigError(Problem(str(error), option)) from None


def written(out: Path | None, lines: Iterable[str]) -> int:
    """Write lines to a file, whole or not at all (compressed if it ends in .gz), or to stdout; how many they were."""
    if out is not None:
        return write_lines(out, lines)
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007
        click.echo(line, nl=False)
    return count


def told(out: Path, **about: Any) -> None:
    """Print what was written as one JSON document."""
    from sim.result.files import json_text

    click.echo(json_text({"schema_version": 1, "written": str(out), **about}), nl=False)
