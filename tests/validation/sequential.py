"""How often an assertion is judged wrongly by runs that go on until it is decided.

At the worst, where the limit is the true value; the runs' numbers are drawn from a law.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim import load
from sim.study.replicated.assertions import LOOKS, Decided, judged
from sim.study.replicated.record import Record
from sim.study.replicated.replications import Replicated
from tests.validation.cases import EXPONENTIAL, poisson, queue

TRUE = 10
QUESTION = {
    "name": "sequential",
    "horizon": 1,
    "workload": {"arrivals": poisson(1.0), "service": EXPONENTIAL},
    "pools": {"pool": queue(1)},
}
SENTENCES = (f"total_usd < {TRUE} with 95% confidence", f"total_usd <= {TRUE} with 95% confidence")
"""Of a mean of 10 the first is false and the second is true."""


def wrong_verdicts(
    draw: Callable[[np.random.Generator], NDArray[np.float64]], experiments: int, seed: int = 5
) -> tuple[float, float]:
    """Shares of experiments in which the first passes, and in which the second fails.

    `draw`: the numbers of all the runs of a budget, of mean 10, shape (runs,).
    """
    scenario = load({**QUESTION, "assert": SENTENCES})
    goal, random = Decided(scenario), np.random.default_rng(seed)
    passed = failed = 0
    for _ in range(experiments):
        records = _records(draw(random))
        # as `replicate` does it, but without the looks in between, which change nothing
        stop = next((count for count in LOOKS if goal.reached(records[:count])), None)
        done = Replicated(scenario, tuple(records[:stop]), "precision" if stop else "budget")
        below, at_most = judged(done)
        passed += below.verdict == "pass"
        failed += at_most.verdict == "fail"
    return passed / experiments, failed / experiments


def _records(values: NDArray[np.float64]) -> list[Record]:
    """Runs of which nothing is known but this number."""
    return [Record(place, {"cost": {"total_usd": float(value)}}, {}) for place, value in enumerate(values)]
