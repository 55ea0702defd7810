"""The points of `fleetcast sweep`: run, kept, gone on with, shown from their folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.cli.shared.study_options import rule_from

if TYPE_CHECKING:
    from sim.study.executors import Executor
    from sim.study.replicated.replications import Rule
    from sim.study.store import Design, Kept, Store
    from sim.study.swept.campaign import Shard
    from sim.study.swept.cheapest import Cheapest
    from sim.study.swept.sweep import Axis, Point, Run

_WIDTH, _NARROW = 180, 100
"""Columns with intervals are wide; lines of blocks are not."""


@dataclass(frozen=True)
class Swept:
    """What there is to be told."""

    design: Design
    runs: list[Run]
    """Those points that have been run, in their order."""
    metrics: tuple[str, ...]
    """The paths that were asked for by name."""
    unfinished: int = 0
    """Runs that are still to be made, as far as is known."""
    is_part: bool = False
    """Only what one shard has made: there is nothing to be told yet."""
    failed: int = 0
    """Points of which a run has failed."""
    kept: str = ""
    """How many runs the folder of the study has, if there is one, and how many of them are new."""

    @property
    def axes(self) -> list[Axis]:
        """The keys, and the values they take."""
        from sim.study.store.design import values_of
        from sim.study.swept.sweep import Axis

        return [Axis(key, tuple(values_of(self.design.places, key))) for key in self.design.keys]

    @property
    def best(self) -> Cheapest | None:
        """The cheapest point, where slowness has a price."""
        from sim.study.swept.cheapest import cheapest

        return cheapest(self.axes, self.runs)


def of_runs(design: Design, known: Mapping[tuple[str, int], Kept], metrics: tuple[str, ...]) -> Swept:
    """The points of a design, as far as they have been run."""
    from sim.study.swept.campaign import Looking
    from sim.study.swept.sweep import told_of

    runs = [told_of(place.values, place.digest, design.rule, known, metrics) for place in design.places]
    digests = dict.fromkeys(place.digest for place in design.places)
    missing = sum(len(Looking(digest, design.rule).missing(known)) for digest in digests)
    there = [run for run in runs if run is not None]
    return Swept(design, there, metrics, missing, failed=sum(run.error is not None for run in there))


def of_folder(folder: Path | None) -> AbstractContextManager[None]:
    """Around what only looks at the runs of a folder: what cannot be told of them is damage. None: runs made here."""
    from sim.study.store import damage_told

    return nullcontext() if folder is None else damage_told(str(folder))


def from_folder(folder: Path, names: Sequence[str]) -> Swept:
    """What the folder of a study holds now. Raises `ConfigError` and `DataError`."""
    from sim.study.store import read
    from sim.study.swept.metrics import paths_of

    design, known = read(folder)
    with of_folder(folder):
        first = next((run for run in known.values() if not run.failed), None)
        metrics = paths_of(names, first.document()["summary"]) if first is not None and names else ()
        return of_runs(design, known, metrics)


@dataclass(frozen=True)
class Asked:
    """A sweep as it was asked for."""

    scenario: str
    sets: Sequence[str]
    overs: Sequence[str]
    listed: Path | None
    metrics: Sequence[str]
    replications: int | None
    precision: str | None
    workers: int | None
    cluster: str | None
    study: Path | None
    shard: Shard | None
    quiet: bool
    shown: bool

    def run(self) -> Swept:
        """Make the runs."""
        from sim.study.executors import executor

        with ExitStack() as hired:
            if self.cluster is None:  # other processes start while this one reads the scenario
                return self._run(hired.enter_context(executor(self.workers)))
            return self._run(executor(None, self.cluster))

    def _run(self, workers: Executor) -> Swept:
        """Make the runs by an executor; a cluster is not called before all else is known to be right."""
        from sim.study.swept.metrics import paths_of
        from sim.study.swept.sweep import BUDGET

        points = self._points()
        probe = self._probe(points[0]) if self.metrics else None
        metrics = () if probe is None else paths_of(self.metrics, probe.document()["summary"])
        rule = rule_from(self.replications, self.precision, metrics)
        design = self._design(points, BUDGET if rule is None else rule)
        if self.study is None:
            known = {} if probe is None else {probe.key: probe}
            return self._made(design, points, known, None, metrics, workers)
        from sim.study.store import opened

        name = "" if self.shard is None else f"{self.shard.number}-of-{self.shard.of}"
        with opened(self.study, design, rule is not None, name) as store:
            before = len(store.runs)
            with of_folder(self.study):  # before anything is made that would go on from it
                document_of(of_runs(store.design, store.runs, metrics))
            if probe is not None and probe.key not in store.runs:
                store.add(probe)
            found = self._made(store.design, self._all(store.design, points), store.runs, store, metrics, workers)
            if self.shard is not None:
                self._say_shard(store)
                failed = sum(run.failed for run in store.runs.values())
                return Swept(store.design, [], metrics, is_part=True, failed=failed)
            store.finish()
            new = len(store.runs) - before
            told = "none" if not new else "all" if not before else f"{new:,}"
            return replace(found, design=store.design, kept=f"{len(store.runs):,} runs in {self.study}, {told} new")

    def _points(self) -> list[Point]:
        from sim.study.swept.sweep import axis_of, grid, listed

        if self.listed is not None:
            return listed(self.scenario, self.sets, self.listed)
        return grid(self.scenario, self.sets, [axis_of(text) for text in self.overs])

    def _probe(self, point: Point) -> Kept:
        """The first run of all, made before the others: names of numbers are looked up in it."""
        from sim.config.errors import ConfigError
        from sim.study.store import Making, made

        found = made(Making(point.scenario, point.scenario.digest, 0))
        if found.failed:
            raise ConfigError(f"the first run ({point.told}) failed: {found.error}")
        return found

    def _design(self, points: Sequence[Point], rule: Rule) -> Design:
        from sim.config.errors import ConfigError
        from sim.scenario import load
        from sim.study.store import Design, Place
        from sim.study.store.inputs import data_of

        try:
            base = load(self.scenario, list(self.sets)).digest if self.study is not None else None
        except ConfigError:
            base = None  # it is no scenario without the values of a point
        places = tuple(Place(point.values, point.scenario.digest) for point in points)
        data = data_of(point.scenario for point in points) if self.study is not None else {}
        return Design(self.scenario, tuple(self.sets), places, rule, base, data=data)

    def _all(self, design: Design, points: Sequence[Point]) -> list[Point]:
        """The points of the folder: those that are asked for, then those that it had before."""
        from sim.config.errors import ConfigError, Problem
        from sim.study.swept.sweep import point

        known = {each.scenario.digest: each for each in points}
        found = []
        for place in design.places:
            made = known.get(place.digest) or point(self.scenario, self.sets, place.values)
            if made.scenario.digest != place.digest:
                told = f"the scenario has changed since the study was begun (at {place.told}); name another folder"
                raise ConfigError(Problem(told, file=str(self.study)))
            found.append(made)
        return found

    def _made(
        self,
        design: Design,
        points: Sequence[Point],
        known: dict[tuple[str, int], Kept],
        store: Store | None,
        metrics: tuple[str, ...],
        workers: Executor,
    ) -> Swept:
        """The runs that are missing, made. Interrupted, it shows what was done, and says how to go on."""
        from sim.cli.sweep.so_far import Counting
        from sim.study.swept.campaign import Wanted, carry_out

        def keep(run: Kept) -> None:
            known[run.key] = run

        wanted = [Wanted(each.scenario, each.scenario.digest) for each in points]
        names = {place.digest: place.told for place in design.places}
        most = None if design.rule.number is not None else design.rule.most * len({each.digest for each in wanted})
        told = None if self.quiet else Counting(names, known, None if self.shard is not None else most)
        with ExitStack() as open_now:
            if told is not None:
                open_now.callback(told.close)
            try:
                if self.cluster is not None:
                    open_now.enter_context(workers)
                carry_out(wanted, design.rule, workers, known, store.add if store else keep, self.shard, told)
            except KeyboardInterrupt:
                open_now.close()
                if store is not None:
                    store.close()
                    kept = f"{len(known):,} runs are kept in {store.folder}; the same command goes on from there"
                else:
                    kept = f"{len(known):,} runs were made and are lost; --study DIR keeps them, to go on from there"
                click.echo(kept, err=True)
                if self.shown and known and self.shard is None:
                    show(replace(of_runs(design, known, metrics), unfinished=0))
                raise
        return of_runs(design, known, metrics)

    def _say_shard(self, store: Store) -> None:
        assert self.shard is not None
        if not self.quiet:
            part = f"part {self.shard.number} of {self.shard.of} is done: {len(store.runs):,} runs in {store.folder}"
            click.echo(f"{part}; when all are: fleetcast merge DIR ... --out DIR", err=True)


def document_of(swept: Swept) -> dict[str, Any]:
    """A sweep as one document."""
    from sim.study.store.design import rule_as_plain

    design, best = swept.design, swept.best
    return {
        "schema_version": 1,
        "scenario": design.scenario,
        "set": list(design.sets),
        "cheapest": None if best is None else best.plain(),
        "over": [{"key": axis.key, "values": list(axis.values)} for axis in swept.axes],
        "replications": rule_as_plain(design.rule),
        "unfinished_runs": swept.unfinished,
        "runs": [one.plain() for one in swept.runs],
    }


def show(swept: Swept) -> None:
    """Print the cheapest point, a row a point, and why runs have failed."""
    from sim.cli.sweep.tables import failures

    show_grid(swept.axes, swept.runs, swept.metrics)
    if swept.unfinished:
        click.echo(
            f"{swept.unfinished:,} runs are still to be made: the command of the study goes on with them", err=True
        )
    if swept.kept:
        click.echo(swept.kept)
    for line in failures(swept.runs):
        click.echo(line, err=True)


def show_grid(axes: Sequence[Axis], done: Sequence[Run], metrics: Sequence[str] = ()) -> None:
    """Print the cheapest point, a row a point, and the main numbers as lines over the key."""
    from sim.cli.run import pictured
    from sim.cli.shared.plain import console, print_fitting
    from sim.cli.sweep.tables import cheapest_sentences, of_chance, over_key, runs_table
    from sim.study.swept.cheapest import cheapest

    keys, best = [axis.key for axis in axes], cheapest(axes, done)
    for sentence in cheapest_sentences(keys, done, best):
        click.echo(sentence)
    print_fitting(runs_table(keys, done, best, metrics), console(_WIDTH))
    if over := over_key(keys, done, metrics):
        first, last = (done[place].values.get(keys[0], "") for place in (0, -1))
        pictured.show(console(_NARROW), f"Over {keys[0]}, {first} to {last}", over)
    for sentence in of_chance(done):
        click.echo(sentence)
