"""`fleetcast examples`: the scenarios that ship, each with the question it answers; the gallery's after the others."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import click

_ROW = re.compile(r"^Gallery (?P<row>[A-Z]\d+): (?P<system>.+?)\.?$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A scenario that ships: what it is called, what it asks, and its row of the gallery, if it is one."""

    name: str
    path: Path
    question: str
    row: str = ""
    """Such as `A1`; empty outside the gallery."""
    system: str = ""
    """The system that a row of the gallery is about."""

    @property
    def order(self) -> tuple[str, int, str]:
        """The gallery comes last, by the numbers of its rows."""
        return self.row[:1], int(self.row[1:] or 0), self.name

    def told(self) -> dict[str, str | None]:
        """The example as it stands in JSON."""
        return {
            "name": self.name,
            "question": self.question,
            "path": str(self.path),
            "gallery": self.row or None,
            "system": self.system or None,
        }


def example(path: Path) -> Example:
    """What a scenario's description says of it: its question first, and `Gallery A1: SYSTEM` in a line of its own."""
    from sim.config.loader import read_file

    described = read_file(path).child("description")
    text = str(described.value).strip() if described is not None else ""
    found = _ROW.search(text)
    row, system = (found["row"], found["system"]) if found else ("", "")
    return Example(path.stem, path, text.partition("\n")[0], row, system)


def examples() -> list[Example]:
    """Every scenario that ships, the gallery last."""
    from sim.config import catalogue

    paths = (catalogue.find(catalogue.SCENARIOS, name) for name in catalogue.names(catalogue.SCENARIOS))
    return sorted((example(path) for path in paths if path is not None), key=lambda each: each.order)


@click.command("examples")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(name: str | None, as_json: bool) -> None:
    """List the scenarios that ship, or print the one called NAME.

    Those marked A1, A2 and so on are the gallery: systems in the news, with the figures that were published.
    """
    from sim.config import catalogue
    from sim.config.errors import ConfigError

    if name is not None:
        path = catalogue.find(catalogue.SCENARIOS, name)
        if path is None:
            remedy = catalogue.names_beside(name, catalogue.SCENARIOS)
            raise ConfigError(f"no scenario is called '{name}'{remedy}")
        text = path.read_text(encoding="utf-8")
        click.echo(json.dumps({**example(path).told(), "yaml": text}) if as_json else text.rstrip("\n"))
        return
    found = examples()
    if as_json:
        click.echo(json.dumps([each.told() for each in found], indent=2))
        return
    width, rows = (max((len(text) for text in texts), default=0) for texts in _columns(found))
    for each in found:
        click.echo(f"{each.name:<{width}}  {each.row:<{rows}}  {each.question}")
    click.echo(
        "\nA1 and so on: the gallery, systems in the news with their published figures.\n"
        "Run one with `fleetcast run NAME`; print its file with `fleetcast examples NAME`.",
        err=True,
    )


def _columns(found: list[Example]) -> tuple[list[str], list[str]]:
    return [each.name for each in found], [each.row for each in found]
