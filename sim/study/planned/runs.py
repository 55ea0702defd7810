"""The runs of a plan: made once, kept, and read as how many requests of each were within each objective."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.scenario import Scenario
from sim.study.replicated.estimates import at
from sim.study.store.kept import Kept, Key
from sim.study.store.search import About, KeptRuns, kept_in
from sim.study.swept.campaign import Wanted
from sim.study.swept.maker import Maker


def kept_runs(folder: Path | None, scenario: Scenario) -> AbstractContextManager[KeptRuns]:
    """The runs of a plan in a folder, see `kept_in`; all plans of a scenario of this name share them."""
    another = "another scenario ({})"
    return kept_in(folder, About("plan", "plan", "plan-study.json", "scenario", scenario.name, another), scenario)


class FailedError(Exception):
    """A fleet that cannot be run: a request fits on none of its replicas."""


@dataclass(frozen=True)
class Tried:
    """Some runs of one fleet. Shapes of `within` and `arrived`: (objectives, runs); whole numbers of requests."""

    within: tuple[tuple[float, ...], ...]
    arrived: tuple[tuple[float, ...], ...]
    sent: tuple[int, ...]
    """Requests simulated in each run, tried again or not."""
    usd_per_hour: tuple[float, ...]
    """What each run cost; 0 where no price is known."""
    summary: dict[str, Any]
    """Of the first run."""
    digest: str = ""

    @property
    def runs(self) -> int:
        """How many there are."""
        return len(self.sent)

    def attained(self) -> tuple[float, ...]:
        """Of each objective, the share of all requests; 1 where none came."""
        pairs = zip(self.within, self.arrived, strict=True)
        return tuple(sum(inside) / sum(came) if sum(came) else 1.0 for inside, came in pairs)

    def most_missed(self) -> tuple[float, ...]:
        """Of each objective, the most requests of one run that missed it."""
        pairs = zip(self.within, self.arrived, strict=True)
        return tuple(max(all_ - some for some, all_ in zip(*pair, strict=True)) for pair in pairs)


@dataclass(frozen=True)
class _Row:
    within: tuple[float, ...]
    arrived: tuple[float, ...]
    sent: int
    usd_per_hour: float


@dataclass
class Runs(Maker):
    """Makes runs, and reads each once."""

    told: Callable[[int, int], None] | None = None
    """Told how many runs there are, and their requests."""
    _rows: dict[Key, _Row] = field(default_factory=dict)
    _summaries: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, scenario: Scenario, runs: int) -> Tried:
        """So many replications of a scenario. Raises `FailedError`."""
        digest = scenario.digest
        keys = [(digest, replication) for replication in range(runs)]
        if any(key not in self._rows for key in keys):
            (found,) = self.made([Wanted(scenario, digest)], runs)
            for run in found:
                if run.key not in self._rows:
                    self._rows[run.key] = self._read(run)
        self.used |= {key: self._rows[key].sent for key in keys}
        if self.told is not None:
            self.told(len(self.used), self.requests)
        rows = [self._rows[key] for key in keys]
        lines = range(len(rows[0].within))
        return Tried(
            tuple(tuple(row.within[line] for row in rows) for line in lines),
            tuple(tuple(row.arrived[line] for row in rows) for line in lines),
            tuple(row.sent for row in rows),
            tuple(row.usd_per_hour for row in rows),
            self._summaries[digest],
            digest,
        )

    def seen(self, scenario: Scenario) -> Tried | None:
        """What was asked for of a scenario so far; None: nothing."""
        digest = scenario.digest
        runs = 0
        while (digest, runs) in self.used:
            runs += 1
        return self.of(scenario, runs) if runs else None

    def _read(self, run: Kept) -> _Row:
        if run.failed:
            raise FailedError(str(run.error))
        summary = run.document()["summary"]
        if run.key[1] == 0:
            self._summaries[run.key[0]] = summary
        counts = list(_counts(summary))
        usd = summary["cost"].get("usd_per_hour")
        return _Row(
            tuple(within for within, _ in counts),
            tuple(came for _, came in counts),
            run.sent,
            0.0 if usd is None else float(usd),
        )


def _counts(summary: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """Of each objective: requests within it, and all that it is about."""
    for target in summary["slo"]:
        block = summary
        for kind, key in (("classes", "class"), ("tenants", "tenant")):
            if target.get(key) is not None:
                block = at(summary, kind)[target[key]]
                break
        came = float(block["requests"]["arrived"])
        attained = target["attained"]
        yield (0.0, 0.0) if attained is None else (round(attained * came), came)
