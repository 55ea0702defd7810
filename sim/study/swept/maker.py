"""Makes the runs that a search asks for: each once, by any executor, kept where the search keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sim.study.executors import Executor, Here
from sim.study.replicated.replications import Rule
from sim.study.store.kept import Kept, Key
from sim.study.store.search import KeptRuns
from sim.study.swept.campaign import Wanted, carry_out


@dataclass
class Maker:
    """Makes runs; those that are known already are not made again. Who reads them counts them in `used`."""

    executor: Executor = field(default_factory=Here)
    kept: KeptRuns = field(default_factory=KeptRuns)
    used: dict[Key, int] = field(default_factory=dict)
    """Every run that was asked for so far, and its requests: the same, whether it was there before or not."""

    def made(self, points: Sequence[Wanted], runs: int) -> list[list[Kept]]:
        """So many replications of each point; some may have failed."""
        carry_out(points, Rule(number=runs), self.executor, self.kept.known, self.kept.keep)
        return [[self.kept.known[point.digest, replication] for replication in range(runs)] for point in points]

    @property
    def requests(self) -> int:
        """Of all runs that were asked for."""
        return sum(self.used.values())
