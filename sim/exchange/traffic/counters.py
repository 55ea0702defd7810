"""Traffic from an engine's counters: how much they grew in each step, restarts and holes in the scraping allowed for.

A counter that falls began again at 0. A series that is first seen while others were already scraped is a new pod, whose
counts began at 0 too. Steps in which nothing was scraped are holes, not zero demand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from sim.config.errors import DataError, Problem
from sim.exchange.documents import Document, Fields
from sim.exchange.prometheus import Labels, Metric, Recorded, read_answers
from sim.exchange.traffic.measured import Bucketed, Floats, GaveUp, Lengths, OnlyMean, Traffic
from sim.exchange.traffic.metrics import ABORTED, ENGINES, EVERY, PREFIXES, EngineMetrics
from sim.forecast import DemandHistory

Chosen = Callable[[Labels], bool]
_HOLE_STEPS = 2.5
"""A longer time without any sample is a hole."""
_LONGEST_STEPS = 2_000_000


def read_counters(documents: Iterable[Document]) -> list[Traffic]:
    """The streams of saved answers to `query_range`, one a model. Raises `DataError`."""
    documents = list(documents)
    return traffic_of((fields for document in documents for fields in document.records()), documents[0].file)


def traffic_of(answers: Iterable[Fields], source: str) -> list[Traffic]:
    """The streams of some answers to `query_range`, one a value of `model_name`, busiest first. Raises `DataError`."""
    read = read_answers(answers, set(EVERY), one_pool=False)
    engine = next((each for each in ENGINES if any(name in read.metrics for name in each.ended)), None)
    if engine is None:
        raise DataError(Problem(_nothing(read), "", source))
    ended = _first(read, engine.ended)
    assert ended is not None
    grid = _Grid(_scraped(read, engine), source)
    models = sorted({_model(labels) for _, labels in ended.parts})
    found = [_Stream(read, engine, grid, source, model if len(models) > 1 else None).traffic() for model in models]
    busy = [each for each in found if each is not None]
    if not busy:
        raise DataError(Problem("no request ended in this time: nothing to fit", engine.ended[0], source))
    return sorted(busy, key=lambda each: -each.requests)


def _nothing(read: Recorded) -> str:
    """That no counter of requests is there, and what is."""
    wanted = " or ".join(engine.ended[0] for engine in ENGINES)
    held = [name for name in (*read.metrics, *read.ignored) if name.startswith(PREFIXES)]
    others = ", ".join(sorted(dict.fromkeys(held))[:12]) or ", ".join(list(read.ignored)[:6]) or "no series"
    return f"holds no counter of requests ({wanted}); it holds: {others}"


def _scraped(read: Recorded, engine: EngineMetrics) -> Floats:
    """All times with a sample of what tells when requests came, rising."""
    metrics = [read.metrics[name] for name in engine.counters() if name in read.metrics]
    return np.array(sorted({at_s for metric in metrics for at_s in metric.times_s()}))


def _first(read: Recorded, names: Iterable[str]) -> Metric | None:
    return next((read.metrics[name] for name in names if name in read.metrics), None)


def _model(labels: Labels) -> str:
    return dict(labels).get("model_name", "")


@dataclass
class _Grid:
    """Equal steps of time through all samples."""

    times_s: Floats
    source: str

    def __post_init__(self) -> None:
        if len(self.times_s) < 3:
            raise DataError(Problem("needs samples at three times or more", "", self.source))
        gaps = np.diff(self.times_s)
        self.step_s = float(f"{np.median(gaps):.6g}")
        self.steps = round(float(self.times_s[-1] - self.times_s[0]) / self.step_s)
        if self.steps > _LONGEST_STEPS:
            told = f"spans more than {_LONGEST_STEPS:,} steps of {self.step_s:g} s: one of its times is wrong"
            raise DataError(Problem(told, "", self.source))
        self.place = (self.times_s - self.times_s[0]) / self.step_s
        self.hole = np.zeros(self.steps, bool)
        for index in np.flatnonzero(gaps > _HOLE_STEPS * self.step_s).tolist():
            self.hole[round(self.place[index]) : round(self.place[index + 1])] = True

    def growth(self, samples: dict[float, float | None], counter: bool) -> Floats:
        """How much a series grew in each step, shape (steps,), spread evenly where single samples are missing."""
        known = sorted((at_s, value) for at_s, value in samples.items() if value is not None)
        if not known:
            return np.zeros(self.steps)
        place = (np.array([at_s for at_s, _ in known]) - self.times_s[0]) / self.step_s
        total = np.array([value for _, value in known])
        if counter:
            total = grown(total)
        if self._is_new(place[0]):
            place, total = np.append(place[0] - 1, place), np.append(0.0, total)
        return np.diff(np.interp(np.arange(self.steps + 1), place, total))

    def _is_new(self, place: float) -> bool:
        """Whether a series that begins here began to exist: others were scraped just before it."""
        before = np.searchsorted(self.place, place - 0.5) - 1
        return bool(before >= 0 and place - self.place[before] <= _HOLE_STEPS)


def grown(values: Floats) -> Floats:
    """A counter without its restarts: its value where it never fell, shape (n,)."""
    falls = np.append(0.0, np.where(np.diff(values) < 0, values[:-1], 0.0))
    return np.asarray(values + np.cumsum(falls))


class _Stream:
    """The traffic of one model."""

    def __init__(self, read: Recorded, engine: EngineMetrics, grid: _Grid, source: str, model: str | None) -> None:
        self.read, self.engine, self.grid, self.source, self.model = read, engine, grid, source, model
        self.notes: list[str] = []

    def traffic(self) -> Traffic | None:
        """All that is told of it; None if no request ended."""
        ended = self._per_step(self.engine.ended)
        requests = float(ended[~self.grid.hole].sum())
        if not requests > 0:
            return None
        inside = sum((self._per_step((name,), counter=False) for name in self.engine.in_system), np.zeros(1))
        if len(inside) == 1:
            self.notes.append(
                "requests in the system were not recorded: they are counted when they end, not when they came"
            )
        arrived = np.maximum(ended + inside, 0.0)
        arrived *= requests / max(float(arrived[~self.grid.hole].sum()), 1e-12)  # what was cut at 0 came back later
        rate = np.where(self.grid.hole, np.nan, arrived / self.grid.step_s)
        counts = DemandHistory(float(self.grid.times_s[0]), self.grid.step_s, rate)
        self.notes.append(f"bursts shorter than the {self.grid.step_s:g} s between two samples are not seen")
        prompt = self._lengths(self.engine.prompt, self.engine.prompt_total, requests, "prompt")
        output = self._lengths(self.engine.output, self.engine.output_total, requests, "output")
        hits, queries = self._total(self.engine.cache_hits), self._total(self.engine.cache_queries)
        share = hits / queries if queries > 0 and hits > 0 else None
        name = self.model or ""
        return Traffic(
            *(name, counts, True, prompt, output, requests),
            cached_share=share,
            gave_up=self._gave_up(requests),
            notes=tuple(self.notes),
        )

    def _chosen(self, labels: Labels) -> bool:
        return self.model is None or _model(labels) == self.model

    def _per_step(self, names: tuple[str, ...], counter: bool = True) -> Floats:
        """Growth a step, of all pods together."""
        metric = _first(self.read, names)
        if metric is None:
            return np.zeros(1)
        parts = [samples for (_, labels), samples in metric.parts.items() if self._chosen(labels)]
        return sum((self.grid.growth(samples, counter) for samples in parts), np.zeros(self.grid.steps))

    def _total(self, names: tuple[str, ...], among: Chosen = lambda _: True) -> float:
        """Growth over the whole time, of all pods together."""
        metric = _first(self.read, names)
        return 0.0 if metric is None else _total(metric, lambda labels: self._chosen(labels) and among(labels))

    def _lengths(self, names: tuple[str, ...], totals: tuple[str, ...], requests: float, what: str) -> Lengths:
        for name in names:
            buckets = self.read.metrics.get(f"{name}_bucket")
            if buckets is None:
                continue
            found = self._bucketed(buckets, name)
            if found is not None:
                return found
        total = self._total(totals)
        if not total > 0:
            told = (
                f"holds neither the histogram {names[0]} nor {totals[0]}: no {what} lengths; record {names[0]}_bucket"
            )
            raise DataError(Problem(told, "", self.source))
        return OnlyMean(total / requests)

    def _bucketed(self, buckets: Metric, name: str) -> Bucketed | None:
        bounds = sorted({_bound(labels, name, self.source) for _, labels in buckets.parts if self._chosen(labels)})
        upto = np.array([self._total((f"{name}_bucket",), _of(bound, name, self.source)) for bound in bounds])
        counts = np.diff(np.maximum.accumulate(upto), prepend=0.0)
        if not counts.sum() > 0:
            return None
        if len(bounds) < 2 or bounds[-1] != math.inf:
            raise DataError(
                Problem('buckets are missing; record them all, le="+Inf" too', f"{name}_bucket", self.source)
            )
        total = self._total((f"{name}_sum",)) if f"{name}_sum" in self.read.metrics else math.nan
        return Bucketed(np.array(bounds), counts, total / float(counts.sum()))

    def _gave_up(self, requests: float) -> GaveUp | None:
        def aborted(labels: Labels) -> bool:
            return dict(labels).get("finished_reason") == ABORTED

        count = self._total(self.engine.ended, aborted) or self._total(self.engine.gave_up)
        waited_s = self._total(self.engine.e2e_sum)
        if count > 0 and not waited_s > 0:
            self.notes.append(
                f"{count / requests:.1%} of the requests were aborted; how long they waited is not recorded"
            )
        return GaveUp(count, min(count / requests, 1.0), waited_s, False) if count > 0 and waited_s > 0 else None


def _total(metric: Metric, among: Chosen) -> float:
    """How much the series of a metric grew, each from its first sample (new pods from 0), restarts allowed for."""
    first_s = min(metric.times_s(), default=0.0)
    total = 0.0
    for (_, labels), samples in metric.parts.items():
        if not among(labels):
            continue
        known = [value for _, value in sorted(samples.items()) if value is not None]
        if known:
            began = 0.0 if min(samples) > first_s else known[0]
            total += float(grown(np.array(known))[-1]) - began
    return total


def _bound(labels: Labels, name: str, source: str) -> float:
    """The upper bound of a bucket. Raises `DataError`."""
    text = dict(labels).get("le", "")
    try:
        return float(text)
    except ValueError:
        raise DataError(Problem(f"'le' must be a number or +Inf, got '{text}'", f"{name}_bucket", source)) from None


def _of(bound: float, name: str, source: str) -> Chosen:
    return lambda labels: _bound(labels, name, source) == bound
