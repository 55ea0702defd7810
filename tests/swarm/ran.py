"""Runs a scenario, and keeps what only the engine sees: its tables, and what control did to which replica and when."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import sim.engine
import sim.fleet.life
from sim import Result, simulate
from sim.model import lives, state
from sim.model.tables import State
from sim.scenario import Scenario
from tests.oracle import Step


@dataclass
class Kept:
    """What was seen of the latest run."""

    tables: State | None = None
    steps: list[Step] = field(default_factory=list)


class _Module:
    """A module of which some functions are others."""

    def __init__(self, module: Any, **others: Any) -> None:
        self.__dict__.update(others, _module=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@contextmanager
def watched() -> Iterator[Kept]:
    """Keep what runs in here show. Fleets that never serve somebody are given up after an hour, warnings are errors."""
    kept = Kept()

    def build(*args: Any) -> State:
        kept.tables, kept.steps = state.build(*args), []
        return kept.tables

    def open_replica(s: State, row: int, now_s: float, make: int | None = None) -> None:
        lives.open_replica(s, row, now_s, make)
        kept.steps.append(Step(now_s, "open", row, make=_make(s, row)))

    def drain_replica(s: State, row: int, now_s: float, redirect: bool) -> bool:
        kept.steps.append(Step(now_s, "drain", row, flag=redirect))
        return lives.drain_replica(s, row, now_s, redirect)

    def close_replica(s: State, row: int, now_s: float, lost: Any) -> int:
        kept.steps.append(Step(now_s, "close", row, flag=lost != "fail", resume=lost == "resume"))
        return lives.close_replica(s, row, now_s, lost)

    acts = _Module(lives, open_replica=open_replica, drain_replica=drain_replica, close_replica=close_replica)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr("sim.fleet.deployment.PATIENCE_S", 3600.0)
        patch.setattr(sim.engine, "state", _Module(state, build=build))
        patch.setattr(sim.fleet.life, "lives", acts)
        yield kept


def _make(s: State, row: int) -> int:
    """Which make a replica is, 0 being its pool's own."""
    home = s.pools[s.replicas[row]["pool"]]["home"]
    return int(np.flatnonzero(s.pools["home"] == home).tolist().index(int(s.replicas[row]["pool"])))


def run(scenario: Scenario, calendar: str, **more: Any) -> Result:
    """Once, on a calendar."""
    return simulate(scenario.model_copy(update={"calendar": calendar}), **more)


def left(result: Result) -> dict[str, bytes]:
    """Everything that a run leaves behind, as bytes; tables by column: what lies between columns is chance."""
    log = result.log
    found = {"decisions": repr(log.decisions).encode(), "notes": repr(log.notes).encode()}
    found |= {"ends": repr((log.end_s, log.preemptions, log.streams, log.pools)).encode()}
    tables = {"requests": log.requests, "samples": log.samples, "spans": log.spans, "down": log.down}
    for table, rows in tables.items() if log.calls is None else (tables | {"calls": log.calls}).items():
        found |= {f"{table}.{name}": rows[name].tobytes() for name in rows.dtype.names or ()}
    return found


def differing(one: dict[str, bytes], other: dict[str, bytes], but: tuple[str, ...] = ()) -> list[str]:
    """Names of what two runs have left that is not the same."""
    return sorted(name for name in one.keys() | other.keys() if name not in but and one.get(name) != other.get(name))
