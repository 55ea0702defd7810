"""What slow and missing answers cost, one file a kind; the union below is the registry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sim.pricing.slowness.base import Charge, Seen, Slowness
from sim.pricing.slowness.linear import Linear
from sim.pricing.slowness.lost_requests import LostRequests
from sim.pricing.slowness.lost_users import LostUsers
from sim.pricing.slowness.sla_credits import SlaCredits

__all__ = ["AnySlowness", "Charge", "Linear", "LostRequests", "LostUsers", "Seen", "SlaCredits", "Slowness"]

# The union is the registry: the loader, the error text, the JSON Schema and the tests read it.
AnySlowness = Annotated[Linear | SlaCredits | LostUsers | LostRequests, Field(discriminator="kind")]
