"""The law of iteration time from data sheets: what one iteration costs on the GPUs of a replica.

    device = L*layer + sum over {attention, dense feed-forward, experts} hypot(bytes/bandwidth, operations/peak)
           + activations in and out of memory + two all-reduces a layer
           + head[B] + attention*C + square*S + narrow sliding windows, for each token

n = P + B tokens of the iteration, P of prompts and B of decoding sequences; C: context that the decoding attend to;
S: sum over prompts of chunk*(2*before + chunk). Every figure is a GPU's share of the replica's work; bandwidth and peak
are what the family attains (`efficiencies`). Matrix products depend on n alone: a prompt's tokens ride on the weights
that decoding reads anyway, and are cheap, never free. A token's head (its row of logits) is needed once a sequence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.hardware.efficiencies import FAMILIES, PCIE_ALL_REDUCE_S, Efficiency
from sim.hardware.engines import EngineSheet
from sim.hardware.memory import kv_bytes_per_token, widths
from sim.hardware.sheets import GpuSheet, ModelSheet

Floats = NDArray[np.float64]

NARROW_WINDOW_TOKENS = 1024
"""A sliding window up to this long is taken as full for every sequence, a longer one as never full: so the law stays
linear in context, which the jump over iterations needs. Either way iterations come out too long rather than too short.
"""


@dataclass(frozen=True)
class Pair:
    """A model on the GPUs of one replica, under an engine; its figures are per iteration, in seconds."""

    model: ModelSheet
    gpu: GpuSheet
    gpus: int
    """Of the replica: tensor parallelism."""
    engine: EngineSheet
    precision: str
    """Of the weights."""
    kv_precision: str
    expert_parallel: bool = False
    """Each GPU holds whole experts, instead of a slice of every one."""

    @property
    def efficiency(self) -> Efficiency:
        """What the GPU attains of its data sheet."""
        return FAMILIES[self.gpu.family]

    def missing(self) -> str:
        """Which figures the GPU's sheet lacks for a roofline; empty if none."""
        lacks = {
            "memory_bandwidth": self.gpu.memory_bandwidth_bytes_per_s is None,
            "bf16_flops": self.gpu.bf16_flops is None,
            "interconnect": self.gpus > 1 and self.gpu.interconnect is None,
        }
        return ", ".join(key for key, lack in lacks.items() if lack)

    def tokens_s(self, n: Floats) -> Floats:
        """Device time without context by tokens in the iteration, one row of logits included. Shape of `n`."""
        model, e = self.model, self.efficiency
        attention_bytes, weight_bytes = widths(model, self.precision)
        seconds = model.layers * e.layer_s + n * model.layers * model.hidden * e.activation_bytes / self._bandwidth
        if weight_bytes <= 1.0 and self.gpu.fp8_flops is not None:  # else weights are widened, activations left alone
            seconds = seconds + model.layers * e.quantise_s
        seconds = seconds + self._products_s(model.attention_parameters, attention_bytes, n)
        seconds = seconds + self._products_s(model.dense_parameters, weight_bytes, n)
        if model.experts is not None:
            seconds = seconds + self._experts_s(weight_bytes, n)
        return seconds + self.one_head_s() + self._exchange_s(n)

    def one_head_s(self) -> float:
        """What the logits of one sequence cost: the head's weights are read."""
        return float(self._head_s(np.ones(1))[0])

    def head_s(self, seqs: Floats) -> Floats:
        """What the logits of more sequences than one cost. Shape of `seqs`."""
        return self._head_s(np.maximum(seqs, 1.0)) - self.one_head_s()

    def window_s(self) -> float:
        """Seconds for each decoding sequence: its narrow sliding windows, taken as full."""
        return self._narrow_tokens * self._narrow_layers * self._kv_layer_s()

    def window_prefill_s(self) -> float:
        """Seconds for each prompt token: its narrow sliding windows, taken as full."""
        return 2.0 * self._narrow_tokens * self._narrow_layers * self._scores_s()

    def attention_s_per_token(self) -> float:
        """Seconds for each token of context that decoding sequences attend to."""
        return (self.model.layers - self._narrow_layers) * self._kv_layer_s()

    def square_s(self) -> float:
        """Seconds for each unit of S: the attention of prompts, every token to all before it."""
        return (self.model.layers - self._narrow_layers) * self._scores_s()

    def launch_s(self) -> float:
        """Seconds to launch the kernels of an iteration one by one; 0 with CUDA graphs."""
        return self.engine.launch_s(self.gpu.family, self.model.layers)

    @property
    def _bandwidth(self) -> float:
        assert self.gpu.memory_bandwidth_bytes_per_s is not None
        return self.gpu.memory_bandwidth_bytes_per_s * self.efficiency.memory_share

    def _peak(self, weight_bytes: float, bare: bool = False) -> float:
        """Operations a second with weights this wide; narrower ones than the GPU computes in are widened first."""
        assert self.gpu.bf16_flops is not None
        peak = self.gpu.fp8_flops if weight_bytes == 1.0 and self.gpu.fp8_flops is not None else self.gpu.bf16_flops
        return peak if bare else peak * self.efficiency.compute_share

    def _products_s(self, parameters: float, weight_bytes: float, n: Floats) -> Floats:
        """Matrix products of n tokens with weights that are read once: the slower of the two, rounded at the corner."""
        memory_s = parameters * weight_bytes / self.gpus / self._bandwidth
        return np.hypot(memory_s, 2.0 * parameters / self.gpus * n / self._peak(weight_bytes))

    def _head_s(self, rows: Floats) -> Floats:
        return self._products_s(self.model.vocabulary * self.model.hidden, 2.0, rows)

    def _experts_s(self, weight_bytes: float, n: Floats) -> Floats:
        """As `_products_s`, over the experts that n tokens reach."""
        model, engine, experts = self.model, self.engine, self.model.experts
        assert experts is not None
        assert self.gpu.memory_bandwidth_bytes_per_s is not None
        draws = n**engine.moe_draws_power
        reached = experts.count * (1.0 - (1.0 - experts.active / experts.count) ** draws)
        if self.expert_parallel and self.gpus > 1:
            reached = self._busiest(reached, experts.count)
        e = self.efficiency
        share, layer_s = min(engine.moe_memory_share, e.memory_share), engine.moe_s_per_layer
        if weight_bytes < 1.0 and e.fp4_experts_s is not None:
            share, layer_s = e.memory_share, e.fp4_experts_s
        elif weight_bytes == 1.0:
            layer_s = layer_s + engine.moe_s_per_8bit_expert * experts.count / self.gpus
        bandwidth = self.gpu.memory_bandwidth_bytes_per_s * share
        memory_s = reached * model.expert_parameters * weight_bytes / self.gpus / bandwidth
        compute_s = 2.0 * model.expert_parameters * experts.active / self.gpus * n / self._peak(weight_bytes)
        return np.hypot(memory_s, compute_s) + model.moe_layers * layer_s

    def _busiest(self, reached: Floats, count: int) -> Floats:
        """Experts reached on the busiest GPU, times GPUs, as all wait for it (normal approximation of the maximum)."""
        mean = reached / self.gpus
        deviation = np.sqrt(np.maximum(mean * (1.0 - reached / count), 0.0)) * math.sqrt(2.0 * math.log(self.gpus))
        return self.gpus * np.minimum(mean + deviation, count / self.gpus)

    def _exchange_s(self, n: Floats) -> Floats:
        """Two all-reduces a layer over the GPUs of the replica."""
        if self.gpus == 1:
            return np.zeros(1)
        link, e = self.gpu.interconnect, self.efficiency
        assert link is not None
        start_s = PCIE_ALL_REDUCE_S if link.kind == "pcie" else e.all_reduce_s
        crossing = n * self.model.hidden * 2 * 2.0 * (self.gpus - 1) / self.gpus
        one_way = link.bandwidth_bytes_per_s / 2.0
        per_layer_s = start_s + e.all_reduce_s_per_gpu * self.gpus + crossing / (one_way * e.link_share)
        return 2.0 * self.model.layers * per_layer_s

    @property
    def _narrow_layers(self) -> int:
        """Layers with a narrow sliding window."""
        window = self.model.sliding_window
        return window.layers if window is not None and window.tokens <= NARROW_WINDOW_TOKENS else 0

    @property
    def _narrow_tokens(self) -> int:
        window = self.model.sliding_window
        return window.tokens if window is not None and self._narrow_layers else 0

    def _scores_s(self) -> float:
        """Seconds of a unit of S in one layer: half of a prompt token's attention to one other, on each GPU."""
        operations = 2.0 * self.model.heads * self.model.head_dim / self.gpus
        return operations / (self._peak(2.0, bare=True) * self.efficiency.attention_share)

    def _kv_layer_s(self) -> float:
        """Seconds to read the keys and values of one token in one layer, on each GPU."""
        assert self.gpu.memory_bandwidth_bytes_per_s is not None
        bytes_read = kv_bytes_per_token(self.model, self.gpus, self.kv_precision) / self.model.layers / self.gpus
        return bytes_read / (self.gpu.memory_bandwidth_bytes_per_s * self.efficiency.kv_share)
