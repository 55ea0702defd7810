"""Laws of the user's own, in Python: what cannot be simulated is told, and never simulated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim import Scenario, simulate
from sim.config.errors import ConfigError
from sim.config.units import Duration
from sim.workload.arrivals import Poisson
from sim.workload.distributions import Constant

Wrong = Callable[[Any], Any]


def at_3(value: float) -> Wrong:
    """The fourth number becomes this."""
    return lambda numbers: np.where(np.arange(len(numbers)) == 3, value, numbers)


def scenario(arrivals: Any = None, service: Any = None, **stream: Any) -> Scenario:
    workload = {
        "arrivals": arrivals or {"kind": "poisson", "rate": 1},
        "service": service or {"kind": "constant", "value": 1},
    }
    pool = {"replica": {"kind": "slots"}, "queue": {"kind": "central"}, "autoscaler": {"kind": "fixed", "replicas": 2}}
    return Scenario.model_validate({"name": "own", "horizon": 100, "workload": workload | stream, "pools": {"m": pool}})


def mine(change: Wrong) -> Poisson:
    class Mine(Poisson):
        def arrivals(self, rng_of: Any, horizon_s: float) -> Any:
            return change(super().arrivals(rng_of, horizon_s))

        def pieces(self, rng_of: Any, horizon_s: float, rows: int) -> Any:
            yield from (change(piece) for piece in super().pieces(rng_of, horizon_s, rows))

    return Mine(rate=1)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at_3(np.nan), "gave nan s as time 3; times go from 0 to before 100 s"),
        (at_3(-5.0), "gave -5.0 s as time 3"),
        (at_3(np.inf), "gave inf s as time 3"),
        (at_3(100.0), "gave 100.0 s as time 3"),
        (at_3(0.0), "gave 0.0 s after .* s; times must be sorted"),
        (lambda times: times[:, None], r"must give times as an array of shape \(n,\); got shape \(\d+, 1\)"),
        (lambda _: None, r"must give times as an array of shape \(n,\); got shape \(\)"),
        (lambda times: times.astype(str) + "s", "must give numbers; got ndarray"),
    ],
)
def test_arrivals(change: Wrong, told: str, stream: bool) -> None:
    with pytest.raises(ConfigError, match=f"workload.*: the law 'Mine' {told}"):
        simulate(scenario(arrivals=mine(change)), stream=stream)


def test_pieces_must_follow_each_other() -> None:
    class Mine(Poisson):
        def pieces(self, rng_of: Any, horizon_s: float, rows: int) -> Any:
            yield from (np.array([8.0, 9.0]), np.array([3.0]))

    with pytest.raises(ConfigError, match=r"the law 'Mine' gave 3\.0 s as time 0; times go from 9 to before 100 s"):
        simulate(scenario(arrivals=Mine(rate=1)), stream=True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at_3(np.nan), r"drew nan \(draw 3\); it must draw 0 or more"),
        (at_3(-5.0), r"drew -5.0 \(draw 3\)"),
        (lambda drawn: drawn[:1], r"must draw an array of shape \(\d+,\); got shape \(1,\)"),
        (lambda _: None, r"must draw an array of shape \(\d+,\); got shape \(\)"),
        (lambda _: "three", "must give numbers; got str"),
    ],
)
def test_numbers(change: Wrong, told: str, stream: bool) -> None:
    class Mine(Constant[Duration]):
        def _draw(self, rng: np.random.Generator, n: int) -> Any:
            return change(super()._draw(rng, n))

    with pytest.raises(ConfigError, match=f"workload: the law 'Mine' {told}"):
        simulate(scenario(service=Mine(value=1)), stream=stream)


def test_a_law_that_is_right_is_simulated() -> None:
    run = simulate(scenario(arrivals=mine(list)))
    np.testing.assert_array_equal(run.log.requests["arrival_s"], simulate(scenario()).log.requests["arrival_s"])
