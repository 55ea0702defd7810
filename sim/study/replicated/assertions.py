"""Whether what a scenario asserts holds in its runs: pass, fail, or not decided by them.

With a confidence, the one-sided bound of that confidence decides: below a limit from above it passes, beyond the limit
from below it fails, else more runs are needed. Looking again and again as runs come in would find chance sooner or
later, so there are few looks, and what may be wrong is shared out among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sim.scenario import Scenario, Target
from sim.scenario.assertions import Assertion, assertions
from sim.statistics.intervals import CONFIDENCE, Interval, of_all_alike, one_sided
from sim.study.replicated.estimates import Estimates, at
from sim.study.replicated.record import Record
from sim.study.replicated.replications import Goal, Replicated

LOOKS = (10, 20, 40, 80)
"""Runs after which an assertion is looked at, beside the end of the budget: few, each with twice the runs of the last.

Every look may be wrong with an equal part of what the confidence leaves (Bonferroni). A look after every fifth run, 19
of them, would have to leave each a quarter of that, for runs saved that are few. Measured where the limit is the true
value, at 95 %: 3 % wrong verdicts of normal numbers, 5 % of ones as skewed as those of a busy queue; a t-interval
knows no skew, and of runs so short that their numbers are exponential it is 13 % (tests/validation/sequential.py).
"""
ALL_LOOKS = len(LOOKS) + 1

Verdict = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True)
class Judged:
    """An assertion, and what the runs say of it."""

    assertion: Assertion
    path: str
    """Where the number stands in the summary."""
    verdict: Verdict
    value: float | None
    """The estimate of all runs; None where it is not told."""
    interval: Interval | None = None
    """What the verdict follows from. With a confidence: bounds that each have it, at the look that decided (or the last
    one); without: the 95 % interval of all runs."""
    runs: int = 0
    """Of that look."""
    why: str = ""
    """Of what is not decided: why, and what would decide it."""

    def told(self) -> dict[str, Any]:
        """As an entry of the summary."""
        known = self.interval is not None and math.isfinite(self.interval.half_width)
        return {
            "text": self.assertion.text,
            "quantity": self.path,
            "value": self.value,
            "interval": [self.interval.low, self.interval.high] if self.interval is not None and known else None,
            "limit": self.assertion.limit,
            "verdict": self.verdict,
            "confidence": self.assertion.confidence,
            "runs": self.runs,
            "why": self.why or None,
        }


def judged(replicated: Replicated) -> tuple[Judged, ...]:
    """Every assertion of the scenario, in its order."""
    asked = replicated.stopped == "number"
    return _Judge(replicated.scenario, replicated.records, asked, replicated.stopped == "budget").all()


def assertions_block(replicated: Replicated) -> dict[str, list[dict[str, Any]]]:
    """`{"assertions": [...]}`, see `Judged.told`; nothing for a scenario that asserts nothing."""
    found = judged(replicated)
    return {"assertions": [each.told() for each in found]} if found else {}


def goals(scenario: Scenario) -> tuple[Goal, ...]:
    """What has to be known before runs may stop, for the assertions that ask for a confidence."""
    asked = any(each.confidence is not None for each in assertions(scenario))
    return (Decided(scenario),) if asked else ()


@dataclass(frozen=True)
class Decided:
    """Every assertion with a confidence passes or fails, or is about what no run has."""

    scenario: Scenario

    def reached(self, records: Sequence[Record]) -> bool:
        judge = _Judge(self.scenario, records)
        return all(
            each.verdict != "undecided" or judge.is_absent(each.path)
            for each in judge.all()
            if each.assertion.confidence is not None
        )


class _Judge:
    """Some runs of a scenario."""

    def __init__(
        self, scenario: Scenario, records: Sequence[Record], is_one_look: bool = False, is_the_end: bool = False
    ) -> None:
        """`is_one_look`: the number of runs was given beforehand; `is_the_end`: the budget is spent, a look as well."""
        self.scenario = scenario
        self.records = records
        self.shared_by = 1 if is_one_look else ALL_LOOKS
        planned = [] if is_one_look else [look for look in LOOKS if look < len(records)]
        last = is_one_look or is_the_end or len(records) in LOOKS or not planned
        self.looks = (*planned, len(records)) if last else tuple(planned)
        self._estimates: dict[tuple[int, float], Estimates] = {}

    def all(self) -> tuple[Judged, ...]:
        """Every assertion, in the order of the file."""
        return tuple(self._judged(each) for each in assertions(self.scenario))

    def is_absent(self, path: str) -> bool:
        """Whether the runs have nothing to say of this number."""
        return path not in self._of(len(self.records), CONFIDENCE).paths

    def _judged(self, assertion: Assertion) -> Judged:
        path = self._path(assertion)
        estimates = self._of(len(self.records), CONFIDENCE)
        if self.is_absent(path):
            return Judged(assertion, path, "undecided", None, why=_ABSENT)
        lacking = estimates.missing.get(path) if len(self.records) > 1 else None
        if lacking is not None:
            why = f"{lacking:,} more requests are needed to tell so far a tail: a longer horizon, or more replications"
            return Judged(assertion, path, "undecided", None, why=why)
        interval = estimates.of(path) if len(self.records) > 1 else None
        value = estimates.extremes.get(path, estimates.values(path)[0]) if interval is None else interval.estimate
        if assertion.confidence is not None:
            return self._with_confidence(assertion, path, value, assertion.confidence)
        verdict: Verdict = "pass" if assertion.holds(value) else "fail"
        return Judged(assertion, path, verdict, value, interval, len(self.records))

    def _with_confidence(self, assertion: Assertion, path: str, value: float, confidence: float) -> Judged:
        """What the latest look that decided says; of the last one, if none did.

        A verdict of fewer runs that the value of all of them contradicts is none: nobody would believe it.
        """
        why = _ONE_RUN if len(self.records) == 1 else _NO_LOOK
        last = Judged(assertion, path, "undecided", value, None, len(self.records), why)
        for look in reversed(self.looks):
            two_sided = one_sided(1 - (1 - confidence) / self.shared_by)
            interval = self._of(look, two_sided).of(path)
            if interval is None:
                continue
            seen = self._all_alike(path, look, interval)
            if seen:
                interval = of_all_alike(interval.estimate, seen, two_sided)
            verdict = verdict_of(assertion, interval)
            found = Judged(assertion, path, verdict, value, interval, look)
            if verdict != "undecided":
                if assertion.holds(value) == (verdict == "pass"):
                    return found
                why = f"the first {look} runs alone would {verdict} it, all {len(self.records)} together say otherwise"
                return replace(last if last.interval is not None else found, verdict="undecided", why=why)
            last = (
                last if last.interval is not None else replace(found, why=_why(assertion, interval, look, bool(seen)))
            )
        return last

    def _all_alike(self, path: str, look: int, interval: Interval) -> float:
        """How many requests there are, where all (or none) of them attained an objective by chance; else 0."""
        estimates = self._of(look, CONFIDENCE)
        arrived = estimates.arrived(path)
        if arrived is None or interval.half_width > 0 or interval.estimate not in (0.0, 1.0):
            return 0.0
        mean = f"latency.{at(self.records[0].summary, path.removesuffix('.attained'))['metric']}_s.mean"
        means = [values.get(mean) for values in estimates.each]
        return sum(arrived) if len(set(means)) > 1 else 0.0  # where all is the same in all runs, nothing is random

    def _path(self, assertion: Assertion) -> str:
        """Where the number stands in the summaries."""
        if assertion.objective is None:
            return assertion.path
        block = assertion.whose.block
        target = self.scenario.slo[assertion.objective]
        entries = at(self.records[0].summary, f"{block}slo")
        place = next(place for place, entry in enumerate(entries) if _is_about(entry, target))
        return f"{block}slo.{place}.attained"

    def _of(self, count: int, confidence: float) -> Estimates:
        """The numbers of the first so many runs."""
        key = (count, confidence)
        if key not in self._estimates:
            self._estimates[key] = Estimates(self.records[:count], confidence)
        return self._estimates[key]


_MOST_ADVISED = 100_000
"""Runs: more than this nobody makes."""
_ONE_RUN = "one run says nothing of chance: ask for more --replications"
_NO_LOOK = "there were too few requests for so far a tail when it was last looked at: ask for more --replications"
_ABSENT = "not every run has this number, if any has: the scenario gives nothing for it, or no request came so far"


def _why(assertion: Assertion, interval: Interval, runs: int, all_alike: bool = False) -> str:
    """Why a look did not decide, and what would."""
    if math.isinf(interval.half_width):
        return _ONE_RUN
    distance = abs(interval.estimate - assertion.limit)
    close = "the limit lies within what chance leaves open"
    # a spread falls with the root of the runs, a bound on what was never seen with their number
    needed = runs * (interval.half_width / distance) ** (1 if all_alike else 2) if distance > 0 else math.inf
    if needed > _MOST_ADVISED:
        return f"{close}, too close to the value to be decided by more runs; move the limit"
    return f"{close}; about --replications {_rounded_up(needed)} would decide it, or a longer horizon"


def verdict_of(assertion: Assertion, interval: Interval) -> Verdict:
    """Pass if both ends are on the right side, fail if both are on the wrong one."""
    low, high = (assertion.holds(end) for end in (interval.low, interval.high))
    if low and high:
        return "pass"
    return "undecided" if low or high else "fail"


def _rounded_up(runs: float) -> int:
    """A number of runs to two digits."""
    size = int(10 ** max(len(str(math.ceil(runs))) - 2, 0))
    return math.ceil(runs / size) * size


def _is_about(entry: dict[str, Any], target: Target) -> bool:
    """Whether an entry of a block's `slo` is this objective."""
    wanted = (target.metric, target.under_s, target.share, target.class_name, target.tenant)
    return wanted == tuple(entry.get(key) for key in ("metric", "under_s", "share", "class", "tenant"))
