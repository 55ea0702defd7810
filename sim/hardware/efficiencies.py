"""What a GPU generation attains of its data sheet: the few constants of the roofline, in one place, with their source.

Nothing here is fitted to one model or one pair. Hopper and Ampere are read off the operator times of
ai-dynamo/aiconfigurator (Apache-2.0: A100 with vLLM 0.14, H100 with 0.19, H200 with 0.24) for Llama 3 8B and 70B, on
iterations that only decode (memory, KV, layer), that only prefill (compute, attention), and on the all-reduce tables.
Constants fitted to the H100 alone predict the H200 within 5.4 %. Hopper's on an A100 are 13 to 20 % too fast: that is
the error to expect on a generation without operator times, which takes `default`.

Blackwell (B200) has no operator times either. It is Hopper but for two constants, which rest on inter-token latencies
of twelve models on vLLM in 2025 (ml-energy/leaderboard, facts only) and so on that engine's host as well: one fitted
to all of them with a pull towards Hopper's, one taken over from elsewhere. With each model left out of the fit in turn,
the error of its pairs is 4.6 to 19.1 %, but for three of Qwen3 on one GPU (31 to 40 %), nearly half of whose times hold
some 25 ms that are not the GPU's (docs/fidelity.md). The RTX PRO 6000, though Blackwell by name, reaches Hopper's
shares and takes `default`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Family = Literal["hopper", "ampere", "blackwell", "default"]


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
    """A layer with 8-bit weights where the GPU multiplies in 8 bits: kernels that quantise its activations (four
    products, 9 us each)."""
    fp4_experts_s: float | None = None
    """A layer of experts in 4 bits, where the GPU multiplies in 4 bits: its products then attain `memory_share`,
    whatever the engine's kernels attain elsewhere. None: it does not; the engine's kernels widen the weights first."""


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
BLACKWELL = replace(
    HOPPER,
    memory_share=0.77,  # 0.767 to 0.797 when any one model is left out; of 8 TB/s, where some sheets say 7.7
    fp4_experts_s=9e-6,  # not fitted: a layer of experts on vLLM 0.15; fits give 7.9 to 8.5
)
FAMILIES: dict[Family, Efficiency] = {"hopper": HOPPER, "ampere": AMPERE, "blackwell": BLACKWELL, "default": HOPPER}

PCIE_ALL_REDUCE_S = 30e-6
"""Start of an all-reduce over PCIe, where GPUs do not reach into each other's memory. A guess, not measured."""
