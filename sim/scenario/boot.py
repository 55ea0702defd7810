"""How long a new replica takes to be ready: a duration, a law, or four stages as the presets of `configs/boot` hold."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sim.config.units import Duration, PositiveSize
from sim.scenario.times import AnyBandwidth, drawn, mean
from sim.workload.distributions import DurationLaw
from sim.workload.durations import AnyTime
from sim.workload.law import Distribution

Stage = Literal["node", "image", "weights", "engine"]
StageTimes = tuple[float, float, float, float]
"""Seconds of node, image, weights and engine, one after another."""


class ByBytes(BaseModel):
    """A stage that takes longer the larger the weights are: bytes over a rate, and a time whatever their size."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    bytes_per_s: Annotated[AnyBandwidth, Field(description="Weights over this: a bandwidth, or a law of one.")]
    overhead_s: Annotated[
        AnyTime, Field(alias="overhead", description="Seconds whatever the size: a duration or a law.")
    ] = 0.0
    size_bytes: Annotated[
        PositiveSize | None, Field(alias="size", description="Bytes of weights; left out: the model's.")
    ] = None

    def draw_s(self, rng: np.random.Generator, weight_bytes: float) -> float:
        """Seconds for weights of this size."""
        rate = drawn(self.bytes_per_s, rng)
        return (self.size_bytes or weight_bytes) / max(rate, 1.0) + drawn(self.overhead_s, rng)


def _stage_kind(value: Any) -> str:
    if not isinstance(value, Mapping | BaseModel):
        return "duration"
    told = value if isinstance(value, Mapping) else type(value).model_fields
    return "law" if "kind" in told else "by_bytes"


if TYPE_CHECKING:
    AnyStage: TypeAlias = float | Distribution[float] | ByBytes
else:
    AnyStage = Annotated[
        Annotated[Duration, Tag("duration")] | Annotated[DurationLaw, Tag("law")] | Annotated[ByBytes, Tag("by_bytes")],
        Discriminator(_stage_kind),
    ]


class Boot(BaseModel):
    """From the order of a replica to its first request, in four stages: a preset, or one's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(description="Name of the preset.")] = ""
    description: Annotated[str, Field(description="Cloud, storage and loader in words.")] = ""
    node: Annotated[AnyTime, Field(description="Until a machine with its GPUs is there: a duration or a law.")] = 0.0
    image: Annotated[AnyTime, Field(description="To pull and unpack the container's image.")] = 0.0
    weights: Annotated[
        AnyStage, Field(description="To load the model's weights: a duration, a law, or `{bytes_per_s, overhead}`.")
    ] = 0.0
    engine: Annotated[
        AnyStage, Field(description="Start of the engine: imports, profiling, compilation, CUDA graphs; as weights.")
    ] = 0.0
    sources: Annotated[dict[Stage, str], Field(description="Where the figures come from, by stage.")] = {}

    @property
    def needs_bytes(self) -> bool:
        """Whether a stage asks for the size of the model's weights."""
        return any(isinstance(stage, ByBytes) and stage.size_bytes is None for stage in (self.weights, self.engine))

    @cached_property
    def is_instant(self) -> bool:
        """Whether a replica is ready the moment it is ordered."""
        stages = (self.node, self.image, self.weights, self.engine)
        return all(isinstance(stage, int | float) and stage == 0 for stage in stages)

    def stages(self, rng: np.random.Generator, weight_bytes: float | None = None) -> StageTimes:
        """Seconds of node, image, weights and engine, drawn from `rng` in this order; numbers draw nothing.

        `weight_bytes` may be None when no stage asks for it (`needs_bytes`).
        """
        size = 0.0 if weight_bytes is None else weight_bytes
        node_s, image_s = drawn(self.node, rng), drawn(self.image, rng)
        return node_s, image_s, _draw_s(self.weights, rng, size), _draw_s(self.engine, rng, size)

    def mean_s(self, weight_bytes: float | None = None, draws: int = 256) -> float:
        """Mean seconds from order to ready: exact but for stages by bytes, which are averaged over fixed draws."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(0)))
        size = 0.0 if weight_bytes is None else weight_bytes
        total = mean(self.node) + mean(self.image)
        for stage in (self.weights, self.engine):
            if isinstance(stage, ByBytes):
                total += sum(stage.draw_s(rng, size) for _ in range(draws)) / draws
            else:
                total += mean(stage)
        return total


def _draw_s(stage: float | Distribution[float] | ByBytes, rng: np.random.Generator, weight_bytes: float) -> float:
    return stage.draw_s(rng, weight_bytes) if isinstance(stage, ByBytes) else drawn(stage, rng)


def _boot_kind(value: Any) -> str:
    if not isinstance(value, Mapping | BaseModel):
        return "duration"
    if isinstance(value, Boot):
        return "stages"
    return "law" if isinstance(value, BaseModel) or "kind" in value else "stages"


if TYPE_CHECKING:
    AnyBoot: TypeAlias = float | Distribution[float] | Boot
else:
    AnyBoot = Annotated[
        Annotated[Duration, Tag("duration")] | Annotated[DurationLaw, Tag("law")] | Annotated[Boot, Tag("stages")],
        Discriminator(_boot_kind),
    ]


def as_stages(boot: float | Distribution[float] | Boot) -> Boot:
    """The stages that a `boot` key means: a duration or a law alone is all engine."""
    return boot if isinstance(boot, Boot) else Boot(engine=boot)
