"""What does not fit between contracts, pools and the run; and prices that are too old for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from sim.config import catalogue
from sim.config.said import Problems
from sim.pricing import Price
from sim.pricing.contracts import AnyContract, CommittedSpend, Reserved
from sim.pricing.spans import DAY_S

if TYPE_CHECKING:
    from sim.scenario import Scenario

_UNITS = ((DAY_S, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))


def contract_problems(scenario: Scenario) -> Problems:
    """Contracts that cover nothing, come too late, have no price, or count the same things twice."""
    found: Problems = []
    for name, contract in scenario.contracts.items():
        place = ("contracts", name)
        if contract.pools == ():
            found.append(((*place, "pools"), "must name at least one pool; leave it out for all of them"))
        for index, pool in enumerate(contract.pools or ()):
            if pool not in scenario.pools:
                told = f"no pool is called '{pool}'{catalogue.did_you_mean(pool, scenario.pools)}"
                found.append(((*place, "pools", index), told))
        if scenario.horizon_s is not None and contract.begins_s >= scenario.horizon_s:
            begins, ends = _time(contract.begins_s), _time(scenario.horizon_s)
            told = f"begins at {begins}, and the run ends at {ends}: nothing of it is ever used; remove it"
            found.append(((*place, "from"), told))
        if isinstance(contract, Reserved):
            found += _unpriced(scenario, name, contract)
    return found or [*_overlaps(scenario)]


def _unpriced(scenario: Scenario, name: str, contract: Reserved) -> Problems:
    """A reservation whose price is not known, or not one."""
    covered = {pool: each.listed for pool, each in scenario.pools.items() if contract.covers(pool)}
    prices = {pool: contract.usd_per_gpu_h(listed) for pool, listed in covered.items()}
    for price in prices.values():
        if isinstance(price, str):
            return [(("contracts", name), price)]
    if len(set(prices.values())) > 1:
        each = ", ".join(f"'{pool}' ${price:.4g}/h" for pool, price in prices.items())
        return [(("contracts", name), f"needs a 'price': its pools would have different ones ({each})")]
    return []


def _overlaps(scenario: Scenario) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Pairs of contracts that hold at the same time and count the same dollar, or are the same contract twice."""
    known: list[tuple[str, AnyContract]] = []
    for name, contract in scenario.contracts.items():
        for other_name, other in known:
            later_s, sooner_s = max(contract.begins_s, other.begins_s), min(contract.ends_s, other.ends_s)
            if later_s >= sooner_s or not _meet(contract, other, scenario):
                continue
            if isinstance(contract, CommittedSpend) and isinstance(other, CommittedSpend):
                told = (
                    f"overlaps with '{other_name}': from {_time(later_s)} to {_time(sooner_s)} each dollar counts for "
                    "both; give them different 'pools', or let one begin when the other ends"
                )
                yield ("contracts", name), told
            elif contract == other:
                told = f"is the same as '{other_name}' at the same time; write one of them, for the GPUs of both"
                yield ("contracts", name), told
        known.append((name, contract))


def _meet(one: AnyContract, other: AnyContract, scenario: Scenario) -> bool:
    return any(one.covers(pool) and other.covers(pool) for pool in scenario.pools)


def stale_prices(scenario: Scenario) -> Problems:
    """Prices that were read longer before the run's first day than the scenario allows."""
    return [
        (
            place,
            f"was read on {day}, {_days(age_s)} before the run's first day {scenario.starts}; give a newer price, or "
            f"allow for it with max_price_age: {_days(age_s, 'd')}",
        )
        for place, day, age_s in price_ages(scenario)
        if age_s > scenario.max_price_age_s
    ]


def price_ages(scenario: Scenario) -> Iterator[tuple[tuple[str | int, ...], date, float]]:
    """The prices older than the run: where each stands, its day, and how many seconds older. None without `starts`."""
    if scenario.starts is None:
        return
    for place, price in _prices(scenario):
        for key, day in price.days.items():
            age_s = (scenario.starts - day).days * DAY_S
            if age_s > 0:
                yield (*place, key), day, age_s


def _prices(scenario: Scenario) -> Iterator[tuple[tuple[str | int, ...], Price]]:
    for name, pool in scenario.pools.items():
        if pool.price is not None:
            yield ("pools", name, "price"), pool.price
        elif pool.gpu is not None and pool.gpu.price is not None:
            yield ("pools", name, "gpu", "price"), pool.gpu.price
        for index, offer in enumerate(pool.supply):
            if isinstance(offer.price, Price):
                yield ("pools", name, "supply", index, "price"), offer.price


def _time(seconds: float) -> str:
    """A time from the run's start in the largest unit that it has a whole tenth of."""
    size, unit = next((each for each in _UNITS if round(seconds / each[0] * 10) >= 10), _UNITS[-1])
    return f"{round(seconds / size, 1):g}{unit}"


def _days(seconds: float, unit: str = " days") -> str:
    days = f"{seconds / DAY_S:.0f}"
    return f"{days}{unit if days != '1' else unit.removesuffix('s')}"
