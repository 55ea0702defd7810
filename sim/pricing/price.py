"""What a GPU costs an hour, by how it is had."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sim.config.units import UsdPerHour
from sim.pricing.books.currency import iso_day
from sim.pricing.spot import AnySpot


def _day(text: str) -> str:
    """A day as ISO 8601 writes it, or nothing."""
    return iso_day(text) if text else text


Day = Annotated[str, AfterValidator(_day)]


class Price(BaseModel):
    """What a GPU costs, per GPU-hour. All in USD."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    on_demand: Annotated[UsdPerHour, Field(description="USD per GPU-hour.", examples=["$2.99/h"])]
    source: Annotated[str, Field(description="Who says so.")] = ""
    as_of: Annotated[Day, Field(description="The day the price was read, as in 2026-08-26.")] = ""
    spot: Annotated[
        AnySpot | None, Field(description="USD per GPU-hour that may be taken away; or how that price moves.")
    ] = None
    spot_source: Annotated[str, Field(description="Who says so; left out: as for on_demand.")] = ""
    spot_as_of: Annotated[Day, Field(description="The day the spot price was read.")] = ""
    reserved_1y: Annotated[
        UsdPerHour | None, Field(description="USD per GPU-hour, paid for a year whether used or not.")
    ] = None
    reserved_3y: Annotated[UsdPerHour | None, Field(description="The same for three years.")] = None
    reserved_source: Annotated[str, Field(description="Who says so; left out: as for on_demand.")] = ""
    reserved_as_of: Annotated[Day, Field(description="The day the reserved prices were read.")] = ""

    @property
    def spot_usd(self) -> float | None:
        """USD per GPU-hour on spot, the mean of a price that moves; None if there is no such price."""
        return self.spot if self.spot is None or isinstance(self.spot, float | int) else self.spot.mean_usd

    @property
    def days(self) -> dict[str, date]:
        """When its figures were read, by key; those without a day are left out."""
        told = {"as_of": self.as_of, "spot_as_of": self.spot_as_of, "reserved_as_of": self.reserved_as_of}
        return {key: date.fromisoformat(text) for key, text in told.items() if text}
