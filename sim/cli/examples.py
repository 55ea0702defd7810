"""`fleetcast examples`: the scenarios that ship, each with the question it answers."""

from __future__ import annotations

import json
from pathlib import Path

import click


def _question(path: Path) -> str:
    """The first line of a scenario's description."""
    from sim.config.loader import read_file

    described = read_file(path).child("description")
    return str(described.value).strip().partition("\n")[0] if described is not None else ""


@click.command("examples")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(name: str | None, as_json: bool) -> None:
    """List the scenarios that ship, or print the one called NAME."""
    from sim.config import catalogue
    from sim.config.errors import ConfigError

    known = catalogue.names(catalogue.SCENARIOS)
    if name is not None:
        path = catalogue.find(catalogue.SCENARIOS, name)
        if path is None:
            raise ConfigError(f"no scenario is called '{name}'{catalogue.did_you_mean(name, known)}")
        text = path.read_text(encoding="utf-8")
        found = {"name": name, "question": _question(path), "path": str(path), "yaml": text}
        click.echo(json.dumps(found) if as_json else text.rstrip("\n"))
        return
    paths = {each: catalogue.root() / catalogue.SCENARIOS / f"{each}.yaml" for each in known}
    if as_json:
        rows = [{"name": each, "question": _question(path), "path": str(path)} for each, path in paths.items()]
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(map(len, known), default=0)
    for each, path in paths.items():
        click.echo(f"{each:<{width}}  {_question(path)}")
    click.echo("\nRun one with `fleetcast run NAME`; print its file with `fleetcast examples NAME`.", err=True)
