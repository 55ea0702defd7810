"""No revenue, said so."""

from __future__ import annotations

from typing import Literal

from sim.pricing.revenue.base import Revenue, Use


class Free(Revenue):
    """A free tier: these requests earn nothing, and others pay for them."""

    kind: Literal["free"]

    def usd(self, use: Use) -> float:
        """Nothing."""
        return 0.0
