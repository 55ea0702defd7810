"""What data sheets imply."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sim.config import catalogue
from sim.config.loader import read_file
from sim.hardware import GpuSheet, ModelSheet, kv_bytes_per_token, kv_capacity_tokens

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "perf"


def model(name: str) -> ModelSheet:
    return ModelSheet.model_validate(read_file(catalogue.root() / catalogue.MODELS / f"{name}.yaml").plain())


def gpu(name: str) -> GpuSheet:
    return GpuSheet.model_validate(read_file(catalogue.root() / catalogue.GPUS / f"{name}.yaml").plain())


def test_kv_bytes_per_token() -> None:
    assert kv_bytes_per_token(model("llama-3-70b")) == 327_680  # 2 x 80 layers x 8 heads x 128 wide x 2 bytes
    assert kv_bytes_per_token(model("llama-3-8b")) == 131_072
    assert kv_bytes_per_token(model("llama-3-8b"), gpus=8) == 131_072
    assert kv_bytes_per_token(model("llama-3-8b"), gpus=16) == 2 * 131_072  # 8 KV heads on 16 GPUs: each held twice


def test_kv_capacity() -> None:
    small, h100 = model("llama-3-8b"), gpu("h100-sxm")
    free = 0.9 * 80 * 2**30 - 2 * 8_030_261_248
    assert kv_capacity_tokens(small, h100, 1) == int(free // 131_072)
    assert kv_capacity_tokens(small, h100, 1, memory_share=0.5) < kv_capacity_tokens(small, h100, 1)
    assert kv_capacity_tokens(model("llama-3-70b"), h100, 1) < 0


def test_latency_on() -> None:
    sheet = model("llama-3-70b")
    law = sheet.latency_on("h200", 8)
    assert law is not None
    assert law.base_s == 0.0083439
    assert sheet.latency_on("h200", 3) is None
    assert sheet.latency_on("h2000", 8) is None


def test_coefficients_are_those_of_the_calibration_table() -> None:
    file = SHARED / "RECOMMENDED_coefficients_vllm015.csv"
    if not file.is_file():
        pytest.skip("needs the optional data folder ../shared/data beside the checkout")
    ours = {"A100-80": "a100-80gb", "H100-80": "h100-sxm", "H200": "h200"}
    keys = {
        "a_ms": "base_s",
        "b_ms_per_prefill_tok": "prefill_s_per_token",
        "c_ms_per_seq": "decode_s_per_seq",
        "d_ms_per_ctx_tok": "attention_s_per_token",
    }
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 11
    for row in rows:
        law = model(row["model"].lower()).latency_on(ours[row["gpu"]], int(row["tp"]))
        assert law is not None
        for column, key in keys.items():
            assert getattr(law, key) == pytest.approx(float(row[column]) / 1000, rel=1e-4)
