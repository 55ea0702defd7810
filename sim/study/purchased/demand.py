"""Demand to come, as factors of the workload as it is given: demand scenarios with probabilities, month by month.

Two things are kept apart: which way demand goes (here), and how requests bunch within it (the simulator's business).
Where quantiles are given, the logarithm of the factor is taken as piecewise linear in the standard normal's quantile,
the same quantile in every month, and cut into five scenarios, the topmost of which is the factor exceeded as often as
a fleet may be too small.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from sim.config.errors import ConfigError, Problem
from sim.scenario.plan_over_time import DemandScenario, FutureDemand, Launch, OverTime, months_between
from sim.study.purchased.monthly_file import QUANTILES, probabilities, read_monthly

_LAW = NormalDist()
_Z90 = _LAW.inv_cdf(0.9)
MOST_PATHS = 64
NAMED = ((0.1, "p10"), (0.5, "p50"), (0.9, "p90"))


@dataclass(frozen=True)
class DemandPath:
    """One way that demand goes."""

    name: str
    probability: float
    factors: tuple[float, ...]
    """By month, of the workload as given."""


@dataclass(frozen=True)
class Quantiles:
    """The factor of one month: knots of its logarithm over the standard normal's quantile."""

    z: tuple[float, ...]
    log_factor: tuple[float, ...]

    def at(self, share: float) -> float:
        """The factor that is not exceeded with this probability."""
        return math.exp(_line(_LAW.inv_cdf(min(max(share, 1e-9), 1 - 1e-9)), self.z, self.log_factor))

    def exceeds(self, factor: float) -> float:
        """Probability that demand is above a factor."""
        if self.log_factor[0] == self.log_factor[-1]:
            return 1.0 if math.log(factor) < self.log_factor[0] - 1e-12 else 0.0
        return 1 - _LAW.cdf(_line(math.log(factor), self.log_factor, self.z))


@dataclass(frozen=True)
class Event:
    """A launch, or a migration: what it makes of demand, by month."""

    name: str
    probability: float
    factors: tuple[float, ...]


@dataclass(frozen=True)
class Outlook:
    """All that is known of demand to come."""

    months: int
    named: tuple[DemandPath, ...] = ()
    """Scenarios that were given by name."""
    monthly: tuple[Quantiles, ...] = ()
    """Or the law of each month's factor."""
    events: tuple[Event, ...] = ()
    notes: tuple[str, ...] = ()

    def paths(self, short_at_most: float) -> tuple[DemandPath, ...]:
        """The demand scenarios, probabilities summing to 1."""
        base = self.named or self._cut(short_at_most)
        found = []
        for path in base:
            for happens, probability, factors in self._combinations():
                name = " + ".join([path.name, *happens])
                each = tuple(one * two for one, two in zip(path.factors, factors, strict=True))
                found.append(DemandPath(name, path.probability * probability, each))
        if len(found) > MOST_PATHS:
            told = f"make {len(found)} demand scenarios, more than {MOST_PATHS}; leave unlikely or small events out"
            raise ConfigError(Problem(f"launches and migrations with a probability {told}", "plan.over_time.launches"))
        return tuple(found)

    def exceeds(self, month: float, factor: float) -> float:
        """Probability that demand is above a factor at a time, in months from the middle of the first."""
        if factor <= 0:
            return 1.0
        total = 0.0
        for _, probability, factors in self._combinations():
            ahead = factor / _between(factors, month)
            if self.named:
                above = [
                    p
                    for p, each in ((one.probability, one.factors) for one in self.named)
                    if _between(each, month) > ahead
                ]
                total += probability * math.fsum(above)
            else:
                total += probability * self._law(month).exceeds(ahead)
        return min(total, 1.0)

    def quantile(self, month: float, share: float) -> float:
        """The least factor that demand is above with a probability of at most 1 - share."""
        low, high = 1e-6, 1e6
        for _ in range(80):
            middle = math.sqrt(low * high)
            low, high = (low, middle) if self.exceeds(month, middle) <= 1 - share + 1e-12 else (middle, high)
        return round(high, 9)

    def _law(self, month: float) -> Quantiles:
        low = min(max(math.floor(month), 0), self.months - 1)
        high = min(low + 1, self.months - 1)
        part = min(max(month - low, 0.0), 1.0)
        one, two = self.monthly[low], self.monthly[high]
        logs = tuple((1 - part) * a + part * b for a, b in zip(one.log_factor, two.log_factor, strict=True))
        return Quantiles(one.z, logs)

    def _cut(self, short_at_most: float) -> tuple[DemandPath, ...]:
        """Five scenarios, each the median of its share; one where nothing is uncertain."""
        if all(law.log_factor[0] == law.log_factor[-1] for law in self.monthly):
            return (DemandPath("p50", 1.0, tuple(law.at(0.5) for law in self.monthly)),)
        end = min(max(2 * short_at_most, 0.02), 0.3)
        middle = 1 - 2 * end
        sizes = (end, 0.3125 * middle, 0.375 * middle, 0.3125 * middle, end)
        found, before = [], 0.0
        for size in sizes:
            share = before + size / 2
            factors = tuple(law.at(share) for law in self.monthly)
            found.append(DemandPath(f"p{100 * share:.3g}", size, factors))
            before += size
        return tuple(found)

    def _combinations(self) -> list[tuple[list[str], float, tuple[float, ...]]]:
        """Which events happen: their names, how likely that is, and what they make of demand."""
        certain = [event for event in self.events if event.probability >= 1]
        open_ = [event for event in self.events if event.probability < 1]
        found = []
        for happen in itertools.product((False, True), repeat=len(open_)):
            probability = 1.0
            factors = [1.0] * self.months
            for event, yes in [*((each, True) for each in certain), *zip(open_, happen, strict=True)]:
                probability *= 1.0 if event in certain else event.probability if yes else 1 - event.probability
                if yes:
                    factors = [one * two for one, two in zip(factors, event.factors, strict=True)]
            names = [event.name for event, yes in zip(open_, happen, strict=True) if yes]
            found.append((names, probability, tuple(factors)))
        return found

    def as_document(self, short_at_most: float) -> dict[str, Any]:
        """JSON-ready: quantiles by month, and the scenarios that are planned for."""
        quantiles = {name: [self.quantile(m, share) for m in range(self.months)] for share, name in NAMED}
        paths = [
            {"name": path.name, "probability": path.probability, "factors": list(path.factors)}
            for path in self.paths(short_at_most)
        ]
        events = [{"name": e.name, "probability": e.probability, "factors": list(e.factors)} for e in self.events]
        return {"factors": quantiles, "scenarios": paths, "events": events, "notes": list(self.notes)}


def outlook(over_time: OverTime, starts: str | None) -> Outlook:
    """The demand of a plan. Raises `ConfigError`, and `DataError` for a file that is wrong."""
    months, future = over_time.months, over_time.future
    named, monthly, notes = _base(future, months, starts)
    events = []
    for kind, told in (("launches", over_time.launches), ("migrations", over_time.migrations)):
        for name, launch in told.items():
            events.append(_event(name, launch, months, starts, f"plan.over_time.{kind}.{name}.month"))
    return Outlook(months, named, monthly, tuple(events), notes)


def _base(
    future: FutureDemand, months: int, starts: str | None
) -> tuple[tuple[DemandPath, ...], tuple[Quantiles, ...], tuple[str, ...]]:
    if future.scenarios is not None:
        return tuple(_named(name, each, months) for name, each in future.scenarios.items()), (), ()
    if future.forecast is not None:
        columns = read_monthly(future.forecast, months, starts)
        if set(columns) == set(QUANTILES):
            months_of_file = zip(*(columns[name] for name in QUANTILES), strict=True)
            return (), tuple(_of_quantiles(*row) for row in months_of_file), ()
        chances = probabilities(columns, future.forecast)
        return tuple(DemandPath(name, chances[name], tuple(each)) for name, each in columns.items()), (), ()
    if future.history is not None:
        from sim.forecast import forecast_monthly, read_history

        found = forecast_monthly(read_history(future.history.file), months)
        rows = zip(found.p10, found.p50, found.p90, strict=True)
        return (), tuple(_of_quantiles(*row) for row in rows), (found.model, *found.notes)
    growth = future.growth
    middle, high = (0.0, 0.0) if growth is None else (math.log1p(growth.p50), math.log1p(growth.p90))
    spread = high - middle
    laws = tuple(
        Quantiles((-_Z90, 0.0, _Z90), (month * (middle - spread), month * middle, month * high))
        for month in range(months)
    )
    return (), laws, ()


def _named(name: str, given: DemandScenario, months: int) -> DemandPath:
    if given.factors is not None:
        return DemandPath(name, given.probability, given.factors)
    assert given.growth is not None
    return DemandPath(name, given.probability, tuple((1 + given.growth) ** month for month in range(months)))


def _event(name: str, launch: Launch, months: int, starts: str | None, place: str) -> Event:
    if starts is None:
        told = "is a calendar month, and the plan has no first one; give plan.over_time.starts, such as 2026-12"
        raise ConfigError(Problem(told, place))
    first = months_between(starts, launch.month)
    last = months if launch.months is None else first + launch.months
    factors = tuple(launch.factor if first <= month < last else 1.0 for month in range(months))
    return Event(name, launch.probability, factors)


def _of_quantiles(p10: float, p50: float, p90: float) -> Quantiles:
    return Quantiles((-_Z90, 0.0, _Z90), (math.log(p10), math.log(p50), math.log(p90)))


def _line(at: float, x: Sequence[float], y: Sequence[float]) -> float:
    """Piecewise linear, going on beyond its ends; where x does not rise, the first value."""
    place = 0
    while place < len(x) - 2 and at > x[place + 1]:
        place += 1
    wide = x[place + 1] - x[place]
    if wide <= 0:
        far = 8.0 if at > x[place + 1] else -8.0
        return y[place] if at == x[place] else far
    return y[place] + (at - x[place]) / wide * (y[place + 1] - y[place])


def _between(factors: Sequence[float], month: float) -> float:
    """The factor at a time between the middles of two months, growing evenly."""
    low = min(max(math.floor(month), 0), len(factors) - 1)
    high = min(low + 1, len(factors) - 1)
    part = min(max(month - low, 0.0), 1.0)
    return math.exp((1 - part) * math.log(factors[low]) + part * math.log(factors[high]))
