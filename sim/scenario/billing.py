"""How a provider counts the time that a replica is paid for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import Duration


class Billing(BaseModel):
    """A replica is paid from launch to termination, in whole steps, and for a least time."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    granularity_s: Annotated[
        Duration, Field(alias="granularity", description="Paid time is rounded up to this; 0: not rounded.")
    ] = 1.0
    minimum_s: Annotated[Duration, Field(alias="minimum", description="The least that a launch costs.")] = 0.0
