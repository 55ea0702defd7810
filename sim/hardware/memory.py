"""What fits into GPU memory: weights, and KV cache in what is left."""

from __future__ import annotations

from sim.hardware.sheets import GpuSheet, ModelSheet

MEMORY_SHARE = 0.9
"""Share of GPU memory that the engine may use: vLLM's default `gpu_memory_utilization`."""


def kv_bytes_per_token(model: ModelSheet, gpus: int = 1) -> float:
    """Bytes of KV cache that one token of context takes on the whole replica.

    A key and a value of `head_dim` for each layer and KV head. More GPUs than KV heads hold heads twice or more.
    """
    copies = max(1.0, gpus / model.kv_heads)
    return 2 * model.layers * model.kv_heads * model.head_dim * model.bytes_per_kv_value * copies


def kv_capacity_tokens(model: ModelSheet, gpu: GpuSheet, gpus: int, memory_share: float = MEMORY_SHARE) -> int:
    """Tokens of KV cache that fit on a replica beside the weights; 0 or less if not even the weights fit.

    Activations (some GiB a GPU, by engine version and batch limits) are not subtracted, so this is a few per cent high;
    the engine's own log says the exact number, which a pool takes as `kv_capacity_tokens`.
    """
    weights = model.parameters * model.bytes_per_parameter
    return int((gpus * gpu.memory_bytes * memory_share - weights) // kv_bytes_per_token(model, gpus))
