"""Runs for plans over time: made once, kept where a study is, and read as what each pool's requests attain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sim.scenario import Scenario
from sim.study.swept.campaign import Wanted
from sim.study.swept.maker import Maker

_SERVED_SHARE = 0.999
"""Of the requests, where nothing is promised."""


@dataclass(frozen=True)
class Outcome:
    """Some runs of one scenario."""

    summaries: tuple[dict[str, Any], ...]
    """Empty where a run has failed: a request fits on no replica."""

    def attained(self, pool: str) -> tuple[float | None, ...]:
        """Of each objective, the share of the pool's requests in all runs; None where none came."""
        blocks = [summary["pools"][pool] for summary in self.summaries]
        return tuple(_share(blocks, place) for place in range(len(blocks[0]["slo"]))) if blocks else ()

    def missed_share(self, pool: str) -> float:
        """By how much the objective that is kept worst is missed; below 0: all are kept. 1: it cannot be run."""
        if not self.summaries:
            return 1.0
        slo = self.summaries[0]["pools"][pool]["slo"]
        told = zip(slo, self.attained(pool), strict=True)
        found = [target["share"] - attained for target, attained in told if attained is not None]
        return float(max(found)) if found else _unserved(self.summaries, pool) - (1 - _SERVED_SHARE)

    def keeps(self, pool: str, slack_share: float = 0.0) -> bool:
        """Whether every objective is attained by the pool's requests; without objectives, whether they are served."""
        return self.missed_share(pool) <= slack_share

    def most_replicas(self, pool: str) -> int:
        """The most replicas that the pool had in any run."""
        return max(math.ceil(float(summary["pools"][pool]["replicas"]["max"])) for summary in self.summaries)


class Bench(Maker):
    """Makes runs, and reads them as outcomes."""

    def outcome(self, scenario: Scenario, runs: int) -> Outcome:
        """So many replications of a scenario."""
        (found,) = self.made([Wanted(scenario, scenario.digest)], runs)
        if any(run.failed for run in found):
            return Outcome(())
        return Outcome(tuple(run.document()["summary"] for run in found))


def _share(blocks: list[dict[str, Any]], place: int) -> float | None:
    """Attainment of an objective over the requests of all runs."""
    told = [(block["slo"][place]["attained"], float(block["requests"]["arrived"])) for block in blocks]
    known = [(attained, arrived) for attained, arrived in told if attained is not None]
    total = math.fsum(arrived for _, arrived in known)
    return math.fsum(attained * arrived for attained, arrived in known) / total if total > 0 else None


def _unserved(summaries: tuple[dict[str, Any], ...], pool: str) -> float:
    requests = [summary["pools"][pool]["requests"] for summary in summaries]
    arrived = sum(each["arrived"] for each in requests)
    return 1 - sum(each["completed"] for each in requests) / arrived if arrived else 0.0
