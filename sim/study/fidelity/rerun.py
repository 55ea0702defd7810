"""A measured operating point, run again in the simulator: same load, same lengths, same cap. The one place that does.

Requests and their gaps are drawn once a point and kept, so two laws differ by themselves alone. A run as short as the
measured one is noisy: it is repeated with new draws, as blocks side by side, each with an engine of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from sim.config.errors import ConfigError, DataError, Problem
from sim.engine import simulate
from sim.result.latency import metric_s
from sim.scenario import Scenario
from sim.study.fidelity.measured import QUANTILES, Floats, OperatingPoint
from sim.study.fidelity.setting import POOL, Setting
from sim.workload.base import Columns, Stream, Workload
from sim.workload.clients import Clients
from sim.workload.law import Distribution
from sim.workload.randomness import RngOf, named_rng
from sim.workload.rows import MOST_TOKENS


@dataclass(frozen=True)
class Effort:
    """How much is simulated of a point."""

    requests: int
    """In all its blocks together, about."""
    blocks: int
    """At most."""


ONE, FEW, MANY = Effort(1, 1), Effort(3_000, 8), Effort(20_000, 32)
"""As much as was measured; enough for means that are steadier than the measured ones; enough for tails."""

_BLOCK_MOST = 50_000
"""Requests of one block."""

METRICS = ("ttft", "tpot", "e2e")


@dataclass(frozen=True)
class Outcome:
    """What the simulator says of a point; every figure is the mean over its blocks."""

    figures: Mapping[str, float]
    """`ttft_s_mean`, `e2e_s_p99`, ... of requests; `tpot_s_of_means`, `achieved_per_s`, `sent_per_s`; NaN for none."""
    queue_wait_s: float
    running: float
    """Sequences that a replica decodes, on average."""

    @property
    def ttft_s(self) -> float:
        return self.figures["ttft_s_mean"]

    @property
    def tpot_s(self) -> float:
        """Mean of the requests' own."""
        return self.figures["tpot_s_mean"]

    @property
    def derived_tpot_s(self) -> float:
        """(E2E - TTFT) / (output - 1) of the means."""
        return self.figures["tpot_s_of_means"]

    @property
    def e2e_s(self) -> float:
        return self.figures["e2e_s_mean"]

    @property
    def achieved_per_s(self) -> float:
        return self.figures["achieved_per_s"]


class Drawn(Stream):
    """Requests that are there already, as a workload; made in Python only."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    given: Annotated[Columns, Field(exclude=True)]

    @property
    def brings_service(self) -> bool:
        return False

    @property
    def brings_tokens(self) -> bool:
        return True

    @property
    def ends(self) -> bool:
        return True

    def expected(self, horizon_s: float | None) -> float:
        return len(self.given.arrival_s)

    def columns(self, rng_of: RngOf, horizon_s: float | None) -> Columns:
        return self.given


class Blocks(Workload):
    """Several of them, each for the pool of its name."""

    blocks: dict[str, Drawn]

    def by_name(self) -> dict[str, Stream]:
        return dict(self.blocks)


class Again(Scenario):
    """A scenario whose requests are there already: it can be summed up like any other."""

    workload: Blocks  # type: ignore[assignment]


class Rerun:
    """One operating point, ready to be simulated: its requests are drawn once."""

    def __init__(self, point: OperatingPoint, seed: int = 0, key: str = "", effort: Effort = FEW) -> None:
        """Points of one `key` and seed get the same draws."""
        self.point = point
        self.seed = seed
        rng = named_rng(seed, 0, "rerun", key)
        wanted = math.ceil(effort.requests / max(point.requests, 1))
        self.blocks = [self._block(rng) for _ in range(1 if self._fixed else min(effort.blocks, wanted))]
        self.prompt_tokens, output_tokens = (
            float(np.mean([getattr(block, name).mean() for block in self.blocks]))
            for name in ("prompt_tokens", "output_tokens")
        )
        self.context_tokens = self.prompt_tokens + output_tokens / 2.0

    def run(self, setting: Setting, on_compile: Callable[[], None] | None = None) -> Outcome:
        """Simulate the point. Raises DataError for requests that can never be served."""
        point = self.point
        cached_share = point.cached_share if point.cached_share is not None else setting.cached_share
        clients = None if point.max_in_flight is None else Clients(max_in_flight=point.max_in_flight)
        named = {f"{POOL}-{place}": block for place, block in enumerate(self.blocks)}
        drawn = {name: Drawn(given=given, cached_share=cached_share, clients=clients) for name, given in named.items()}
        scenario = Again(
            name=POOL,
            calendar="compiled",
            seed=self.seed,
            workload=Blocks(blocks=drawn),
            pools=dict.fromkeys(named, setting.pool(point.replicas)),
        )
        try:
            rows = simulate(scenario, on_compile=on_compile, stream=False).log.requests
        except ConfigError as error:
            raise DataError(Problem(f"{point.name}: {_of_files(error)}", "", point.file)) from None
        return self._outcome(rows[np.argsort(rows["stream"], kind="stable")])

    def _outcome(self, rows: NDArray[np.void]) -> Outcome:
        """The figures of rows that are sorted by block."""
        shape = (len(self.blocks), -1)
        each = {metric: metric_s(rows, metric).reshape(shape) for metric in METRICS}
        arrival, finish, output = (
            np.asarray(rows[name], float).reshape(shape) for name in ("arrival_s", "finish_s", "output_tokens")
        )
        first_s, many = arrival.min(axis=1), arrival.shape[1]
        span_s, sending_s = np.nanmax(finish, axis=1) - first_s, arrival.max(axis=1) - first_s
        figures = {name: value for metric in METRICS for name, value in _statistics(metric, each[metric]).items()}
        decoding = np.nanmean(each["e2e"] - each["ttft"], axis=1)
        gaps = output.mean(axis=1) - 1.0
        figures["tpot_s_of_means"] = float((decoding / gaps).mean()) if (gaps > 0).all() else math.nan
        figures["achieved_per_s"] = float((many / span_s).mean()) if (span_s > 0).all() else math.nan
        figures["sent_per_s"] = float((many / sending_s).mean()) if (sending_s > 0).all() else math.nan
        running = float((decoding * many / span_s).mean()) / self.point.replicas if (span_s > 0).all() else 0.0
        return Outcome(figures, float(np.nanmean(metric_s(rows, "queue_wait"))), running)

    @property
    def _fixed(self) -> bool:
        """Whether nothing about the requests is left to chance."""
        point = self.point
        lengths = point.rows is not None or not (_spread_out(point.prompt_law) or _spread_out(point.output_law))
        return self._replayed or (lengths and (point.rate_per_s is None or point.gap_cv <= 0))

    @property
    def _replayed(self) -> bool:
        """Whether requests are sent when they were; a cap decides anew."""
        rows = self.point.rows
        return rows is not None and rows.arrival_s is not None and self.point.max_in_flight is None

    def _block(self, rng: np.random.Generator) -> Columns:
        """Arrivals from 0 on, and lengths: the point's own rows where it has them, else its laws, else its means."""
        point, rows = self.point, self.point.rows
        n = min(max(point.requests, 1) if rows is None else len(rows.prompt_tokens), _BLOCK_MOST)
        if rows is not None:
            prompt, output = _whole(rows.prompt_tokens[:n]), _whole(rows.output_tokens[:n], 1)
        else:
            prompt = _lengths(rng, point.prompt_law, point.prompt_tokens, n)
            output = np.maximum(_lengths(rng, point.output_law, point.output_tokens, n), 1)
        if self._replayed:
            assert rows is not None
            assert rows.arrival_s is not None
            arrival_s = rows.arrival_s[:n]
        elif point.rate_per_s is None:
            arrival_s = np.zeros(n)
        else:
            arrival_s = _gaps(rng, n, point.gap_cv) / point.rate_per_s
        none = np.zeros(n)
        return Columns(arrival_s, prompt, output, none, none)


def _of_files(error: ConfigError) -> str:
    """A complaint about a scenario, without what files of measurements do not have."""
    message = re.sub(r" of stream '[^']*'", "", error.problems[0].message)
    return message.replace("bound the lengths (`max:`) or ", "")


def _statistics(metric: str, each_s: Floats) -> dict[str, float]:
    """Mean and quantiles of one metric, shape (blocks, requests); NaN if no request has it."""
    names = [f"{metric}_s_{name}" for name in ("mean", *QUANTILES)]
    there = np.isfinite(each_s)
    if not there.any(axis=1).all():
        return dict.fromkeys(names, math.nan)
    quantile = np.quantile if there.all() else np.nanquantile
    points = quantile(each_s, list(QUANTILES.values()), axis=1).mean(axis=1)
    return dict(zip(names, [float(np.nanmean(each_s, axis=1).mean()), *points.tolist()], strict=True))


def _spread_out(law: Distribution[float] | None) -> bool:
    return law is not None and law.kind != "constant"


def _lengths(rng: np.random.Generator, law: Distribution[float] | None, mean: float, n: int) -> NDArray[np.int32]:
    return _whole(law.draw(rng, n)) if law is not None and _spread_out(law) else _around(mean, n)


def _gaps(rng: np.random.Generator, n: int, cv: float) -> Floats:
    """Arrivals at a rate of one a second from time 0, shape (n,): gamma gaps, even ones for a cv of 0.

    Scaled so that the n arrivals take n seconds, as many as were asked for.
    """
    if cv <= 0:
        return np.arange(n, dtype=float)
    shape = 1.0 / cv**2
    arrival = np.cumsum(rng.gamma(shape, 1.0 / shape, n))
    if arrival[-1] <= 0.0:  # gaps that vary beyond what a float can hold: all come at once
        return np.zeros(n)
    return np.asarray((arrival - arrival[0]) * (n / arrival[-1]))


def _whole(tokens: Floats, least: int = 0) -> NDArray[np.int32]:
    return np.clip(np.rint(tokens), least, MOST_TOKENS).astype(np.int32)


def _around(mean: float, n: int) -> NDArray[np.int32]:
    """Whole numbers with this mean, as alike as can be."""
    steps = np.floor(np.arange(n + 1) * mean + 0.5)
    return np.asarray(np.diff(steps), np.int32)
