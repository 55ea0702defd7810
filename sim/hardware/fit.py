"""Whether a model fits a replica at all; and if not, what would fit."""

from __future__ import annotations

from dataclasses import dataclass

from sim.config import catalogue
from sim.config.loader import read_file
from sim.hardware.memory import MEMORY_SHARE, kv_capacity_tokens, reserve_bytes, weights_bytes
from sim.hardware.sheets import GpuSheet, ModelSheet

ROOM_TOKENS = 8192
"""KV memory that a suggestion leaves at least: enough for a few requests."""

_GIB = 2**30


@dataclass(frozen=True)
class Demand:
    """What is to be put on the GPUs of a replica."""

    model: ModelSheet
    gpus: int
    memory_share: float = MEMORY_SHARE
    precision: str | None = None
    kv_precision: str | None = None
    max_batched_tokens: int = 8192
    max_num_seqs: int = 256

    def kv_tokens(self, gpu: GpuSheet, gpus: int | None = None, precision: str | None = None) -> int:
        """Tokens of KV cache that fit; 0 or less if the model itself does not."""
        return kv_capacity_tokens(
            self.model,
            gpu,
            gpus or self.gpus,
            memory_share=self.memory_share,
            precision=precision or self.precision,
            kv_precision=self.kv_precision,
            max_batched_tokens=self.max_batched_tokens,
            max_num_seqs=self.max_num_seqs,
        )


def split_problem(model: ModelSheet, gpu: GpuSheet, gpus: int) -> str:
    """Why a model cannot be split over so many GPUs; empty if it can."""
    link = gpu.interconnect
    if link is not None and gpus > link.gpus:
        return (
            f"{link.kind} connects {link.gpus} x {gpu.name}: a replica cannot span more here, as the network between "
            f"machines is not modelled; got {gpus}; give 'latency' and 'kv_capacity_tokens' instead"
        )
    if model.heads % gpus:
        return f"must divide the {model.heads} attention heads of '{model.name}'; got {gpus}{_nearest(model, gpus)}"
    if max(gpus, model.kv_heads) % min(gpus, model.kv_heads):
        return (
            f"must divide the {model.kv_heads} KV heads of '{model.name}', or be a multiple of them; got {gpus}"
            f"{_nearest(model, gpus)}"
        )
    return ""


def memory_problem(demand: Demand, gpu: GpuSheet) -> str:
    """Why a model does not fit, with what would; empty if it does."""
    if demand.kv_tokens(gpu) > 0:
        return ""
    model, gpus = demand.model, demand.gpus
    precision = demand.precision or model.precision
    weights_gib = weights_bytes(model, demand.precision) / gpus / _GIB
    reserve_gib = reserve_bytes(model, gpus, demand.max_batched_tokens, demand.max_num_seqs) / _GIB
    have_gib = gpu.memory_bytes * demand.memory_share / _GIB
    return (
        f"'{model.name}' does not fit on {gpus} x {gpu.name}: {weights_gib:.1f} GiB of {precision} weights and "
        f"{reserve_gib:.1f} GiB of reserve a GPU leave nothing of {have_gib:.1f} GiB (memory_share "
        f"{demand.memory_share:g}) for KV cache; {_remedies(demand, gpu)}"
    )


def _remedies(demand: Demand, gpu: GpuSheet) -> str:
    """What would fit: more of this GPU, 8-bit weights, another GPU."""
    found = []
    more = _smallest(demand, gpu)
    if more is not None:
        found.append(f"gpus_per_replica: {more}")
    if demand.kv_tokens(gpu, precision="fp8") >= ROOM_TOKENS and weights_bytes(demand.model, "fp8") < weights_bytes(
        demand.model, demand.precision
    ):
        found.append("precision: fp8")
    smallest = {other.name: _smallest(demand, other) for other in shipped_gpus() if other.name != gpu.name}
    alike = [name for name, gpus in smallest.items() if gpus is not None and gpus <= demand.gpus]
    if alike:
        found.append(f"gpu: {' or '.join(alike)}")
    if found:
        return f"what fits: {', or '.join(found)}"
    larger = [f"{gpus} x {name}" for name, gpus in smallest.items() if gpus is not None]
    remedy = f"what fits: {' or '.join(larger)}" if larger else "nothing in the catalogue holds it"
    return f"{remedy}; or give 'kv_capacity_tokens' if it does fit yours"


def _smallest(demand: Demand, gpu: GpuSheet) -> int | None:
    """The least GPUs of this kind that hold it, if any number does."""
    return next((gpus for gpus in splits(demand.model, gpu) if _fits(demand, gpu, gpus)), None)


def shipped_gpus() -> list[GpuSheet]:
    """The GPU sheets that ship, by name."""
    folder = catalogue.root() / catalogue.GPUS
    return [
        GpuSheet.model_validate(read_file(folder / f"{name}.yaml").plain()) for name in catalogue.names(catalogue.GPUS)
    ]


def splits(model: ModelSheet, gpu: GpuSheet) -> list[int]:
    """The numbers of GPUs that a replica can have, smallest first."""
    return [gpus for gpus in (1, 2, 4, 8, 16, 32, 64) if not split_problem(model, gpu, gpus)]


def _fits(demand: Demand, gpu: GpuSheet, gpus: int) -> bool:
    return demand.kv_tokens(gpu, gpus) >= ROOM_TOKENS


def _nearest(model: ModelSheet, gpus: int) -> str:
    """The numbers that divide, around the one that does not."""
    fine = [
        count
        for count in range(1, model.heads + 1)
        if model.heads % count == 0 and max(count, model.kv_heads) % min(count, model.kv_heads) == 0
    ]
    below = [count for count in fine if count < gpus][-1:]
    above = [count for count in fine if count > gpus][:1]
    return f"; such as {' or '.join(map(str, below + above))}"
