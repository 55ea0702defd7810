"""Data sheets of GPUs, models and engines, and what they imply: iteration times, KV memory, whether it fits."""

from __future__ import annotations

from sim.hardware.engines import EngineSheet, default_engine
from sim.hardware.fit import Demand, memory_problem, split_problem
from sim.hardware.latency import Latency
from sim.hardware.law import IterationLaw, Source, given, implied
from sim.hardware.memory import MEMORY_SHARE, kv_bytes_per_token, kv_capacity_tokens, reserve_bytes, weights_bytes
from sim.hardware.precisions import KvPrecision, Precision
from sim.hardware.roofline import Pair
from sim.hardware.sheets import Calibration, GpuSheet, Holds, ModelSheet, OperatorTable

__all__ = [
    "MEMORY_SHARE",
    "Calibration",
    "Demand",
    "EngineSheet",
    "GpuSheet",
    "Holds",
    "IterationLaw",
    "KvPrecision",
    "Latency",
    "ModelSheet",
    "OperatorTable",
    "Pair",
    "Precision",
    "Source",
    "default_engine",
    "given",
    "implied",
    "kv_bytes_per_token",
    "kv_capacity_tokens",
    "memory_problem",
    "reserve_bytes",
    "split_problem",
    "weights_bytes",
]
