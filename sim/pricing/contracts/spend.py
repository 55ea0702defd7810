"""Commitments to spend: so much an hour at lower prices, or so much over the term for a discount on all of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.config.units import SHARE, USD, USD_PER_HOUR
from sim.pricing.contracts.base import Termed

_Discount = Annotated[float, SHARE.between(0, 0.99)]


class SavingsPlan(Termed):
    """So many USD an hour, for which GPUs are had at a discount; what is beyond it is paid at the list price.

    Paid whether used or not. What is used counts at the discounted price (AWS savings plans).
    """

    kind: Literal["savings_plan"]
    commit_usd_per_h: Annotated[
        Annotated[float, USD_PER_HOUR.positive()],
        Field(alias="commit", description="USD an hour, at the plan's prices."),
    ]
    discount_share: Annotated[_Discount, Field(alias="discount", description="Off the price on demand.")]


class CommittedSpend(Termed):
    """So many USD over the term, for a discount on all that is bought on demand or spot (enterprise agreements).

    What is not spent by the end is charged all the same. A run measures a part of the term: the charge is that of the
    same pace, commitment pro rata of the measured time.
    """

    kind: Literal["committed_spend"]
    commit_usd: Annotated[
        Annotated[float, USD.positive()], Field(alias="commit", description="USD over the whole term.")
    ]
    discount_share: Annotated[_Discount, Field(alias="discount", description="Off every price, on demand and spot.")]

    @property
    def commit_usd_per_h(self) -> float:
        """The commitment by the hour."""
        return self.commit_usd / (self.term_s / 3600)
