"""What can be bought, in plain numbers: the plan's options, or where it names none what prices are listed for.

Without options: on demand at the listed price, spot where the pool says what share may be interrupted, and reserved
terms whose price is listed. Nothing is owned unless it is asked for: what buying costs is known to nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sim.config.errors import ConfigError, Problem
from sim.pricing import Price
from sim.pricing.contracts import CapacityBlock, Owned, Reserved
from sim.pricing.spans import YEAR_S
from sim.scenario import Scenario
from sim.scenario.plan_options import (
    AnyOption,
    OnDemandOption,
    OwnedOption,
    ReservedOption,
    SavingsOption,
    SpotOption,
)
from sim.scenario.plan_over_time import OverTime
from sim.study.purchased.calendar import Calendar, months_of
from sim.study.purchased.fleets import Make, made_of
from sim.study.purchased.terms import Commitment, Hourly, Period, Spending

_TERMS = (("reserved_1y", YEAR_S), ("reserved_3y", 3 * YEAR_S))
_PLACE = "plan.over_time.options"


@dataclass(frozen=True)
class Offered:
    """All options, for every GPU and region that they are for."""

    commitments: tuple[Commitment, ...]
    hourly: tuple[Hourly, ...]
    spending: tuple[Spending, ...]
    lead_s: Mapping[str, float]
    """From the order to the first use, by name of option."""


def offered(
    scenario: Scenario, over_time: OverTime, makes: Mapping[str, Sequence[Make]], regions: Sequence[str], days: Calendar
) -> Offered:
    """What can be bought for the makes of each pool, in each region. Raises `ConfigError` where a price is missing."""
    commitments: dict[tuple[int, str, str], Commitment] = {}
    hourly: dict[tuple[int, str, str], Hourly] = {}
    spending: dict[str, Spending] = {}
    lead_s: dict[str, float] = {}
    for pool, several in makes.items():
        for make in several:
            for region in regions:
                price = _price(scenario, over_time, pool, make, region)
                for index, option in _options(over_time, scenario.pools[pool].interruptible_share, price):
                    if option.gpu not in (None, make.name) or option.region not in (None, region):
                        continue
                    name = _name(option)
                    key = (index, make.name, region)
                    place = f"{_PLACE}.{index}" if over_time.options is not None else f"pools.{pool}.price"
                    if isinstance(option, OnDemandOption | SpotOption):
                        hourly[key] = _hourly(option, make, region, price, place)
                        continue
                    lead = _lead_s(option, over_time)
                    lead_s[name], first = lead, days.months_until(lead)
                    if isinstance(option, SavingsOption):
                        term = months_of(option.term_s)
                        spending[name] = Spending(name, option.discount_share, term, first, option.gpu, option.region)
                    else:
                        commitments[key] = _commitment(option, make, region, price, first, place, over_time)
    return Offered(tuple(commitments.values()), tuple(hourly.values()), tuple(spending.values()), lead_s)


def gpus_at_once(over_time: OverTime, make: Make) -> int:
    """GPUs bought at once: a node."""
    return over_time.node.get(make.name, make.gpus_per_node)


def gpus_of_a_replica(over_time: OverTime, make: Make) -> float:
    """GPUs that a replica takes away from whole nodes: what is left over on a node serves nothing."""
    node, replica = gpus_at_once(over_time, make), make.gpus_per_replica
    return node / (node // replica) if replica <= node else float(math.ceil(replica / node) * node)


def gpus_there(
    scenario: Scenario, makes: Mapping[str, Sequence[Make]], region: str, periods: Sequence[Period], days: Calendar
) -> dict[tuple[str, str, int], float]:
    """GPUs that the scenario's contracts give, by GPU, region and period; they hold from the plan's first day on."""
    found: dict[tuple[str, str, int], float] = {}
    for contract in scenario.contracts.values():
        if not isinstance(contract, Owned | Reserved | CapacityBlock):
            continue
        pool = next((name for name in makes if contract.covers(name)), None)
        if pool is None:
            continue
        gpu = makes[pool][0].name
        for place, period in enumerate(periods):
            from_s, to_s = days.days(period.month) * 86_400, days.days(period.month + period.months) * 86_400
            if contract.active_s(from_s, to_s) >= (to_s - from_s) * 0.999:
                found[gpu, region, place] = found.get((gpu, region, place), 0.0) + contract.usable_gpus
    return found


def _options(over_time: OverTime, interruptible_share: float, price: Price | None) -> Iterator[tuple[int, AnyOption]]:
    if over_time.options is not None:
        yield from enumerate(over_time.options)
        return
    yield 0, OnDemandOption(kind="on_demand")
    if price is not None and price.spot_usd is not None and interruptible_share > 0:
        yield 1, SpotOption(kind="spot")
    for place, (key, term_s) in enumerate(_TERMS, start=2):
        if price is not None and getattr(price, key) is not None:
            yield place, ReservedOption(kind="reserved", term_s=term_s)


def _price(scenario: Scenario, over_time: OverTime, pool: str, make: Make, region: str) -> Price | None:
    there = over_time.regions.get(region)
    if there is not None and make.name in there.prices:
        return there.prices[make.name]
    return made_of(scenario.pools[pool], make).listed


def _hourly(option: OnDemandOption | SpotOption, make: Make, region: str, price: Price | None, place: str) -> Hourly:
    usd = option.price_usd_per_gpu_h
    if usd is None and price is not None:
        usd = price.on_demand if isinstance(option, OnDemandOption) else price.spot_usd
    if usd is None:
        told = f"needs a 'price', such as $2.99/h: none is listed for '{make.name}' {option.kind.replace('_', ' ')}"
        raise ConfigError(Problem(told, place))
    at_once = 1
    if isinstance(option, OnDemandOption):
        at_once = option.gpus_at_once or 1
    most = math.inf if option.most is None else float(option.most)
    return Hourly(_name(option), option.kind, make.name, region, usd, at_once, most)


def _commitment(
    option: ReservedOption | OwnedOption,
    make: Make,
    region: str,
    price: Price | None,
    first: int,
    place: str,
    over_time: OverTime,
) -> Commitment:
    usd = option.usd_per_gpu_h(price)
    if isinstance(usd, str):
        raise ConfigError(Problem(usd, place))
    if isinstance(option, OwnedOption):
        usd += _busy_usd_per_h(option)
    most = math.inf if option.most is None else float(option.most)
    at_once = gpus_at_once(over_time, make)
    return Commitment(
        _name(option), option.kind, make.name, region, usd, at_once, months_of(option.lasts_s), first, most
    )


def _busy_usd_per_h(option: OwnedOption) -> float:
    """Energy of a GPU that is busy all the time, cooling included: never too little."""
    tariff = option.tariff
    mean = sum(tariff) / len(tariff) if isinstance(tariff, tuple) else tariff
    return option.watts.busy / 1000 * option.pue * mean


def _lead_s(option: ReservedOption | OwnedOption | SavingsOption, over_time: OverTime) -> float:
    return over_time.lead_s(option.kind) if option.lead_s is None else option.lead_s


def _name(option: AnyOption) -> str:
    """As the plan calls it: what is bought, and for how long; with the GPU where it is for one only."""
    told = option.kind.replace("_", " ")
    if isinstance(option, ReservedOption | SavingsOption):
        months = months_of(option.term_s)
        told += f" {months // 12}y" if months % 12 == 0 else f" {months}m"
    return told
