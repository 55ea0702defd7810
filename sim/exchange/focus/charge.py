"""One kind of charge over all periods: what its rows have in common, and the amounts that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sim.exchange.focus.columns import Row, Value, is_nothing
from sim.exchange.focus.periods import Array


@dataclass(frozen=True, eq=False)
class Charge:
    """Arrays have a value a period, shape (periods,); costs in USD."""

    about: Mapping[str, Value]
    """The columns that are the same in every row."""
    effective: Array
    """With purchases spread over what they cover; what a run has cost."""
    billed: Array
    """What is on the invoice."""
    listed: Array
    contracted: Array
    """At the prices agreed, commitment discounts left out."""
    quantity: Array | None = None
    """What prices are for; None for charges without."""
    is_consumed: bool = False
    """Whether the quantity was used, not only paid for."""
    committed: Array | None = None
    """Of a commitment: what is bought, used, or not used; in its unit."""

    def part(self, share: float, about: Mapping[str, Value]) -> Charge:
        """A share of it, with other columns laid over."""
        return replace(
            self,
            about={**self.about, **about},
            effective=self.effective * share,
            billed=self.billed * share,
            listed=self.listed * share,
            contracted=self.contracted * share,
            quantity=None if self.quantity is None else self.quantity * share,
            committed=None if self.committed is None else self.committed * share,
        )

    def row(self, place: int) -> Row | None:
        """Its row of a period; None where nothing was used and nothing is due."""
        effective, billed, listed, contracted = (
            float(each[place]) for each in (self.effective, self.billed, self.listed, self.contracted)
        )
        quantity = None if self.quantity is None else float(self.quantity[place])
        if quantity is None and is_nothing(billed) and is_nothing(effective):
            return None
        if quantity is not None and is_nothing(quantity):
            return None
        row: dict[str, Value] = {
            **self.about,
            "EffectiveCost": effective,
            "PricingCurrencyEffectiveCost": effective,
            "BilledCost": billed,
            "ListCost": listed,
            "ContractedCost": contracted,
        }
        if quantity is not None:
            list_price, price = listed / quantity, contracted / quantity
            row |= {"PricingQuantity": quantity, "ListUnitPrice": list_price, "ContractedUnitPrice": price}
            row |= {"PricingCurrencyListUnitPrice": list_price, "PricingCurrencyContractedUnitPrice": price}
        if self.is_consumed:
            row["ConsumedQuantity"] = quantity
        if self.committed is not None:
            row["CommitmentDiscountQuantity"] = float(self.committed[place])
        return row
