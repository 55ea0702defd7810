"""Those who send the requests of a stream, and what they do of their own accord."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import PositiveCount

__all__ = ["Clients"]


class Clients(BaseModel):
    """The clients of one stream, taken together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_in_flight: Annotated[
        PositiveCount | None,
        Field(
            description="Requests under way at once; more are held back by the client, and count from when it sends."
        ),
    ] = None
