"""A zone of the provider that goes down."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import Count, Duration, PositiveDuration


class ZoneOutage(BaseModel):
    """Every replica in one zone is lost at once, and none can be had there until it is over."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, json_schema_extra={"required": ["kind", "at", "lasts"]}
    )

    kind: Literal["zone_outage"] = "zone_outage"
    zone: Annotated[Count, Field(description="Number of the zone, from 0, below `zones` of the offers.")] = 0
    region: Annotated[str, Field(description="Of the offers that are meant; left out: where the pool is.")] = ""
    at_s: Annotated[Duration, Field(alias="at", description="When it begins.")]
    lasts_s: Annotated[PositiveDuration, Field(alias="lasts", description="How long it takes.")]

    @property
    def until_s(self) -> float:
        """When it is over."""
        return self.at_s + self.lasts_s
