"""Contracts: what is paid for capacity or spending whether it is used or not. One kind a class, one union of them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from sim.pricing.contracts.base import Contract
from sim.pricing.contracts.owned import Owned
from sim.pricing.contracts.reserved import CapacityBlock, Reserved
from sim.pricing.contracts.spend import CommittedSpend, SavingsPlan

__all__ = ["AnyContract", "CapacityBlock", "CommittedSpend", "Contract", "Owned", "Reserved", "SavingsPlan"]

# The union is the registry.
AnyContract: TypeAlias = Annotated[
    Owned | CapacityBlock | Reserved | SavingsPlan | CommittedSpend, Field(discriminator="kind")
]
