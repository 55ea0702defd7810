"""Demand multiplied: the same kind of requests at the same times of the day, more or fewer of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.config.errors import ConfigError
from sim.scenario import load
from sim.workload.scaled import scaled

LAWS: list[dict[str, Any]] = [
    {"kind": "poisson", "rate": "5/s"},
    {"kind": "renewal", "gap": {"kind": "erlang", "phases": 2, "mean": "200ms"}},
    {"kind": "renewal", "gap": {"kind": "hyperexponential", "p": [0.9, 0.1], "means": ["100ms", "1s"]}},
    {"kind": "renewal", "gap": {"kind": "uniform", "low": "100ms", "high": "300ms"}},
    {"kind": "renewal", "gap": {"kind": "quantiles", "at": {0: "50ms", 1: "350ms"}}},
    {"kind": "mmpp", "rates": ["2/s", "20/s"], "leave": ["0.1/s", "0.5/s"]},
    {"kind": "batch", "rate": "1/s", "size": {"kind": "constant", "value": 4}},
    {"kind": "curve", "points": [["0s", "2/s"], ["100s", "8/s"]]},
    {"kind": "curve", "points": [["0s", "2/s"], ["100s", "8/s"]], "peak": "9/s"},
    {"kind": "diurnal", "rate": "5/s", "peak": 1.5, "trough": 0.5},
    {"kind": "spike", "rate": "4/s", "factor": 3, "at": "20s", "duration": "20s"},
    {"kind": "cox", "rate": "5/s", "cv": 0.5, "correlation": "30s"},
]


def workload(law: dict[str, Any]) -> Any:
    told = {"arrivals": law, "service": {"kind": "exponential", "mean": "1s"}}
    pools = {"main": {"replica": {"kind": "slots"}, "autoscaler": {"kind": "fixed", "replicas": 2}}}
    return load({"name": "x", "horizon": "100s", "workload": told, "pools": pools}).workload


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law["kind"])
def test_every_law_has_the_mean_rate_times_the_factor(law: dict[str, Any]) -> None:
    before, after = workload(law), scaled(workload(law), 2.5)
    assert after.arrivals.mean_rate(100.0) == pytest.approx(2.5 * before.arrivals.mean_rate(100.0))
    assert after.arrivals.kind == before.arrivals.kind
    assert scaled(before, 1.0) == before


def test_the_burstiness_of_gaps_stays() -> None:
    law = workload(LAWS[2])
    assert scaled(law, 3.0).arrivals.dispersion == pytest.approx(law.arrivals.dispersion)


def test_a_curve_keeps_its_random_points() -> None:
    """What has arrived of a rate has arrived of twice the rate as well, in the same order and at half the distance."""
    law = workload({"kind": "poisson", "rate": "5/s"})
    few, many = (one.demand(1, 0, 100.0).arrival_s for one in (law, scaled(law, 2.0)))
    assert np.allclose(many[: len(few)], few / 2)


def test_a_trace_goes_faster_if_it_loops_and_is_refused_if_not(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,10,10\n2023-11-16 18:17:08,10,10\n",
        encoding="utf-8",
    )
    pool = {"replica": {"kind": "slots"}, "autoscaler": {"kind": "fixed", "replicas": 1}}
    base = {"name": "x", "horizon": "100s", "pools": {"main": pool}}
    service = {"kind": "constant", "value": "1s"}
    once, again = (
        load({**base, "workload": {"trace": str(file), "format": "azure", "loop": loop, "service": service}}).workload
        for loop in (False, True)
    )
    assert scaled(again, 2.0).expected(100.0) == pytest.approx(2 * again.expected(100.0))
    with pytest.raises(ConfigError, match="loop: true"):
        scaled(once, 2.0)


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(ConfigError, match="mean and cv"):
        scaled(workload({"kind": "renewal", "gap": {"kind": "lognormal", "mu": -2, "sigma": 1}}), 2.0)
