"""Where theory says to look: how many replicas a pool needs at least, how many it may need, and where that is exact."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.config.errors import DataError
from sim.result.twin import PoolTwin, twin
from sim.result.twin.traffic import traffic_of
from sim.scenario import Scenario
from sim.scenario.queues import Central
from sim.scenario.replica import Slots
from sim.study.planned.designs import Fleets
from sim.theory import MMc, erlang_c
from sim.workload.arrivals import Poisson

UNSURE = 0.8
"""Of what theory says is needed to carry the load, what surely is: its capacities of batches are approximations."""
NEXT_TO_NOBODY = 1e-4
"""Share of requests that wait."""
TRANSIENT_FACTOR = 10.0
"""How often the error of a start that is not steady must fit between a true value and what is promised."""


@dataclass(frozen=True)
class Bracket:
    """What theory says of the number of replicas of one pool."""

    least: int
    """Fewer cannot carry the load; what they miss shows in any run."""
    estimate: int
    """Where to look first."""
    each_per_s: float | None
    """Requests a second that one replica can serve for ever; None: not known."""
    why: str

    @property
    def known(self) -> bool:
        """Whether it says more than "one"."""
        return self.each_per_s is not None


def bracket(fleets: Fleets, name: str) -> Bracket:
    """Of one pool: by the load over the capacity of a replica, and by formulas of waits where there are some."""
    one = {each: max(design.least, 1) for each, design in fleets.designs.items()}
    try:
        found: PoolTwin | None = twin(fleets.scenario_with(one, fleets.scenario.seed)).pools[name]
    except DataError:
        found = None  # a run tells what is wrong with the file
    design = fleets.designs[name]
    if found is None or found.capacity_per_s is None or found.closed:
        return Bracket(design.least, max(design.least, 1), None, "theory knows no capacity here")
    each = found.capacity_per_s / max(found.replicas, 1)
    least = math.floor(UNSURE * found.offered_per_s / each)
    peak = math.ceil(found.peak_per_s / each / 0.9)
    estimate = found.least_replicas if found.least_replicas is not None else peak
    why = f"{found.limited_by}: {found.peak_per_s:.3g} requests a second at most, a replica serves {each:.3g}"
    lowest, highest = design.least, design.most
    return Bracket(min(max(least, lowest), highest), min(max(estimate, lowest, 1), highest), each, why)


@dataclass(frozen=True)
class Exact:
    """A pool that is M/M/c: one line of exponential servers, first come first served, Poisson arrivals."""

    arrivals_per_s: float
    mean_service_s: float
    seats: int
    limits: tuple[tuple[str, float, float], ...]
    """Of each objective: its metric, its limit in seconds, the share promised."""
    warmup_s: float
    measured_s: float

    def steady(self, replicas: int) -> tuple[float, ...] | None:
        """The share of each objective with so many replicas, in steady state; None where there is none."""
        servers = replicas * self.seats
        if self.arrivals_per_s * self.mean_service_s >= servers:
            return None
        line = MMc(servers, self.arrivals_per_s, self.mean_service_s)
        return tuple(
            1 - (line.wait_exceeds(limit_s) if metric == "queue_wait" else line.sojourn_exceeds(limit_s))
            for metric, limit_s, _ in self.limits
        )

    def plenty(self, load: float) -> int:
        """Replicas with which next to nobody waits: more change nothing."""
        replicas = math.floor(load) + 1
        while erlang_c(replicas * self.seats, self.arrivals_per_s * self.mean_service_s) > NEXT_TO_NOBODY:
            replicas += max(replicas // 8, 1)
        return replicas

    def attained(self, replicas: int) -> tuple[float, ...] | None:
        """The same as far as it holds for the run as given; None where it starts too far from its steady state.

        From empty, waits grow to their steady law within some relaxation times, `s (1 + 1 / (c (1 - sqrt(rho))^2))`
        (at high load the spectral gap of M/M/c is `(sqrt(c / s) - sqrt(arrivals))^2`; van Doorn, Advances in Applied
        Probability 17, 1985). That moves an attainment over the measured time by about
        `relaxation / measured * exp(-warmup / relaxation)`, of which ten times must fit between the true value and
        what is promised.
        """
        shares = self.steady(replicas)
        if shares is None:
            return None
        apart = min(abs(each - share) for each, (_, _, share) in zip(shares, self.limits, strict=True))
        return shares if TRANSIENT_FACTOR * self.transient_share(replicas * self.seats) <= apart else None

    def transient_share(self, servers: int) -> float:
        """What the start from empty may move an attainment by."""
        spare = 1 - math.sqrt(self.arrivals_per_s * self.mean_service_s / servers)
        relaxes_s = self.mean_service_s * (1 + 1 / (servers * spare**2))
        return relaxes_s / self.measured_s * math.exp(-self.warmup_s / relaxes_s)


def exact_of(fleets: Fleets) -> Exact | None:
    """The formula that is exact for the only pool of a scenario; None where there is none."""
    scenario = fleets.scenario
    if len(fleets.designs) != 1 or scenario.horizon_s is None:
        return None
    (name,) = fleets.designs
    pool = fleets.designs[name].pool
    if not isinstance(pool.replica, Slots) or not isinstance(pool.queue, Central) or pool.autoscaler.kind != "fixed":
        return None
    if pool.queue.max_waiting is not None or pool.overhead_s or pool.supply or scenario.routes:
        return None
    if not scenario.slo or any(_is_other(target.metric, target.class_name, target.tenant) for target in scenario.slo):
        return None
    # with servers enough, all that theory leaves out is what no formula here knows of
    enough = {name: min(2 * bracket(fleets, name).estimate + 1, fleets.designs[name].most)}
    found = twin(fleets.scenario_with(enough, scenario.seed)).pools[name]
    waits = [each for each in found.figures if each.path == "latency.queue_wait_s.mean"]
    if found.uncovered or not waits or waits[0].kind != "exact":
        return None
    return _exact(scenario, pool.replica.seats)


def _exact(scenario: Scenario, seats: int) -> Exact | None:
    assert scenario.horizon_s is not None
    traffic = traffic_of(scenario, list(scenario.workload.stream_names), scenario.horizon_s)
    if not isinstance(traffic.only, Poisson) or not traffic.work.exponential or not traffic.known:
        return None
    return Exact(
        traffic.rate_per_s,
        traffic.work.mean_s,
        seats,
        tuple((target.metric, target.under_s, target.share) for target in scenario.slo),
        scenario.warmup_s,
        scenario.horizon_s - scenario.warmup_s,
    )


def _is_other(metric: str, class_name: str | None, tenant: str | None) -> bool:
    """Whether an objective is none that the formula knows."""
    return metric not in ("queue_wait", "e2e") or class_name is not None or tenant is not None
