"""Whether a fleet keeps what is promised, tested on fresh seeds by as many runs as it takes; and what is told of it.

Each objective's attainment is a ratio of sums over independent runs. There are few looks (`LOOKS`, then the end of the
budget), each of which may be wrong with an equal part of what the confidence leaves. A fleet meets its promises if
every objective's lower bound does, each at the whole error (an intersection-union test: Berger, "Multiparameter
hypothesis testing and acceptance sampling", 1982); it misses them if some objective's upper bound does, the error
shared out among the objectives (Bonferroni).

Where bursts make a few runs hold most of the misses, a t-interval knows too little of the runs that did not happen to
be made. Misses are then taken to come in clusters as large as the largest that any run had, the search's runs of the
same fleet included, and the bound is that of a Poisson number of clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sim.statistics.intervals import Interval, of_all_alike, of_ratio, one_sided
from sim.study.planned.runs import Tried
from sim.study.replicated.assertions import ALL_LOOKS, LOOKS

MOST_RUNS = 160
"""The last look, where the budget allows it: twice the runs of the one before."""
FEW = 1 / 3
"""Misses spread over a smaller share of the runs than this come in clusters; of exponential numbers it is a half."""
_ORDER = {False: 0, None: 1, True: 2}


@dataclass(frozen=True)
class Promise:
    """One objective of a scenario, as a plan sees it."""

    told: str
    """In words: `TTFT under 1 s`."""
    share: float
    """Of the requests that must be within its limit."""
    tolerance: float
    """Attainment as close to that is not worth deciding, in points of share."""


@dataclass(frozen=True)
class Line:
    """What was found of one objective."""

    promise: Promise
    attained: float
    interval: Interval
    """Its lower end is the bound that "meets" rests on, its upper end that of "misses", at the look told."""
    meets: bool | None
    close: bool
    """Whether it is known to be within the tolerance of what is promised."""
    exact: float | None = None
    """Its true value by a formula, where there is one that holds for this fleet."""

    @property
    def margin(self) -> float:
        """How far above the promise, in points of share."""
        return self.attained - self.promise.share

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "objective": self.promise.told,
            "share": self.promise.share,
            "attained": self.attained,
            "interval": _ends(self.interval),
            "meets": self.meets,
            "theory": self.exact,
        }


@dataclass(frozen=True)
class Certificate:
    """Whether one fleet keeps what is promised, and how that is known."""

    fleet: Mapping[str, int]
    """Replicas by pool."""
    meets: bool | None
    """None: not decided."""
    lines: tuple[Line, ...]
    runs: int
    requests: int
    """In all of them."""
    seed: int
    """Of the runs, which are replications 0 to `runs` - 1."""
    confidence: float
    """Of this certificate alone, such that all of a plan together have the plan's."""
    decided_by: Literal["simulation", "theory"] | None
    why: str = ""
    """Of what is not decided: why."""
    lowered: str | None = None
    """The pool that has one replica fewer than planned; None: the fleet as planned, or another that was tried."""
    usd_per_hour: float | None = None
    """Of the runs, all costs; None where no price is known."""

    @property
    def replicas(self) -> int:
        """Of all pools."""
        return sum(self.fleet.values())

    @property
    def worst(self) -> Line:
        """The objective that is nearest to being missed, or furthest beyond; an open one before those that are met."""
        return min(self.lines, key=lambda line: (_ORDER[line.meets], line.margin))

    def as_document(self) -> dict[str, Any]:
        """JSON-ready; `attained` and `interval` are those of the objective nearest to being missed."""
        worst = self.worst
        return {
            "replicas": self.replicas,
            "fleet": dict(self.fleet),
            "lowered": self.lowered,
            "meets": self.meets,
            "objective": worst.promise.told,
            "share": worst.promise.share,
            "attained": worst.attained,
            "interval": _ends(worst.interval),
            "decided_by": self.decided_by,
            "theory": worst.exact,
            "confidence": self.confidence,
            "runs": self.runs,
            "requests": self.requests,
            "seed": self.seed,
            "why": self.why or None,
            "objectives": [line.as_document() for line in self.lines],
        }


@dataclass(frozen=True)
class SequentialTest:
    """How a certificate is come by."""

    promises: tuple[Promise, ...]
    confidence: float
    """That it is right, over all looks."""

    def certificate(
        self,
        fleet: Mapping[str, int],
        runs_of: Callable[[int], Tried],
        most_runs: int,
        seed: int,
        exact: Sequence[float] | None,
        clusters: Sequence[float] = (),
    ) -> Certificate:
        """Look after 10, 20, 40, ... runs until it is decided, or the budget is spent.

        `runs_of`: so many runs of the fleet, those before included. `exact`: the true attainments, where theory knows
        them: they decide where the runs cannot, or are wrong.
        """
        looks = [look for look in (*LOOKS, MOST_RUNS) if look <= most_runs]
        if len(looks) <= len(LOOKS) and most_runs >= 2 and most_runs not in looks:
            looks.append(most_runs)
        assert looks, "a test takes two runs at least"
        lines: tuple[Line, ...] = ()
        tried = runs_of(looks[0])
        for look in looks:
            tried = runs_of(look)
            lines = self.lines_of(tried, exact, clusters)
            verdict = verdict_of(lines)
            if verdict is not None or all_close(lines):
                break
        found = Certificate(
            fleet=dict(fleet),
            meets=verdict_of(lines),
            lines=lines,
            runs=tried.runs,
            requests=sum(tried.sent),
            seed=seed,
            confidence=self.confidence,
            decided_by="simulation",
            usd_per_hour=None if tried.summary["cost"]["usd_per_hour"] is None else _mean(tried.usd_per_hour),
        )
        if exact is not None:
            return _with_theory(found)
        return found if found.meets is not None else replace(found, decided_by=None, why=_why(lines, tried))

    def lines_of(self, tried: Tried, exact: Sequence[float] | None, clusters: Sequence[float] = ()) -> tuple[Line, ...]:
        """What these runs say of each objective, at one look of those that there may be."""
        error = (1 - self.confidence) / ALL_LOOKS
        found = []
        for place, promise in enumerate(self.promises):
            true = None if exact is None else exact[place]
            cluster = clusters[place] if clusters else 0.0
            interval = _interval(tried, place, error, error / len(self.promises), cluster)
            meets: bool | None = None
            if interval.low >= promise.share:
                meets = True
            elif interval.high < promise.share:
                meets = False
            near = promise.share - promise.tolerance <= interval.low and interval.high <= (
                promise.share + promise.tolerance
            )
            found.append(Line(promise, interval.estimate, interval, meets, near, true))
        return tuple(found)


def verdict_of(lines: Iterable[Line]) -> bool | None:
    """Of a fleet: one objective missed is enough, all are to be met."""
    found = [line.meets for line in lines]
    if any(meets is False for meets in found):
        return False
    return True if all(found) else None


def all_close(lines: Iterable[Line]) -> bool:
    """Whether more runs are not worth it: what is not decided is within its tolerance."""
    return all(line.meets is not None or line.close for line in lines)


def _with_theory(found: Certificate) -> Certificate:
    """A certificate where every true value is known: the runs decide it only if they say the same."""
    lines = tuple(
        line if line.exact is None else replace(line, meets=line.exact >= line.promise.share) for line in found.lines
    )
    true = verdict_of(lines)
    if found.meets == true:
        return found
    why = "" if found.meets is None else "the runs say otherwise, by chance: a longer horizon makes that rarer"
    return replace(found, meets=true, lines=lines, decided_by="theory", why=why)


def _interval(tried: Tried, place: int, low_error: float, high_error: float, cluster: float) -> Interval:
    """Attainment of an objective; each end is a one-sided bound that may be wrong with its error."""
    within, arrived = tried.within[place], tried.arrived[place]
    came = sum(arrived)
    if came <= 0:  # nobody to whom it was promised
        return Interval(1.0, 0.0)
    lower = of_ratio(within, arrived, one_sided(1 - low_error))
    upper = of_ratio(within, arrived, one_sided(1 - high_error))
    below, above = lower.half_width, upper.half_width
    if upper.half_width == 0 and upper.estimate == 0:
        above = of_all_alike(0.0, came, one_sided(1 - high_error)).half_width
    missed = [each - inside for each, inside in zip(arrived, within, strict=True)]
    if sum(missed) == 0 or _spread_over(missed) < tried.runs * FEW:
        below = max(below, _most_missed(missed, cluster, low_error) / came - (1 - lower.estimate))
    return Interval(lower.estimate, above, below)


def _spread_over(missed: Sequence[float]) -> float:
    """Over how many runs the misses are spread: n where all have as many, 1 where one has them all."""
    return sum(missed) ** 2 / sum(each**2 for each in missed)


def _most_missed(missed: Sequence[float], cluster: float, error: float) -> float:
    """Upper bound of the expected misses of all runs, which come in clusters; with none, `-ln(error)` clusters."""
    from scipy import special

    size = max(1.0, cluster, *missed)
    return size * float(special.gammaincinv(sum(missed) / size + 1, 1 - error))


def _why(lines: Sequence[Line], tried: Tried) -> str:
    """Why nothing decided."""
    open_lines = [line for line in lines if line.meets is None]
    worst = min(open_lines, key=lambda line: abs(line.margin))
    if all(line.close for line in open_lines):
        return f"within {worst.promise.tolerance:.2%} of what is promised, which is not worth deciding (tolerance)"
    remedy = "a longer horizon" if tried.runs >= MOST_RUNS else "a larger --budget"
    return f"{tried.runs} runs of {sum(tried.sent):,} requests in all leave it open: {remedy} may decide it"


def _ends(interval: Interval) -> list[float]:
    """Both ends, as shares."""
    return [max(interval.low, 0.0), min(interval.high, 1.0)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
