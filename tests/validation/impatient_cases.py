"""Reference cases whose clients give up while they wait: Erlang A, and a wave with abandonment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.validation.cases import (
    EXPONENTIAL,
    SHAPES,
    Vector,
    case,
    poisson,
    queue,
    same,
)
from tests.validation.changing_cases import from_empty
from tests.validation.replications import Case


def impatient(rate: float) -> dict[str, Any]:
    """Clients that give up at this rate while they wait."""
    return {"patience": {"kind": "exponential", "mean": 1 / rate}}


def erlang_a(vector: Vector) -> list[Case]:
    params = vector["params"]
    rate, servers, theta = params["lam"], params["c"], params["theta"]
    exact = same(vector, "Lq", "P_abandon", "Wq_all", "throughput", "utilization", P_wait_all="P_wait")
    pool = queue(*SHAPES.get(servers, (servers, 1)))
    # the line forgets at the rate at which it is left, by service or for good
    memory = 2.0 + 2.0 / min(theta, 1.0)
    more: dict[str, Any] = {"service": EXPONENTIAL, "clients": impatient(theta)}
    return [case(vector, exact, pool, poisson(rate), rate, memory, **more)]


def wave_with_abandonment(vector: Vector) -> list[Case]:
    return from_empty(vector, clients=impatient(vector["params"]["theta"]), given={"from_count": 1})


BUILDERS: dict[str, Callable[[Vector], list[Case]]] = {
    "erlangA_": erlang_a,
    "mt_m_c_erlangA_sin": wave_with_abandonment,
}
