"""Revenue by the month and user, however much they use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim.config.said import said
from sim.config.units import PositiveCount, PositiveUsdPerMonth
from sim.pricing.revenue.base import Revenue, Use, together
from sim.pricing.scope import PerUserAndDay
from sim.pricing.spans import MONTH_S


class Subscription(Revenue):
    """Users pay by the month, however much they use; earned pro rata of the measured time (a month has 30 days)."""

    kind: Literal["subscription"]
    users_told: Annotated[
        PositiveCount | None,
        Field(alias="users", description="How many pay. Left out: as many as the requests come from."),
    ] = None
    usd_per_user_month: Annotated[PositiveUsdPerMonth, Field(alias="price", description="What each pays.")]
    requests_per_user_per_day: Annotated[
        PerUserAndDay | None,
        Field(description="What each sends a day. Left out: as measured."),
    ] = None

    @model_validator(mode="after")
    def _knows_its_users(self) -> Self:
        if self.users_told is None and self.requests_per_user_per_day is None:
            told = "is missing: how many pay, such as 2592; or give 'requests_per_user_per_day', and demand says it"
            raise said(told, "users")
        return self

    def users(self, use: Use) -> float:
        """How many pay: those told, else those that the requests come from."""
        if self.users_told is not None:
            return self.users_told
        return use.requests_per_day / (self.requests_per_user_per_day or math.inf)

    def usd(self, use: Use) -> float:
        """`users * price * time / month`."""
        return self.users(use) * self.usd_per_user_month * use.time_s / MONTH_S

    @property
    def prices(self) -> dict[str, float]:
        """Of a user and month."""
        return {"usd_per_user_month": self.usd_per_user_month}

    def split(self, uses: Sequence[Use]) -> list[float]:
        """By the requests that came: users are taken to be alike. Evenly where none came."""
        whole_usd, arrived = self.usd(together(uses)), math.fsum(use.arrived for use in uses)
        return [whole_usd * (use.arrived / arrived if arrived > 0 else 1 / len(uses)) for use in uses]
