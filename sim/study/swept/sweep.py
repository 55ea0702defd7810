"""One scenario under many values of its keys: what is run, and what is told of each point.

All points have the scenario's own seed, and each replication has the same random numbers at every point: what differs
between two of them is what was changed (common random numbers).
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.config.overrides import placed
from sim.engine import simulate
from sim.engine.calendars import Progress
from sim.result.recovery import in_time_at_end_share
from sim.scenario import Scenario, load
from sim.study.executors import Executor, Here
from sim.study.replicated.estimates import Estimates
from sim.study.replicated.replications import Rule, summary_of
from sim.study.store.design import Valued
from sim.study.store.kept import Kept, Key
from sim.study.swept.campaign import Told, Wanted, carry_out, outcome
from sim.study.swept.ranges import expanded

OPTION = "--over"
MOST_RUNS, MOST_KEYS = 10_000, 100

Watch = Callable[[str], AbstractContextManager[Progress | None]]
"""Called with what is about to be run; what it yields is told of the run's progress."""

MEASURES = {
    "ttft_s_p99": "latency.ttft_s.p99",
    "goodput_per_s": "throughput.goodput_per_s",
    "attempts_per_request": "attempts.amplification",
    "usd_per_day": "cost.usd_per_day",
    "recovery": "recovery.state",
    "recovered_after_s": "recovery.recovered_after_s",
}
"""What is told of a summary, and where it stands there."""
_SLOWNESS = {
    "slowness_usd_per_day": "slowness.usd_per_day",
    "fleet_plus_slowness_usd_per_day": "slowness.fleet_plus_slowness_usd_per_day",
}
BUDGET = Rule(most=10, most_requests=500_000)
"""What each point gets where nothing is said: so much that one can wait for it."""


@dataclass(frozen=True)
class Axis:
    """A key, by its dotted path, and the values it takes, as they would stand in the file."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Point(Valued):
    """One scenario of a sweep: which values its keys have."""

    scenario: Scenario


@dataclass(frozen=True)
class Run(Valued):
    """What a point came to: its summary, or why there is none."""

    summary: dict[str, Any] | None
    """Of all its replications together; see `Replicated.summary`."""
    error: str | None = None
    in_time_at_end_share: float | None = None
    """Of the requests that come in the last quarter of the measured time, those answered in time."""
    asked: tuple[str, ...] = ()
    """Numbers that are told beside the main ones, by dotted path."""

    @property
    def metrics(self) -> dict[str, Any]:
        """The main numbers, flat; None where the run has none.

        `attained`: by objective, in the scenario's order; `completed_share`: of the requests that arrived.
        """
        if self.summary is None:
            return {}
        requests = self.summary["requests"]
        return {
            "attained": [target["attained"] for target in self.summary["slo"]],
            "completed_share": requests["completed"] / requests["arrived"] if requests["arrived"] else None,
            "in_time_at_end_share": self.in_time_at_end_share,
            **{name: number(self.summary, path) for name, path in MEASURES.items()},
            **self._slowness,
            **{path: number(self.summary, path) for path in self.asked},
        }

    @property
    def replications(self) -> int:
        """How many runs it rests on."""
        return int(((self.summary or {}).get("replications") or {"number": 1})["number"])

    @property
    def paths(self) -> dict[str, str]:
        """Where the numbers of `metrics` stand in the summary, for those that have a place there."""
        slow = {name: path for name, path in _SLOWNESS.items() if "slowness" in (self.summary or {})}
        return {**MEASURES, **slow, **{path: path for path in self.asked}}

    @property
    def intervals(self) -> dict[str, Any]:
        """95 % intervals of the main numbers that have one; of `attained` a list, an entry an objective."""
        found = (self.summary or {}).get("intervals") or {}
        told: dict[str, Any] = {name: found[path] for name, path in self.paths.items() if path in found}
        shares = [found.get(f"slo.{place}.attained") for place, _ in enumerate((self.summary or {}).get("slo", ()))]
        return {"attained": shares, **told} if any(shares) else told

    @property
    def _slowness(self) -> dict[str, Any]:
        """What slow answers cost, of a scenario that says so."""
        found = (self.summary or {}).get("slowness")
        if found is None:
            return {}
        return {name: number(self.summary or {}, path) for name, path in _SLOWNESS.items()}

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {
            "set": self.values,
            "metrics": self.metrics or None,
            **self._of_chance,
            "error": self.error,
            "summary": self.summary,
        }

    @property
    def _of_chance(self) -> dict[str, Any]:
        return {"replications": self.replications, "intervals": self.intervals} if self.summary is not None else {}


def number(summary: dict[str, Any], path: str) -> Any:
    """What stands at a dotted path of a summary; None where a step is not there."""
    found: Any = summary
    for step in path.split("."):
        if isinstance(found, list):
            found = found[int(step)] if step.isdecimal() and int(step) < len(found) else None
        else:
            found = found.get(step) if isinstance(found, dict) else None
    return found


def axis_of(text: str) -> Axis:
    """The axis of `KEY=V1,V2,...`; commas within brackets or quotes belong to a value. Raises `ConfigError`.

    Ranges may stand among the values: `4..40:4` (see `sim.study.swept.ranges`).
    """
    key, equals, rest = text.partition("=")
    parts = [part.strip() for part in _split(rest)]
    if not equals or not key.strip() or not all(parts):
        told = "must be KEY=V1,V2,... or KEY=FIRST..LAST:STEP, such as pools.chat.autoscaler.replicas=6,8,10"
        raise ConfigError(Problem(f"{told}; got '{text[:60]}'", OPTION))
    values = tuple(value for part in parts for value in expanded(part, OPTION, MOST_RUNS))
    twice = next((value for value, times in Counter(values).items() if times > 1), None)
    if twice is not None:
        raise ConfigError(Problem(f"{key.strip()}: '{twice}' stands there twice", OPTION))
    return Axis(key.strip(), values)


def _split(text: str) -> Iterator[str]:
    """The parts between commas that are outside of brackets and quotes."""
    depth, quote, part = 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        if character == "," and depth <= 0 and not quote:
            yield part
            part = ""
        else:
            part += character
    yield part


def grid(
    source: str | Path | Mapping[str, Any], sets: Sequence[str] = (), axes: Sequence[Axis | str] = ()
) -> list[Point]:
    """Every combination of the axes' values, the last one varying first, each laid over `sets`: what `sweep` runs.

    `source`: as `load` takes it. `sets`: `KEY=VALUE`, for all of them. `axes`: `KEY=V1,V2,...` or
    `KEY=FIRST..LAST:STEP`, as `fleetcast sweep --over` takes them; without any, the scenario itself is the only point.
    Raises `ConfigError` for what is wrong with any of them, before any is run, and for more than `MOST_RUNS`.

        >>> from sim import grid
        >>> [point.values for point in grid("mmc", axes=["pools.servers.autoscaler.replicas=9,10"])]
        [{'pools.servers.autoscaler.replicas': '9'}, {'pools.servers.autoscaler.replicas': '10'}]
    """
    found = [axis_of(axis) if isinstance(axis, str) else axis for axis in axes]
    keys = [axis.key for axis in found]
    twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
    if twice is not None:
        raise ConfigError(Problem(f"{twice} is given twice; give all its values at once", OPTION))
    runs = 1
    for axis in found:
        runs *= len(axis.values)
    if runs > MOST_RUNS:
        raise ConfigError(Problem(f"{runs:,} runs; a sweep makes at most {MOST_RUNS:,}", OPTION))
    return [
        point(source, sets, dict(zip(keys, values, strict=True)))
        for values in itertools.product(*(axis.values for axis in found))
    ]


def listed(source: str | Path, sets: Sequence[str], file: Path) -> list[Point]:
    """The points of a CSV file, a row each; columns are keys. Raises `DataError` for the file, else `ConfigError`."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            (_, head), *rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except OSError as error:
        raise DataError(Problem(error.strerror or str(error), file=str(file))) from None
    except (ValueError, csv.Error):
        raise DataError(Problem("must be CSV: a line of keys, then a line for each point", file=str(file))) from None
    keys = [key.strip() for key in head]
    if not rows or len(set(keys)) < len(keys) or not all(keys):
        raise DataError(Problem("must have a line of keys, each once, then a line for each point", file=str(file)))
    if len(rows) > MOST_RUNS:
        raise DataError(Problem(f"{len(rows):,} points; a sweep makes at most {MOST_RUNS:,}", file=str(file)))
    if len(keys) > MOST_KEYS:
        raise DataError(Problem(f"{len(keys):,} keys; at most {MOST_KEYS} change together", file=str(file)))
    for number, row in rows:
        if len(row) != len(keys):
            raise DataError(Problem(f"has {len(row)} cells, not {len(keys)}", file=str(file), line=number))
    return [
        point(source, sets, dict(zip(keys, (cell.strip() for cell in row), strict=True)), str(file), number)
        for number, row in rows
    ]


def point(
    source: str | Path | Mapping[str, Any],
    sets: Sequence[str],
    values: dict[str, str],
    file: str = OPTION,
    line: int = 0,
) -> Point:
    """The scenario with these values, which stand in a line of a file, or after --over.

    Raises `ConfigError`, whose problems say where, and at which values.
    """
    here = [f"{key}={value}" for key, value in values.items()]
    try:
        return Point(values, load(source, [*sets, *here]))
    except ConfigError as error:
        at = f" (with {', '.join(here)})"
        found = placed(error, list(values), file, line)
        raise ConfigError(replace(problem, message=problem.message + at) for problem in found.problems) from None


def run(of: Point, watch: Watch | None = None) -> Run:
    """One point, simulated once. What only a run can find wrong (a request that no replica can hold) is kept in it."""
    watched = nullcontext() if watch is None else watch(of.told)
    with watched as shown:
        try:
            result = simulate(of.scenario, progress=shown)
        except (ConfigError, DataError) as error:
            return Run(of.values, None, str(error))
    at_end = in_time_at_end_share(of.scenario, result.log)
    return Run(of.values, result.summary(theory=False), in_time_at_end_share=at_end)


def sweep(
    points: Sequence[Point],
    rule: Rule | int = BUDGET,
    executor: Executor | None = None,
    told: Told | None = None,
    asked: Sequence[str] = (),
) -> list[Run]:
    """Run every point of a `grid`, each replicated as the rule says; nothing is kept but what comes back.

    `rule`: so many replications of each point, or a `Rule`; left out, until the main numbers are known to 5 % or the
    budget of a point (10 runs, 500,000 requests) is spent. `executor`: who makes the runs (here, one after another).
    `told`: called as runs are done. `asked`: numbers to be told beside the main ones, by dotted path.

    Returns a `Run` a point, in their order: `values` of its keys, `summary` (estimates of all its replications, their
    95 % `intervals` in it), `metrics` (the main numbers, flat), `error` where it could not be run. All points have the
    same random numbers: what differs between two of them is what was changed.

        >>> from sim import grid, sweep
        >>> runs = sweep(grid("mmc", ["horizon=2m", "warmup=0s"], ["pools.servers.autoscaler.replicas=9,10"]), 2)
        >>> [run.replications for run in runs]
        [2, 2]
    """
    rule = Rule(rule) if isinstance(rule, int) else rule
    wanted = [Wanted(each.scenario, each.scenario.digest) for each in points]
    known: dict[Key, Kept] = {}
    carry_out(wanted, rule, executor or Here(), known, lambda run: known.update({run.key: run}), told=told)
    runs = [told_of(each.values, of.digest, rule, known, asked) for each, of in zip(points, wanted, strict=True)]
    return [run for run in runs if run is not None]


def told_of(
    values: dict[str, str], digest: str, rule: Rule, known: Mapping[Key, Kept], asked: Sequence[str] = ()
) -> Run | None:
    """What the runs of a point come to; None where there are none."""
    found = outcome(digest, rule, known)
    if found is None:
        return None
    if found.error is not None:
        return Run(values, None, found.error, asked=tuple(asked))
    summary = summary_of(found.records, found.stopped, Estimates(found.records))
    shares = [share for record in found.records if (share := record.in_time_at_end_share) is not None]
    return Run(values, summary, None, fmean(shares) if shares else None, tuple(asked))
