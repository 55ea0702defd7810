"""The options that mean the same in several verbs, each written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

SET = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key, by its dotted path; repeatable."
)
SET_IN_ALL = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a key in all runs; repeatable."
)
WORKERS = click.option(
    "--workers", type=click.IntRange(1, 10_000), metavar="N", help="Processes (default: as many as pay)."
)
CLUSTER = click.option(
    "--cluster", metavar="URL", help="Let a Dask cluster make the runs, such as tcp://scheduler:8786."
)
"""Who makes them, instead of `WORKERS`."""
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
FORCE_FILE = click.option("--force", is_flag=True, help="Replace a file that is there.")
FORCE_FOLDER = click.option("--force", is_flag=True, help="Replace them where they are.")
QUIET = click.option("--quiet", is_flag=True, help="No progress on stderr.")


def study_folder(what: str) -> Callable[[_Command], _Command]:
    """`--study DIR`, with what the folder is good for."""
    kind = click.Path(path_type=Path)
    return click.option("--study", type=kind, metavar="DIR", help=f"Keep every run in this folder: {what}")
