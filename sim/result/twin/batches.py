"""What theory says of a pool of batching replicas: from the picture of one, how full they are and how long things take.

With one replica, or a draw by lot between several, the number in the batch is a birth-death chain; with a router that
balances, each is taken to hold the mean number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.result.twin.engines import Engine
from sim.result.twin.lines import BURSTY
from sim.result.twin.told import Told
from sim.result.twin.traffic import Traffic
from sim.scenario.queues import PerReplica
from sim.theory import BirthDeath, least_servers
from sim.workload.arrivals import Cox, Mmpp, Poisson, Varying

if TYPE_CHECKING:
    from sim.scenario import Pool, Scenario

Floats = NDArray[np.float64]
_PIECES = 100
MUCH_PREFILL = 1 / 2
GATHER = "prompts take much of the time: requests gather behind them, and how long their first token takes is not known"
FIRST = ("latency.queue_wait_s.mean", "latency.ttft_s.mean")
"""What is not told then."""
_RARE = 2.33
"""Standard deviations of a normal law that one in a hundred is beyond."""
ASSUMES = ("iterations of mean length", "no preemption", "nothing saved by the prefix cache but `cached_share`")


@dataclass(frozen=True)
class BatchesCase:
    """A pool of batching replicas and what comes to it."""

    scenario: Scenario
    pool: Pool
    replicas: int
    traffic: Traffic
    engine: Engine

    @property
    def capacity_per_s(self) -> float:
        """Requests a second that all replicas can serve."""
        return self.replicas * self.engine.capacity_per_s

    @property
    def limited_by(self) -> str:
        """What sets the capacity."""
        return self.engine.limited_by

    @property
    def alone_s(self) -> float:
        """Seconds that a request takes with nobody else there."""
        return self.engine.iterations * self.engine.iteration_s(1)


@dataclass(frozen=True)
class _State:
    """Means of one replica at one rate."""

    running: float
    busy_share: float
    wait_s: float
    """In line, until there is a place."""
    iteration_s: float
    ttft_s: float


def figures(case: BatchesCase) -> list[Told]:
    """Means, where nothing but batches keeps requests."""
    traffic, engine = case.traffic, case.engine
    if not (engine.prefills and engine.decodes) or case.pool.queue.max_waiting is not None:
        return []
    if traffic.peak_per_s >= case.capacity_per_s or not traffic.rate_per_s > 0:
        return []
    rates = _rates(case)
    if rates is None:
        return []
    came = rates / rates.sum()
    states = [_state(case, float(rate) / case.replicas) for rate in rates]

    def in_time(name: str) -> float:
        return float(np.mean([getattr(state, name) for state in states]))

    def of_requests(name: str) -> float:
        return float(came @ np.array([getattr(state, name) for state in states]))

    a_step = engine.work.output / engine.iterations
    decode_s = (engine.work.output / a_step - 1) * of_requests("iteration_s")
    running, ttft_s, wait_s = in_time("running"), of_requests("ttft_s"), of_requests("wait_s")
    told: list[tuple[str, float]] = [
        ("utilization.busy_share", in_time("busy_share")),
        ("utilization.batch_share", running / case.pool.replica.seats),
        ("utilization.kv_share", running * engine.held_tokens / case.pool.kv_tokens),
        ("time_average.running", running * case.replicas),
        ("latency.ttft_s.mean", ttft_s),
        ("latency.tpot_s.mean", of_requests("iteration_s") / a_step),
        ("latency.e2e_s.mean", ttft_s + decode_s),
    ]
    if _by_chain(case):
        told.insert(4, ("latency.queue_wait_s.mean", wait_s))
    method = "birth-death chain of the batch" if _by_chain(case) else "mean field of the batch"
    if len(rates) > 1:
        method += ", by pieces of time"
    if engine.prompt_share(max(running, 1.0)) > MUCH_PREFILL:
        told = [(path, value) for path, value in told if path not in FIRST]
    return [Told(path, value, method, "approximation", ASSUMES) for path, value in told]


def _rates(case: BatchesCase) -> Floats | None:
    """The rates that requests come at, each for as long as any other, shape (pieces,); None where they do not say.

    A curve by pieces of time; a rate that changes at random by pieces of its law, if it does so slowly.
    """
    traffic = case.traffic
    if any(part.arrivals is None for part in traffic.parts):
        return None
    law = traffic.only
    if isinstance(law, Cox | Mmpp):
        rates = _of_drift(law) if isinstance(law, Cox) else _of_states(law)
        stays_s = law.correlation if isinstance(law, Cox) else 1 / max(law.leave)
        slow = stays_s > case.alone_s and float(rates.max()) < case.capacity_per_s
        return rates if slow else None
    if traffic.dispersion is not None and traffic.dispersion > BURSTY:
        return None
    edges_s = np.linspace(case.scenario.warmup_s, traffic.horizon_s, 2 if traffic.steady else _PIECES + 1)
    found: Floats = np.diff(np.interp(edges_s, traffic.at_s, traffic.arrived)) / np.diff(edges_s)
    return found


def _of_drift(law: Cox) -> Floats:
    """The middles of equal parts of a lognormal law, scaled to its mean."""
    normal = np.array([NormalDist().inv_cdf((part + 0.5) / _PIECES) for part in range(_PIECES)])
    shape = np.exp(math.sqrt(math.log1p(law.cv**2)) * normal)
    return np.asarray(law.rate * shape / shape.mean())


def _of_states(law: Mmpp) -> Floats:
    """Each rate in as many pieces as its state has of the time."""
    held_s = 1 / np.array(law.leave)
    many = np.maximum(np.rint(held_s / held_s.sum() * _PIECES), 1).astype(int)
    return np.repeat(np.array(law.rates, dtype=float), many)


def _by_chain(case: BatchesCase) -> bool:
    """Whether replicas do not know of each other."""
    if not all(isinstance(part.arrivals, Poisson | Varying) for part in case.traffic.parts):
        return False
    queue = case.pool.queue
    return case.replicas == 1 or (isinstance(queue, PerReplica) and queue.routing.kind == "random")


def _state(case: BatchesCase, rate_per_s: float) -> _State:
    """One replica at its share of the requests."""
    engine = case.engine
    if not rate_per_s > 0:
        return _State(0.0, 0.0, 0.0, engine.iteration_s(1), engine.prefill_s(1) + case.pool.law.overhead_s)
    wait_s = 0.0
    if _by_chain(case):
        chain = BirthDeath(rate_per_s, engine.leave_per_s, engine.seats)
        running, busy, wait_s = chain.mean_running, 1 - float(chain.share[0]), chain.mean_wait_s
    else:
        running = engine.running(rate_per_s)
        busy = -math.expm1(-running)
    decode_s = engine.iteration_s(max(running, 1.0))
    residual_s = busy * engine.residual_s(running)
    if _by_chain(case):  # a router that balances does not send two long prompts to one replica
        residual_s = max(residual_s, engine.behind_prompts_s(running, rate_per_s))
    skips_s = case.pool.law.lookahead * busy * decode_s
    ttft_s = wait_s + residual_s + skips_s + engine.prefill_s(running) + case.pool.law.overhead_s
    return _State(running, busy, wait_s + residual_s, decode_s, ttft_s)


def least_replicas(case: BatchesCase) -> tuple[int | None, str]:
    """The smallest fleet that carries the highest rate with means within the objectives, and what was looked for."""
    engine, rate = case.engine, case.traffic.peak_per_s
    if not rate > 0:
        return None, "nothing comes"
    a_step = engine.work.output / engine.iterations if engine.decodes else 1.0
    limits = {target.metric: target.under_s for target in reversed(case.scenario.slo)}
    ends_here = engine.prefills and engine.decodes
    tpot_s, ttft_s = limits.get("tpot", math.inf), limits.get("ttft", math.inf)

    def met(replicas: int) -> bool:
        each = rate / replicas
        if each >= engine.capacity_per_s:
            return False
        running = engine.running(each)
        if running + (_RARE * math.sqrt(running) if case.replicas == 1 else 0.0) > engine.seats:
            return False
        if not ends_here:
            return True
        first_s = engine.residual_s(running) + engine.prefill_s(running) + case.pool.law.overhead_s
        return engine.iteration_s(running) / a_step <= tpot_s and first_s <= ttft_s

    when = "" if case.traffic.steady else ", when most come"
    if not met(10_000_000):
        return None, "no fleet: a request alone takes too long for the objectives"
    if ends_here and limits:
        what = f"by mean TTFT and TPOT alone{when}; the shares that the objectives ask for may take more: a run tells"
        return least_servers(rate / engine.capacity_per_s, met, 10_000_000), what
    return least_servers(rate / engine.capacity_per_s, met, 10_000_000), f"to be stable{when}"
