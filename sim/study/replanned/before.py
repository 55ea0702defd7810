"""An earlier plan, read from its `plan.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.scenario import Scenario, load
from sim.study.planned.dossier import FORMAT, SCHEMA_VERSION


@dataclass(frozen=True)
class Before:
    """What a plan was, and what it was made for."""

    file: str
    document: dict[str, Any]
    scenario: Scenario


def read_before(path: Path) -> Before:
    """The plan of a `plan.json`. Raises `DataError` for a file that is none, or that this version cannot read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            Problem("there is no such file; give the plan.json of an earlier plan", file=str(path))
        ) from None
    except (OSError, ValueError):
        raise _wrong(path, "is no JSON; give the plan.json of an earlier plan") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _wrong(path, "is no plan.json; give one that fleetcast plan --out or --json has written")
    if found.get("schema_version") != SCHEMA_VERSION:
        told = f"has schema version {found.get('schema_version')}, and this fleetcast reads {SCHEMA_VERSION}"
        raise _wrong(path, f"{told}; its scenario is in it (key scenario): plan that again with this version")
    missing = [key for key in ("pools", "certificates", "scenario", "version") if key not in found]
    if missing:
        raise _wrong(path, f"lacks {', '.join(missing)}: it is damaged, or was edited")
    try:
        scenario = load(found["scenario"])
    except (ConfigError, DataError) as error:
        raise _wrong(path, f"holds a scenario that cannot be read any more: {_first(error)}") from None
    return Before(str(path), found, scenario)


def _wrong(path: Path, told: str) -> DataError:
    return DataError(Problem(told, file=str(path)))


def _first(error: ConfigError | DataError) -> str:
    return error.problems[0].message if isinstance(error, ConfigError) else str(error)
