"""Which of the paid GPUs contracts cover, at each instant: owned ones first, then blocks, reservations, savings plans.

What a contract does not cover goes on to the next; what is left in the end is paid at the list price. Contracts never
cover spot. Where several makes want a contract that has not enough for all, each has its share of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.pricing.contracts import AnyContract, CapacityBlock, Owned, Reserved, SavingsPlan
from sim.result.money.flow import Array, share_of
from sim.result.money.usage import Usage

if TYPE_CHECKING:
    from sim.scenario import Scenario

ORDER = (Owned, CapacityBlock, Reserved, SavingsPlan)
Capacity: TypeAlias = Owned | CapacityBlock | Reserved


@dataclass(frozen=True)
class Covered:
    """What one contract came to; arrays over the bins of the usage."""

    name: str
    contract: AnyContract
    makes: NDArray[np.bool_]
    """Whose usage it may cover, shape (makes,)."""
    gpus: Array
    """Covered GPUs, shape (makes, n)."""
    usd_per_h: Array
    """What is paid for these, same shape."""
    unused_gpus: Array
    """Shape (n,); 0 for a savings plan, which is for no number of GPUs."""
    unused_usd_per_h: Array
    """What is paid for nothing, shape (n,)."""


def covered(scenario: Scenario, usage: Usage) -> tuple[tuple[Covered, ...], Array]:
    """What the contracts cover, in their order; and the GPUs that none does, shape (makes, n)."""
    left = usage.gpus.copy()
    found = []
    for name, contract in in_order(scenario.contracts).items():
        mask = scope(usage, contract)
        is_active = (usage.edges_s[:-1] >= contract.begins_s) & (usage.edges_s[:-1] < contract.ends_s)
        wanted = np.where(mask[:, None], left, 0.0)
        if isinstance(contract, SavingsPlan):
            one = _plan(name, contract, mask, wanted, is_active, usage)
        else:
            one = _capacity(name, contract, mask, wanted, is_active, usd_per_gpu_h(scenario, contract))
        left -= one.gpus
        found.append(one)
    return tuple(found), np.maximum(left, 0.0)


def in_order(contracts: Mapping[str, AnyContract]) -> dict[str, Capacity | SavingsPlan]:
    """Those that cover usage, as they are applied."""
    return {
        name: contract
        for kind in ORDER
        for name, contract in contracts.items()
        if isinstance(contract, kind) and isinstance(contract, ORDER)
    }


def scope(usage: Usage, contract: AnyContract, spot: bool = False) -> NDArray[np.bool_]:
    """Whose usage counts for a contract, shape (makes,); `spot`: that on spot too."""
    return np.array(
        [contract.covers(make.pool) and (spot or make.terms.market != "spot") for make in usage.makes], np.bool_
    )


def usd_per_gpu_h(scenario: Scenario, contract: Capacity) -> float:
    """What a GPU-hour of a contract costs, energy excluded."""
    listed = [pool.listed for name, pool in scenario.pools.items() if contract.covers(name)]
    price = contract.usd_per_gpu_h(listed[0] if listed else None)
    assert not isinstance(price, str), price
    return price


def _capacity(
    name: str, contract: Capacity, mask: NDArray[np.bool_], wanted: Array, is_active: NDArray[np.bool_], usd: float
) -> Covered:
    there = np.where(is_active, contract.usable_gpus, 0.0)
    asked = wanted.sum(axis=0)
    used = np.minimum(asked, there)
    gpus = wanted * share_of(used, asked)
    return Covered(name, contract, mask, gpus, gpus * usd, there - used, (there - used) * usd)


def _plan(
    name: str, plan: SavingsPlan, mask: NDArray[np.bool_], wanted: Array, is_active: NDArray[np.bool_], usage: Usage
) -> Covered:
    # what has no price has none at a discount either: it is not covered, so that the bill says that it is not known
    wanted = np.where(np.isnan(usage.usd_per_gpu_h), 0.0, wanted)
    worth = wanted * np.nan_to_num(usage.usd_per_gpu_h) * (1 - plan.discount_share)
    asked = worth.sum(axis=0)
    commit = np.where(is_active, plan.commit_usd_per_h, 0.0)
    used = np.minimum(asked, commit)
    share = share_of(used, asked)
    return Covered(name, plan, mask, wanted * share, worth * share, np.zeros_like(commit), commit - used)
