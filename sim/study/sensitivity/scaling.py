"""Figures of a scenario in plain values, multiplied: laws, boot times, prices, the speed of engines.

Each function changes a document in place, and says why where it cannot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

Document = dict[str, Any]

_LAW = ("mean", "value", "scale", "low", "high", "median", "p99", "min", "max")
_PRICES = ("on_demand", "reserved_1y", "reserved_3y", "spot")
_GPU_SPEEDS = ("memory_bandwidth", "bf16_flops", "fp8_flops")
_ENGINE_TIMES = ("o0", "o1", "o1_per_vocabulary_token", "mixed_per_layer", "moe_per_layer", "moe_per_8bit_expert")
_LATENCY = ("base_s", "prefill_s_per_token", "decode_s_per_seq", "attention_s_per_token")


def law_times(law: Document, factor: float) -> str:
    """A law of one number: every draw times `factor`, on the same random numbers."""
    if law.get("file") is not None:
        return "its lengths come from a file"
    for key in _LAW:
        if law.get(key) is not None:
            law[key] *= factor
    if law.get("mu") is not None:
        law["mu"] += math.log(factor)
    for key in ("means", "values"):
        if law.get(key) is not None:
            law[key] = [each * factor for each in law[key]]
    if isinstance(law.get("at"), Mapping):
        law["at"] = {share: each * factor for share, each in law["at"].items()}
    return ""


def time_times(value: Any, factor: float) -> Any:
    """A time: a number, a law, a stage that goes by bytes, or the four stages of a boot."""
    if isinstance(value, int | float):
        return value * factor
    told = dict(value)
    if "kind" in told:
        law_times(told, factor)
        return told
    if "bytes_per_s" in told:
        told["bytes_per_s"] = time_times(told["bytes_per_s"], 1 / factor)
        return told | {"overhead": time_times(told.get("overhead", 0.0), factor)}
    for stage in ("node", "image", "weights", "engine"):
        if stage in told:
            told[stage] = time_times(told[stage], factor)
    return told


def prices_times(pool: Document, factor: float) -> None:
    """What every GPU of a pool costs, whoever says so."""
    for price in _found(pool, "price"):
        for key in _PRICES:
            if isinstance(price.get(key), int | float):
                price[key] *= factor


def slower(pool: Document, factor: float) -> None:
    """Iterations that take `factor` times as long, as far as the figures of its sheets go."""
    for latency in _found(pool, "latency"):
        for key in _LATENCY:
            if key in latency:
                latency[key] *= factor
    for gpu in _found(pool, "gpu"):
        for key in _GPU_SPEEDS:
            if gpu.get(key) is not None:
                gpu[key] /= factor
        if gpu.get("interconnect"):
            gpu["interconnect"]["bandwidth"] /= factor
    for engine in _found(pool, "engine"):
        for key in _ENGINE_TIMES:
            if key in engine:
                engine[key] *= factor
        for family in engine.get("launch_per_layer") or {}:
            engine["launch_per_layer"][family] *= factor
    for model in _found(pool, "model"):
        for row in model.get("calibrations") or []:
            row["iteration_s"] = row.get("iteration_s", 0.0) * factor
            row["seq_s"] = row.get("seq_s", 0.0) * factor
        for row in model.get("operators") or []:
            row["device_s"] = [each * factor for each in row["device_s"]]
            row["attention_s_per_token"] *= factor


def _found(node: Any, key: str) -> Iterator[Document]:
    """Mappings under this key, at any depth."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == key and isinstance(value, dict):
                yield value
            yield from _found(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _found(value, key)
