"""The `commitments` block: what each contract was worth, and which layers would have been right for this demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.pricing.contracts import AnyContract, CommittedSpend, Owned, SavingsPlan
from sim.pricing.spans import HOUR_S
from sim.result.fleet import ratio
from sim.result.money.bill import Bill, Line
from sim.result.money.cover import usd_per_gpu_h
from sim.result.money.ladder import ladder_block

if TYPE_CHECKING:
    from sim.scenario import Scenario


def commitments_block(scenario: Scenario, bill: Bill) -> dict[str, Any] | None:
    """What contracts came to in the measured window, and the ladder; None if no price is known at all.

    `used_share`: of what was paid for, what was used; worth it if at least `break_even_share`, the price under the
    contract over that without (of the hours that were covered; less energy, which is paid beside). `saved_usd`: list
    price of what was covered less the cost of the contract; energy and unused hours are part of the cost. Both are None
    where GPUs that were covered have no list price. `remaining_usd`: what is to be paid after the run's end whatever
    happens, `upfront_usd` what was paid on signing.
    """
    if bill.unknown and not scenario.contracts:
        return None
    contracts = {name: _contract(scenario, bill, name, contract) for name, contract in scenario.contracts.items()}
    return {"contracts": contracts, "ladder": ladder_block(scenario, bill)}


def _contract(scenario: Scenario, bill: Bill, name: str, contract: AnyContract) -> dict[str, Any]:
    own = [line for line in bill.lines if line.contract == name]
    used, unused = ([line for line in own if line.what == what] for what in ("usage", "unused"))
    usd, used_usd, unused_usd = (_usd(bill, lines) for lines in (own, used, unused))
    list_usd = _list_usd(bill, used)
    used_hours, unused_hours = (_hours(bill, lines) for lines in (used, unused))
    if isinstance(contract, CommittedSpend):
        discounts, missing = ([line for line in own if line.what == what] for what in ("discount", "shortfall"))
        unused_usd = _usd(bill, missing)
        per_h = contract.commit_usd_per_h
        active_h = contract.active_s(*bill.window_s.tolist()) / HOUR_S
        paid = per_h * active_h
        facts: dict[str, Any] = {
            "used_share": ratio(paid - unused_usd, paid),
            "break_even_share": 1 - contract.discount_share,
            "saved_usd": -_usd(bill, discounts) - unused_usd,
        }
    else:
        per_h = contract.commit_usd_per_h if isinstance(contract, SavingsPlan) else _per_h(scenario, contract)
        energy_usd = usd - used_usd - unused_usd
        facts = {
            "used_share": ratio(used_usd, used_usd + unused_usd),
            "break_even_share": _break_even_share(used_usd, list_usd, energy_usd),
            "saved_usd": None if list_usd is None else list_usd - usd,
        }
    whole_usd = contract.capex_usd if isinstance(contract, Owned) else per_h * contract.lasts_s / HOUR_S
    end_s = float(bill.usage.edges_s[-1])
    return {
        "kind": contract.kind,
        "pools": [pool for pool in bill.pools if contract.covers(pool)],
        "gpus": getattr(contract, "gpus", None),
        "usd_per_gpu_h": None if isinstance(contract, SavingsPlan | CommittedSpend) else _price(scenario, contract),
        "used_gpu_hours": used_hours,
        "unused_gpu_hours": unused_hours,
        "usd": usd,
        "unused_usd": unused_usd,
        **facts,
        "upfront_usd": contract.upfront_share * whole_usd,
        "remaining_s": contract.left_s(end_s),
        "remaining_usd": _remaining_usd(contract, per_h, end_s),
    }


def _list_usd(bill: Bill, used: list[Line]) -> float | None:
    """What usage would cost on demand; None if a price for some of it is not known."""
    if any(line.make is not None and not line.make.terms.priced and _hours(bill, [line]) > 0 for line in used):
        return None
    return float(sum(line.list_usd(bill.window_s)[0] for line in used))


def _break_even_share(used_usd: float, list_usd: float | None, energy_usd: float) -> float | None:
    """The share of use at which the list price of what is covered is all that the contract costs.

    None where nothing was used, or where even the energy costs more than the list price.
    """
    return None if list_usd is None or list_usd <= energy_usd else ratio(used_usd, list_usd - energy_usd)


def _remaining_usd(contract: AnyContract, per_h: float, at_s: float) -> float:
    """What is still to be paid at an instant: the rest of the term, less what was paid on signing.

    Of hardware that is owned it is what has not been written off: nobody is owed it, but it is spent.
    """
    if isinstance(contract, Owned):
        return contract.book_usd(contract.left_s(at_s))
    return per_h * contract.left_s(at_s) / HOUR_S * (1 - contract.upfront_share)


def _per_h(scenario: Scenario, contract: Any) -> float:
    """USD an hour that a contract for GPUs costs."""
    return float(contract.usable_gpus * _price(scenario, contract))


def _price(scenario: Scenario, contract: Any) -> float:
    return usd_per_gpu_h(scenario, contract)


def _usd(bill: Bill, lines: list[Line]) -> float:
    return float(sum(line.usd(bill.window_s)[0] for line in lines))


def _hours(bill: Bill, lines: list[Line]) -> float:
    return float(sum(line.gpu_hours(bill.window_s)[0] for line in lines))
