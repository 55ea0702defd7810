"""Revenue by the answer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sim.config.units import PositiveUsd
from sim.pricing.revenue.base import Revenue, Use


class PerRequest(Revenue):
    """Each completed answer has a price."""

    by_use: ClassVar[bool] = True
    kind: Literal["per_request"]
    usd_per_request: Annotated[PositiveUsd, Field(alias="price", description="What a completed answer costs.")]

    def usd(self, use: Use) -> float:
        """Answers times the price."""
        return use.completed * self.usd_per_request

    @property
    def prices(self) -> dict[str, float]:
        """Of a completed answer."""
        return {"usd_per_request": self.usd_per_request}
