"""What fits into GPU memory: weights, what the engine needs to work, and KV cache in what is left."""

from __future__ import annotations

from sim.hardware.precisions import BYTES
from sim.hardware.sheets import GpuSheet, ModelSheet

MEMORY_SHARE = 0.9
"""Share of GPU memory that the engine may use: vLLM's default `gpu_memory_utilization`."""

_GIB = 2**30
CONTEXT_BYTES = 1.0 * _GIB
"""CUDA context, CUDA graphs and fragments on each GPU. Our estimate: 0.6 to 1.5 GiB are usual."""
LINK_BYTES = 0.4 * _GIB
"""Buffers of the collective library on each GPU of several (342 to 392 MiB in ai-dynamo/aiconfigurator)."""


def weights_bytes(model: ModelSheet, precision: str | None = None) -> float:
    """Bytes of all weights; `precision` is theirs instead of the model's own.

    Embeddings, the head, routers and norms stay 16 bits wide, as engines leave them.
    """
    attention, feed_forward = widths(model, precision)
    experts = model.experts.count * model.expert_parameters if model.experts is not None else 0
    saved = (2.0 - attention) * model.attention_parameters
    saved += (2.0 - feed_forward) * (model.dense_parameters + experts)
    return 2.0 * model.all_parameters - saved


def widths(model: ModelSheet, precision: str | None = None) -> tuple[float, float]:
    """Bytes of a weight in attention and in the feed-forward layers."""
    feed_forward = precision or model.precision
    return BYTES[model.attention_precision or feed_forward], BYTES[feed_forward]


def kv_bytes_per_token(model: ModelSheet, gpus: int = 1, precision: str | None = None) -> float:
    """Bytes of KV cache that one token of context takes on the whole replica.

    A key and a value of `head_dim` for each layer and KV head. More GPUs than KV heads hold heads twice or more.
    Layers with a sliding window count like the others: an upper bound, and what an engine takes that keeps one kind of
    block for all layers.
    """
    copies = max(1.0, gpus / model.kv_heads)
    return 2 * model.layers * model.kv_heads * model.head_dim * BYTES[precision or model.kv_precision] * copies


def reserve_bytes(model: ModelSheet, gpus: int, max_batched_tokens: int, max_num_seqs: int) -> float:
    """Bytes that each GPU needs beside weights and KV cache: contexts, link buffers, and activations of the largest
    iteration (hidden states, the feed-forward layer's in and out in 16 bits, logits in 16 and 32 bits).
    """
    width = model.intermediate or 0
    if model.experts is not None:
        width = max(width, model.experts.active * model.experts.intermediate + (model.experts.shared_intermediate or 0))
    activations = max_batched_tokens * 2 * (2 * model.hidden + 3 * width / gpus)
    logits = min(max_num_seqs, max_batched_tokens) * model.vocabulary * 6
    return CONTEXT_BYTES + (LINK_BYTES if gpus > 1 else 0) + activations + logits


def kv_capacity_tokens(
    model: ModelSheet,
    gpu: GpuSheet,
    gpus: int,
    *,
    memory_share: float = MEMORY_SHARE,
    precision: str | None = None,
    kv_precision: str | None = None,
    max_batched_tokens: int = 8192,
    max_num_seqs: int = 256,
) -> int:
    """Tokens of KV cache that fit on a replica beside weights and reserve; 0 or less if not even those fit.

    An estimate, some per cent off (see `reserve_bytes`); the engine's own log says the exact number, which a pool takes
    as `kv_capacity_tokens`.
    """
    reserve = reserve_bytes(model, gpus, max_batched_tokens, max_num_seqs)
    free = gpus * (gpu.memory_bytes * memory_share - reserve) - weights_bytes(model, precision)
    return int(free // kv_bytes_per_token(model, gpus, kv_precision))
