"""The cheapest fleet of a sweep against that of queueing theory: servers at a price, waiting at a price, M/M/c."""

from __future__ import annotations

import math

import pytest

from sim.study.swept.cheapest import cheapest
from sim.study.swept.sweep import axis_of, grid, sweep
from sim.theory import MMc

RATE_PER_S, SERVER_USD, WAIT_USD = 8.0, 2.0, 4.0
"""Arrivals of one second's work each; a server costs so much an hour, and so does an hour that a request waits."""
SERVERS = range(9, 15)


def theory_usd_per_day(servers: int, beyond_s: float) -> float:
    """c * price + rate * E[(wait - beyond)+] * price: the wait of those who wait is exponential."""
    queue = MMc(servers, RATE_PER_S)
    beyond = queue.mean_wait_s * math.exp(-queue.drain_per_s * beyond_s)
    return 24 * servers * SERVER_USD + 86_400 * RATE_PER_S * beyond * WAIT_USD / 3600


@pytest.mark.parametrize("beyond_s", [0.0, 1.0])
def test_the_cheapest_point_is_that_of_erlang_c(beyond_s: float) -> None:
    price = f"[{{kind: linear, metric: queue_wait, beyond: {beyond_s}s, usd_per_hour: {WAIT_USD}}}]"
    sets = ["horizon=3h", f"pools.servers.price={{on_demand: {SERVER_USD}}}", f"slowness={price}"]
    axis = axis_of(f"pools.servers.autoscaler.replicas={SERVERS[0]}..{SERVERS[-1]}")
    best = cheapest([axis], list(sweep(grid("mmc", sets, [axis]))))
    assert best is not None
    assert best.curve is not None
    exact = [theory_usd_per_day(servers, beyond_s) for servers in SERVERS]
    optimum = min(SERVERS, key=lambda servers: exact[servers - SERVERS[0]])
    assert SERVERS[0] < optimum < SERVERS[-1], "a U has two sides"
    assert abs(best.curve.at[best.curve.lowest] - optimum) <= 1
    # from ten servers on the estimate of one run is good; with nine the queue is hardly ever short
    for cost, known in list(zip(best.curve.costs, exact, strict=True))[1:]:
        assert cost.together_usd == pytest.approx(known, rel=0.06)
