"""`fleetcast init`: a commented scenario to start from, and the schema its first line points an editor to."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sim.config.errors import naming

SCHEMA_NAME = "fleetcast.schema.json"
_STARTER = Path(__file__).with_name("starter.yaml")
_OURS = '"title": "fleetcast scenario"'


@click.command("init")
@click.argument("file", default="scenario.yaml", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Say what was written as one JSON document.")
def command(file: Path, as_json: bool) -> None:
    """Write a commented scenario to FILE (scenario.yaml), and its JSON Schema beside it. Nothing is overwritten."""
    from sim.cli.schema import schema_text
    from sim.config.errors import ConfigError, Problem

    if file.exists():
        raise ConfigError(Problem("is already there; name another file, or move it away", file=str(file)))
    if not file.parent.is_dir():
        raise ConfigError(Problem(f"the folder '{file.parent}' does not exist; make it first", file=str(file)))
    schema = file.with_name(SCHEMA_NAME)
    if schema.exists() and _OURS not in schema.read_text(encoding="utf-8", errors="replace"):
        raise ConfigError(Problem("is already there and is not ours; move it away", file=str(schema)))
    starter = _STARTER.read_text(encoding="utf-8").replace("starter", _name_from(file.stem), 1)
    _write_whole(schema, schema_text(), replace=True)
    _write_whole(file, f"# yaml-language-server: $schema={SCHEMA_NAME}\n{starter}", replace=False)
    if as_json:
        from sim.result.files import json_text

        click.echo(json_text({"schema_version": 1, "scenario": str(file), "schema": str(schema)}), nl=False)
    else:
        click.echo(f"wrote {file} and {schema}; run it with `fleetcast run {file}`")


def _name_from(stem: str) -> str:
    """A scenario's name from a file's: `my_fleet.v2` is fine, anything stranger is `starter`."""
    from sim.config.loader import scalar
    from sim.scenario import is_name

    return stem if is_name(stem) and isinstance(scalar(stem), str) else "starter"


def _write_whole(path: Path, text: str, replace: bool) -> None:
    """The file with this content, or no file: written under another name, then renamed (linked, if it must be new)."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with naming(path):
            beside.write_text(text, encoding="utf-8")
            if replace:
                beside.replace(path)
            else:
                os.link(beside, path)
    except FileExistsError:
        from sim.config.errors import ConfigError, Problem

        raise ConfigError(Problem("is already there; name another file, or move it away", file=str(path))) from None
    finally:
        beside.unlink(missing_ok=True)
