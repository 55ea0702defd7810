"""Bytes that leave the provider's network, and what they cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import AMOUNT, SIZE, Size, UsdPerGb

GB = 1e9


class Egress(BaseModel):
    """What sending answers costs: next to nothing for text, something for images and video."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    usd_per_gb: Annotated[UsdPerGb, Field(alias="price", description="USD per GB (10^9 bytes) sent.")]
    answer_bytes: Annotated[Size, Field(alias="per_answer", description="Bytes of an answer, whatever its length.")] = 0
    token_bytes: Annotated[
        Annotated[float, AMOUNT.between(0, SIZE.most)],
        Field(alias="per_output_token", description="Bytes of an output token, with what is around it."),
    ] = 0.0
