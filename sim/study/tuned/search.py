"""The search itself: batches of points that are proposed, raced, and told to the sampler, until the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sim.config.errors import ConfigError
from sim.scenario.tune import Budget
from sim.study.tuned.figures import Measured
from sim.study.tuned.goal import Goal
from sim.study.tuned.race import Standing, race, runs_of
from sim.study.tuned.runs import Runs
from sim.study.tuned.sampler import Sampler
from sim.study.tuned.space import Candidate, candidate, checked

BATCH = 9
"""Points of a race; fixed, so that what is proposed does not depend on who makes the runs."""
IDLE = 6
"""Batches in a row that propose only what is known, or cannot be run: then the space has nothing more to give."""


@dataclass(frozen=True)
class Searched:
    """What a search has seen."""

    base: tuple[Measured, ...]
    """The runs of the untouched scenario."""
    standings: tuple[Standing, ...]
    """Every point, in the order in which they were first proposed."""
    impossible: int
    """Points that could not be run."""
    batches: int
    importance: dict[str, float]


def search(
    runs: Runs,
    goal: Goal,
    base: Candidate,
    sampler: Sampler,
    most: int,
    budget: Budget,
    later: int,
    told: Callable[[str], None] = lambda _: None,
) -> Searched:
    """Look for better points than `base`, each with at most `most` runs.

    `later`: runs that are still to come after the search, for budgets in seconds. Raises `ConfigError` where the
    untouched scenario fails, or every point does.
    """
    runs.make([base], most)
    first = runs.of(base, most)
    if first is None:
        raise ConfigError(f"the untouched scenario cannot be tuned: {_why(runs, base, most)}")
    found: dict[str, Standing] = {}
    impossible = batches = idle = 0
    values: Mapping[str, str] = {}
    while not batches or (idle < IDLE and not runs.is_over(budget, runs_of(BATCH, most), later)):
        before = len(runs.used)
        proposed = sampler.ask(BATCH)
        values = proposed[0][1]
        asked = [(trial, candidate(base, each)) for trial, each in proposed]
        there = [one for _, one in asked if one is not None]
        found |= race(runs, goal, first, there, most)
        for trial, one in asked:
            standing = None if one is None else found.get(one.digest)
            impossible += standing is None
            sampler.tell(trial, *((None, 1.0) if standing is None else (standing.value, standing.missed)))
        batches += 1
        idle = 0 if len(runs.used) > before else idle + 1
        told(_line(found.values(), batches, len(runs.used)))
    if not found:
        raise ConfigError(f"none of the {impossible} points that were tried can be run: {_fault(runs, base, values)}")
    return Searched(tuple(first), tuple(found.values()), impossible, batches, sampler.importance())


def _line(standings: Iterable[Standing], batches: int, runs: int) -> str:
    best = min(standings, key=lambda one: one.order, default=None)
    if best is None:
        return f"batch {batches}, {runs:,} runs: no point could be run yet"
    kept = "keeps what is promised" if best.missed <= 0 else "misses what is promised"
    return f"batch {batches}, {runs:,} runs: best so far {best.value:.3f} of the untouched, {kept}"


def _fault(runs: Runs, base: Candidate, values: Mapping[str, str]) -> str:
    """What is wrong with a point that cannot be run."""
    try:
        point = checked(base, values)
    except ConfigError as error:
        return str(error.problems[0])
    return _why(runs, point, 1)


def _why(runs: Runs, base: Candidate, most: int) -> str:
    known = runs.kept.known
    return next(str(run.error) for place in range(most) if (run := known[base.digest, place]).failed)
