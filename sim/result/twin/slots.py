"""What theory says of a pool of slots: servers that each take a request for its own time of service."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.result.latency import QUANTILES
from sim.result.twin.lines import Asked, Line, by_lot, in_turn, line
from sim.result.twin.told import Kind, Told
from sim.result.twin.traffic import Traffic
from sim.scenario.queues import PerReplica
from sim.theory import MMc, Waits, closed, erlang_a, erlang_b, least_servers, mmck
from sim.workload.arrivals import Poisson, Varying
from sim.workload.closed import Closed
from sim.workload.distributions import Exponential

if TYPE_CHECKING:
    from sim.scenario import Pool, Scenario

STEADY = "steady state, though the run starts empty"
BALANCED = "the router keeps replicas between one shared line and a draw by lot"
_PIECES = 200
_LONGEST = 100_000
"""Requests in a line that is limited; of longer ones it takes too long to tell."""
_MIDDLES = (np.arange(64) + 0.5) / 64


@dataclass(frozen=True)
class SlotsCase:
    """A pool of slots and what comes to it."""

    scenario: Scenario
    pool: Pool
    replicas: int
    traffic: Traffic
    patience_s: float | None

    @property
    def seats(self) -> int:
        return self.pool.replica.seats

    @property
    def servers(self) -> int:
        return self.replicas * self.seats

    @property
    def capacity_per_s(self) -> float:
        """Requests a second that all servers can finish."""
        mean_s = self.traffic.work.mean_s
        return self.servers / mean_s if mean_s > 0 else math.inf

    @property
    def limited_by(self) -> str:
        """What sets the capacity."""
        return f"{self.servers} slots, {self.alone_s:.3g} s a request"

    @property
    def alone_s(self) -> float:
        """Seconds that a request takes with nobody else there."""
        return self.traffic.work.mean_s

    @property
    def one_line(self) -> bool:
        """Whether all servers take from one line."""
        return not isinstance(self.pool.queue, PerReplica) or self.replicas == 1

    def asked(self, rate_per_s: float | None = None) -> Asked:
        """What comes to it; at another rate, as a Poisson process."""
        traffic = self.traffic
        if rate_per_s is not None:
            return Asked(rate_per_s, Poisson(rate=rate_per_s), 1.0, traffic.work)
        dispersion = traffic.dispersion
        assert dispersion is not None
        return Asked(traffic.rate_per_s, traffic.only, dispersion, traffic.work)


def figures(case: SlotsCase) -> list[Told]:
    """All that there is a formula for; the pool is fixed and nothing but its line keeps requests."""
    traffic, work = case.traffic, case.traffic.work
    if case.patience_s is not None:
        return _impatient(case) if case.one_line and _memoryless(case) and case.pool.queue.max_waiting is None else []
    if case.pool.queue.max_waiting is not None:
        return _limited(case)
    if traffic.peak_per_s * work.mean_s >= case.servers:
        return []
    found = list(_loads(case))
    if traffic.steady and traffic.dispersion is not None:
        found += _waits(case)
    elif traffic.dispersion is None and is_slow(case):
        found += _piecewise(case)
    return found


def is_slow(case: SlotsCase) -> bool:
    """Whether the rate changes slowly beside the time in which the line forgets, and never beyond capacity."""
    traffic = case.traffic
    if traffic.steady or not _poisson_at_any_time(traffic):
        return False
    peak = traffic.peak_per_s * traffic.work.mean_s / case.servers
    if peak >= 1:
        return False
    relaxes_s = traffic.work.mean_s * (1 + 1 / (case.servers * (1 - math.sqrt(peak)) ** 2))
    return 10 * relaxes_s < traffic.changes_s


def least_replicas(case: SlotsCase) -> tuple[int | None, str]:
    """The smallest fleet for the objectives at the highest rate, as one line, and what was looked for."""
    traffic, work = case.traffic, case.traffic.work
    rate = traffic.peak_per_s
    targets = [target for target in case.scenario.slo if target.metric in ("queue_wait", "ttft", "e2e")]
    dispersion = traffic.dispersion if traffic.steady and traffic.dispersion is not None else 1.0
    squares = (dispersion + work.scv) / 2

    def met(replicas: int) -> bool:
        servers = replicas * case.seats
        if rate * work.mean_s >= servers:
            return False
        plain = MMc(servers, rate, work.mean_s)
        waits = Waits(plain.wait_share, plain.mean_wait_s * squares)
        return all(_missed(target.metric, target.under_s, waits, case) <= 1 - target.share for target in targets)

    load = rate * work.mean_s / case.seats
    if not load > 0:
        return None, "nothing comes"
    hopeless = [
        f"{target.metric} under {target.under_s:g} s"
        for target in targets
        if _missed(target.metric, target.under_s, Waits(0.0, 0.0), case) > 1 - target.share
    ]
    if hopeless:
        return None, f"no fleet: services alone take too long for {' and '.join(hopeless)}"
    what = "for the objectives" if targets else "to be stable"
    when = "" if traffic.steady else ", when most come"
    return least_servers(load, met, 10_000_000), f"{what}{when}, all taking from one line"


def _missed(metric: str, under_s: float, waits: Waits, case: SlotsCase) -> float:
    """Share of requests that miss an objective."""
    if metric == "queue_wait":
        return waits.wait_exceeds(under_s)
    under_s -= case.pool.overhead_s
    work = case.traffic.work
    sample_s = work.sample_s if work.sample_s is not None else np.full(1, work.mean_s)
    left_s = under_s - sample_s
    late = left_s < 0
    if late.all():
        return 1.0
    rest = [waits.wait_exceeds(float(each)) for each in np.quantile(left_s[~late], _MIDDLES)]
    return float(late.mean() + (1 - late.mean()) * np.mean(rest))


def _memoryless(case: SlotsCase) -> bool:
    return isinstance(case.traffic.only, Poisson) and case.traffic.work.exponential


def _poisson_at_any_time(traffic: Traffic) -> bool:
    """Whether arrivals are Poisson with a rate that is known at any time."""
    return all(isinstance(part.arrivals, Poisson | Varying) for part in traffic.parts)


def _loads(case: SlotsCase) -> Iterator[Told]:
    """How many run: rate times service, whoever waits."""
    traffic = case.traffic
    running = traffic.rate_per_s * traffic.work.mean_s
    kind: Kind = "exact" if traffic.steady else "approximation"
    if not traffic.steady:  # of the measured time alone, as those in service then came a service earlier
        start_s = case.scenario.warmup_s
        mean_rate = (traffic.arrived[-1] - float(np.interp(start_s, traffic.at_s, traffic.arrived))) / (
            traffic.horizon_s - start_s
        )
        running = float(mean_rate) * traffic.work.mean_s
    assumes = (STEADY,)
    yield Told("utilization.batch_share", running / case.servers, "load over servers", kind, assumes)
    if case.seats == 1:
        yield Told("utilization.busy_share", running / case.servers, "load over servers", kind, assumes)
    yield Told("time_average.running", running, "Little's law", kind, assumes)


def _waits(case: SlotsCase) -> list[Told]:
    """The waits of a steady stream."""
    asked = case.asked()
    if case.one_line:
        found = line(case.servers, asked)
        return [] if found is None else list(_of_line(case, found))
    queue = case.pool.queue
    assert isinstance(queue, PerReplica)
    router = queue.routing
    if router.kind in ("random", "round_robin"):
        part = by_lot(asked, case.replicas) if router.kind == "random" else in_turn(asked, case.replicas)
        found = line(case.seats, part)
        return [] if found is None else list(_of_line(case, found))
    if router.kind not in ("least_outstanding", "power_of_two") or router.refresh_s is not None:
        return []
    best, worst = line(case.servers, asked), line(case.seats, by_lot(asked, case.replicas))
    return list(_bound(case, best, "lower bound")) + list(_bound(case, worst, "upper bound"))


def _of_line(case: SlotsCase, found: Line) -> Iterator[Told]:
    """The figures of a line, or of each of several that are alike."""
    assumes, rate = (STEADY, *found.assumes), case.traffic.rate_per_s
    service_s, overhead_s = case.traffic.work.mean_s, case.pool.overhead_s

    def told(path: str, value: float, kind: Kind | None = None) -> Told:
        return Told(path, value, found.method, found.kind if kind is None else kind, assumes)

    yield told("latency.queue_wait_s.mean", found.mean_wait_s)
    yield told("latency.e2e_s.mean", found.mean_wait_s + service_s + overhead_s)
    yield told("time_average.waiting", rate * found.mean_wait_s)
    yield told("time_average.in_system", rate * (found.mean_wait_s + service_s))
    if found.tail is not None:
        for name, share in QUANTILES.items():
            yield told(f"latency.queue_wait_s.{name}", found.tail.wait_quantile_s(share), found.tail_kind)
    if found.sojourns is not None:
        for name, share in QUANTILES.items():
            yield told(f"latency.e2e_s.{name}", found.sojourns.sojourn_quantile_s(share) + overhead_s, found.tail_kind)
    for place, target in enumerate(case.scenario.slo):
        if target.class_name is not None or target.tenant is not None:
            continue
        if target.metric == "queue_wait" and found.tail is not None:
            yield told(f"slo.{place}.attained", 1 - found.tail.wait_exceeds(target.under_s), found.tail_kind)
        elif target.metric == "e2e" and found.sojourns is not None:
            under_s = max(target.under_s - overhead_s, 0.0)
            yield told(f"slo.{place}.attained", 1 - found.sojourns.sojourn_exceeds(under_s), found.tail_kind)


def _bound(case: SlotsCase, found: Line | None, kind: Kind) -> Iterator[Told]:
    """Means of a line that bounds what a router does."""
    if found is None:
        return
    method = f"{found.method}, {'one shared line' if kind == 'lower bound' else 'each replica by lot'}"
    assumes = (STEADY, BALANCED, *found.assumes)
    work, rate = case.traffic.work, case.traffic.rate_per_s
    yield Told("latency.queue_wait_s.mean", found.mean_wait_s, method, kind, assumes)
    yield Told("latency.e2e_s.mean", found.mean_wait_s + work.mean_s + case.pool.overhead_s, method, kind, assumes)
    yield Told("time_average.in_system", rate * (found.mean_wait_s + work.mean_s), method, kind, assumes)


def _piecewise(case: SlotsCase) -> list[Told]:
    """Waits of a rate that changes slowly: at each time those of a steady line with that rate."""
    if not case.one_line:
        return []
    traffic, start_s = case.traffic, case.scenario.warmup_s
    edges_s = np.linspace(start_s, traffic.horizon_s, _PIECES + 1)
    came = np.diff(np.interp(edges_s, traffic.at_s, traffic.arrived))
    rates = came / np.diff(edges_s)
    waits_s = np.array([_steady_wait_s(case, float(rate)) for rate in rates])
    mean_s = float(came @ waits_s / came.sum()) if came.sum() > 0 else 0.0
    method = f"M/G/{case.servers} by pieces of time (pointwise stationary)"
    assumes = (f"the rate changes slowly beside a service of {traffic.work.mean_s:.3g} s",)
    mean_rate = float(came.sum()) / (traffic.horizon_s - start_s)
    told: list[tuple[str, float]] = [
        ("latency.queue_wait_s.mean", mean_s),
        ("latency.e2e_s.mean", mean_s + traffic.work.mean_s + case.pool.overhead_s),
        ("time_average.waiting", mean_s * mean_rate),
    ]
    return [Told(path, value, method, "approximation", assumes) for path, value in told]


def _steady_wait_s(case: SlotsCase, rate_per_s: float) -> float:
    if rate_per_s <= 0:
        return 0.0
    found = line(case.servers, case.asked(rate_per_s))
    assert found is not None
    return found.mean_wait_s


def _impatient(case: SlotsCase) -> list[Told]:
    """Erlang A: exponential patience. At any load."""
    assert case.patience_s is not None
    traffic, measured_s = case.traffic, case.traffic.horizon_s - case.scenario.warmup_s
    if not traffic.steady:
        return []
    found = erlang_a(case.servers, traffic.rate_per_s, traffic.work.mean_s, case.patience_s)
    lost_per_s = traffic.rate_per_s * found.abandoned_share
    told: list[tuple[str, float]] = [
        ("utilization.batch_share", found.utilization_share),
        *([("utilization.busy_share", found.utilization_share)] if case.seats == 1 else []),
        ("time_average.waiting", found.mean_waiting),
        ("time_average.running", found.mean_running),
        ("time_average.in_system", found.mean_in_system),
        ("requests.abandoned", lost_per_s * measured_s),
        ("throughput.requests_per_s", found.throughput_per_s),
    ]
    name = f"M/M/{case.servers}+M (Erlang A)"
    return [Told(path, value, name, "exact", (STEADY,)) for path, value in told]


def _limited(case: SlotsCase) -> list[Told]:
    """Lines of limited length: Erlang's loss formula, or M/M/c/K."""
    traffic, room = case.traffic, case.pool.queue.max_waiting
    assert room is not None
    poisson = traffic.steady and isinstance(traffic.only, Poisson)
    if not poisson or not (case.one_line or _by_lot(case)) or not (traffic.work.exponential or room == 0):
        return []
    lines = 1 if case.one_line else case.replicas
    servers, rate = case.servers // lines, traffic.rate_per_s / lines
    if servers + room > _LONGEST:
        return []
    measured_s = traffic.horizon_s - case.scenario.warmup_s
    load = rate * traffic.work.mean_s
    if room == 0:
        blocked, waiting, name = erlang_b(servers, load), 0.0, f"M/G/{servers}/{servers} (Erlang B)"
    else:
        chain = mmck(servers, rate, traffic.work.mean_s, servers + room)
        blocked, waiting, name = chain.rejected_share, chain.mean_waiting, f"M/M/{servers}/{servers + room}"
    running = load * (1 - blocked)
    served_per_s = rate * (1 - blocked)
    told: list[tuple[str, float]] = [
        ("utilization.batch_share", running / servers),
        *([("utilization.busy_share", running / servers)] if case.seats == 1 else []),
        ("time_average.waiting", lines * waiting),
        ("time_average.running", lines * running),
        ("time_average.in_system", lines * (waiting + running)),
        ("requests.rejected", traffic.rate_per_s * blocked * measured_s),
        ("throughput.requests_per_s", traffic.rate_per_s * (1 - blocked)),
        ("latency.queue_wait_s.mean", waiting / served_per_s),
        ("latency.e2e_s.mean", waiting / served_per_s + traffic.work.mean_s + case.pool.overhead_s),
    ]
    return [Told(path, value, name, "exact", (STEADY,)) for path, value in told]


def closed_figures(case: SlotsCase) -> list[Told]:
    """M/M/c//N: one stream of users who think for an exponential time, before one line of exponential services."""
    law = case.traffic.only
    if not isinstance(law, Closed) or law.ramp_s or not case.traffic.work.exponential or not case.one_line:
        return []
    think = law.think_s
    if not isinstance(think, Exponential) or think.min is not None or think.max is not None:
        return []
    if case.pool.queue.max_waiting is not None or law.comes_back is not None:
        return []
    found = closed(law.users, case.servers, think.mean, case.traffic.work.mean_s)
    told: list[tuple[str, float]] = [
        ("utilization.batch_share", found.mean_running / case.servers),
        ("time_average.in_system", found.mean_in_system),
        ("time_average.running", found.mean_running),
        ("throughput.requests_per_s", found.throughput_per_s),
        ("latency.queue_wait_s.mean", found.mean_wait_s),
        ("latency.e2e_s.mean", found.mean_sojourn_s + case.pool.overhead_s),
    ]
    name = f"M/M/{case.servers}//{law.users} (closed)"
    return [Told(path, value, name, "exact", (STEADY,)) for path, value in told]


def _by_lot(case: SlotsCase) -> bool:
    queue = case.pool.queue
    return isinstance(queue, PerReplica) and queue.routing.kind == "random"
