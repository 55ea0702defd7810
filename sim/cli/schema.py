"""`fleetcast schema`: the JSON Schema of scenario files, for editors and checkers."""

from __future__ import annotations

import json

import click


def schema_text() -> str:
    """The JSON Schema as it is printed and written."""
    from sim.scenario.schema import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


@click.command("schema")
@click.option("--json", is_flag=True, expose_value=False, help="One JSON document: it is that in any case.")
def command() -> None:
    """Print the JSON Schema of scenario files.

    Editors that know the YAML language server check a file whose first line is
    `# yaml-language-server: $schema=PATH`.
    """
    click.echo(schema_text(), nl=False)
