"""A measured operating point, run again in the simulator under any calibration: same load, same lengths, same cap.

Requests and their gaps are drawn once a point and kept, so two calibrations differ by their law alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from sim.config.errors import ConfigError, DataError, Problem
from sim.engine import simulate
from sim.hardware import Calibration, EngineSheet, GpuSheet, IterationLaw, ModelSheet, Pair, implied
from sim.result.latency import metric_s
from sim.scenario import Batching, Pool, Scenario, load
from sim.study.measured import Floats, OperatingPoint
from sim.workload.base import Columns, Stream
from sim.workload.clients import Clients
from sim.workload.randomness import RngOf, named_rng

POOL = "measured"
_LEAST, _MOST = 3_000, 8_000
"""Requests to simulate a point: enough for a steady mean, few enough to be quick."""


@dataclass(frozen=True)
class Setting:
    """What the engine under test was, and how it was started."""

    model: ModelSheet
    gpu: GpuSheet
    gpus_per_replica: int
    engine: EngineSheet
    precision: str | None = None
    kv_precision: str | None = None
    replica: Batching = field(default_factory=Batching)
    memory_share: float | None = None
    kv_capacity_tokens: int | None = None
    cached_share: float = 0.0
    """Of the prompts, unless a file says."""

    @property
    def weights(self) -> str:
        """Precision of the weights."""
        return self.precision or self.model.precision

    def pair(self, model: ModelSheet | None = None) -> Pair:
        """The model on its GPUs."""
        return Pair(
            model=model or self.model,
            gpu=self.gpu,
            gpus=self.gpus_per_replica,
            engine=self.engine,
            precision=self.weights,
            kv_precision=self.kv_precision or self.model.kv_precision,
        )

    def with_(self, row: Calibration) -> ModelSheet:
        """The model, with this calibration for its only one."""
        return self.model.model_copy(update={"calibrations": (row,)})

    def law(self, row: Calibration | None = None) -> IterationLaw:
        """The law under a calibration; without one, from data sheets."""
        pair = self.pair(self.with_(row)) if row is not None else self.pair()
        source: Any = "roofline" if row is None else "calibrated"
        law = implied(pair, self.replica.seats, self.replica.max_batched_tokens, source)
        assert isinstance(law, IterationLaw), law
        return law

    def pool(self, model: Any, engine: Any, gpu: Any, replicas: int = 1) -> dict[str, Any]:
        """The keys of a pool; sheets as objects or as plain mappings."""
        given = {
            "model": model,
            "gpu": gpu,
            "gpus_per_replica": self.gpus_per_replica,
            "precision": self.precision,
            "kv_precision": self.kv_precision,
            "engine": engine,
            "memory_share": self.memory_share,
            "kv_capacity_tokens": self.kv_capacity_tokens,
            "replica": self.replica.model_dump(),
            "autoscaler": {"kind": "fixed", "replicas": replicas},
        }
        return {key: value for key, value in given.items() if value is not None}

    def check(self) -> None:
        """Raise `ConfigError` for a model that cannot run on these GPUs, or a sheet that lacks a figure."""
        model, engine, gpu = (
            sheet.model_dump(mode="json", by_alias=True, exclude_none=True)
            for sheet in (self.model, self.engine, self.gpu)
        )
        pool = {**self.pool(model, engine, gpu), "latency_source": "roofline"}
        load(
            {"name": "calibrate", "calendar": "compiled", "horizon": 1, "workload": _ANY_TRAFFIC, "pools": {POOL: pool}}
        )


_ONE_TOKEN = {"kind": "constant", "value": 1}
_ANY_TRAFFIC = {
    "arrivals": {"kind": "poisson", "rate": 1},
    "prompt_tokens": _ONE_TOKEN,
    "output_tokens": _ONE_TOKEN,
}


@dataclass(frozen=True)
class Outcome:
    """What the simulator says of a point; means over its requests, in seconds."""

    ttft_s: float
    tpot_s: float
    """Mean of the requests' own."""
    derived_tpot_s: float
    """(E2E - TTFT) / (output - 1) of the means."""
    e2e_s: float
    ttft_s_p50: float
    queue_wait_s: float
    achieved_per_s: float
    running: float
    """Sequences that a replica decodes, on average."""


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


class Again(Scenario):
    """A scenario whose requests are there already."""

    workload: Drawn  # type: ignore[assignment]


class Rerun:
    """One operating point, ready to be simulated: its requests are drawn once."""

    def __init__(self, point: OperatingPoint, setting: Setting, seed: int, index: int) -> None:
        self.point = point
        self.setting = setting
        self.seed = seed
        self.replayed = point.rows is not None and point.rows.arrival_s is not None and point.max_in_flight is None
        arrival_s, prompt, output = self._requests(named_rng(seed, 0, "calibrate", f"{index}:{point.name}"))
        self.context_tokens = float(prompt.mean() + output.mean() / 2.0)
        none = np.zeros(len(arrival_s))
        self.workload = Drawn(
            given=Columns(arrival_s, prompt, output, none, none),
            cached_share=point.cached_share if point.cached_share is not None else setting.cached_share,
            clients=None if point.max_in_flight is None else Clients(max_in_flight=point.max_in_flight),
        )

    def run(self, row: Calibration) -> Outcome:
        """Simulate the point under a calibration. Raises DataError for requests that can never be served."""
        setting = self.setting
        keys = setting.pool(setting.with_(row), setting.engine, setting.gpu, self.point.replicas)
        pool = Pool(**keys, latency_source="calibrated")
        scenario = Again(
            name="calibrate", calendar="compiled", seed=self.seed, workload=self.workload, pools={POOL: pool}
        )
        try:
            return self._outcome(simulate(scenario).log.requests)
        except ConfigError as error:
            problem = error.problems[0]
            raise DataError(Problem(f"{self.point.name}: {problem.message}", "", self.point.file)) from None

    def _outcome(self, rows: NDArray[np.void]) -> Outcome:
        ttft, e2e, tpot = (metric_s(rows, metric) for metric in ("ttft", "e2e", "tpot"))
        wait = metric_s(rows, "queue_wait")
        output = float(np.mean(rows["output_tokens"]))
        span_s = float(np.nanmax(rows["finish_s"]) - np.min(rows["arrival_s"]))
        decoding_s = float(np.nansum(e2e - ttft))
        many = bool(np.isfinite(tpot).any())
        return Outcome(
            ttft_s=float(np.nanmean(ttft)),
            tpot_s=float(np.nanmean(tpot)) if many else math.nan,
            derived_tpot_s=float(np.nanmean(e2e) - np.nanmean(ttft)) / (output - 1.0) if output > 1 else math.nan,
            e2e_s=float(np.nanmean(e2e)),
            ttft_s_p50=float(np.nanquantile(ttft, 0.5)),
            queue_wait_s=float(np.nanmean(wait)),
            achieved_per_s=len(rows) / span_s if span_s > 0 else math.nan,
            running=decoding_s / span_s / self.point.replicas if span_s > 0 else 0.0,
        )

    def _requests(self, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int32], NDArray[np.int32]]:
        """Arrivals and lengths: the point's own rows where it has them, else its means."""
        point = self.point
        rows = point.rows
        if rows is not None and self.replayed:
            assert rows.arrival_s is not None
            return rows.arrival_s, _whole(rows.prompt_tokens), _whole(rows.output_tokens, 1)
        # a queue that grows depends on how long it was measured; one that does not is known better from more requests
        growing = point.rate_per_s is None or (point.achieved_per_s or math.inf) < 0.9 * point.rate_per_s
        n = min(max(point.requests, 1 if growing else _LEAST), _MOST)
        if rows is not None:
            which = np.arange(n) % len(rows.prompt_tokens)
            prompt, output = _whole(rows.prompt_tokens[which]), _whole(rows.output_tokens[which], 1)
        else:
            prompt, output = _around(point.prompt_tokens, n), np.maximum(_around(point.output_tokens, n), 1)
        if point.rate_per_s is None:
            return np.zeros(n), prompt, output
        return _gaps(rng, n, point.gap_cv) / point.rate_per_s, prompt, output


def _gaps(rng: np.random.Generator, n: int, cv: float) -> Floats:
    """Arrivals at a rate of one a second from time 0, shape (n,): gamma gaps, even ones for a cv of 0.

    Scaled so that the n arrivals take n seconds, as many as were asked for.
    """
    if cv <= 0:
        return np.arange(n, dtype=float)
    shape = 1.0 / cv**2
    arrival = np.cumsum(rng.gamma(shape, 1.0 / shape, n))
    return np.asarray((arrival - arrival[0]) * (n / arrival[-1]))


def _whole(tokens: Floats, least: int = 0) -> NDArray[np.int32]:
    return np.maximum(np.rint(tokens), least).astype(np.int32)


def _around(mean: float, n: int) -> NDArray[np.int32]:
    """Whole numbers with this mean, as alike as can be."""
    steps = np.floor(np.arange(n + 1) * mean + 0.5)
    return np.asarray(np.diff(steps), np.int32)
