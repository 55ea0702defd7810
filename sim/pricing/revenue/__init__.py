"""What a service earns, one file a kind; the union below is the registry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sim.pricing.revenue.base import Revenue, Use, together
from sim.pricing.revenue.free import Free
from sim.pricing.revenue.per_request import PerRequest
from sim.pricing.revenue.per_token import PerToken
from sim.pricing.revenue.subscription import Subscription

__all__ = [
    "AnyRevenue",
    "Free",
    "PerRequest",
    "PerToken",
    "Revenue",
    "Subscription",
    "Use",
    "together",
]

# The union is the registry: the loader, the error text, the JSON Schema and the contract tests read it.
AnyRevenue = Annotated[Subscription | PerToken | PerRequest | Free, Field(discriminator="kind")]
