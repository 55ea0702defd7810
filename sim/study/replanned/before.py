"""An earlier plan, read from its `plan.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.config.errors import ConfigError, DataError, Problem
from sim.scenario import Scenario, load
from sim.study.planned.dossier import FORMAT, SCHEMA_VERSION


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _Pool(_Strict):
    replicas: Annotated[int, Field(ge=0)]
    need: int | None = None
    gpu: str | None = None
    gpus_per_replica: int | None = None
    gpus: int | None = None
    max_num_seqs: int | None = None
    max_batched_tokens: int | None = None


class _Certificate(_Strict):
    attained: float | None


class _Order(_Strict):
    region: str | None
    option: str
    gpu: str
    holds_from: str
    gpus: int


class _OverTime(_Strict):
    usd_expected: float | None
    usd_p90: float | None
    orders: list[_Order]


class _Told(_Strict):
    """What a later plan looks at; there is more in the file."""

    version: str
    seed: int
    feasible: bool
    usd_per_hour: float | None
    pools: dict[str, _Pool]
    certificates: list[_Certificate]
    over_time: _OverTime | None = None
    scenario: dict[str, Any]


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
    except (OSError, ValueError, RecursionError):
        raise _wrong(path, "is no JSON; give the plan.json of an earlier plan") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _wrong(path, "is no plan.json; give one that fleetcast plan --out or --json has written")
    if found.get("schema_version") != SCHEMA_VERSION:
        told = f"has schema version {found.get('schema_version')}, and this fleetcast reads {SCHEMA_VERSION}"
        raise _wrong(path, f"{told}; its scenario is in it (key scenario): plan that again with this version")
    try:
        _Told.model_validate(found)
    except ValidationError as error:
        at = dict.fromkeys(".".join(str(step) for step in each["loc"]) for each in error.errors())
        told = f"lacks what a plan has, or has it otherwise ({', '.join(at)}): it is damaged, or was edited"
        raise _wrong(path, told) from None
    try:
        scenario = load(found["scenario"])
    except (ConfigError, DataError) as error:
        raise _wrong(path, f"holds a scenario that cannot be read any more: {_first(error)}") from None
    return Before(str(path), found, scenario)


def _wrong(path: Path, told: str) -> DataError:
    return DataError(Problem(told, file=str(path)))


def _first(error: ConfigError | DataError) -> str:
    return error.problems[0].message if isinstance(error, ConfigError) else str(error)
