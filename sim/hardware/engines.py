"""Serving engines by version: what the host adds to the GPU's time. Figures are in `configs/engines`."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.config import catalogue
from sim.config.loader import read_file
from sim.config.units import Duration, PositiveAmount, PositiveShare
from sim.hardware.efficiencies import Family

DEFAULT = "vllm-0.15"


class Launches(BaseModel):
    """Seconds a layer to launch kernels one by one, by family of GPU: a newer GPU stands in a faster host."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hopper: Duration
    ampere: Duration
    default: Duration


class EngineSheet(BaseModel):
    """Host time of one version of a serving engine, and how it schedules."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: Annotated[str, Field(description="Name, as calibrations refer to it.")] = ""
    o0_s: Annotated[Duration, Field(alias="o0", description="Host seconds that every iteration costs.")]
    o1_s: Annotated[Duration, Field(alias="o1", description="Host seconds for each sequence of an iteration.")]
    o1_s_per_vocabulary_token: Annotated[
        Duration,
        Field(
            alias="o1_per_vocabulary_token",
            description="Seconds more for each sequence and token of the vocabulary, as sampling looks at logits.",
        ),
    ] = 0.0
    overhead_s: Annotated[
        Duration,
        Field(
            alias="overhead",
            description="Seconds outside the engine (HTTP, tokenising), added to every time to first token.",
        ),
    ] = 0.0
    lookahead: Annotated[
        bool,
        Field(
            description="Schedules one iteration ahead: a request admitted at a boundary joins one iteration later.",
        ),
    ] = False
    mixed_s_per_layer: Annotated[
        Duration,
        Field(
            alias="mixed_per_layer",
            description="Seconds a layer that an iteration with prompt tokens costs more: it leaves the CUDA graph.",
        ),
    ] = 0.0
    launch_per_layer: Annotated[
        Launches | None,
        Field(description="Seconds a layer to launch its kernels one by one; left out: CUDA graphs launch them."),
    ] = None
    moe_memory_share: Annotated[
        PositiveShare, Field(description="Share of the memory bandwidth that the kernels of experts attain.")
    ] = 0.873
    moe_s_per_layer: Annotated[
        Duration, Field(alias="moe_per_layer", description="Seconds that a layer of experts costs more.")
    ] = 9e-6
    moe_s_per_8bit_expert: Annotated[
        Duration,
        Field(
            alias="moe_per_8bit_expert",
            description="Seconds that each expert of a layer costs a GPU that holds it in 8 bits, reached or not.",
        ),
    ] = 0.0
    moe_draws_power: Annotated[
        PositiveAmount,
        Field(description="n tokens reach as many experts as n to this power independent draws; 1: all independent."),
    ] = 1.0
    source: Annotated[str, Field(description="Where the figures come from.")] = ""

    def seq_s(self, vocabulary: int) -> float:
        """Seconds that each sequence of an iteration costs outside the model, by the size of its vocabulary."""
        return self.o1_s + self.o1_s_per_vocabulary_token * vocabulary

    def launch_s(self, family: Family, layers: int) -> float:
        """Seconds to launch the kernels of an iteration one by one; 0 with CUDA graphs."""
        launches = self.launch_per_layer
        return layers * float(getattr(launches, family, launches.default)) if launches is not None else 0.0


@cache
def default_engine() -> EngineSheet:
    """The engine that a pool has when it names none."""
    return EngineSheet.model_validate(read_file(catalogue.root() / catalogue.ENGINES / f"{DEFAULT}.yaml").plain())
