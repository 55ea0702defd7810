"""What several independent runs of one scenario say together: an estimate and an interval for each of their numbers.

Means are those of the replications, with t-intervals; ratios (attainment, cost per request) are ratios of sums;
quantiles are those of the pooled requests, with intervals from how many of each run lie beyond them. A quantile without
enough requests beyond it is not told. What is of requests is that of the runs that had some; any other number that a
run lacks is not told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sim.result.latency import QUANTILES
from sim.statistics.intervals import CONFIDENCE, Interval, missing_for_tail, of_mean, of_quantile, of_ratio, of_sections
from sim.statistics.tails import Tail, together
from sim.study.replicated.record import Record

_NOT_FIGURES = ("schema_version", "seed", "run", "regret", "invoice")
_GIVEN = ("under_s", "share", "met")
"""Of an objective: what the scenario says, and what follows from the rest."""
_EXTREMES: dict[str, Callable[[list[float]], float]] = {"min": min, "max": max}
_RATIOS = {
    "cost.usd_per_request": ("cost.total_usd", "requests.completed", 1.0),
    "cost.usd_per_million_output_tokens": ("cost.total_usd", "throughput.output_tokens_per_s", 1e6),
    "cost.prompt_usd_per_million_tokens": ("cost.prompt_usd", "throughput.prompt_tokens_per_s", 1e6),
    "cost.output_usd_per_million_tokens": ("cost.output_usd", "throughput.output_tokens_per_s", 1e6),
    "attempts.amplification": ("attempts.sent", "requests.arrived", 1.0),
}
"""Ratios of two numbers of a block, and by how much they are multiplied; tokens a second count for the whole window."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """The numbers of some runs together; at least one run."""

    records: Sequence[Record]
    confidence: float = CONFIDENCE

    @cached_property
    def each(self) -> list[dict[str, float]]:
        """Every number of each run's summary, by dotted path."""
        return [figures(record.summary) for record in self.records]

    def values(self, path: str) -> list[float]:
        """One number, run by run, of the runs that have it."""
        return [values[path] for values in self.each if path in values]

    def is_same(self, path: str) -> bool:
        """Whether every run has this number, and the same."""
        values = self.values(path)
        return len(values) == len(self.records) and len(set(values)) == 1

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The numbers that can be told, those in `missing` as well: all runs have them, or they are of requests."""
        counts = Counter(path for values in self.each for path in values)
        return tuple(path for path, count in counts.items() if count == len(self.each) or _is_of_requests(path))

    @cached_property
    def absent(self) -> frozenset[str]:
        """The numbers that some run has and another has not, and that can therefore not be told."""
        return frozenset(path for values in self.each for path in values) - frozenset(self.paths)

    @cached_property
    def missing(self) -> dict[str, int]:
        """The quantiles that are not told, by path, and how many more requests each takes.

        Where all runs give the same number nothing is random about it: it is told, however few the requests are, unless
        it is the only one of several runs that has it.
        """
        found = {}
        for path, share in self._quantiles():
            lacking = missing_for_tail(self._requests_of(path), share)
            values = self.values(path)
            if lacking and (len(set(values)) > 1 or len(values) == 1 < len(self.records)):
                found[path] = lacking
        return found

    @cached_property
    def extremes(self) -> dict[str, float]:
        """The least and the largest of all runs, of numbers that are such themselves."""
        found = {}
        for path in self.paths:
            pick = _EXTREMES.get(path.rpartition(".")[2])
            if pick is not None:
                found[path] = pick(self.values(path))
        return found

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Estimate and interval by dotted path, of all that can be told; infinitely wide from one run."""
        told = ((path, self.of(path)) for path in self.paths)
        return {path: interval for path, interval in told if interval is not None}

    def of(self, path: str) -> Interval | None:
        """Estimate and interval of one number; None for extremes, and for what is not told."""
        if path not in self._known or path in self.extremes or path in self.missing:
            return None
        interval = self._of_quantile(path) if path in self._shares else self._of_ratio(path)
        return interval or of_mean(self.values(path), self.confidence)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.paths)

    @cached_property
    def _shares(self) -> dict[str, float]:
        return dict(self._quantiles())

    def _latency(self, head: str) -> list[Tail]:
        """A latency, by the path of its numbers (`pools.chat.latency.ttft_s`), of each run."""
        block, _, metric = head.rpartition("latency.")
        key = metric if self._is_whole(block) else f"{block}{metric}"
        return [record.latency[key] for record in self.records]

    def _pooled(self, head: str) -> Tail:
        """The same of the requests of all runs."""
        if head not in self._tails:
            self._tails[head] = together(self._latency(head))
        return self._tails[head]

    @cached_property
    def _tails(self) -> dict[str, Tail]:
        return {}

    def _quantiles(self) -> Iterator[tuple[str, float]]:
        for path in self.paths:
            steps = path.split(".")
            if len(steps) >= 3 and steps[-3] == "latency" and steps[-1] in QUANTILES:
                yield path, QUANTILES[steps[-1]]

    def _requests_of(self, path: str) -> int:
        """How many requests a quantile is of, in all runs."""
        return sum(tail.count for tail in self._latency(path.rpartition(".")[0]))

    def _of_quantile(self, path: str) -> Interval:
        values, (head, _, name) = self.values(path), path.rpartition(".")
        if len(set(values)) == 1:
            return of_mean(values, self.confidence)
        tails, pooled, share = self._latency(head), self._pooled(head), QUANTILES[name]
        estimate = pooled.interpolated(share)
        beyond = [tail.count * (1 - tail.at_most(estimate)) if tail.count else 0.0 for tail in tails]
        found = of_quantile(pooled.interpolated, share, beyond, [tail.count for tail in tails], self.confidence)
        return found or of_sections(estimate, values, self.confidence)

    def _of_ratio(self, path: str) -> Interval | None:
        """The interval of a ratio; None for what is none."""
        if self.is_same(path):
            return None
        for name, (part, whole, scale) in _RATIOS.items():
            if path == name or path.endswith(f".{name}"):
                return self._ratio(path.removesuffix(name), part, whole, scale)
        block, _, rest = path.rpartition("latency.")
        if path == f"{block}latency.{rest}" and rest.endswith("_s.mean"):
            return self._weighted(path, [float(tail.count) for tail in self._latency(path.rpartition(".")[0])])
        arrived = self.arrived(path)
        return None if arrived is None else self._weighted(path, arrived)

    def arrived(self, path: str) -> list[float] | None:
        """How many requests of each run an attainment is of; None for a number that is none."""
        block, _, rest = path.rpartition("slo.")
        if path != f"{block}slo.{rest}" or not rest.endswith(".attained"):
            return None
        return [_arrived(record.summary, block, int(rest.split(".")[0])) for record in self.records]

    def _is_whole(self, block: str) -> bool:
        """Whether a block of the summary tells of all requests: one pool is the whole fleet."""
        return not block or (block.startswith("pools.") and len(self.records[0].summary["pools"]) == 1)

    def _ratio(self, block: str, part: str, whole: str, scale: float) -> Interval | None:
        parts, wholes = (self.values(f"{block}{name}") for name in (part, whole))
        if not sum(wholes) > 0:
            return None
        if whole.startswith("throughput"):
            scale /= self.records[0].summary["measured_s"]
        found = of_ratio(parts, wholes, self.confidence)
        return Interval(found.estimate * scale, found.half_width * scale)

    def _weighted(self, path: str, weights: Sequence[float]) -> Interval | None:
        """Of a share or a mean: the ratio of sums, each run with the requests that it is of, none where it lacks it."""
        counted = [weight if path in values else 0.0 for values, weight in zip(self.each, weights, strict=True)]
        if not sum(counted) > 0:
            return None
        parts = [values.get(path, 0.0) * weight for values, weight in zip(self.each, counted, strict=True)]
        found = of_ratio(parts, counted, self.confidence)
        # one run says nothing of chance, however many there are beside it to which no request came
        return found if sum(weight > 0 for weight in counted) > 1 else Interval(found.estimate, math.inf)


def figures(summary: dict[str, Any]) -> dict[str, float]:
    """The numbers of a summary that are found by running, by dotted path."""
    return dict(_leaves(summary))


def at(summary: Any, path: str) -> Any:
    """What stands at a dotted path."""
    for step in path.split("."):
        summary = summary[int(step)] if isinstance(summary, list) else summary[step]
    return summary


def put(summary: Any, path: str, value: Any) -> None:
    """Put a value there; the steps to it exist."""
    head, _, last = path.rpartition(".")
    place = at(summary, head) if head else summary
    place[last] = value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a summary that are found by running, by dotted path."""
    if isinstance(value, dict):
        for key, item in value.items():
            if path or key not in _NOT_FIGURES:
                yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        if path == "slo" or path.endswith(".slo"):
            for place, target in enumerate(value):
                yield from _leaves(
                    {name: each for name, each in target.items() if name not in _GIVEN}, f"{path}.{place}"
                )
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def _is_of_requests(path: str) -> bool:
    """Whether a number is of requests, so that a run to which none came has nothing to say of it."""
    head, _, last = path.rpartition(".")
    of_latency = head.rpartition(".")[0].rpartition(".")[2] == "latency"
    return of_latency or last == "attained" or any(path == name or path.endswith(f".{name}") for name in _RATIOS)


def _arrived(summary: dict[str, Any], block: str, place: int) -> float:
    """How many requests an objective is about."""
    target = at(summary, f"{block}slo.{place}")
    within = at(summary, block.rstrip(".")) if block else summary
    if not block:
        for kind, key in (("classes", "class"), ("tenants", "tenant")):
            if target.get(key) is not None:
                within = summary[kind][target[key]]
                break
    return float(within["requests"]["arrived"])
