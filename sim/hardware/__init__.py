"""GPU and model data sheets, and what they imply: iteration times, KV memory, list prices."""

from __future__ import annotations

from sim.hardware.latency import Latency
from sim.hardware.memory import kv_bytes_per_token, kv_capacity_tokens
from sim.hardware.sheets import Coefficients, GpuSheet, ModelSheet, Price

__all__ = ["Coefficients", "GpuSheet", "Latency", "ModelSheet", "Price", "kv_bytes_per_token", "kv_capacity_tokens"]
