"""Reference cases whose clients give up, or come back: Erlang A, a wave with abandonment, Bernoulli feedback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.validation.queue_cases import (
    EXPONENTIAL,
    SHAPES,
    Vector,
    case,
    from_empty,
    memory_s,
    poisson,
    queue,
    same,
)
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


def feedback(vector: Vector) -> list[Case]:
    """A request that comes back is the next turn of its conversation, asked at once: it goes to the tail of the line.

    The number of turns is geometric; the whole of it takes from the first turn's arrival to the last one's end.
    """
    rate, again = vector["params"]["lam"], vector["params"]["p_feedback"]
    turns = {"kind": "geometric", "mean": 1 / (1 - again)}
    exact = same(vector, "L", "utilization", W_session="W_total", arrival_rate="effective_arrival")
    sessions = {"turns": turns, "think": 0}
    load = rate / (1 - again)
    more: dict[str, Any] = {"service": EXPONENTIAL, "sessions": sessions}
    return [case(vector, exact, queue(1), poisson(rate), load, memory_s(load, 1), **more)]


BUILDERS: dict[str, Callable[[Vector], list[Case]]] = {
    "erlangA_": erlang_a,
    "mt_m_c_erlangA_sin": wave_with_abandonment,
}
