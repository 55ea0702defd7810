"""The runs of a search: made by any executor, each once, and counted against a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field

from sim.config.errors import ConfigError
from sim.scenario.tune import Budget
from sim.study.executors import Executor
from sim.study.replicated.record import Record
from sim.study.replicated.replications import Rule
from sim.study.store import Kept
from sim.study.store.kept import Key
from sim.study.swept.campaign import Wanted, carry_out
from sim.study.tuned.figures import Measured, measured
from sim.study.tuned.space import Candidate


@dataclass
class Runs:
    """What has been run, and what it took."""

    executor: Executor
    tail: str
    """See `tail_of`."""
    known: MutableMapping[Key, Kept] = field(default_factory=dict)
    keep: Callable[[Kept], None] | None = None
    """Given each new run, to have it kept beyond this process."""
    used: dict[Key, int] = field(default_factory=dict)
    """Every run that was asked for so far, and its requests: the same, whether it was there before or not."""
    began_s: float = field(default_factory=time.monotonic)
    new: int = 0
    """Runs that were made here."""
    spent_s: float = 0.0
    """How long it took to make these."""
    _read: dict[Key, Measured] = field(default_factory=dict)

    def make(self, candidates: Sequence[Candidate], replications: int) -> None:
        """See that each of them has so many runs."""
        began = time.monotonic()
        wanted = [Wanted(one.scenario, one.digest) for one in candidates]
        carry_out(wanted, Rule(number=replications), self.executor, self.known, self._add)
        self.spent_s += time.monotonic() - began
        for one in wanted:
            for replication in range(replications):
                key = (one.digest, replication)
                self.used[key] = self.known[key].sent

    def _add(self, run: Kept) -> None:
        self.known[run.key] = run
        self.new += 1
        if self.keep is not None:
            self.keep(run)

    def of(self, candidate: Candidate, replications: int) -> list[Measured] | None:
        """The first of its runs, which have been made; None: one of them has failed."""
        keys = [(candidate.digest, replication) for replication in range(replications)]
        if any(self.known[key].failed for key in keys):
            return None
        for key in keys:
            if key not in self._read:
                self._read[key] = measured(self.known[key], self.tail)
        return [self._read[key] for key in keys]

    def records(self, candidate: Candidate, replications: int) -> list[Record]:
        """The same, with all that is known of them. Raises `ConfigError` for a run that has failed."""
        found = [self.known[candidate.digest, replication] for replication in range(replications)]
        failed = next((run for run in found if run.failed), None)
        if failed is not None:
            raise ConfigError(f"the run of {candidate.told} failed: {failed.error}")
        return [run.record() for run in found]

    @property
    def requests(self) -> int:
        """Of all runs that were asked for."""
        return sum(self.used.values())

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
