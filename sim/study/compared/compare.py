"""Two or more scenarios on the same random numbers: how far apart they are, and whether that is more than chance.

Every replication draws the same demand for each of them (the streams are keyed by seed, replication and purpose, never
by what a policy does), so what differs within a pair is what was changed. The differences of pairs vary less than the
figures do; their intervals are those of paired differences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.config.errors import ConfigError
from sim.engine import warm_up
from sim.scenario import Scenario
from sim.statistics.intervals import CONFIDENCE, Interval, of_sections, student_t
from sim.study.executors import Executor, Here, LostError
from sim.study.replicated.estimates import Estimates
from sim.study.replicated.record import Record, Task, measured
from sim.study.replicated.replications import LEAST, MOST, MOST_REQUESTS, STEP, Replicated, pays_to_compile, sent

COST, TAIL, WAIT = "cost.usd_per_day", "latency.ttft_s.p99", "latency.queue_wait_s.mean"
CLOSE, CLOSE_SHARE = 0.02, 0.002
"""A difference is known well enough when its half width is below this share of the baseline, or below so much of an
attainment."""
CLEAR = 0.999
"""Confidence with which a difference must leave 0 before no more runs are made. One that is looked at up to nineteen
times with 95 % would leave 0 by chance in far more than one study of twenty."""
FEWEST = 5
"""Pairs that are made however many requests they take: the interval of two is ten times as wide."""
NOISE = 1e-9
"""Differences below this share of either number are rounding."""
_PROMISE = ("metric", "under_s", "class", "tenant")


@dataclass(frozen=True)
class Difference:
    """What one scenario has more of than the baseline."""

    path: str
    baseline: float
    other: float
    more: Interval
    """other - baseline."""
    pairs: int = 2
    confidence: float = CONFIDENCE

    def at(self, confidence: float) -> Difference:
        """The same with an interval of another confidence."""
        wider = student_t(confidence, self.pairs - 1) / student_t(self.confidence, self.pairs - 1)
        return replace(self, more=Interval(self.more.estimate, self.more.half_width * wider), confidence=confidence)

    @property
    def _noise(self) -> float:
        return NOISE * max(abs(self.baseline), abs(self.other))

    @property
    def is_same(self) -> bool:
        """Whether both have the same number in every replication."""
        return max(abs(self.more.low), abs(self.more.high)) <= self._noise

    @property
    def is_exact(self) -> bool:
        """Whether every pair differs by the same."""
        return self.more.half_width <= self._noise

    @property
    def is_distinguishable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return not self.is_same and (self.more.low > 0 or self.more.high < 0)

    @property
    def is_known(self) -> bool:
        """Whether no more runs are needed for it: it is clear, or too small to matter."""
        close = CLOSE_SHARE if self.path.endswith(".attained") else CLOSE * abs(self.baseline)
        return self.more.half_width <= max(close, self._noise) or self.at(CLEAR).is_distinguishable

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {
            "path": self.path,
            "baseline": self.baseline,
            "other": self.other,
            "difference": self.more.estimate,
            "interval": [self.more.low, self.more.high],
            "distinguishable": self.is_distinguishable,
        }


@dataclass(frozen=True)
class Comparison:
    """One scenario beside the baseline."""

    name: str
    replicated: Replicated
    differences: tuple[Difference, ...]

    def of(self, path: str) -> Difference | None:
        """The difference of one number; None if either has it not."""
        return next((each for each in self.differences if each.path == path), None)


def compare(
    scenarios: Sequence[tuple[str, Scenario]],
    replications: int | None = None,
    executor: Executor | None = None,
    watch: Callable[[int, int | None], None] | None = None,
    *,
    most: int = MOST,
    most_requests: int = MOST_REQUESTS,
    look: Callable[[Sequence[Sequence[Record]]], None] | None = None,
    on_compile: Callable[[], None] | None = None,
) -> tuple[Replicated, list[Comparison]]:
    """Run scenarios on the same random numbers, and tell what each has more of than the first, and how surely.

    The first scenario is the baseline; all have its seed. At least two scenarios, each with the name that errors call
    it by; at least two replications.

    Without a number of them: until every main difference (see `main_paths`) is clear or small, looked at after 10
    pairs and after every 5 more; or until each scenario has had its budget, `most` runs or `most_requests` requests,
    but 5 pairs at least.
    `watch` is told how many runs have been made, and of how many at most, once that is known; `look` is given the
    records of each scenario, before that. `on_compile`: see `simulate`. Raises as that does, by name.

    Returns the baseline's replications, and a `Comparison` for each of the others: its replications, and its
    `differences` by dotted path (`latency.ttft_s.p99`; units as the path's last steps say), each with the paired 95 %
    interval (`more`) and whether that leaves 0 out (`is_distinguishable`).

        >>> from sim import compare, load
        >>> short = ["horizon=2m", "warmup=0s"]
        >>> nine, ten = (load("mmc", [*short, f"pools.servers.autoscaler.replicas={n}"]) for n in (9, 10))
        >>> baseline, (other,) = compare([("nine", nine), ("ten", ten)], 2)
        >>> other.of("replicas.mean").more.estimate
        1.0
    """
    names = [name for name, _ in scenarios]
    seed = scenarios[0][1].seed
    same = [scenario.model_copy(update={"seed": seed}) for _, scenario in scenarios]
    many = _InStep(names, same, executor or Here(), watch, look, on_compile)
    stopped = many.run(replications, most, most_requests)
    baseline, *others = (
        Replicated(scenario, tuple(records), stopped) for scenario, records in zip(same, many.records, strict=True)
    )
    return baseline, [
        Comparison(name, other, tuple(differences(baseline, other)))
        for name, other in zip(names[1:], others, strict=True)
    ]


class _InStep:
    """Replications of several scenarios, all of them as many."""

    def __init__(
        self,
        names: Sequence[str],
        scenarios: Sequence[Scenario],
        executor: Executor,
        watch: Callable[[int, int | None], None] | None,
        look: Callable[[Sequence[Sequence[Record]]], None] | None,
        on_compile: Callable[[], None] | None,
    ) -> None:
        self.names = names
        self.scenarios = list(scenarios)
        self.executor = executor
        self.watch = watch
        self.look = look
        self.on_compile = on_compile
        self.records: list[list[Record]] = [[] for _ in scenarios]
        self.condensed = False

    def run(self, number: int | None, most: int, most_requests: int) -> str:
        """Make them; why no more were made."""
        assert number is None or number >= 2, "one pair says nothing of chance"
        self._make(1, number or 0)
        requests = max(max(sent(records[0]), 1) for records in self.records)
        most = number or max(min(most, most_requests // requests), FEWEST)
        if any(records[0].is_too_large(most) for records in self.records):  # then of all: they are told beside others
            self.condensed, self.records = True, [[records[0].condensed()] for records in self.records]
        while True:
            made = len(self.records[0])
            goal = min(number or (LEAST if made < LEAST else made + STEP), most)
            self._compile(goal * requests * len(self.scenarios))
            self._make(goal, most)
            if number is not None:
                return "number"
            if self._is_known():
                return "precision"
            if len(self.records[0]) >= most:
                return "budget"

    def _compile(self, requests: int) -> None:
        """Have later runs compiled where the scenario leaves the choice, and so many requests pay for it."""
        for place, scenario in enumerate(self.scenarios):
            if pays_to_compile(scenario, requests):
                warm_up("compiled", self.on_compile)  # here, before other processes do so, each for itself
                self.scenarios[place] = scenario.model_copy(update={"calendar": "compiled"})

    def _make(self, goal: int, most: int) -> None:
        tasks = [
            (place, Task(scenario, replication, self.condensed))
            for replication in range(len(self.records[0]), goal)
            for place, scenario in enumerate(self.scenarios)
        ]
        done = self.executor.in_order(measured, [task for _, task in tasks])
        for place, _ in tasks:
            try:
                self.records[place].append(next(done))
            except LostError:
                raise
            except ConfigError as error:
                raise _about(self.names[place], error) from None
            if self.look is not None:
                self.look(self.records)
            if self.watch is not None and most:
                self.watch(sum(map(len, self.records)), most * len(self.records))

    def _is_known(self) -> bool:
        ours, *others = map(Estimates, self.records)
        return all(each is not None and each.is_known for other in others for each in _main(ours, other))


def main_paths(ours: Estimates, theirs: Estimates) -> tuple[str, ...]:
    """The main numbers that two scenarios share: cost a day, attainment of each objective, p99 TTFT, mean wait."""
    first = ours.records[0].summary, theirs.records[0].summary
    paths = [COST, *(f"slo.{place}.attained" for place, _ in enumerate(first[0]["slo"])), TAIL, WAIT]
    return tuple(path for path in paths if path in ours.paths and path in theirs.paths and _is_same(*first, path))


def so_far(baseline: Sequence[Record], other: Sequence[Record]) -> Difference | None:
    """Of the pairs that have been made, the difference that matters most: p99 TTFT, else wait, cost; None: unknown."""
    pairs = min(len(baseline), len(other))
    if pairs < 2:
        return None
    ours, theirs = Estimates(baseline[:pairs]), Estimates(other[:pairs])
    known = {each.path: each for each in _main(ours, theirs) if each is not None and not each.is_same}
    return next((known[path] for path in (TAIL, WAIT, COST, *known) if path in known), None)


def differences(baseline: Replicated, other: Replicated) -> list[Difference]:
    """What differs, number by number, those that both can tell, of the pairs in which both have them.

    Means: the mean of the paired differences. Ratios and quantiles: the difference of the estimates of all replications
    together, with the spread of the pairs' own differences around it (sectioning). Attainments of objectives that are
    not the same in both are left out.
    """
    ours, theirs = baseline.estimates, other.estimates
    first = baseline.records[0].summary, other.records[0].summary
    paths = (path for path in baseline.intervals if path in other.intervals and _is_same(*first, path))
    found = (_difference(ours, theirs, path) for path in paths)
    return [difference for difference in found if difference is not None]


def _difference(ours: Estimates, theirs: Estimates, path: str) -> Difference | None:
    """None where fewer than two pairs have the number."""
    before, after = ours.values(path), theirs.values(path)
    runs = zip(ours.each, theirs.each, strict=True)
    pairs = [more[path] - less[path] for less, more in runs if path in less and path in more]
    if len(pairs) < 2:
        return None
    one, other = (
        # where nothing is random, the number itself, without the rounding of a sum
        values[0] if found.is_same(path) else _estimate(found, path)
        for found, values in ((ours, before), (theirs, after))
    )
    return Difference(path, one, other, of_sections(other - one, pairs), len(pairs))


def _estimate(found: Estimates, path: str) -> float:
    interval = found.of(path)
    assert interval is not None, f"{path} has no estimate"
    return interval.estimate


def _main(ours: Estimates, theirs: Estimates) -> Iterator[Difference | None]:
    """The main differences; None for what too few pairs have, and for a quantile that lacks requests and differs."""
    for path in main_paths(ours, theirs):
        if path not in ours.missing and path not in theirs.missing:
            yield _difference(ours, theirs, path)
        elif ours.values(path) != theirs.values(path):
            yield None


def _is_same(baseline: dict[str, Any], other: dict[str, Any], path: str) -> bool:
    """Whether a number means the same in both: an attainment may be that of another objective."""
    head, _, last = path.rpartition(".")
    if last != "attained":
        return True
    one, beside = _at(baseline, head), _at(other, head)
    return beside is not None and all(one.get(key) == beside.get(key) for key in _PROMISE)


def _at(summary: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(summary, list):
            summary = summary[int(step)] if int(step) < len(summary) else None
        else:
            summary = (summary or {}).get(step)
    return summary


def _about(name: str, error: ConfigError) -> ConfigError:
    """The same problems, those without a file by the scenario's name."""
    return ConfigError([replace(problem, file=problem.file or name) for problem in error.problems])
