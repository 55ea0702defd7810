"""Paired replications of two scenarios whose differences are told after each pair, as `fleetcast compare` has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sim.report.comparison.words import main, names, sentence, signed, value
from sim.scenario import Scenario
from sim.study.compared.compare import FEWEST, Comparison, Difference, differences
from sim.study.replicated.record import Record, Task, measured
from sim.study.replicated.replications import LEAST, MOST, MOST_REQUESTS, STEP, Replicated, sent

__all__ = ["Pairs"]


class Pairs:
    """Replications of a baseline and of another scenario, all on the same random numbers."""

    def __init__(self, baseline: Scenario, other: Scenario, number: int | None) -> None:
        self.scenarios = (baseline, other.model_copy(update={"seed": baseline.seed}))
        self.number = number
        self.most = number or MOST
        self.records: tuple[list[Record], list[Record]] = ([], [])
        self.stopped = ""

    def made(self) -> Iterator[dict[str, Any]]:
        """Make them; what is known, after each pair but the first."""
        condensed = False
        while not self.stopped:
            place = len(self.records[0])
            for scenario, records in zip(self.scenarios, self.records, strict=True):
                records.append(measured(Task(scenario, place, condensed)))
            if place == 0:
                condensed = self._budget()
                continue
            self.stopped = self._why_no_more()
            yield self.found()

    def found(self) -> dict[str, Any]:
        """What is known by now, as a part of `JobTold`."""
        baseline, other = (
            Replicated(scenario, tuple(records), self.stopped or "number")
            for scenario, records in zip(self.scenarios, self.records, strict=True)
        )
        comparison = Comparison("The present one", other, tuple(differences(baseline, other)))
        told = main(baseline, comparison)
        called = names(baseline.records[0].summary)
        pairs = len(self.records[0])
        said = sentence("the pinned one", baseline, comparison)
        rows = [_row(each, called.get(each.path, each.path)) for each in told]
        return {
            "done": pairs,
            "most": self.most,
            "what": "pairs of runs",
            "found": {"sentence": said, "rows": rows, "pairs": pairs, "stopped": self.stopped},
        }

    def _budget(self) -> bool:
        """Set how many pairs there may be; whether latencies are to be kept as histograms."""
        first = [records[0] for records in self.records]
        if self.number is None:
            self.most = max(min(MOST, MOST_REQUESTS // max(1, *map(sent, first))), FEWEST)
        if not any(record.is_too_large(self.most) for record in first):
            return False
        for records in self.records:
            records[0] = records[0].condensed()
        return True

    def _why_no_more(self) -> str:
        pairs = len(self.records[0])
        if self.number is not None:
            return "number" if pairs >= self.number else ""
        looked_at = pairs >= LEAST and (pairs - LEAST) % STEP == 0
        if looked_at and self._known():
            return "precision"
        return "budget" if pairs >= self.most else ""

    def _known(self) -> bool:
        baseline, other = (
            Replicated(scenario, tuple(records), "")
            for scenario, records in zip(self.scenarios, self.records, strict=True)
        )
        found = main(baseline, Comparison("the present one", other, tuple(differences(baseline, other))))
        return all(each.is_known for each in found)


def _row(each: Difference, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "path": each.path,
        "baseline": value(each.path, each.baseline),
        "other": value(each.path, each.other),
        "difference": signed(each.path, each.more.estimate),
        "low": signed(each.path, each.more.low),
        "high": signed(each.path, each.more.high),
        "half_width": each.more.half_width,
        "is_distinguishable": each.is_distinguishable,
    }
