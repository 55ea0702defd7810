"""What to know of contracts and prices before believing a bill: what has no price, is still owed, or is old."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sim.config.tree import dotted
from sim.pricing.contracts import Reserved
from sim.report.tables.ladder import ladders
from sim.report.tables.money import long_time
from sim.result import words
from sim.scenario.contracts import price_ages

if TYPE_CHECKING:
    from sim.scenario import Scenario

MOST_PLACES = 3
"""Of old prices that a note names; of the others it tells the number."""
ASSUMED = "assumed"
"""How the source of a price begins that a book has no list for."""


def contract_notes(scenario: Scenario, summary: dict[str, Any]) -> list[str]:
    """Pools without a price, contracts of which nothing was used, those that go on beyond the run, old prices."""
    contracts = (summary.get("commitments") or {}).get("contracts", {})
    contracts = {name: told for name, told in contracts.items() if told["gpus"] != 0}  # of none there is none to tell
    return [
        *_no_bill(scenario, summary),
        *_unused(contracts),
        *(_beyond(name, told) for name, told in contracts.items() if told["remaining_s"] > 0),
        *_old_prices(scenario),
        *_assumed_prices(scenario, summary),
    ]


def _no_bill(scenario: Scenario, summary: dict[str, Any]) -> list[str]:
    """Why there is no total where money was asked for: which pools have no price, or not for all of their GPUs."""
    unknown = [name for name, block in summary["pools"].items() if block["cost"]["total_usd"] is None]
    asked = scenario.contracts or scenario.slowness or scenario.revenue or len(unknown) < len(scenario.pools)
    if not unknown or not asked:
        return []
    pools = f"pool {unknown[0]}" if len(unknown) == 1 else f"pools {', '.join(unknown)}"
    beyond = " that no contract covers" if scenario.contracts else ""
    return [
        f"There is no bill: the GPUs of {pools}{beyond} have no price. Give one, such as "
        f"pools.{unknown[0]}.price: {{on_demand: $2.99/h}}."
    ]


def _unused(contracts: dict[str, dict[str, Any]]) -> list[str]:
    notes = []
    for name, told in contracts.items():
        pools = f"pool {told['pools'][0]}" if len(told["pools"]) == 1 else f"pools {', '.join(told['pools'])}"
        if told["used_share"] is None:
            notes.append(f"Contract '{name}' does not hold in the measured time: nothing of it is in the bill.")
        elif told["used_share"] == 0:
            notes.append(
                f"Nothing of contract '{name}' was used, for {words.usd(told['usd'])}: what {pools} paid for by the "
                "hour was on spot, or covered by other contracts, or there was nothing."
            )
    return notes


def _beyond(name: str, told: dict[str, Any]) -> str:
    """That a contract does not end with the run, and what is owed then."""
    left = long_time(told["remaining_s"])
    usd = words.usd(told["remaining_usd"])
    if told["kind"] == "owned":
        return (
            f"Contract '{name}' serves {left} beyond the run: {usd} of its price are not written off by then, and are "
            "not in the bill."
        )
    paid = " (all of it was paid on signing)" if told["upfront_usd"] and not told["remaining_usd"] else ""
    return f"Contract '{name}' runs {left} beyond the run: {usd} remain to be paid{paid}, and are not in the bill."


def _old_prices(scenario: Scenario) -> list[str]:
    """Prices read before the run's first day, those of one day together."""
    by_day = defaultdict(list)
    for place, day, age_s in price_ages(scenario):
        by_day[day, age_s].append(dotted(place))
    notes = []
    for (day, age_s), places in sorted(by_day.items()):
        more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
        days = words.plural(round(age_s / 86_400), "day")
        notes.append(
            f"Prices of {day}, {days} before the run's first day {scenario.starts}: "
            f"{', '.join(places[:MOST_PLACES])}{more}."
        )
    return notes


def _assumed_prices(scenario: Scenario, summary: dict[str, Any]) -> list[str]:
    """Prices that a book has no list for, where the bill or the ladder rests on them."""
    notes = []
    for name, pool in scenario.pools.items():
        if pool.listed is None:
            continue
        used = {
            "reserved": pool.listed.reserved_source if _is_reserved(scenario, summary, name) else "",
            "spot": pool.listed.spot_source if _is_on_spot(scenario, summary, name) else "",
        }
        told = [what for what, source in used.items() if source.startswith(ASSUMED)]
        if told:
            notes.append(
                f"{' and '.join(told).capitalize()} prices of pool {name} are a rule of thumb, no list prices: give "
                f"your own in pools.{name}.price."
            )
    return notes


def _is_reserved(scenario: Scenario, summary: dict[str, Any], pool: str) -> bool:
    """Whether something that is told rests on the pool's listed prices of reserved GPUs."""
    by_list = (
        contract.covers(pool) and contract.price_usd_per_gpu_h is None and contract.discount_share is None
        for contract in scenario.contracts.values()
        if isinstance(contract, Reserved)
    )
    return pool in ladders(summary) or any(by_list)


def _is_on_spot(scenario: Scenario, summary: dict[str, Any], pool: str) -> bool:
    """The same of its price of spot; an offer with a price of its own does not."""
    offers = scenario.pools[pool].supply
    by_list = any(offer.market == "spot" and offer.price is None for offer in offers)
    return by_list or (pool in ladders(summary) and scenario.pools[pool].interruptible_share > 0)
