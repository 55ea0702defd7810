"""The whole text: each family after the other, in it each server's samples in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError, Problem
from sim.exchange.openmetrics import families, pool, text
from sim.exchange.openmetrics.families import Family, tokens_edges
from sim.exchange.openmetrics.replica import COUNTERS, HISTOGRAMS, REASONS, Server, chosen_by_life, lines_a_sample
from sim.exchange.openmetrics.scrapes import Floats, Ints, Scrapes, Stretch
from sim.exchange.served import Life, Served, served_of
from sim.result.words import count, duration, plural
from sim.scenario import PerReplica

if TYPE_CHECKING:
    from sim.result import Result

MOST_SAMPLES = 10_000_000
"""About 1.8 GB of text."""
COMFORTABLE = 2_000_000
"""Where nothing is said, samples are taken so seldom that there are no more of them than this."""
STEPS_S = (15.0, 30.0, 60.0, 120.0)
LOOKBACK_S = 300.0
"""A Prometheus takes a series for gone that has no sample for so long, unless told otherwise."""


@dataclass(frozen=True)
class Metrics:
    """A run to be written as metrics."""

    result: Result
    served: Served
    scrapes: Scrapes
    start_s: float
    """Unix time of the run's start."""
    samples: int
    """How many there are, about."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know beside the numbers."""
        found = ["the whole run is in it, its warm-up too, and latencies are of attempts, where clients try again"]
        if self.scrapes.every_s > 0.8 * LOOKBACK_S:
            found.append(
                "samples so far apart leave gaps in graphs: start Prometheus with a --query.lookback-delta of more "
                f"than {duration(self.scrapes.every_s)}"
            )
        if self.result.log.preemptions:
            number = plural(self.result.log.preemptions, "preemption")
            found.append(f"{number}: left out, as a run knows their number and not their times")
        moved = int(np.count_nonzero(np.isfinite(self.served.start_s) & ~self.served.known))
        if moved:
            found.append(
                f"{plural(moved, 'attempt')} of {len(self.served.known):,} moved between replicas: running ones stand "
                "under the pool's own name, and all else at the replica where they ended"
            )
        return tuple(found)

    def lines(self) -> Iterator[str]:
        """The text, in parts of many lines."""
        for family in (families.RUNNING, families.WAITING):
            yield from self._family(family, self._gauges(family))
        yield from self._family(families.KV, self._kv())
        for family in COUNTERS:
            yield from self._family(family, self._counters(family))
        yield from self._family(families.SUCCESS, self._ended())
        for family in HISTOGRAMS:
            yield from self._family(family, self._histograms(family))
        for family in (families.EXIST, families.READY):
            yield from self._family(family, self._replicas(family))
        yield text.END

    def _family(self, family: Family, parts: Iterator[str]) -> Iterator[str]:
        yield text.head(family)
        yield from text.chunks(parts)

    def _gauges(self, family: Family) -> Iterator[str]:
        for server in self._servers:
            yield self._plain(family.name, server.labels, server.stretch, server.gauge(family))
        for place, name in enumerate(self.result.log.pools):
            stretch = self.scrapes.all
            if family == families.RUNNING:
                found = pool.running(self.served, place, stretch)
            else:
                found = pool.waiting(self.served, place, self._queued, stretch)
            if found.any():
                yield self._plain(family.name, self._labels(place, name), stretch, found)

    def _kv(self) -> Iterator[str]:
        for place, name in enumerate(self.result.log.pools):
            stretch, share = pool.kv_share(self.result.log, place, self.scrapes)
            yield self._plain(families.KV.name, self._labels(place, name), stretch, share)

    def _counters(self, family: Family) -> Iterator[str]:
        for server in self._servers:
            yield self._plain(f"{family.name}_total", server.labels, server.stretch, server.counter(family))

    def _ended(self) -> Iterator[str]:
        for server in self._servers:
            for reason in REASONS:
                labels = f'{server.labels},finished_reason="{reason}"'
                yield self._plain(f"{families.SUCCESS.name}_total", labels, server.stretch, server.ended(reason))

    def _histograms(self, family: Family) -> Iterator[str]:
        edges = family.edges or self._token_edges
        for server in self._servers:
            stamps = self._stamps(server.stretch)
            yield text.histogram(family.name, server.labels, edges, server.histogram(family), stamps)

    def _replicas(self, family: Family) -> Iterator[str]:
        stretch = self.scrapes.all
        for place, name in enumerate(self.result.log.pools):
            found = pool.replicas(self.result.log, self.served, place, stretch)[family == families.READY]
            labels = {"namespace": "simulated", "deployment": name, "job": "fleetcast"}
            told = text.labels_of(labels | {"scenario": self.result.scenario.name})
            yield self._plain(family.name, told, stretch, found)

    def _plain(self, name: str, labels: str, stretch: Stretch, values: Ints | Floats) -> str:
        return text.samples(name, labels, values, self._stamps(stretch))

    def _stamps(self, stretch: Stretch) -> list[str]:
        return self._all_stamps[stretch.first : stretch.first + stretch.count]

    @cached_property
    def _all_stamps(self) -> list[str]:
        return text.stamps_of(self.start_s, self.scrapes.every_s, len(self.scrapes.times_s))

    @cached_property
    def _token_edges(self) -> tuple[float, ...]:
        return _token_edges(self.result)

    @cached_property
    def _queued(self) -> NDArray[np.bool_]:
        pools = self.result.scenario.pools
        per_replica = [isinstance(pools[name].queue, PerReplica) for name in self.result.log.pools]
        return pool.queued_at_replica(self.served, per_replica)

    @cached_property
    def _servers(self) -> list[Server]:
        table = self.result.log.requests
        return [
            Server.of(
                self._labels(life.pool, life.name),
                self.scrapes.between(life.ready_s, life.gone_s),
                self.served,
                table,
                here,
                self._queued,
                self._token_edges,
            )
            for life, here in zip(self.served.lives, chosen_by_life(self.served), strict=True)
            if np.isfinite(life.ready_s)
        ]

    def _labels(self, place: int, pod: str) -> str:
        """Whose a series is; `pod` is the pool's name for what no replica has."""
        scenario, name = self.result.scenario, self.result.log.pools[place]
        model = scenario.pools[name].model
        labels = {
            "model_name": model.name if model is not None and model.name else name,
            "engine": "0",
            "pod": pod,
            "instance": pod,
            "pool": name,
            "job": "fleetcast",
            "scenario": scenario.name,
        }
        return text.labels_of(labels)


def metrics_of(result: Result, start_s: float, every_s: float | None = None, most: int = MOST_SAMPLES) -> Metrics:
    """A run as metrics, from a Unix time on; `every_s`: seconds from sample to sample, at least 0.001 (None: 15, or
    more for a large run). Raises `ConfigError` where that is more than `most` samples, or longer
    than the run.
    """
    served = served_of(result)
    each, end_s = lines_a_sample(_token_edges(result)), result.log.end_s
    if every_s is None:
        fits = (step_s for step_s in STEPS_S if _samples(served.lives, step_s, end_s) * each <= COMFORTABLE)
        every_s = next(fits, STEPS_S[-1])
    elif every_s > end_s:
        raise ConfigError(Problem(f"is longer than the run, which is over after {duration(end_s)}", "--every"))
    samples = _samples(served.lives, every_s, end_s) * each
    if samples > most:
        told = f"makes {count(samples)} samples, and {count(most)} are the most; take them less often than every"
        raise ConfigError(Problem(f"{told} {duration(every_s)}, or shorten the horizon", "--every"))
    return Metrics(result, served, Scrapes.of(every_s, end_s), start_s, samples)


def _samples(lives: tuple[Life, ...], every_s: float, end_s: float) -> int:
    """Times at which servers are looked at, summed over them."""
    there_s = sum(min(life.gone_s, end_s) - life.ready_s for life in lives if np.isfinite(life.ready_s))
    return int(there_s / every_s) + 2 * len(lives)


def _token_edges(result: Result) -> tuple[float, ...]:
    """The buckets of lengths: as of engines that allow the longest request of the run."""
    rows = result.log.requests
    longest = (rows["prompt_tokens"].astype(np.int64) + rows["output_tokens"]).max(initial=1)
    return tokens_edges(int(longest))
