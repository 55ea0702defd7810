"""Data sheets as `configs/gpus` and `configs/models` hold them: figures with their source, nothing computed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config.units import Bandwidth, PositiveAmount, PositiveCount, PositiveSize, Share, UsdPerHour
from sim.hardware.latency import Latency

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Price(BaseModel):
    """What a GPU costs."""

    model_config = _CLOSED

    on_demand: Annotated[UsdPerHour, Field(description="USD per GPU-hour.", examples=["$2.99/h"])]
    source: Annotated[str, Field(description="Who says so.")] = ""
    as_of: Annotated[str, Field(description="The day the price was read, as in 2026-08-26.")] = ""


class GpuSheet(BaseModel):
    """One GPU type."""

    model_config = _CLOSED

    name: Annotated[str, Field(min_length=1, description="Name, as models' coefficients refer to it.")]
    description: Annotated[str, Field(description="The card in words.")] = ""
    memory_bytes: Annotated[PositiveSize, Field(alias="memory", description="GPU memory.")]
    memory_bandwidth_bytes_per_s: Annotated[
        Bandwidth | None, Field(alias="memory_bandwidth", description="GPU memory bandwidth.")
    ] = None
    bf16_flops: Annotated[PositiveAmount | None, Field(description="Dense bf16 operations per second.")] = None
    fp8_flops: Annotated[PositiveAmount | None, Field(description="Dense fp8 operations per second.")] = None
    tdp_w: Annotated[PositiveAmount | None, Field(description="Thermal design power, watts.")] = None
    price: Annotated[Price | None, Field(description="List price; a pool's own price goes before it.")] = None
    source: Annotated[str, Field(description="Where the figures come from.")] = ""


class Coefficients(Latency):
    """The iteration time of a model on one kind of replica, measured or derived."""

    gpu: Annotated[str, Field(min_length=1, description="Name of the GPU.")]
    gpus_per_replica: Annotated[PositiveCount, Field(description="GPUs that serve one replica together.")]
    decode_error_share: Annotated[
        Share | None, Field(description="Mean absolute error of the fit for iterations that only decode.")
    ] = None
    mixed_error_share: Annotated[
        Share | None, Field(description="Mean absolute error of the fit for iterations that also prefill.")
    ] = None
    source: Annotated[str, Field(description="Where the figures come from.")] = ""

    @property
    def law(self) -> Latency:
        """The bare law, without where it holds and where it is from."""
        return Latency(**{name: getattr(self, name) for name in Latency.model_fields})


class ModelSheet(BaseModel):
    """One language model: its shape, and how fast it runs where that is known."""

    model_config = _CLOSED

    name: Annotated[str, Field(min_length=1, description="Name of the model.")]
    description: Annotated[str, Field(description="The model in words.")] = ""
    parameters: Annotated[PositiveCount, Field(description="Number of parameters.")]
    layers: Annotated[PositiveCount, Field(description="Transformer layers.")]
    hidden: Annotated[PositiveCount, Field(description="Width of the hidden state.")]
    heads: Annotated[PositiveCount, Field(description="Attention heads.")]
    kv_heads: Annotated[
        PositiveCount, Field(description="Key-value heads: fewer than heads with grouped-query attention.")
    ]
    head_dim: Annotated[PositiveCount, Field(description="Width of one head.")]
    bytes_per_parameter: Annotated[PositiveAmount, Field(description="2 for 16-bit weights, 1 for 8-bit.")] = 2.0
    bytes_per_kv_value: Annotated[PositiveAmount, Field(description="2 for a 16-bit KV cache, 1 for fp8.")] = 2.0
    coefficients: Annotated[
        tuple[Coefficients, ...], Field(description="Iteration time by GPU and GPUs per replica.")
    ] = ()
    source: Annotated[str, Field(description="Where the figures come from.")] = ""

    def latency_on(self, gpu: str, gpus_per_replica: int) -> Latency | None:
        """The iteration time on this many of this GPU, or nothing if the sheet does not know."""
        for row in self.coefficients:
            if row.gpu == gpu and row.gpus_per_replica == gpus_per_replica:
                return row.law
        return None
