"""How many GPUs are paid for at each instant, by make; and what each make costs without a contract then."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.pricing.spans import HOUR_S
from sim.result.money import billing
from sim.result.money.billing import Terms
from sim.result.money.flow import Array
from sim.workload.randomness import named_rng

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario


@dataclass(frozen=True)
class Make:
    """Replicas of one pool that are paid in the same way."""

    place: int
    """Of its pool."""
    pool: str
    number: int
    terms: Terms


@dataclass(frozen=True)
class Usage:
    """Paid GPUs over time."""

    makes: tuple[Make, ...]
    edges_s: Array
    """From 0 to the horizon, shape (n + 1,): no count, no price and no contract changes within a bin."""
    gpus: Array
    """Shape (makes, n)."""
    usd_per_gpu_h: Array
    """What they cost without a contract, shape (makes, n); NaN where that is not known."""


def usage_of(scenario: Scenario, log: RunLog, also_s: Iterable[float]) -> Usage:
    """The usage of a run; `also_s`: instants at which something else changes."""
    makes = makes_of(scenario)
    end_s = float(log.edges_s[-1])
    spans = log.spans[np.isfinite(log.spans["launched_s"])]
    until_s = billing.paid_until_s(spans, dict(enumerate(scenario.pools.values())))
    begins_s, ends_s = (np.clip(times_s, 0.0, end_s) for times_s in (spans["launched_s"], until_s))
    hours_s = _hours_s(end_s) if any(make.terms.moves is not None for make in makes) else np.zeros(0)
    other_s = np.array([at_s for at_s in also_s if 0 < at_s < end_s])
    edges_s = np.unique(np.concatenate((begins_s, ends_s, hours_s, other_s, (0.0, float(scenario.warmup_s), end_s))))
    edges_s = edges_s[edges_s <= end_s]
    gpus = np.zeros((len(makes), len(edges_s)))
    for row, make in enumerate(makes):
        own = (spans["pool"] == make.place) & (spans["make"] == make.number)
        for times_s, step in ((begins_s[own], 1.0), (ends_s[own], -1.0)):
            np.add.at(gpus[row], np.searchsorted(edges_s, times_s), step * make.terms.gpus_per_replica)
    prices = [_price(scenario, log.replication, make, edges_s) for make in makes]
    return Usage(makes, edges_s, np.cumsum(gpus, axis=1)[:, :-1], np.array(prices))


def makes_of(scenario: Scenario) -> tuple[Make, ...]:
    """The makes of all pools, pool by pool, in the order of their numbers."""
    return tuple(
        Make(place, name, number, term)
        for place, (name, pool) in enumerate(scenario.pools.items())
        for number, term in enumerate(billing.terms(pool))
    )


def _hours_s(end_s: float) -> Array:
    return np.arange(HOUR_S, end_s, HOUR_S)


def _price(scenario: Scenario, replication: int, make: Make, edges_s: Array) -> Array:
    """USD per GPU-hour in each bin."""
    term = make.terms
    if not term.priced:
        return np.full(len(edges_s) - 1, np.nan)
    if term.moves is None:
        return np.full(len(edges_s) - 1, term.usd_per_replica_hour / term.gpus_per_replica)
    # one market: pools and offers that buy the same GPU in the same region see the same price
    rng = named_rng(scenario.seed, replication, "spot_price", f"{term.gpu or make.pool} {term.region}")
    prices = term.moves.hours(rng, max(math.ceil(float(edges_s[-1]) / HOUR_S), 1))
    return np.asarray(prices[(edges_s[:-1] // HOUR_S).astype(np.int64)], np.float64)
