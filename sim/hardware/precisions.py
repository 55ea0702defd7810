"""Number formats of weights and KV cache, and their bytes."""

from __future__ import annotations

from typing import Literal

Precision = Literal["bf16", "fp16", "fp8", "mxfp4"]
KvPrecision = Literal["bf16", "fp16", "fp8"]

BYTES: dict[str, float] = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "mxfp4": 0.53125}
"""Bytes of a value; MXFP4 has a scale of one byte to 32 values of half a byte."""


def alike(one: str, other: str) -> bool:
    """Whether two formats cost the same: bf16 and fp16 do."""
    return BYTES[one] == BYTES[other]
