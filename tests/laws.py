"""One example of every law, written as a scenario file would, and the little that tests need to draw from them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from pydantic import TypeAdapter

from sim.workload import AnyArrivals, AnyWorkload, Demand, Workload
from sim.workload.arrivals import Arrivals
from sim.workload.distributions import Distribution, DurationLaw, TokenLaw
from sim.workload.randomness import RngOf, rngs_of

DISTRIBUTIONS: dict[str, Mapping[str, Any]] = {
    "constant": {"value": 2},
    "exponential": {"mean": 2},
    "erlang": {"phases": 3, "mean": 2},
    "gamma": {"mean": 2, "cv": 1.5},
    "gamma by shape": {"kind": "gamma", "shape": 4, "scale": 0.5},
    "weibull": {"mean": 2, "cv": 1.5},
    "weibull by shape": {"kind": "weibull", "shape": 2, "scale": 3},
    "lognormal": {"mean": 2, "cv": 1},
    "lognormal by mu": {"kind": "lognormal", "mu": 3.18, "sigma": 0.58},
    "lognormal by p99": {"kind": "lognormal", "median": 23, "p99": 106},
    "lognormal by median and cv": {"kind": "lognormal", "median": 5, "cv": 0.5},
    "uniform": {"low": 1, "high": 5},
    "hyperexponential": {"p": [0.9, 0.1], "means": [0.5, 5.5]},
    "hyperexponential by cv": {"kind": "hyperexponential", "mean": 2, "cv": 2},
    "quantiles": {"at": {0: 1, 0.5: 129, 0.9: 424, 0.99: 601, 1: 1000}},
    "histogram": {"values": [1, 5, 20], "weights": [2, 1, 1]},
}
ARRIVALS: dict[str, Mapping[str, Any]] = {
    "poisson": {"rate": "5/s"},
    "renewal": {"gap": {"kind": "erlang", "phases": 2, "mean": "200ms"}},
    "mmpp": {"rates": ["2/s", "20/s"], "leave": ["0.1/s", "0.5/s"]},
    "batch": {"rate": "2/s", "size": {"kind": "uniform", "low": 1, "high": 5}},
    "curve": {"points": [[0, 1], ["1m", "10/s"], ["2m", 0], ["4m", 0], ["5m", 8]]},
    "curve in steps, repeated": {
        "kind": "curve",
        "points": [[0, 1], [100, 10]],
        "interpolate": "step",
        "repeat": True,
        "period": 150,
    },
    "curve to a peak": {"kind": "curve", "points": [[0, 1], ["1m", 4], ["2m", 0], ["4m", 3]], "peak": "8/s"},
    "diurnal": {"rate": 5, "peak": 1.86, "trough": 0.3, "peak_at": "5m", "period": "10m"},
    "spike": {"rate": 5, "factor": 4, "at": "2m", "duration": "1m", "ramp": "30s"},
    "cox": {"rate": 5, "cv": 0.5, "correlation": "20s"},
    "closed": {"users": 40, "think": {"kind": "exponential", "mean": "9s"}, "ramp": "1m"},
}
TOKENS = {"kind": "constant", "value": 100}


def duration_law(kind: str, /, **values: Any) -> Distribution[float]:
    return TypeAdapter(DurationLaw).validate_python({"kind": kind, **values})


def token_law(kind: str, /, **values: Any) -> Distribution[float]:
    return TypeAdapter(TokenLaw).validate_python({"kind": kind, **values})


def example(name: str) -> Distribution[float]:
    return TypeAdapter(TokenLaw).validate_python({"kind": name, **DISTRIBUTIONS[name]})


def arrival_law(kind: str, /, **values: Any) -> Arrivals:
    return TypeAdapter(AnyArrivals).validate_python({"kind": kind, **values})


def arrival_example(name: str) -> Arrivals:
    return TypeAdapter(AnyArrivals).validate_python({"kind": name, **ARRIVALS[name]})


def workload(**keys: Any) -> Workload:
    return TypeAdapter(AnyWorkload).validate_python(keys)


def prefix_lists(demand: Demand) -> list[list[int]]:
    """The prefix blocks of each request, as lists."""
    lists = []
    for at in demand.prefix0.tolist():
        flat = demand.prefixes[at:].tolist() if at >= 0 else [-1]
        lists.append(list(itertools.takewhile(lambda name: name >= 0, flat)))
    return lists


def chat(**keys: Any) -> dict[str, Any]:
    """A small generated stream."""
    return {"arrivals": {"kind": "poisson", "rate": 5}, "prompt_tokens": TOKENS, "output_tokens": TOKENS, **keys}


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))


def rngs(seed: int = 1, replication: int = 0) -> RngOf:
    return rngs_of(seed, replication, "test")


def kinds(union: Any) -> set[str]:
    """The kinds of a union of laws."""
    members = get_args(get_args(union)[0]) if hasattr(union, "__metadata__") else get_args(union)
    return {member.model_fields["kind"].default for member in members}


def complaint(error: Any) -> list[str]:
    """What a pydantic error says, one line a finding: its last key, or the key it names, then its text."""
    lines = []
    for detail in error.errors(include_url=False):
        at = detail.get("ctx", {}).get("at") or detail["loc"][-1:]
        lines.append(f"{'.'.join(map(str, at))}: {detail['msg']}")
    return lines
