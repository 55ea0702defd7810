"""GPUs reserved for a term, and blocks of them for some days: paid for whether used or not."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim.config.said import said
from sim.config.units import SHARE, Count, Duration, UsdPerHour
from sim.pricing.contracts.base import Contract, Term, Termed
from sim.pricing.price import Price
from sim.pricing.spans import YEAR_S

TERMS = {YEAR_S: "reserved_1y", 3 * YEAR_S: "reserved_3y"}
"""Terms that prices are listed for."""


class Reserved(Termed):
    """So many GPUs at a lower price, for a year or three (reserved instances, committed use)."""

    kind: Literal["reserved"]
    gpus: Annotated[Count, Field(description="How many GPUs.")]
    price_usd_per_gpu_h: Annotated[
        UsdPerHour | None,
        Field(alias="price", description="USD per GPU-hour, upfront payment included; left out: by `discount`."),
    ] = None
    discount_share: Annotated[
        Annotated[float, SHARE] | None,
        Field(alias="discount", description="Off the price on demand; both left out: the listed price of the term."),
    ] = None

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if self.price_usd_per_gpu_h is not None and self.discount_share is not None:
            raise said("says nothing beside 'price'; remove one", "discount")
        return self

    @property
    def usable_gpus(self) -> float:
        """GPUs that it has at any time, on average."""
        return float(self.gpus)

    def usd_per_gpu_h(self, listed: Price | None) -> float | str:
        """USD per GPU-hour, where its GPUs have this price otherwise; or why that is not known."""
        if self.price_usd_per_gpu_h is not None:
            return self.price_usd_per_gpu_h
        if listed is None:
            return "needs a 'price', such as $1.80/h: the pools that it covers have none"
        if self.discount_share is not None:
            return listed.on_demand * (1 - self.discount_share)
        known = getattr(listed, TERMS[self.term_s]) if self.term_s in TERMS else None
        if known is None:
            return "needs a 'price' or a 'discount': no reserved price of this term is known for the GPU"
        return float(known)


class CapacityBlock(Contract):
    """GPUs for some days, all paid on signing (such as EC2 Capacity Blocks)."""

    kind: Literal["capacity_block"]
    gpus: Annotated[Count, Field(description="How many GPUs.")]
    price_usd_per_gpu_h: Annotated[UsdPerHour, Field(alias="price", description="USD per GPU-hour.")]
    begins_s: Annotated[Duration, Field(alias="from", description="When the block begins, from the run's start.")]
    term_s: Annotated[Term, Field(alias="term", description="How long it is, such as 7d.")]

    @property
    def upfront_share(self) -> float:
        """All is paid on signing."""
        return 1.0

    @property
    def lasts_s(self) -> float:
        """How long it holds."""
        return self.term_s

    @property
    def usable_gpus(self) -> float:
        """GPUs that it has at any time, on average."""
        return float(self.gpus)

    def usd_per_gpu_h(self, listed: Price | None) -> float | str:
        """USD per GPU-hour."""
        return self.price_usd_per_gpu_h
