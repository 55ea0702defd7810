"""A scenario with some of its keys changed, and what its run has left held against that of another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from sim import Result
from sim.config.errors import ConfigError, DataError
from sim.scenario import Scenario, load
from sim.workload.demand import Demand
from tests.swarm.ran import differing, left, run

Told = dict[str, Any]
FLAT = ("prefixes", "prefix_sizes")
"""Of demand, what is no column."""
Relation = Callable[[Scenario, Result, Told], bool]
"""Tries itself on a scenario, its run and its summary; False where it does not apply."""


def keys_of(scenario: Scenario) -> Told:
    """The scenario as it is written."""
    keys: Told = json.loads(scenario.model_dump_json(by_alias=True, exclude_none=True))
    return keys


def same_run(result: Result, other: Result, what: str, but: tuple[str, ...] = ()) -> None:
    names = differing(left(result), left(other), but)
    assert not names, f"{what} changes {names}"


def numbers(told: Told) -> Told:
    """A summary without what each run has for itself."""
    return {name: value for name, value in told.items() if name not in ("run", "calendar")}


def changed(scenario: Scenario, change: Callable[[Told], None]) -> Scenario | None:
    """The scenario with its keys changed; None if it cannot be so."""
    keys = keys_of(scenario)
    change(keys)
    try:
        return load(keys)
    except (ConfigError, DataError):
        return None


def changes_nothing(scenario: Scenario, result: Result, change: Callable[[Told], None], what: str) -> bool:
    """The scenario with its keys changed is the same run; False if it cannot be so."""
    other = changed(scenario, change)
    if other is None:
        return False
    same_run(result, run(other, "compiled"), what)
    return True


def some_of(demand: Demand, kept: NDArray[np.bool_]) -> Demand:
    """Demand of requests that arrive by themselves, with some of them left out."""
    assert demand.links is None
    columns = {name: getattr(demand, name) for name in demand.__dataclass_fields__ if name not in FLAT}
    return replace(demand, **{name: c[kept] for name, c in columns.items() if isinstance(c, np.ndarray)})


def parts(value: Any) -> list[BaseModel]:
    """Every model in a scenario."""
    if isinstance(value, BaseModel):
        return [value] + [part for name in type(value).model_fields for part in parts(getattr(value, name))]
    if isinstance(value, dict):
        return [part for each in value.values() for part in parts(each)]
    return [part for each in value for part in parts(each)] if isinstance(value, list | tuple) else []
