"""Which run of a sweep costs least, fleet and slowness together: the buffer worth having.

More replicas cost more and make less wait; the sum of both falls, then rises. Only what was run is compared: the true
lowest point may lie between two values. Costs are the means of a point's replications; where `seed` is one of the keys,
those of the seeds are averaged, and the other keys compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sim.study.swept.sweep import Axis, Run, number

_SEED = "seed"
_VALUE = re.compile(r"\s*\$?([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d.\s].*)?")


@dataclass(frozen=True)
class Cost:
    """What one point costs a day, in USD; the mean of several that differ by their seed alone."""

    values: dict[str, str]
    fleet_usd: float
    slowness_usd: float
    within_slo: bool = True
    """None of the runs misses an objective."""
    runs: int = 1

    @property
    def together_usd(self) -> float:
        """Fleet and slowness."""
        return self.fleet_usd + self.slowness_usd

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {
            "set": self.values,
            "fleet_usd_per_day": self.fleet_usd,
            "slowness_usd_per_day": self.slowness_usd,
            "fleet_plus_slowness_usd_per_day": self.together_usd,
            "within_slo": self.within_slo,
            "runs": self.runs,
        }


@dataclass(frozen=True)
class Curve:
    """Costs over the values of one key, from the smallest to the largest."""

    key: str
    unit: str
    at: tuple[float, ...]
    costs: tuple[Cost, ...]

    @property
    def lowest(self) -> int:
        """Place of the cheapest point; the first of equals."""
        return min(range(len(self.costs)), key=lambda place: self.costs[place].together_usd)

    @property
    def at_end(self) -> str | None:
        """Whether the cheapest point is at the `low` or the `high` end of what was tried, and so may be beyond it."""
        return {0: "low", len(self.at) - 1: "high"}.get(self.lowest)

    @property
    def wider(self) -> str | None:
        """What to sweep over next, as `--over` takes it, where the cheapest point is at an end."""
        if self.at_end is None:
            return None
        low, high = self.at[0], self.at[-1]
        if self.at_end == "high":
            return self._range(high, high + (high - low), high - self.at[-2])
        step = self.at[1] - low
        first = low - (high - low)
        if first <= 0 < low:  # most keys must stay above 0
            first = low - step * ((low - 1e-9 * step) // step)
        return self._range(first, low, step) if first < low else None

    def _range(self, first: float, last: float, step: float) -> str:
        return f"{self.key}={first:.6g}{self.unit}..{last:.6g}{self.unit}:{step:.6g}{self.unit}"


@dataclass(frozen=True)
class Cheapest:
    """The cheapest run of a sweep."""

    cost: Cost
    curve: Curve | None
    """Where it stands among its neighbours; None for several keys, or values that are no numbers."""
    within_slo: Cost | None
    """The cheapest of those that miss no objective; None: all of them do."""

    @property
    def less(self) -> Cost | None:
        """The next smaller value that was run."""
        return self._beside(-1)

    @property
    def more(self) -> Cost | None:
        """The next larger value that was run."""
        return self._beside(1)

    def _beside(self, steps: int) -> Cost | None:
        if self.curve is None:
            return None
        place = self.curve.lowest + steps
        return self.curve.costs[place] if 0 <= place < len(self.curve.costs) else None

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        curve = self.curve
        return {
            **self.cost.plain(),
            "less": None if self.less is None else self.less.plain(),
            "more": None if self.more is None else self.more.plain(),
            "cheapest_within_slo": None if self.within_slo is None else self.within_slo.plain(),
            "at_end": None if curve is None else curve.at_end,
            "wider": None if curve is None else curve.wider,
        }


def priced(runs: Sequence[Run]) -> bool:
    """Whether a price of slowness stands in the runs."""
    return any("slowness" in (run.summary or {}) for run in runs)


def cheapest(axes: Sequence[Axis], runs: Sequence[Run]) -> Cheapest | None:
    """The run with the least cost a day; None where fewer than two have a price of the fleet and of slowness."""
    costs = _over_seeds([cost for run in runs if (cost := _cost(run)) is not None])
    keys = [axis.key for axis in axes if axis.key != _SEED]
    if len(costs) < 2:
        return None
    curve = _curve(keys[0], costs) if len(keys) == 1 else None
    best = _least(costs) if curve is None else curve.costs[curve.lowest]
    keeping = [cost for cost in costs if cost.within_slo]
    return Cheapest(best, curve, _least(keeping) if keeping else None)


def _least(costs: Sequence[Cost]) -> Cost:
    return min(costs, key=lambda cost: cost.together_usd)


def _cost(run: Run) -> Cost | None:
    if run.summary is None or "slowness" not in run.summary:
        return None
    fleet_usd, slowness_usd = (number(run.summary, path) for path in ("cost.usd_per_day", "slowness.usd_per_day"))
    within_slo = not any(target["met"] is False for target in run.summary.get("slo", ()))
    return None if fleet_usd is None or slowness_usd is None else Cost(run.values, fleet_usd, slowness_usd, within_slo)


def _over_seeds(costs: Sequence[Cost]) -> list[Cost]:
    """The mean over the seeds of each combination of the other keys, in the order in which these come first."""
    groups: dict[tuple[tuple[str, str], ...], list[Cost]] = {}
    for cost in costs:
        rest = tuple((key, value) for key, value in cost.values.items() if key != _SEED)
        groups.setdefault(rest, []).append(cost)
    most = max((len(group) for group in groups.values()), default=0)
    return [
        Cost(
            dict(rest),
            fmean(cost.fleet_usd for cost in group),
            fmean(cost.slowness_usd for cost in group),
            all(cost.within_slo for cost in group),
            runs=len(group),
        )
        for rest, group in groups.items()
        if len(group) == most  # a point that failed with some seeds is not to be compared
    ]


def _curve(key: str, costs: Sequence[Cost]) -> Curve | None:
    texts = [cost.values[key] for cost in costs]
    at = quantities(texts)
    if at is None:
        return None
    first = _VALUE.fullmatch(texts[0])
    unit = (first[2] if first is not None else None) or ""
    order = sorted(range(len(at)), key=at.__getitem__)
    return Curve(key, unit, tuple(at[place] for place in order), tuple(costs[place] for place in order))


def quantities(texts: Sequence[str]) -> list[float] | None:
    """Values of a key as numbers; None where one is no number, two are the same, or they have not all one unit."""
    found = [_VALUE.fullmatch(text) for text in texts]
    values = [(float(match[1]), match[2] or "") for match in found if match is not None]
    at = [value for value, _ in values]
    if len(values) < len(texts) or len({unit for _, unit in values}) > 1 or len(set(at)) < len(at):
        return None
    return at
