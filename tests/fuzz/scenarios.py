"""Readers of YAML that belongs to a scenario: itself, changes of it, and the sheets and books that it refers to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sim.config import catalogue
from sim.config.dump import to_yaml
from sim.config.loader import read_documents, read_file
from sim.config.overrides import override
from sim.config.tree import Place, from_python
from sim.scenario import RULES, load
from sim.scenario.policies import policy_of
from sim.study.fidelity.cases import cases_of_file
from sim.study.fidelity.shipped import read_measured
from sim.study.swept.sweep import axis_of, grid
from sim.study.swept.turning import range_of
from sim.ui.desk.source import Files, scenario_of
from sim.ui.wire.asked import Source
from tests.fuzz.reader import Reader, may
from tests.studies import SCENARIO

WORKLOAD: dict[str, Any] = {
    "arrivals": {"kind": "poisson", "rate": 5},
    "prompt_tokens": {"kind": "lognormal", "mean": 1024, "cv": 1.2},
    "output_tokens": {"kind": "quantiles", "at": {0: 1, 0.5: 129, 1: 1000}},
}
POOL: dict[str, Any] = {
    "model": "llama-3-8b",
    "gpu": "h100-sxm",
    "replica": {"kind": "batching", "max_num_seqs": 64},
    "autoscaler": {"kind": "fixed", "replicas": 2},
    "price": {"on_demand": "$2/h"},
}
BATCHING: dict[str, Any] = {"name": "b", "horizon": "1m", "workload": WORKLOAD, "pools": {"chat": POOL}}
_TREE = from_python(SCENARIO, Place())


def shipped(folder: str) -> Callable[[], list[bytes]]:
    """The files of one part of the catalogue that are small."""
    place = catalogue.root() / folder
    return lambda: [data for path in sorted(place.glob("*.yaml")) if len(data := path.read_bytes()) < 8_000]


def scenarios() -> list[bytes]:
    """Those that ship, and plain ones."""
    own = [to_yaml(made).encode() for made in (SCENARIO, BATCHING)]
    return [*own, *shipped(catalogue.SCENARIOS)(), *shipped(catalogue.GALLERY)()]


def _workloads() -> list[bytes]:
    return [to_yaml(WORKLOAD).encode(), *shipped(catalogue.WORKLOADS)()]


def in_pool(key: str) -> Callable[[Path], object]:
    """A batching scenario whose pool refers to the file by this key."""
    pool = {name: value for name, value in POOL.items() if name != "price" or key != "book"}
    return lambda path: load({**BATCHING, "pools": {"chat": {**pool, key: str(path)}}})


def _workload(path: Path) -> object:
    return load({**BATCHING, "workload": str(path)})


def _trees(path: Path) -> object:
    read_documents(path)
    return read_file(path)


def _policy(path: Path) -> object:
    return policy_of(str(path))


def _measured(path: Path) -> object:
    return list(cases_of_file(read_measured(path), path))


def _pasted(path: Path) -> object:
    """As the page of the ui gets it: it must not lead out of the catalogue."""
    return scenario_of(Source(kind="text", value=path.read_bytes().decode("utf-8", "replace")), Files())


def _line(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _override(path: Path) -> object:
    return override(_TREE, _line(path), RULES.references, RULES.user_named)


def _set(path: Path) -> object:
    return load(_TREE, [_line(path)])


def _over(path: Path) -> object:
    return may(range_of, _line(path)), axis_of(_line(path))


def _over_grid(path: Path) -> object:
    axis = axis_of(_line(path))
    return None if len(axis.values) > 8 else grid(SCENARIO, (), [axis])


def _assertion(path: Path) -> object:
    return load({**SCENARIO, "assert": [_line(path)]})


def _lines(*texts: str) -> Callable[[], Sequence[bytes]]:
    return lambda: [text.encode() for text in texts]


_CHANGES = _lines(
    "pools.main.autoscaler.replicas=12",
    "slo=[{metric: queue_wait, under: 2s, share: 95%}]",
    "pools.main.queue={kind: per_replica, router: least_outstanding}",
    "workload.arrivals={kind: mmpp, rates: [2/s, 20/s], leave: [0.1/s, 0.5/s]}",
    "pools.main.boot=warm-node-gp3",
    "pools.main.gpu=h100-sxm",
    "slo.0.under='90s'",
    "name=other",
    "pools.main.faults=[{kind: crash, every: 1h}]",
)
_AXES = _lines(
    "seed=1..8", "pools.main.autoscaler.replicas=4..40:4", "horizon=10s,20s,'30s'", "slo.0.under=1s..2s", "name=a,b"
)
_SENTENCES = _lines(
    "p99 e2e < 1s with 95% confidence",
    "requests.rejected = 0",
    "attained queue_wait under 2s of pool main >= 90%",
    "cost.usd_per_day <= $2k",
)

READERS = (
    Reader("yaml", _trees, scenarios, "yaml", 4, "input.yaml"),
    Reader("scenario", load, scenarios, "yaml", 0.2, "input.yaml", anywhere=True),
    Reader("pasted scenario", _pasted, scenarios, "yaml", 0.1, "input.yaml"),
    Reader("--set", _set, _CHANGES, "line", 0.4, anywhere=True, longest=2_000),
    Reader("--set, the path", _override, _CHANGES, "line", 9, anywhere=True, longest=2_000),
    Reader("--over", _over, _AXES, "line", 4, longest=2_000),
    Reader("--over, the points", _over_grid, _AXES, "line", 0.15, anywhere=True, longest=500),
    Reader("assert", _assertion, _SENTENCES, "line", 0.3, longest=1_000),
    Reader("workload", _workload, _workloads, "yaml", 0.05, "w.yaml", anywhere=True),
    Reader("GPU sheet", in_pool("gpu"), shipped(catalogue.GPUS), "yaml", 0.05, "g.yaml"),
    Reader("model sheet", in_pool("model"), shipped(catalogue.MODELS), "yaml", 0.15, "m.yaml"),
    Reader("engine sheet", in_pool("engine"), shipped(catalogue.ENGINES), "yaml", 0.05, "e.yaml"),
    Reader("boot sheet", in_pool("boot"), shipped(catalogue.BOOTS), "yaml", 0.05, "b.yaml", anywhere=True),
    Reader("price book", in_pool("book"), shipped(catalogue.PRICES), "yaml", 0.05, "p.yaml"),
    Reader("measured points", _measured, shipped("configs/measured"), "yaml", 0.05, "m.yaml", anywhere=True),
    Reader("policy", _policy, scenarios, "yaml", 0.1, "p.yaml", anywhere=True),
)  # fmt: skip
