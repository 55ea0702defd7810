"""Measured operating points as scenarios: the same load on the same engine, simulated, or one iteration looked up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.config import catalogue
from sim.config.errors import ConfigError, DataError, Problem
from sim.engine import simulate
from sim.hardware import IterationLaw
from sim.result.latency import metric_s
from sim.scenario import Scenario, load
from sim.study.shipped import LATENCIES, MeasuredFile, Setup

Floats = NDArray[np.float64]

POOL = "measured"
REQUESTS = 20_000
"""Of a point at random, in all its runs together; predictions are the mean of the runs."""
RUNS_LEAST, RUNS_MOST = 5, 32

_MANY_PER_S = 1e6
"""All at once, as arrivals go: the client's cap then decides when requests are sent."""


@dataclass(frozen=True, eq=False)
class Case:
    """One measured operating point, ready to be predicted."""

    name: str
    source: str
    """Short name of the file."""
    experiment: str
    split: str
    """`calibration` or `test`: whether shipped figures were fitted to it."""
    setup: Setup
    load: Mapping[str, float]
    """Rate, requests and cap; of an iteration: sequences, context, prompt tokens."""
    measured: Mapping[str, float]
    file: str
    folder: Path
    """What paths in the setup are relative to."""

    @property
    def of_iteration(self) -> bool:
        """A single iteration was timed."""
        return "iteration_s" in self.measured

    @property
    def rate_per_s(self) -> float | None:
        """The rate that was asked for."""
        return self.load.get("rate_per_s")

    @property
    def pair(self) -> tuple[str | None, ...]:
        """Model, GPUs and engine: what a calibration belongs to."""
        s = self.setup
        return (s.model, s.gpu, str(s.gpus_per_replica or 1), s.precision, s.engine)


def cases(file: MeasuredFile, path: Path) -> Iterator[Case]:
    """The points of a file, in its order."""
    for experiment in file.experiments:
        for place, cell in enumerate(file.cells(experiment)):
            load = {
                name: value for name, value in cell.items() if name not in (*LATENCIES, "sent_per_s", "iteration_s")
            }
            yield Case(
                name=f"{file.name}/{experiment.name}/{_load_name(load, place)}",
                source=file.name,
                experiment=experiment.name,
                split=experiment.split or file.split,
                setup=file.whole(experiment),
                load=load,
                measured={name: value for name, value in cell.items() if name not in load},
                file=str(path),
                folder=path.parent,
            )


def _load_name(load: Mapping[str, float], place: int) -> str:
    if "decode_seqs" in load:
        parts = [f"{load['decode_seqs']:g}x{load['context_tokens'] / max(load['decode_seqs'], 1.0):.0f}"]
        return "+".join([*parts, *([f"{load['prefill_tokens']:g}"] if load.get("prefill_tokens") else [])])
    if "rate_per_s" in load:
        return f"{load['rate_per_s']:g}/s"
    return f"{load['max_in_flight']:g} in flight" if "max_in_flight" in load else str(place)


def scenario_of(case: Case, change: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario that a case stands for; `change` is laid over its pool. Raises `DataError`."""
    try:
        return load(
            {"name": "measured", "calendar": "compiled", **_traffic(case), "pools": {POOL: _pool(case, change)}}
        )
    except ConfigError as error:
        problem = error.problems[0]
        place = Problem(f"{case.name}: {problem.message}", problem.path.removeprefix(f"pools.{POOL}."), case.file)
        raise DataError(place) from None


def _pool(case: Case, change: Mapping[str, Any] | None) -> dict[str, Any]:
    setup = case.setup
    engine: Any = {"o0": 0, "o1": 0} if setup.engine == "none" else named(setup.engine, case)
    if setup.overhead_s is not None and setup.engine != "none":
        engine = {"from": engine, "overhead": setup.overhead_s}
    seqs = setup.max_num_seqs or max(256, int(case.load.get("decode_seqs", 0)))
    given = {
        "model": named(setup.model, case),
        "gpu": named(setup.gpu, case),
        "gpus_per_replica": setup.gpus_per_replica,
        "precision": setup.precision,
        "expert_parallel": setup.expert_parallel,
        "memory_share": setup.memory_share,
        "engine": engine,
        # single iterations are looked up, not run: whether a cache would fit beside the model does not matter
        "kv_capacity_tokens": 10**9 if case.of_iteration else None,
        "replica": {
            "max_num_seqs": seqs,
            "max_batched_tokens": setup.max_batched_tokens or 8192,
            "chunked_prefill": setup.chunked_prefill is not False,
        },
        "autoscaler": {"kind": "fixed", "replicas": 1},
        **(change or {}),
    }
    return {key: value for key, value in given.items() if value is not None}


def named(text: str | None, case: Case) -> Any:
    """A name as it stands, a path from the file's folder."""
    return str(case.folder / text) if text is not None and catalogue.is_path(text) else text


def _traffic(case: Case) -> dict[str, Any]:
    """Horizon and workload."""
    setup, load = case.setup, case.load
    rate = load.get("rate_per_s") or _MANY_PER_S
    requests = load.get("requests")
    if requests is None and (setup.duration_s is None or rate == _MANY_PER_S):
        requests = 1000.0
    # evenly spaced arrivals begin one gap late: half a gap of room keeps the last one in
    horizon_s = setup.duration_s if requests is None else (requests + 0.5) / rate
    even = setup.arrivals == "even" or rate == _MANY_PER_S
    gap = {"kind": "renewal", "gap": {"kind": "constant", "value": 1.0 / rate}}
    stream: dict[str, Any] = {
        "arrivals": gap if even else {"kind": "poisson", "rate": rate},
        "prompt_tokens": setup.prompt_tokens or {"kind": "constant", "value": 1},
        "output_tokens": setup.output_tokens or {"kind": "constant", "value": 1},
    }
    if setup.cached_tokens:
        assert setup.prompt_tokens is not None
        stream["cached_share"] = min(1.0, (setup.cached_tokens + 0.5) / setup.prompt_tokens.mean_value)
    if load.get("max_in_flight"):
        stream["clients"] = {"max_in_flight": int(load["max_in_flight"])}
    return {"horizon": horizon_s, "workload": stream}


def predict(
    case: Case,
    change: Mapping[str, Any] | None = None,
    on_compile: Callable[[], None] | None = None,
    replications: int | None = None,
) -> dict[str, float]:
    """What the simulator says for everything that was measured. Raises `DataError`."""
    scenario = scenario_of(case, change)
    if case.of_iteration:
        return {"iteration_s": _iteration_s(scenario.pools[POOL].law, case)}
    lengths = (case.setup.prompt_tokens, case.setup.output_tokens)
    random = case.setup.arrivals == "poisson" or any(law is not None and law.kind != "constant" for law in lengths)
    wanted = replications or _replications(scenario)
    runs = [_one_run(case, scenario, i, on_compile) for i in range(wanted if random else 1)]
    return {name: float(np.mean([run[name] for run in runs])) for name in case.measured}


def _replications(scenario: Scenario) -> int:
    """Runs that make up `REQUESTS`, within reason."""
    wanted = math.ceil(REQUESTS / max(1.0, scenario.workload.expected_requests(scenario.horizon_s)))
    return min(RUNS_MOST, max(RUNS_LEAST, wanted))


def _iteration_s(law: IterationLaw, case: Case) -> float:
    prefill = case.load.get("prefill_tokens", 0.0)
    return law.iteration_s(int(prefill), int(case.load["decode_seqs"]), case.load["context_tokens"], prefill**2)


def _one_run(
    case: Case, scenario: Scenario, replication: int, on_compile: Callable[[], None] | None = None
) -> dict[str, float]:
    rows = simulate(scenario, replication, on_compile=on_compile).log.requests
    found = {}
    for name in case.measured:
        if name == "sent_per_s":
            sent_s = rows["arrival_s"]
            found[name] = len(sent_s) / float(sent_s.max() - sent_s.min()) if len(sent_s) > 1 else math.nan
        else:
            metric, _, statistic = name.partition("_s_")
            found[name] = _statistic(metric_s(rows, metric), statistic)
    return found


def _statistic(value_s: Floats, statistic: str) -> float:
    value_s = value_s[np.isfinite(value_s)]
    if not len(value_s):
        return math.nan
    return float(value_s.mean() if statistic == "mean" else np.quantile(value_s, int(statistic[1:]) / 100))
