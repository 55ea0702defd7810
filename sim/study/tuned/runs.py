"""The runs of a tuning: read as what a search goes by, and counted against a budget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from sim.config.errors import ConfigError
from sim.scenario.tune import Budget
from sim.study.replicated.record import Record
from sim.study.store.kept import Key
from sim.study.store.search import About, KeptRuns, kept_in
from sim.study.swept.campaign import Wanted
from sim.study.swept.maker import Maker
from sim.study.tuned.figures import Measured, measured
from sim.study.tuned.space import Candidate


def kept_runs(folder: Path | None, base: Candidate) -> AbstractContextManager[KeptRuns]:
    """The runs of a tuning of this scenario in a folder, see `kept_in`."""
    another = "another scenario, or the scenario or --set has changed since"
    return kept_in(folder, About("tune", "tuning", "tuning.json", "base_sha256", base.digest, another), base.scenario)


@dataclass
class Runs(Maker):
    """What has been run, and what it took."""

    tail: str = field(kw_only=True)
    """See `tail_of`."""
    began_s: float = field(default_factory=time.monotonic)
    new: int = 0
    """Runs that were made here."""
    spent_s: float = 0.0
    """How long it took to make these."""
    _read: dict[Key, Measured] = field(default_factory=dict)

    def make(self, candidates: Sequence[Candidate], replications: int) -> None:
        """See that each of them has so many runs."""
        began, before = time.monotonic(), len(self.kept.known)
        found = self.made([Wanted(one.scenario, one.digest) for one in candidates], replications)
        self.spent_s += time.monotonic() - began
        self.new += len(self.kept.known) - before
        self.used |= {run.key: run.sent for several in found for run in several}

    def of(self, candidate: Candidate, replications: int) -> list[Measured] | None:
        """The first of its runs, which have been made; None: one of them has failed."""
        keys = [(candidate.digest, replication) for replication in range(replications)]
        if any(self.kept.known[key].failed for key in keys):
            return None
        for key in keys:
            if key not in self._read:
                self._read[key] = measured(self.kept.known[key], self.tail)
        return [self._read[key] for key in keys]

    def records(self, candidate: Candidate, replications: int) -> list[Record]:
        """The same, with all that is known of them. Raises `ConfigError` for a run that has failed."""
        found = [self.kept.known[candidate.digest, replication] for replication in range(replications)]
        failed = next((run for run in found if run.failed), None)
        if failed is not None:
            raise ConfigError(f"the run of {candidate.told} failed: {failed.error}")
        return [run.record() for run in found]

    @property
    def elapsed_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began_s

    def is_over(self, budget: Budget, runs: int, later: int) -> bool:
        """Whether so many more runs would be too many; `later` is how many the measurements on fresh seeds take."""
        if budget.kind == "seconds":
            each_s = self.spent_s / max(self.new, 1)
            return self.elapsed_s + each_s * (runs + later) > budget.amount
        done, each = len(self.used), self.requests / max(len(self.used), 1)
        return (done + runs if budget.kind == "runs" else each * (done + runs)) > budget.amount
