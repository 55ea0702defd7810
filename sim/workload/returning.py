"""Users who come back less after slow answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import PositiveDuration, PositiveShare

__all__ = ["ComesBack"]


class ComesBack(BaseModel):
    """What a slow answer, or none, does to those who would have asked again."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    slow_s: Annotated[PositiveDuration, Field(alias="slow", description="An answer that takes longer was slow.")]
    share: Annotated[PositiveShare, Field(description="Share of users who stay away after a slow answer.")] = 1.0
    away_s: Annotated[
        PositiveDuration | None, Field(alias="away", description="How much later they ask; left out: never again.")
    ] = None
