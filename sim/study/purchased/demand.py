"""Demand to come, as factors of the workload as it is given: demand scenarios with probabilities, month by month.

Two things are kept apart: which way demand goes (here), and how requests bunch within it (the simulator's business).
Where quantiles are given, the logarithm of the factor is taken as piecewise linear in the standard normal's quantile,
the same quantile in every month, and cut into five scenarios, the topmost of which is the factor exceeded as often as
a fleet may be too small.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.scenario.plan_over_time import DemandScenario, FutureDemand, Launch, MonthlyFile, OverTime, months_between

_LAW = NormalDist()
_Z90 = _LAW.inv_cdf(0.9)
MOST_PATHS = 64
NAMED = ((0.1, "p10"), (0.5, "p50"), (0.9, "p90"))


@dataclass(frozen=True)
class Path_:
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
    named: tuple[Path_, ...] = ()
    """Scenarios that were given by name."""
    monthly: tuple[Quantiles, ...] = ()
    """Or the law of each month's factor."""
    events: tuple[Event, ...] = ()
    notes: tuple[str, ...] = ()

    def paths(self, short_at_most: float) -> tuple[Path_, ...]:
        """The demand scenarios, probabilities summing to 1."""
        base = self.named or self._cut(short_at_most)
        found = []
        for path in base:
            for happens, probability, factors in self._combinations():
                name = " + ".join([path.name, *happens])
                each = tuple(one * two for one, two in zip(path.factors, factors, strict=True))
                found.append(Path_(name, path.probability * probability, each))
        if len(found) > MOST_PATHS:
            told = f"make {len(found)} demand scenarios, more than {MOST_PATHS}; leave unlikely or small events out"
            raise ConfigError(Problem(f"launches and migrations with a probability {told}", "plan.over_time.launches"))
        return tuple(found)

    def exceeds(self, month: float, factor: float) -> float:
        """Probability that demand is above a factor at a time, in months from the middle of the first."""
        total = 0.0
        for _, probability, factors in self._combinations():
            ahead = factor / _between(factors, month)
            if self.named:
                above = [p for p, each in ((one.probability, one.factors) for one in self.named) if _between(each, month) > ahead]
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
        return high

    def _law(self, month: float) -> Quantiles:
        low = min(max(int(math.floor(month)), 0), self.months - 1)
        high = min(low + 1, self.months - 1)
        part = min(max(month - low, 0.0), 1.0)
        one, two = self.monthly[low], self.monthly[high]
        logs = tuple((1 - part) * a + part * b for a, b in zip(one.log_factor, two.log_factor, strict=True))
        return Quantiles(one.z, logs)

    def _cut(self, short_at_most: float) -> tuple[Path_, ...]:
        """Five scenarios, each the median of its share; one where nothing is uncertain."""
        if all(law.log_factor[0] == law.log_factor[-1] for law in self.monthly):
            return (Path_("p50", 1.0, tuple(law.at(0.5) for law in self.monthly)),)
        end = min(max(2 * short_at_most, 0.02), 0.3)
        middle = 1 - 2 * end
        sizes = (end, 0.3125 * middle, 0.375 * middle, 0.3125 * middle, end)
        found, before = [], 0.0
        for size in sizes:
            share = before + size / 2
            factors = tuple(law.at(share) for law in self.monthly)
            found.append(Path_(f"p{100 * share:.3g}", size, factors))
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
) -> tuple[tuple[Path_, ...], tuple[Quantiles, ...], tuple[str, ...]]:
    if future.scenarios is not None:
        return tuple(_named(name, each, months) for name, each in future.scenarios.items()), (), ()
    if future.forecast is not None:
        named, monthly = read_monthly(future.forecast, months, starts)
        return named, monthly, ()
    if future.history is not None:
        from sim.forecast import forecast_monthly, read_history

        found = forecast_monthly(read_history(future.history.file), months)
        columns = (found.p10, found.p50, found.p90)
        return (), tuple(_of_quantiles(*row) for row in zip(*columns, strict=True)), (found.model, *found.notes)
    growth = future.growth
    middle, high = (0.0, 0.0) if growth is None else (math.log1p(growth.p50), math.log1p(growth.p90))
    spread = high - middle
    laws = tuple(
        Quantiles((-_Z90, 0.0, _Z90), (month * (middle - spread), month * middle, month * high))
        for month in range(months)
    )
    return (), laws, ()


def _named(name: str, given: DemandScenario, months: int) -> Path_:
    if given.factors is not None:
        return Path_(name, given.probability, given.factors)
    assert given.growth is not None
    return Path_(name, given.probability, tuple((1 + given.growth) ** month for month in range(months)))


def _event(name: str, launch: Launch, months: int, starts: str | None, place: str) -> Event:
    if starts is None:
        told = "is a calendar month, and the plan has no first one; give plan.over_time.starts, such as 2026-12"
        raise ConfigError(Problem(told, place))
    first = months_between(starts, launch.month)
    last = months if launch.months is None else first + launch.months
    factors = tuple(launch.factor if first <= month < last else 1.0 for month in range(months))
    return Event(name, launch.probability, factors)


def read_monthly(given: MonthlyFile, months: int, starts: str | None) -> tuple[tuple[Path_, ...], tuple[Quantiles, ...]]:
    """A forecast made elsewhere: named scenarios, or the law of each month. Raises `DataError`, with file and line."""
    rows = _rows(given.file)
    header, body = rows[0], rows[1:]
    if header[0] != "month" or len(header) < 2:
        raise DataError(Problem("must begin with the columns month, p10, p50, p90 (or month and scenarios)", "", given.file, 1))
    first = 0
    if starts is not None and body:
        labels = [row[0] for row in body]
        if starts not in labels:
            raise DataError(Problem(f"has no month {starts}, the plan's first; it begins with {labels[0]}", "month", given.file))
        first = labels.index(starts)
    wanted = body[first : first + months]
    if len(wanted) < months:
        told = f"holds {len(wanted)} months from the plan's first on; the plan has {months}"
        raise DataError(Problem(told, "month", given.file))
    columns: dict[str, list[float]] = {name: [] for name in header[1:]}
    for line, row in enumerate(wanted, start=first + 2):
        for name, text in zip(header[1:], row[1:], strict=True):
            columns[name].append(_number(text, name, given, line))
    if set(columns) == {"p10", "p50", "p90"}:
        laws = []
        for line, (p10, p50, p90) in enumerate(zip(columns["p10"], columns["p50"], columns["p90"], strict=True), first + 2):
            if not p10 <= p50 <= p90:
                raise DataError(Problem(f"p10 <= p50 <= p90 must hold; got {p10:g}, {p50:g}, {p90:g}", "p50", given.file, line))
            laws.append(_of_quantiles(p10, p50, p90))
        return (), tuple(laws)
    return _scenarios(columns, given.probabilities, given.file), ()


def _scenarios(columns: Mapping[str, Sequence[float]], given: Mapping[str, float] | None, file: str) -> tuple[Path_, ...]:
    chance = dict.fromkeys(columns, 1 / len(columns)) if given is None else dict(given)
    if set(chance) != set(columns):
        told = f"has the scenarios {', '.join(columns)}, and probabilities are given for {', '.join(chance)}"
        raise DataError(Problem(told, "", file, 1))
    if abs(sum(chance.values()) - 1) > 1e-6:
        raise ConfigError(Problem("must sum to 1", "plan.over_time.demand.forecast.probabilities"))
    return tuple(Path_(name, chance[name], tuple(values)) for name, values in columns.items())


def _rows(file: str) -> list[list[str]]:
    try:
        with Path(file).open(encoding="utf-8-sig", newline="") as text:
            rows = [[cell.strip() for cell in row] for row in csv.reader(text) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(Problem(f"cannot be read: {error}", "", file)) from None
    if not rows:
        raise DataError(Problem("is empty", "", file))
    for line, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise DataError(Problem(f"has {len(row)} cells, and the header {len(rows[0])}", "", file, line))
    return rows


def _number(text: str, column: str, given: MonthlyFile, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise DataError(Problem(f"must be a number above 0; got '{text[:40]}'", column, given.file, line))
    return value / given.unit


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
    low = min(max(int(math.floor(month)), 0), len(factors) - 1)
    high = min(low + 1, len(factors) - 1)
    part = min(max(month - low, 0.0), 1.0)
    return math.exp((1 - part) * math.log(factors[low]) + part * math.log(factors[high]))
