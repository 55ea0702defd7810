"""What one process works out for the page, and what it keeps from one question to the next.

Points of a curve have the same seed and so the same demand: it is drawn once. Runs are those of `fleetcast run
--replications 1` with the same changes: the compiled calendar gives the same numbers as the other one.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sim.config.errors import ConfigError, Problem
from sim.engine import simulate
from sim.result import Result
from sim.result.summary import summarize
from sim.result.verdict import verdict
from sim.scenario import Scenario
from sim.ui.desk import figures, plots
from sim.ui.desk.knobs import Knob, knobs_of, sets_of, size_key, with_size
from sim.ui.desk.pairs import Pairs
from sim.ui.desk.source import Files, scenario_of
from sim.ui.kept import Kept
from sim.ui.wire.asked import Compare, Source, State
from sim.ui.wire.limits import Limits
from sim.ui.wire.told import Opened, PoolTold
from sim.workload.demand import Demand

__all__ = ["Desk", "Tell"]

Tell = Callable[[dict[str, Any]], None]
"""Is told how far a job is: a part of `JobTold`."""
_MOST_ROWS = 1_000_000
"""Demand of more requests is drawn anew rather than kept."""


@dataclass(frozen=True)
class _Base:
    """A scenario as it was opened."""

    scenario: Scenario
    knobs: list[Knob]


@dataclass(frozen=True)
class _Moved:
    """A state: what its sliders make of the scenario."""

    scenario: Scenario
    sets: tuple[str, ...]
    pool: str
    drawn: str
    """The same for states with the same demand."""


class Desk:
    """The work of one process."""

    def __init__(self, files: Files, limits: Limits) -> None:
        self.files = files
        self.limits = limits
        self._bases: Kept[_Base] = Kept(8)
        self._moved: Kept[_Moved] = Kept(16)
        self._demand: Kept[Demand] = Kept(2)

    # -- what may be asked ---------------------------------------------------------------------------------------------

    def open(self, source: Source) -> dict[str, Any]:
        """A scenario and its knobs, as `Opened`."""
        base = self._base(source)
        scenario = base.scenario
        expected = scenario.workload.expected_requests(scenario.horizon_s)
        known = {knob.told.key for knob in base.knobs}
        keys = {name: size_key(name, pool) for name, pool in scenario.pools.items()}
        pools = [
            PoolTold(
                name=name,
                size_key=keys[name] if keys[name] in known else "",
                replicas=f"{pool.autoscaler.initial_replicas} to {pool.autoscaler.most_replicas}",
            )
            for name, pool in scenario.pools.items()
        ]
        return Opened(
            source=source,
            name=scenario.name,
            description=scenario.description,
            expected_requests=expected,
            live=expected <= self.limits.live_requests,
            priced_slowness=bool(scenario.slowness),
            metric=figures.waited(scenario),
            pools=pools,
            knobs=[knob.told for knob in base.knobs],
            scenario_yaml=scenario.to_yaml(),
        ).model_dump()

    def present(self, state: State) -> dict[str, Any]:
        """A state's own run: verdict, tiles, two of the charts, and its place on the curve."""
        moved = self._state(state)
        result = self._run(moved, moved.scenario)
        summary = summarize(result.scenario, result.log, run=False)
        met = [target["met"] for target in summary["slo"]]
        return {
            "verdict": verdict(summary, result.columns),
            "mood": "bad" if False in met else "good" if met and all(met) else "plain",
            "tiles": figures.tiles(summary),
            "plots": {"tail": plots.tail(result), "timeline": plots.timeline(result, moved.pool)},
            "point": figures.point(result, _size_of(moved)),
            "metric": figures.waited(moved.scenario),
            "command": _command(state.source, moved.sets, self.files),
            "notes": list(result.log.notes),
        }

    def size(self, state: State, replicas: int) -> dict[str, Any]:
        """A place on the curve: the state with another fleet size."""
        moved = self._state(state)
        scenario = with_size(moved.scenario, moved.pool, replicas)
        return figures.point(self._run(moved, scenario, bare=True), replicas)

    def scenario(self, state: State) -> str:
        """The state as a scenario file."""
        return self._state(state).scenario.to_yaml()

    def look(self, state: State, sizes: Sequence[int], tell: Tell) -> dict[str, Any]:
        """All of a curve in one go, for a state that takes long; tells after each run."""
        what, most = "runs of the curve", len({*sizes, _size_of(self._state(state))})
        tell({"done": 0, "most": most, "what": what, "found": None})
        own = self.present(state)
        points = [own["point"]]
        for size in (size for size in sizes if size != own["point"]["replicas"]):
            found = own | {"points": sorted(points, key=_replicas)}
            tell({"done": len(points), "most": most, "what": what, "found": found})
            points.append(self.size(state, size))
        found = own | {"points": sorted(points, key=_replicas)}
        return {"done": most, "most": most, "what": what, "found": found}

    def compare(self, asked: Compare, tell: Tell) -> dict[str, Any]:
        """Paired replications of two states; tells what is known after each pair."""
        ours, theirs = self._state(asked.baseline), self._state(asked.other)
        pairs = Pairs(_compiled(ours.scenario), _compiled(theirs.scenario), asked.replications)
        for found in pairs.made():
            tell(found)
        return pairs.found()

    # -- and how it is worked out --------------------------------------------------------------------------------------

    def _base(self, source: Source) -> _Base:
        def made() -> _Base:
            scenario = scenario_of(source, self.files)
            return _Base(scenario, knobs_of(scenario))

        return self._bases.made((source.kind, source.value, self.files.version(source)), made)

    def _state(self, state: State) -> _Moved:
        return self._moved.made((state.key(), self.files.version(state.source)), lambda: self._changed(state))

    def _changed(self, state: State) -> _Moved:
        base = self._base(state.source)
        pool = state.pool if state.pool is not None else next(iter(base.scenario.pools))
        if pool not in base.scenario.pools:
            known = ", ".join(base.scenario.pools)
            raise ConfigError(Problem(f"no such pool; there are: {known[:300]}", "pool"))
        sets = tuple(sets_of(base.knobs, state.moved))
        scenario = scenario_of(state.source, self.files, sets) if sets else base.scenario
        expected = scenario.workload.expected_requests(scenario.horizon_s)
        if not expected <= self.limits.most_requests:
            told = (
                f"about {expected:,.0f} requests arrive, and this page simulates at most {self.limits.most_requests:,}"
                "; lower the load or the horizon, or use `fleetcast run`"
            )
            raise ConfigError(Problem(told, "horizon"))
        whole = {knob.told.key for knob in base.knobs if not knob.told.pool}
        drawn = f"{self.files.version(state.source)} {state.key(*(key for key in state.moved if key not in whole))}"
        return _Moved(scenario, sets, pool, drawn)

    def _run(self, moved: _Moved, scenario: Scenario, bare: bool = False) -> Result:
        return simulate(_compiled(scenario), demand=self._drawn(moved), bare=bare)

    def _drawn(self, moved: _Moved) -> Demand | None:
        """The demand of a state if it is one that can be kept: nobody follows anybody, and it fits in memory."""
        scenario = moved.scenario
        found = self._demand.get(moved.drawn)
        if found is None:
            if scenario.workload.expected_requests(scenario.horizon_s) > _MOST_ROWS:
                return None
            found = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
            if found.links is not None or found.more is not None or len(found.prefix_sizes) or len(found) > _MOST_ROWS:
                return None
            self._demand.put(moved.drawn, found)
        return found


def _compiled(scenario: Scenario) -> Scenario:
    return scenario.model_copy(update={"calendar": "compiled"}) if scenario.calendar == "auto" else scenario


def _replicas(point: dict[str, Any]) -> int:
    return int(point["replicas"])


def _size_of(moved: _Moved) -> int:
    return moved.scenario.pools[moved.pool].autoscaler.most_replicas


def _command(source: Source, sets: Sequence[str], files: Files) -> str:
    """What does the same on a command line."""
    named = {"name": source.value, "text": "scenario.yaml", "stored": "scenario.yaml", "given": str(files.given)}
    stored = files.stored(source.value) if source.kind == "stored" else None
    given = files.given_sets if source.kind == "given" else ()
    words = ["fleetcast", "run", named[source.kind] if stored is None else str(stored)]
    for text in (*given, *sets):
        words += ["--set", text]
    return shlex.join(words)
