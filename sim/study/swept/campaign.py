"""Runs of many points, each as often as the rule of the study says, by any executor, each kept as soon as it ends.

Which runs are made depends on the rule and on what the runs say, never on who makes them or in which order they end; so
a study that was stopped goes on as if it had not been. All points share random numbers, by seed and replication.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Protocol, overload

from sim.scenario import Scenario
from sim.study.executors import Executor, LostError
from sim.study.replicated.record import Record
from sim.study.replicated.replications import Rule, pays_to_compile
from sim.study.store import Kept, Making, made
from sim.study.store.kept import Key, failure

_NO_MEMORY = "not enough memory for this run; shorten the horizon, lower the rate, or use fewer workers"
FAILED = "failed"
"""Why no more runs are made of a point one of whose runs has failed."""


class Told(Protocol):
    """Told of each run that has ended."""

    def __call__(self, run: Kept, done: int, wanted: int) -> None:
        """`wanted`: how many there are to be, as far as is known by now; both count those that were there before."""
        ...


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of a study, each made by a process that knows nothing of the others."""

    number: int
    """From 1."""
    of: int

    def takes(self, place: int) -> bool:
        """Whether the run (or the point) of this place in the study belongs to it."""
        return place % self.of == self.number - 1


@dataclass(frozen=True)
class Wanted:
    """A scenario of a study, and its digest."""

    scenario: Scenario
    digest: str


def carry_out(
    points: Sequence[Wanted],
    rule: Rule,
    executor: Executor,
    known: MutableMapping[Key, Kept],
    keep: Callable[[Kept], None],
    shard: Shard | None = None,
    told: Told | None = None,
) -> None:
    """Make what is missing of each point among the known runs; `keep` is given each new one, and has to add it there.

    Where the number of replications is given, a shard takes every n-th run; else every n-th point, because what comes
    next of a point depends on what there is.
    """
    points = list({point.digest: point for point in points}.values())
    if shard is not None and rule.number is None:
        points = [point for place, point in enumerate(points) if shard.takes(place)]
    waiting = [Looking(point.digest, rule) for point in points]
    compiled = _Used()
    while True:
        tasks: list[Making] = []
        for place, (point, looking) in enumerate(zip(points, waiting, strict=True)):
            missing = looking.missing(known)
            if shard is not None and rule.number is not None:
                missing = [replication for replication in missing if shard.takes(place * rule.number + replication)]
            tasks += [Making(point.scenario, point.digest, replication) for replication in missing]
        if not tasks:
            return
        before = len(known)
        for ended in executor.as_ended(made, _Tasks(tasks, compiled)):
            task = tasks[ended.place]
            if isinstance(ended.error, LostError | MemoryError):
                run = failure((task.digest, task.replication), str(ended.error) or _NO_MEMORY)
            elif ended.error is not None:
                raise ended.error
            else:
                assert ended.value is not None
                run = ended.value
            compiled.requests += run.sent
            compiled.runs += 1
            keep(run)
            if told is not None:
                told(run, len(known), before + len(tasks))
        if rule.number is not None:
            return


@dataclass
class _Used:
    """What was simulated so far, from which follows how much is to come."""

    requests: int = 0
    runs: int = 0

    def to_come(self, runs: int) -> int:
        """Requests of so many more runs, if they are like those before; 0: nothing is known yet."""
        return runs * self.requests // max(self.runs, 1)


class _Tasks(Sequence[Making]):
    """Tasks that are looked at once more when their time comes: compiled, once that pays."""

    def __init__(self, tasks: Sequence[Making], used: _Used) -> None:
        self.tasks = tasks
        self.used = used

    def __len__(self) -> int:
        return len(self.tasks)

    @overload
    def __getitem__(self, place: int) -> Making: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Making]: ...
    def __getitem__(self, place: int | slice) -> Making | Sequence[Making]:
        if isinstance(place, slice):
            return _Tasks(self.tasks[place], self.used)
        task = self.tasks[place]
        pays = pays_to_compile(task.scenario, self.used.to_come(len(self.tasks) - place))
        return Making(task.scenario, task.digest, task.replication, pays)


class Looking:
    """A point of a study, and up to where its rule has been followed."""

    def __init__(self, digest: str, rule: Rule) -> None:
        self.digest = digest
        self.rule = rule
        self.goal: int | str = rule.number if rule.number is not None else 1

    def missing(self, known: Mapping[Key, Kept]) -> list[int]:
        """The replications to be made before more can be said; none: it is done."""
        while isinstance(self.goal, int):
            runs = [known.get((self.digest, replication)) for replication in range(self.goal)]
            missing = [replication for replication, run in enumerate(runs) if run is None]
            if missing:
                return missing
            there = [run for run in runs if run is not None]
            if any(run.failed for run in there):
                self.goal = FAILED
            elif self.rule.number is not None:
                self.goal = "number"
            else:
                self.goal = self.rule.after([run.record() for run in there])
        return []


@dataclass(frozen=True)
class Outcome:
    """What a study knows of one point: its replications from the first on, as far as there is no gap."""

    records: tuple[Record, ...]
    stopped: str
    """See `Replicated.stopped`; `unfinished` where the rule asks for more."""
    error: str | None = None
    """Why one of its runs has failed; then there is nothing to be told of it."""


def outcome(digest: str, rule: Rule, known: Mapping[Key, Kept]) -> Outcome | None:
    """What there is of a point; None: not even its first run."""
    there = list(_from_first(digest, known))
    if not there:
        return None
    failed = next((run for run in there if run.failed), None)
    if failed is not None:
        replication = failed.key[1]
        where = f"replication {replication}: " if replication else ""
        return Outcome((), FAILED, f"{where}{failed.error}")
    records = tuple(run.record() for run in there)
    stopped = rule.after(records)
    return Outcome(records, stopped if isinstance(stopped, str) else "unfinished")


def _from_first(digest: str, known: Mapping[Key, Kept]) -> Iterator[Kept]:
    replication = 0
    while (run := known.get((digest, replication))) is not None:
        yield run
        replication += 1
