"""What a GPU generation attains of its data sheet: the few constants of the roofline, in one place, with their source.

Nothing here is fitted to one model or one pair. Hopper and Ampere are read off the operator times of
ai-dynamo/aiconfigurator (Apache-2.0: A100 with vLLM 0.14, H100 with 0.19, H200 with 0.24) for Llama 3 8B and 70B, on
iterations that only decode (memory, KV, layer), that only prefill (compute, attention), and on the all-reduce tables.
Constants fitted to the H100 alone predict the H200 within 5.4 %. Hopper's on an A100 are 13 to 20 % too fast: that is
the error to expect on a generation without operator times, which takes `default`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["hopper", "ampere", "default"]


@dataclass(frozen=True)
class Efficiency:
    """Shares of the data sheet's figures, and seconds that no data sheet knows."""

    memory_share: float
    """Of the memory bandwidth, when a matrix product reads its weights."""
    compute_share: float
    """Of the dense peak, in large matrix products."""
    attention_share: float
    """Of the dense bf16 peak, in the attention of a prefill."""
    kv_share: float
    """Of the memory bandwidth, when decode attention reads the KV cache."""
    layer_s: float
    """Small kernels of a layer and the start of each kernel."""
    activation_bytes: float
    """Moved for each token, layer and unit of the hidden state, beside the weights."""
    all_reduce_s: float = 4.2e-6
    """Start of an all-reduce between GPUs on a fast link."""
    all_reduce_s_per_gpu: float = 0.2e-6
    link_share: float = 0.68
    """Of the link's bandwidth in one direction, in a large all-reduce."""
    quantise_s: float = 37e-6
    """A layer with 8-bit weights: kernels that quantise its activations (four products, 9 us each)."""


HOPPER = Efficiency(
    memory_share=0.873,  # +- 0.01
    compute_share=0.79,  # +- 0.03, trades with activation_bytes
    attention_share=0.375,  # +- 0.05
    kv_share=0.88,  # +- 0.03
    layer_s=31e-6,  # +- 2 us
    activation_bytes=20.0,  # 9 to 20 are equally good
)
AMPERE = Efficiency(
    memory_share=0.773,  # +- 0.02
    compute_share=0.92,
    attention_share=0.55,  # held: not identified
    kv_share=0.766,
    layer_s=54e-6,
    activation_bytes=72.0,
)
FAMILIES: dict[Family, Efficiency] = {"hopper": HOPPER, "ampere": AMPERE, "default": HOPPER}

PCIE_ALL_REDUCE_S = 30e-6
"""Start of an all-reduce over PCIe, where GPUs do not reach into each other's memory. A guess, not measured."""
