"""What breaks in a pool, one file a kind; the union below is the registry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sim.scenario.faults.crash import Crash
from sim.scenario.faults.zone_outage import ZoneOutage

__all__ = ["AnyFault", "Crash", "ZoneOutage"]

# The union is the registry: the loader, the error text, the JSON Schema and the contract tests read it.
AnyFault = Annotated[Crash | ZoneOutage, Field(discriminator="kind")]
