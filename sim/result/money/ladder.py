"""The commitment ladder: how many GPUs were worth reserving for the demand that the run saw, and what stays beside.

The k-th GPU is worth reserving if it is used for at least the share of hours that its reserved price is of the price on
demand: below that, paying for the hours of use alone is cheaper. Shares of hours come from the load-duration curve,
the share of the time in which at least k GPUs are paid for. (The newsvendor rule P(D > q) = reserved / on demand.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.pricing import Price
from sim.pricing.contracts import Reserved
from sim.pricing.spans import HOURS_PER_YEAR
from sim.result.money.flow import Array

if TYPE_CHECKING:
    from sim.result.money.bill import Bill
    from sim.scenario import Scenario

MOST_POINTS = 100
"""Of a load-duration curve in a summary."""


@dataclass(frozen=True)
class Load:
    """How many GPUs are paid for, as a distribution over time."""

    gpus: Array
    """Distinct levels, increasing, shape (n,)."""
    hours: Array
    """Hours at each, same shape."""

    @staticmethod
    def of(gpus: Array, length_s: Array) -> Load:
        """From the level in each bin."""
        levels, place = np.unique(gpus[length_s > 0], return_inverse=True)
        return Load(levels, np.bincount(place, weights=length_s[length_s > 0], minlength=len(levels)) / 3600)

    @property
    def total_h(self) -> float:
        """Hours in all."""
        return float(self.hours.sum())

    def share_above(self, gpus: Array) -> Array:
        """Share of the time with at least so many GPUs, same shape."""
        upto = np.concatenate(([0.0], np.cumsum(self.hours)))
        return 1 - upto[np.searchsorted(self.gpus, gpus, side="left")] / self.total_h

    def worth_reserving(self, break_even_share: float) -> float:
        """The most GPUs of which each is used for at least this share of the time."""
        worth = self.gpus[self.share_above(self.gpus) >= break_even_share]
        return float(worth[-1]) if len(worth) else 0.0

    def layers(self, reserved_gpus: float, interruptible_share: float) -> dict[str, float]:
        """GPU-hours with so many reserved: used and unused of these, on spot as much as may be, on demand the rest."""
        over = np.maximum(self.gpus - reserved_gpus, 0.0)
        spot = np.minimum(over, interruptible_share * self.gpus)
        used = np.minimum(self.gpus, reserved_gpus)
        return {
            "reserved_used": float(used @ self.hours),
            "reserved_unused": float((reserved_gpus - used) @ self.hours),
            "spot": float(spot @ self.hours),
            "on_demand": float((over - spot) @ self.hours),
        }


@dataclass(frozen=True)
class Prices:
    """USD per GPU-hour."""

    reserved: float
    on_demand: float
    spot: float | None = None
    interruptible_share: float = 0.0


def usd_of(load: Load, gpus: float, prices: Prices) -> float:
    """What the demand costs with so many GPUs reserved."""
    spot = prices.spot
    layers = load.layers(gpus, prices.interruptible_share if spot is not None else 0.0)
    reserved = layers["reserved_used"] + layers["reserved_unused"]
    return reserved * prices.reserved + layers["on_demand"] * prices.on_demand + layers["spot"] * (spot or 0.0)


def best(load: Load, prices: Prices) -> float:
    """The number of GPUs to reserve at which the demand costs least.

    Without spot it is that of the rule. With it, cost is still linear between the levels of demand and what spot leaves
    of them, so it is least at one of these, or at the whole number of GPUs below or above.
    """
    share = 0.0 if prices.spot is None else prices.interruptible_share
    if share == 0:
        return load.worth_reserving(prices.reserved / prices.on_demand)
    beside_spot = load.gpus * (1 - share)
    candidates = np.unique(np.concatenate(([0.0], load.gpus, np.floor(beside_spot), np.ceil(beside_spot))))
    return float(min(candidates.tolist(), key=lambda gpus: usd_of(load, gpus, prices)))


def ladder_block(scenario: Scenario, bill: Bill) -> dict[str, Any]:
    """By pool with a price: its load-duration curve and, for each reserved price that is known, the layers.

    `load_duration`: [GPUs, share of the time with at least so many], at most 100 points.
    """
    found = {}
    for name, pool in scenario.pools.items():
        if pool.listed is None or pool.listed.on_demand == 0:
            continue
        load = load_of(bill, name)
        if not len(load.gpus) or load.gpus[-1] == 0:
            continue
        rates = _reserved_prices(scenario, name, pool.listed)
        found[name] = {
            "usd_per_gpu_h": pool.listed.on_demand,
            "load_duration": load_duration(load),
            "layers": [
                {"name": tier, **_layer(load, rate, pool.listed, pool.interruptible_share)}
                for tier, rate in rates.items()
                if rate < pool.listed.on_demand
            ],
        }
    return found


def load_of(bill: Bill, pool: str) -> Load:
    """How many GPUs a pool paid for in the measured window, whatever they were paid by."""
    usage = bill.usage
    rows = [row for row, make in enumerate(usage.makes) if make.pool == pool]
    edges_s = np.clip(usage.edges_s, bill.window_s[0], bill.window_s[1])
    return Load.of(np.round(usage.gpus[rows].sum(axis=0), 6), np.diff(edges_s))


def load_duration(load: Load) -> list[list[float]]:
    """Points of the curve, from the highest level down to the lowest."""
    levels = load.gpus[load.gpus > 0]
    if len(levels) > MOST_POINTS:
        levels = levels[np.unique(np.linspace(0, len(levels) - 1, MOST_POINTS).astype(int))]
    shares = load.share_above(levels)
    return [[gpus, share] for gpus, share in zip(levels.tolist(), shares.tolist(), strict=True)]


def _reserved_prices(scenario: Scenario, pool: str, listed: Price) -> dict[str, float]:
    """What can be had instead of paying by the hour: listed terms, and what the scenario's own contracts pay."""
    known = {tier: usd for tier in ("reserved_1y", "reserved_3y") if (usd := getattr(listed, tier)) is not None}
    for name, contract in scenario.contracts.items():
        if isinstance(contract, Reserved) and contract.covers(pool):
            price = contract.usd_per_gpu_h(listed)
            known[name] = price if isinstance(price, float) else listed.on_demand
    return known


def _layer(load: Load, rate: float, listed: Price, interruptible_share: float) -> dict[str, Any]:
    spot_usd = listed.spot_usd
    if spot_usd is not None and spot_usd >= listed.on_demand:
        spot_usd = None  # nobody would
    prices = Prices(rate, listed.on_demand, spot_usd, interruptible_share)
    gpus = best(load, prices)
    layers = load.layers(gpus, interruptible_share if prices.spot is not None else 0.0)
    usd, without_usd = usd_of(load, gpus, prices), usd_of(load, 0.0, Prices(rate, listed.on_demand))
    return {
        "usd_per_gpu_h": rate,
        "break_even_share": rate / listed.on_demand,
        "break_even_hours_per_year": rate / listed.on_demand * HOURS_PER_YEAR,
        "gpus": gpus,
        "used_gpu_hours": layers["reserved_used"],
        "unused_gpu_hours": layers["reserved_unused"],
        "spot_gpu_hours": layers["spot"],
        "on_demand_gpu_hours": layers["on_demand"],
        "usd": usd,
        "all_on_demand_usd": without_usd,
        "saved_usd": without_usd - usd,
    }
