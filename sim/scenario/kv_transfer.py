"""Disaggregated serving: how KV caches get from the pool that prefills to the pool that decodes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import Duration, PositiveBandwidth


class KvTransfer(BaseModel):
    """After its prefill, a request goes on in another pool: its KV cache crosses a link, one request after another."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    to: Annotated[str, Field(description="Name of the pool that decodes.")]
    bandwidth_bytes_per_s: Annotated[
        PositiveBandwidth, Field(alias="bandwidth", description="Of the link that a replica sends over, as in 50GB/s.")
    ]
    latency_s: Annotated[Duration, Field(alias="latency", description="Seconds that every transfer takes more.")] = 0.0
    shared: Annotated[
        bool, Field(strict=True, description="All replicas send over one link, instead of each over its own.")
    ] = False
