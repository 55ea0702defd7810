"""From a scenario to what theory says of it: pool by pool, with what is left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.result.twin import batches, limits, slots
from sim.result.twin.batches import BatchesCase
from sim.result.twin.engines import Engine
from sim.result.twin.slots import SlotsCase
from sim.result.twin.told import Kind, PoolTwin, Told, unique
from sim.result.twin.traffic import horizon_of, traffic_of
from sim.scenario.replica import Slots
from sim.theory.fluid import Backlog, backlog
from sim.workload.closed import Closed
from sim.workload.drawing import mean

if TYPE_CHECKING:
    from sim.scenario import Pool, Scenario

PEAK_WAITING = "timeline.waiting.max"
"""The most requests that wait at once: no key of a summary, but of the timeline."""
NO_TIME = "its requests take no time, so it carries any number"
DRAWN = "means of clamped or rounded laws are not exact: they come from draws, or leave the rounding out"
LEAST_BACKLOG = 1.0
"""Requests; less is rounding."""
APPROXIMATION: Kind = "approximation"
CLOSED = "users ask again only once they are answered: they slow down with the fleet, and never overload it"


@dataclass(frozen=True)
class Twin:
    """What theory says of a scenario, without a run."""

    scenario: Scenario
    pools: dict[str, PoolTwin]

    @property
    def figures(self) -> list[Told]:
        """Every number, with its place in a summary."""
        if len(self.pools) == 1:
            return [each for pool in self.pools.values() for each in pool.figures]
        return [each.below(f"pools.{name}.") for name, pool in self.pools.items() for each in pool.figures]

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema_version": 1,
            "name": self.scenario.name,
            "pools": {name: pool.as_document() for name, pool in self.pools.items()},
            "figures": [each.as_document() for each in self.figures],
        }


def twin(scenario: Scenario) -> Twin:
    """What theory says of a scenario. Raises DataError if a file that it rests on is wrong."""
    horizon_s = horizon_of(scenario)
    return Twin(scenario, {name: _of_pool(scenario, name, horizon_s) for name in scenario.pools})


def _of_pool(scenario: Scenario, name: str, horizon_s: float) -> PoolTwin:
    pool = scenario.pools[name]
    streams, prefills = _streams(scenario, name)
    traffic = traffic_of(scenario, streams, horizon_s)
    fleet, sent = limits.of_fleet(pool), limits.of_traffic(scenario, name, streams)
    replicas, grows = _most_replicas(pool), pool.autoscaler.kind != "fixed"
    if not traffic.parts or replicas == 0:
        why = traffic.untold or ("no stream goes here by itself" if not traffic.parts else "it has no replicas",)
        return PoolTwin(name, replicas, grows, 0.0, 0.0, None, uncovered=unique((*why, *sent, *fleet)))
    case: SlotsCase | BatchesCase
    if isinstance(pool.replica, Slots):
        case = SlotsCase(scenario, pool, replicas, traffic, limits.exponential_patience_s(scenario, streams))
        least = slots.least_replicas(case)
        if case.patience_s is not None:
            sent = tuple(why for why in sent if why != limits.PATIENCE)
    else:
        case = BatchesCase(scenario, pool, replicas, traffic, Engine(pool, traffic.work, prefills, _decodes(pool)))
        least = batches.least_replicas(case)
    if not math.isfinite(case.capacity_per_s):
        return PoolTwin(name, replicas, grows, traffic.rate_per_s, traffic.peak_per_s, None, uncovered=(NO_TIME,))
    away = (*sent, *fleet)
    waits = (*limits.of_queue(scenario, pool), *traffic.untold)
    if any(isinstance(part.arrivals, Closed) for part in traffic.parts):
        return _closed(case, name, (*away, *waits))
    over = backlog(traffic.at_s, traffic.arrived, case.capacity_per_s)
    over_or_none = over if over.peak > LEAST_BACKLOG else None
    figures: list[Told] = []
    if not away:
        figures = _figures(case, waits, over_or_none)
    return PoolTwin(
        name,
        replicas,
        grows,
        traffic.rate_per_s,
        traffic.peak_per_s,
        case.capacity_per_s,
        case.limited_by,
        tuple(figures),
        over_or_none,
        *least,
        unique((*away, *waits, *_silence(figures, away, waits), *_gathered(case, figures, waits))),
    )


def _gathered(case: SlotsCase | BatchesCase, figures: Sequence[Told], waits: tuple[str, ...]) -> tuple[str, ...]:
    """Why there is no time to the first token, where that is the one thing missing."""
    known = {each.path for each in figures}
    missing = "latency.e2e_s.mean" in known and "latency.ttft_s.mean" not in known
    return (batches.GATHER,) if missing and isinstance(case, BatchesCase) and not waits else ()


def _figures(case: SlotsCase | BatchesCase, waits: tuple[str, ...], over: Backlog | None) -> list[Told]:
    """The numbers of a pool whose fleet stays and whose requests all wait to the end."""
    told = slots.figures(case) if isinstance(case, SlotsCase) else batches.figures(case)
    if not case.traffic.known:
        told = [each.roughly(DRAWN) for each in told]
    if over is not None and not told and case.pool.queue.max_waiting is None:
        told = list(_fluid(case, over))
    if waits:
        told = [each for each in told if each.path.startswith("utilization.") or each.path == "time_average.running"]
    return told


def _fluid(case: SlotsCase | BatchesCase, over: Backlog) -> Iterator[Told]:
    """A backlog that is long enough for chance not to matter."""
    start_s, method, kind = case.scenario.warmup_s, "fluid backlog", APPROXIMATION
    assumes = ("only the mean rate counts: what is random comes on top", "service begins at full capacity")
    yield Told("latency.queue_wait_s.mean", over.mean_wait_s(start_s), method, kind, assumes)
    yield Told("time_average.waiting", over.mean_waiting(start_s), method, kind, assumes)
    yield Told(PEAK_WAITING, over.peak, method, kind, assumes)
    if isinstance(case, SlotsCase):
        left = over.arrived - over.waiting
        served = float(left[-1] - np.interp(start_s, over.at_s, left))
        busy = served / (over.at_s[-1] - start_s) / case.capacity_per_s
        yield Told("utilization.batch_share", float(busy), method, kind, assumes)
        if case.seats == 1:
            yield Told("utilization.busy_share", float(busy), method, kind, assumes)


def _closed(case: SlotsCase | BatchesCase, name: str, limits_: tuple[str, ...]) -> PoolTwin:
    """A closed population: what its users can ask at most, and all of it where all times are exponential."""
    rate = 0.0
    for part in case.traffic.parts:
        law = part.arrivals
        if isinstance(law, Closed):
            rate += law.users / max(mean(law.think_s) + case.alone_s, 1e-12)
        else:
            rate += part.rate_per_s
    most = Told("throughput.requests_per_s", min(rate, case.capacity_per_s), "asymptotic bounds", "upper bound")
    figures: tuple[Told, ...] = ()
    if not limits_:
        figures = (most,)
        if isinstance(case, SlotsCase):
            figures = tuple(slots.closed_figures(case)) or (most,)
    return PoolTwin(
        name,
        case.replicas,
        case.pool.autoscaler.kind != "fixed",
        rate,
        rate,
        case.capacity_per_s,
        case.limited_by,
        figures,
        least_why=CLOSED,
        uncovered=unique((CLOSED, *limits_)),
        closed=True,
    )


def _silence(figures: list[Told], away: tuple[str, ...], waits: tuple[str, ...]) -> tuple[str, ...]:
    """A word where nothing explains why waits are missing."""
    if away or waits or any(each.path.startswith("latency.") for each in figures):
        return ()
    return ("no formula here for waits of such arrivals, services and queue",)


def _most_replicas(pool: Pool) -> int:
    """As many as the autoscaler may want, and offers give."""
    quotas = [offer.most for offer in pool.supply]
    given = [quota for quota in quotas if quota is not None]
    wanted = pool.autoscaler.most_replicas
    return min(wanted, sum(given)) if given and len(given) == len(quotas) else wanted


def _decodes(pool: Pool) -> bool:
    return pool.kv_transfer is None


def _streams(scenario: Scenario, name: str) -> tuple[list[str], bool]:
    """The streams that a pool serves, and whether it prefills their prompts."""
    homes = dict(zip(scenario.workload.stream_names, scenario.stream_pools, strict=True))
    own = [stream for stream, home in homes.items() if home == name]
    givers = [other for other, pool in scenario.pools.items() if pool.kv_transfer and pool.kv_transfer.to == name]
    handed = [stream for stream, home in homes.items() if home in givers]
    return (own + handed, bool(own) or not handed)
