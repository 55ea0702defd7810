"""Where replicas come from: offers of a provider, tried in order; quotas, stock-outs and spot reclaims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config.said import Problems, said
from sim.config.units import COUNT, DURATION, Duration, PositiveCount, Share
from sim.pricing import Price
from sim.scenario.changes import Changes
from sim.scenario.times import HourlyRate, HourlyShare, at_hour, drawn, event_s
from sim.workload.durations import AnyTime

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Delayed(BaseModel):
    """Orders that are filled late: the provider has the GPU, but not yet."""

    model_config = _CLOSED

    share: Annotated[HourlyShare, Field(description="Share of the orders not refused; or 24, by hour of the day.")]
    by_s: Annotated[AnyTime, Field(alias="by", description="How late: a duration or a law.")]


class StockOut(BaseModel):
    """What a provider that runs out of GPUs does with an order. The run begins at midnight, hour 0."""

    model_config = _CLOSED

    refused: Annotated[
        HourlyShare, Field(description="Share of orders refused at once; or 24, by hour of the day.")
    ] = 0.0
    delayed: Annotated[Delayed | None, Field(description="Orders filled late.")] = None

    def answer(self, at_s: float, rng: np.random.Generator) -> float | None:
        """Seconds that an order made at `at_s` waits beyond its boot; None if it is refused. At least two draws."""
        refused, delayed = rng.random(2).tolist()
        if refused < at_hour(self.refused, at_s):
            return None
        late = self.delayed is not None and delayed < at_hour(self.delayed.share, at_s)
        return drawn(self.delayed.by_s, rng) if late and self.delayed is not None else 0.0


class Spot(BaseModel):
    """How spot replicas are taken back.

    Hazards differ by two orders of magnitude, so there is no default: single V100 instances lost 0.1 to 0.67 times per
    available hour by zone (skypilot-org/spot-traces), while AWS's advisor puts p5 at 15 to 20 % a month, some 0.0003
    per hour. Notices: AWS 120 s (aws/karpenter-provider-aws documentation), GCP at most 30 s, Azure at least 30 s.
    """

    model_config = _CLOSED

    hazard_per_s: Annotated[
        HourlyRate,
        Field(
            alias="hazard",
            description="Rate at which each replica is taken, as in 0.05/h; or 24, by hour of the day.",
            examples=["0.05/h"],
        ),
    ]
    notice_s: Annotated[
        Duration, Field(alias="notice", description="From the notice to the end (AWS 120s, GCP and Azure 30s).")
    ] = 120.0
    batch: Annotated[
        Share,
        Field(description="Share of the other spot replicas of the zone that are taken along with one that is."),
    ] = 0.0

    def next_s(self, from_s: float, exponential: float) -> float:
        """When a replica that is there at `from_s` is picked; `exponential` is a draw of mean 1. Infinite: never."""
        return event_s(self.hazard_per_s, from_s, exponential)


Market = Literal["on_demand", "spot", "reserved"]


class Offer(Changes):
    """One way to get a replica, tried before those after it in the list."""

    name: Annotated[str, Field(min_length=1, description="As decisions and bills call it.")]
    market: Annotated[
        Market,
        Field(description="`spot` may be taken back and costs `price.spot`; `reserved` needs its own `price`."),
    ] = "on_demand"
    region: Annotated[str, Field(description="Where it is; left out: where the pool is.")] = ""
    overhead_s: Annotated[
        Duration, Field(alias="overhead", description="Seconds that every first token takes more from there.")
    ] = 0.0
    most: Annotated[
        PositiveCount | None, Field(description="Quota: replicas from this offer at once. Left out: no limit.")
    ] = None
    zones: Annotated[
        int, COUNT.between(1, 1000), Field(description="Zones that its replicas are spread over, evenly.")
    ] = 1
    stock_out: Annotated[StockOut | None, Field(description="Orders refused or filled late; left out: none.")] = None
    spot: Annotated[Spot | None, Field(description="How replicas are taken back; with `market: spot`.")] = None
    retry_s: Annotated[
        Annotated[float, DURATION.between(1, math.inf)],
        Field(alias="retry", description="A refused order leaves this offer alone for so long, at least 1s."),
    ] = 60.0

    @model_validator(mode="after")
    def _market_fits(self) -> Self:
        if self.market == "spot" and self.spot is None:
            raise said("is missing: how spot replicas are taken back, such as {hazard: 0.05/h, notice: 120s}", "spot")
        if self.market != "spot" and self.spot is not None:
            raise said(f"says nothing for market '{self.market}'; remove it, or write market: spot", "spot")
        return self


WITHOUT_LIMITS = Offer(name="on_demand")
"""What a pool that says nothing of its supply has: its own GPU at its own price, as many as it wants."""


def market_price(offer: Offer, price: Price | None) -> Price | str | None:
    """What a GPU of this offer costs in its market, as `on_demand`; or why that is not known. None: nothing is.

    `price` is what its GPU costs otherwise: the offer's own price, else the pool's, else the GPU's list price.
    """
    if price is None or offer.market == "on_demand":
        return price
    own = offer.price is not None
    spot_usd = price.spot_usd
    if offer.market == "spot" and spot_usd is not None:
        return Price(
            on_demand=spot_usd, spot=price.spot, source=price.spot_source or price.source, as_of=price.spot_as_of
        )
    if own:
        return price
    return f"is missing: no {offer.market} price is known for this GPU, such as $1.20/h"


def same_name(offers: Sequence[Offer]) -> Problems:
    """Offers that are called as one before them."""
    names = [offer.name for offer in offers]
    return [
        (("supply", index, "name"), f"two offers are called '{name}'; give each its own name")
        for index, name in enumerate(names)
        if name in names[:index]
    ]
