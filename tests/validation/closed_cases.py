"""Reference cases in which what is asked depends on what was answered: closed populations, and Bernoulli feedback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.validation.cases import EXPONENTIAL, SHAPES, Vector, busy, case, memory_s, poisson, queue, same
from tests.validation.replications import Case


def closed(vector: Vector) -> list[Case]:
    """Users who think for an exponential time; a replica serves one at a time."""
    params, expected = vector["params"], vector["expected"]
    users, servers, think_s = params["N"], params["c"], 1 / params["think_rate"]
    law = {"kind": "closed", "users": users, "think": {"kind": "exponential", "mean": think_s}}
    exact = same(vector, "throughput", "L", "Lq", "W", "Wq", "utilization")
    pool = queue(*SHAPES.get(servers, (servers, 1)))
    # who thinks and who is served are all mixed anew after about a round
    memory = think_s + expected["W"]
    return [case(vector, exact, pool, law, expected["throughput"], memory, service=EXPONENTIAL)]


MOST_TURNS = 30
"""More are one in 10^15."""


def feedback(vector: Vector) -> list[Case]:
    """Who comes back is the next turn of a conversation, asked at once: it goes to the tail of the line."""
    rate, again = vector["params"]["lam"], vector["params"]["p_feedback"]
    load = rate / (1 - again)
    turns = {
        "kind": "histogram",
        "values": list(range(1, MOST_TURNS + 1)),
        "weights": [again**turn for turn in range(MOST_TURNS)],
    }
    # W_total is over all turns: in the line, a request is seen by each
    exact = same(vector, "L", "utilization", arrival_rate="effective_arrival")
    exact["W"] = vector["expected"]["W_total"] * (1 - again)
    more: dict[str, Any] = {"service": EXPONENTIAL, "session": {"turns": turns, "history": False}}
    return [case(vector, exact, queue(1), poisson(rate), load, memory_s(load, 1), width=busy(load), **more)]


BUILDERS: dict[str, Callable[[Vector], list[Case]]] = {"closed_": closed, "feedback_": feedback}
