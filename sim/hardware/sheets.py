"""Data sheets as `configs/gpus` and `configs/models` hold them: figures with their source, nothing computed."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config.said import said, said_all
from sim.config.units import (
    Duration,
    PositiveAmount,
    PositiveBandwidth,
    PositiveCount,
    PositiveDuration,
    PositiveSize,
    Share,
)
from sim.hardware import huggingface
from sim.hardware.efficiencies import Family
from sim.hardware.precisions import KvPrecision, Precision
from sim.pricing import Price

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

PARAMETERS_OFF_SHARE = 0.2
"""A shape this far from the published number of parameters is another model's: no vision tower is as large."""


class Interconnect(BaseModel):
    """How the GPUs of a replica reach each other."""

    model_config = _CLOSED

    kind: Annotated[
        Literal["nvlink", "infinity_fabric", "pcie"], Field(description="The link; pcie starts an exchange later.")
    ]
    bandwidth_bytes_per_s: Annotated[
        PositiveBandwidth, Field(alias="bandwidth", description="Of one GPU, both directions together.")
    ]
    gpus: Annotated[PositiveCount, Field(description="GPUs that it connects; a replica cannot span more.")]


class GpuSheet(BaseModel):
    """One GPU type."""

    model_config = _CLOSED

    name: Annotated[str, Field(min_length=1, description="Name, as models' measurements refer to it.")]
    description: Annotated[str, Field(description="The card in words.")] = ""
    memory_bytes: Annotated[PositiveSize, Field(alias="memory", description="GPU memory.")]
    memory_bandwidth_bytes_per_s: Annotated[
        PositiveBandwidth | None, Field(alias="memory_bandwidth", description="GPU memory bandwidth.")
    ] = None
    bf16_flops: Annotated[PositiveAmount | None, Field(description="Dense bf16 operations per second.")] = None
    fp8_flops: Annotated[
        PositiveAmount | None, Field(description="Dense fp8 operations per second; left out: it computes in bf16.")
    ] = None
    family: Annotated[Family, Field(description="Whose efficiencies it has: what it attains of the figures above.")] = (
        "default"
    )
    interconnect: Annotated[Interconnect | None, Field(description="Between the GPUs of a replica.")] = None
    tdp_w: Annotated[PositiveAmount | None, Field(description="Thermal design power, watts.")] = None
    price: Annotated[Price | None, Field(description="List price; a pool's own price goes before it.")] = None
    source: Annotated[str, Field(description="Where the figures come from.")] = ""


class Experts(BaseModel):
    """A mixture of experts in place of a dense feed-forward layer."""

    model_config = _CLOSED

    count: Annotated[PositiveCount, Field(description="Experts in a layer.")]
    active: Annotated[PositiveCount, Field(description="Experts that a token goes through.")]
    intermediate: Annotated[PositiveCount, Field(description="Width of one expert.")]
    shared_intermediate: Annotated[
        PositiveCount | None, Field(description="Width of the expert that every token goes through, if there is one.")
    ] = None
    layers: Annotated[PositiveCount | None, Field(description="Layers with experts; left out: all.")] = None


class SlidingWindow(BaseModel):
    """Layers whose attention reaches back only so far."""

    model_config = _CLOSED

    tokens: Annotated[PositiveCount, Field(description="How far it reaches.")]
    layers: Annotated[PositiveCount, Field(description="In how many layers.")]


class OperatorTable(BaseModel):
    """Iteration time on one kind of replica, added up from operator times; the host is not in it, nor the head."""

    model_config = _CLOSED

    gpu: Annotated[str, Field(min_length=1, description="Name of the GPU.")]
    gpus_per_replica: Annotated[PositiveCount, Field(description="GPUs that serve one replica together.")]
    precision: Annotated[Precision, Field(description="Of the weights.")] = "bf16"
    tokens: Annotated[tuple[PositiveCount, ...], Field(min_length=2, description="Tokens in an iteration, increasing.")]
    device_s: Annotated[
        tuple[PositiveDuration, ...], Field(min_length=2, description="Seconds at each of them, without context.")
    ]
    attention_s_per_token: Annotated[
        Duration, Field(description="Seconds for each token of context held by the sequences that decode.")
    ]
    decode_error_share: Annotated[
        Share | None, Field(description="Mean absolute error for iterations that only decode.")
    ] = None
    mixed_error_share: Annotated[
        Share | None, Field(description="Mean absolute error for iterations that also prefill.")
    ] = None
    source: Annotated[str, Field(description="Where the figures come from.")] = ""

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if len(self.device_s) != len(self.tokens):
            raise said(
                f"must have an entry for each of the {len(self.tokens)} tokens; got {len(self.device_s)}", "device_s"
            )
        if any(low >= high for low, high in zip(self.tokens, self.tokens[1:], strict=False)):
            raise said("must increase", "tokens")
        return self


_Signed = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


_Least = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Range = tuple[_Least, _Least]
"""Least and most."""


class Holds(BaseModel):
    """The loads that were measured, on one replica: the least and the most of each."""

    model_config = _CLOSED

    seqs: Annotated[Range | None, Field(description="Sequences decoding at once, on average.")] = None
    context_tokens: Annotated[Range | None, Field(description="Mean tokens of context a sequence.")] = None
    prompt_tokens: Annotated[Range | None, Field(description="Mean tokens of a prompt.")] = None
    rate_per_s: Annotated[Range | None, Field(description="Requests a second.")] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in type(self).model_fields:
            told = getattr(self, name)
            if told is not None and told[0] > told[1]:
                raise said(f"must be the least and the most; got {told[0]:g} and {told[1]:g}", name)
        return self


class Calibration(BaseModel):
    """What measured runs of a model on one kind of replica add to the data sheets."""

    model_config = _CLOSED

    gpu: Annotated[str, Field(min_length=1, description="Name of the GPU.")]
    gpus_per_replica: Annotated[PositiveCount, Field(description="GPUs that served one replica together.")]
    precision: Annotated[Precision, Field(description="Of the weights.")] = "bf16"
    engine: Annotated[
        str, Field(min_length=1, description="Name of the engine that ran; another has other host times.")
    ]
    device_scale: Annotated[PositiveAmount, Field(description="GPU time, measured over roofline.")] = 1.0
    device_scale_se: Annotated[PositiveAmount | None, Field(description="Its standard error.")] = None
    iteration_s: Annotated[_Signed, Field(description="Seconds added to every iteration; may be negative.")] = 0.0
    iteration_s_se: Annotated[Duration | None, Field(description="Its standard error.")] = None
    seq_s: Annotated[_Signed, Field(description="Seconds added for each sequence; may be negative.")] = 0.0
    seq_s_se: Annotated[Duration | None, Field(description="Its standard error.")] = None
    overhead_s: Annotated[Duration | None, Field(description="Seconds outside the engine; left out: the engine's.")] = (
        None
    )
    overhead_s_se: Annotated[Duration | None, Field(description="Its standard error.")] = None
    holds: Annotated[Holds | None, Field(description="Where it was measured; beyond that it is a guess.")] = None
    experiments: Annotated[PositiveCount, Field(description="Measured runs behind it.")]
    tpot_error_share: Annotated[Share | None, Field(description="Mean absolute error of TPOT on these runs.")] = None
    held_out_error_share: Annotated[
        Share | None, Field(description="The same, each run predicted from the others.")
    ] = None
    source: Annotated[str, Field(min_length=1, description="Where the measurements come from.")]


class ModelSheet(BaseModel):
    """One language model: its shape, and what is measured of its speed. A Hugging Face `config.json` is one too."""

    model_config = _CLOSED

    name: Annotated[str, Field(min_length=1, description="Name of the model.")]
    description: Annotated[str, Field(description="The model in words.")] = ""
    parameters: Annotated[
        PositiveCount | None, Field(description="Published number of parameters; left out: computed from the shape.")
    ] = None
    layers: Annotated[PositiveCount, Field(description="Transformer layers.")]
    hidden: Annotated[PositiveCount, Field(description="Width of the hidden state.")]
    heads: Annotated[PositiveCount, Field(description="Attention heads.")]
    kv_heads: Annotated[
        PositiveCount, Field(description="Key-value heads: fewer than heads with grouped-query attention.")
    ]
    head_dim: Annotated[PositiveCount, Field(description="Width of one head.")]
    intermediate: Annotated[
        PositiveCount | None, Field(description="Width of the dense feed-forward layers; none if all have experts.")
    ] = None
    gated: Annotated[bool, Field(description="Three matrices in a feed-forward layer (as in SwiGLU), not two.")] = True
    experts: Annotated[Experts | None, Field(description="Mixture of experts.")] = None
    vocabulary: Annotated[PositiveCount, Field(description="Tokens of the vocabulary.")]
    tied_embeddings: Annotated[bool, Field(description="Input and output embeddings are one matrix.")] = False
    sliding_window: Annotated[SlidingWindow | None, Field(description="Layers that look back only so far.")] = None
    precision: Annotated[Precision, Field(description="Of the weights, as published.")] = "bf16"
    attention_precision: Annotated[
        Precision | None, Field(description="Of the attention's weights, where they are left in another one.")
    ] = None
    kv_precision: Annotated[KvPrecision, Field(description="Of the KV cache.")] = "bf16"
    calibrations: Annotated[tuple[Calibration, ...], Field(description="Measured runs.")] = ()
    operators: Annotated[tuple[OperatorTable, ...], Field(description="Tables from operator times.")] = ()
    source: Annotated[str, Field(description="Where the figures come from.")] = ""

    @model_validator(mode="before")
    @classmethod
    def _from_hugging_face(cls, given: Any) -> Any:
        return huggingface.sheet(given, cls.model_fields) if huggingface.is_config(given) else given

    @property
    def moe_layers(self) -> int:
        """Layers with experts."""
        return 0 if self.experts is None else self.experts.layers or self.layers

    @property
    def attention_parameters(self) -> int:
        """Parameters of query, key, value and output, all layers."""
        return self.layers * self.hidden * self.head_dim * 2 * (self.heads + self.kv_heads)

    @property
    def dense_parameters(self) -> int:
        """Parameters of what every token goes through beside attention: dense layers and shared experts."""
        shared = (self.experts.shared_intermediate or 0) if self.experts is not None else 0
        width = (self.layers - self.moe_layers) * (self.intermediate or 0) + self.moe_layers * shared
        return self._matrices * self.hidden * width

    @property
    def expert_parameters(self) -> int:
        """Parameters of one routed expert, added up over the layers that have it."""
        return self.moe_layers * self._matrices * self.hidden * self.experts.intermediate if self.experts else 0

    @property
    def computed_parameters(self) -> int:
        """Parameters that the shape implies; norms, biases and positions (a per mille or two) left out."""
        experts = self.experts.count * (self.expert_parameters + self.moe_layers * self.hidden) if self.experts else 0
        embeddings = self.vocabulary * self.hidden * (1 if self.tied_embeddings else 2)
        return self.attention_parameters + self.dense_parameters + experts + embeddings

    @property
    def all_parameters(self) -> int:
        """Published, else computed."""
        return self.parameters or self.computed_parameters

    @property
    def _matrices(self) -> int:
        return 3 if self.gated else 2

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        problems = list(self._contradictions())
        if problems:
            raise said_all(problems)
        computed, published = self.computed_parameters, self.all_parameters
        if abs(computed - published) > PARAMETERS_OFF_SHARE * published:
            raise said(
                f"the shape (layers, widths, experts, vocabulary) comes to {computed / 1e9:.2f} billion; "
                f"got {published / 1e9:.2f} billion",
                "parameters",
            )
        return self

    def _contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        problems: list[tuple[tuple[str, ...], str]] = []
        if self.heads % self.kv_heads:
            problems.append(
                (("kv_heads",), f"must divide heads ({self.heads}): each serves as many heads; got {self.kv_heads}")
            )
        if self.experts is not None and self.experts.active > self.experts.count:
            problems.append(
                (("experts", "active"), f"must not be above count ({self.experts.count}); got {self.experts.active}")
            )
        for key, part in (("experts", self.experts), ("sliding_window", self.sliding_window)):
            if part is not None and part.layers is not None and part.layers > self.layers:
                problems.append(
                    ((key, "layers"), f"must not be above the model's layers ({self.layers}); got {part.layers}")
                )
        if self.intermediate is None and self.moe_layers < self.layers:
            problems.append((("intermediate",), "is missing: width of the feed-forward layers that have no experts"))
        return problems
