"""Whose requests an entry of a list is about: a class's, a tenant's, those of both, or everybody's."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import AMOUNT

PerUserAndDay = Annotated[float, AMOUNT.between(1e-6, 1e6)]
"""Requests that a user sends a day."""


class Scoped(BaseModel):
    """What is said of some requests only."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    class_name: Annotated[
        str | None, Field(alias="class", description="Whose requests are meant: of this class. Left out: of any.")
    ] = None
    tenant: Annotated[str | None, Field(description="The same: of this tenant.")] = None
