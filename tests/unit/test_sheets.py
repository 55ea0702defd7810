"""The sheets that ship: complete, consistent, sourced; and what contradicts itself is refused."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from pydantic import ValidationError

from sim.config import catalogue
from sim.hardware import ModelSheet, kv_bytes_per_token, weights_bytes
from tests.laws import complaint
from tests.sheets import CSV_NAMES, SHARED, engine, gpu, model, plain

MODELS = catalogue.names(catalogue.MODELS)
GPUS = catalogue.names(catalogue.GPUS)

PROMISED_GPUS = {"a10g", "l4", "l40s", "a100-40gb", "a100-80gb", "h100-pcie", "h100-sxm", "h200", "b200", "gb200"}
PROMISED_GPUS |= {"mi300x"}
PROMISED_MODELS = {"llama-2-7b", "llama-2-70b", "llama-3-8b", "llama-3-70b", "llama-3-405b", "mistral-7b"}
PROMISED_MODELS |= {"mixtral-8x7b", "qwen3-14b", "qwen3-32b", "qwen3-30b-a3b", "codellama-34b", "yi-34b", "gpt-3-175b"}

PUBLISHED_BILLIONS = {
    "bloom-176b": 176.2,
    "codellama-34b": 33.7,
    "gemma-3-12b": 11.8,  # without its vision tower
    "gemma-3-27b": 27.4,
    "gpt-3-175b": 175.0,
    "gpt-oss-120b": 116.8,
    "gpt-oss-20b": 20.9,
    "llama-2-70b": 69.0,
    "llama-2-7b": 6.74,
    "llama-3-405b": 405.9,
    "llama-3-70b": 70.6,
    "llama-3-8b": 8.03,
    "llama-4-maverick-fp8": 401.6,
    "llama-4-scout-fp8": 108.6,
    "mistral-7b": 7.24,
    "mistral-nemo-12b": 12.2,
    "mixtral-8x22b": 140.6,
    "mixtral-8x7b": 46.7,
    "qwen2.5-7b": 7.62,
    "qwen3-14b": 14.8,
    "qwen3-235b-a22b": 235.1,
    "qwen3-30b-a3b": 30.5,
    "qwen3-32b": 32.8,
    "qwen3-8b": 8.19,
    "yi-34b": 34.4,
}


def test_every_promised_name_is_there() -> None:
    assert set(GPUS) >= PROMISED_GPUS
    assert set(MODELS) >= PROMISED_MODELS
    assert catalogue.names(catalogue.ENGINES) == ("vllm-0.11", "vllm-0.15", "vllm-2023")


@pytest.mark.parametrize("name", MODELS)
def test_the_shape_of_a_model_comes_to_its_published_size(name: str) -> None:
    sheet = model(name)
    assert sheet.name == name
    assert sheet.source
    assert sheet.description
    assert sheet.computed_parameters == pytest.approx(PUBLISHED_BILLIONS[name] * 1e9, rel=0.03)
    assert sheet.parameters == pytest.approx(PUBLISHED_BILLIONS[name] * 1e9, rel=0.01)
    for row in (*sheet.calibrations, *sheet.operators):
        assert row.gpu in GPUS
        assert row.source
    kinds = [
        (type(row), row.gpu, row.gpus_per_replica, getattr(row, "engine", ""))
        for row in (*sheet.calibrations, *sheet.operators)
    ]
    assert len(kinds) == len(set(kinds)), "two rows for one replica: the second would never be used"
    for row in sheet.calibrations:
        assert row.engine in catalogue.names(catalogue.ENGINES)


@pytest.mark.parametrize(
    ("name", "active_billions"),
    [("mixtral-8x7b", 12.9), ("qwen3-30b-a3b", 3.3), ("qwen3-235b-a22b", 22.2), ("gpt-oss-120b", 5.1)],
)
def test_what_a_token_goes_through(name: str, active_billions: float) -> None:
    sheet = model(name)
    assert sheet.experts is not None
    idle = sheet.experts.count - sheet.experts.active
    inactive = idle * sheet.expert_parameters
    assert sheet.computed_parameters - inactive == pytest.approx(active_billions * 1e9, rel=0.12)


@pytest.mark.parametrize(
    ("name", "kib"),
    [
        ("llama-2-7b", 512),
        ("llama-2-70b", 320),
        ("llama-3-8b", 128),
        ("llama-3-70b", 320),
        ("llama-3-405b", 504),
        ("mistral-7b", 128),
        ("mistral-nemo-12b", 160),
        ("mixtral-8x7b", 128),
        ("mixtral-8x22b", 224),
        ("qwen2.5-7b", 56),
        ("qwen3-14b", 160),
        ("qwen3-32b", 256),
        ("qwen3-30b-a3b", 96),
        ("codellama-34b", 192),
        ("yi-34b", 240),
        ("gpt-3-175b", 4608),
    ],
)
def test_kv_bytes_per_token(name: str, kib: int) -> None:
    assert kv_bytes_per_token(model(name)) == kib * 1024
    assert kv_bytes_per_token(model(name), precision="fp8") == kib * 512


@pytest.mark.parametrize(
    ("name", "precision", "gigabytes"),
    [
        ("llama-3-70b", None, 141.1),
        ("llama-3-70b", "fp8", 72.7),  # embeddings and head stay 16 bits wide
        ("llama-3-8b", "fp16", 16.06),
        ("llama-4-scout-fp8", None, 114.7),  # published files: 113 GB; attention stays 16 bits wide
        ("gpt-oss-120b", None, 65.2),  # published files: 65 GB
        ("qwen3-30b-a3b", "fp8", 31.2),
    ],
)
def test_weights(name: str, precision: str | None, gigabytes: float) -> None:
    assert weights_bytes(model(name), precision) == pytest.approx(gigabytes * 1e9, rel=0.02)


@pytest.mark.parametrize("name", GPUS)
def test_every_gpu_can_be_computed_with(name: str) -> None:
    sheet = gpu(name)
    assert sheet.name == name
    assert sheet.source
    assert sheet.memory_bandwidth_bytes_per_s is not None
    assert sheet.bf16_flops is not None
    assert sheet.interconnect is not None
    assert sheet.tdp_w is not None
    assert sheet.fp8_flops is None or sheet.fp8_flops == pytest.approx(2 * sheet.bf16_flops, rel=0.02)
    assert 60 < sheet.bf16_flops / sheet.memory_bandwidth_bytes_per_s < 460, "operations a byte: a unit is wrong"
    price = sheet.price
    assert price is not None
    assert price.source
    assert len(price.as_of) == len("2026-08-26")
    assert 0.3 < price.on_demand < 30
    if price.spot is not None:
        assert 0 < price.spot < price.on_demand
        assert len(price.spot_as_of) == len("2026-08-26")


def test_gpus_are_those_of_the_data_sheets() -> None:
    file = SHARED / "reference" / "gpu_catalog.csv"
    if not file.is_file():
        pytest.skip("needs the optional data folder ../shared/reference beside the checkout")
    with file.open() as lines:
        rows = {CSV_NAMES[row["gpu"]]: row for row in csv.DictReader(lines) if row["gpu"] in CSV_NAMES}
    assert rows.keys() == set(GPUS)

    def within(cell: str, value: float, scale: float, slack: float) -> bool:
        low, high = (float(part) * scale for part in (cell.split("-")[0], cell.split("-")[-1]))
        return low * (1 - slack) <= value <= high * (1 + slack)

    for name, row in rows.items():
        sheet = gpu(name)
        assert sheet.memory_bandwidth_bytes_per_s is not None
        assert sheet.interconnect is not None
        assert within(row["mem_gb"], sheet.memory_bytes, 1e9, 0.075)  # GB or GiB: data sheets mean either
        assert within(row["mem_bw_gb_s"], sheet.memory_bandwidth_bytes_per_s, 1e9, 0.001)
        for column, flops in (("bf16_dense_tflops", sheet.bf16_flops), ("fp8_dense_tflops", sheet.fp8_flops)):
            assert not row[column] or (flops is not None and within(row[column], flops, 1e12, 0.001))
        assert within(row["tdp_w"], sheet.tdp_w or 0, 1, 0)
        if row["scaleup_world"] == "1":
            assert sheet.interconnect.kind == "pcie"
        else:
            assert sheet.interconnect.gpus == int(row["scaleup_world"])
            assert within(row["scaleup_bw_bidir_gb_s"], sheet.interconnect.bandwidth_bytes_per_s, 1e9, 0)


def test_prices_are_listed_somewhere() -> None:
    file = SHARED / "reference" / "gpu_prices.csv"
    if not file.is_file():
        pytest.skip("needs the optional data folder ../shared/reference beside the checkout")
    with file.open() as lines:
        listed = {
            (CSV_NAMES[row["gpu"]], row["as_of"], round(float(row["usd_per_gpu_h"]), 2))
            for row in csv.DictReader(lines)
            if row["gpu"] in CSV_NAMES
        }
    for name in GPUS:
        price = gpu(name).price
        assert price is not None
        assert (name, price.as_of, round(price.on_demand, 2)) in listed
        assert price.spot is None or (name, price.spot_as_of, round(price.spot, 2)) in listed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kv_heads": 5}, "kv_heads: must divide heads (32): each serves as many heads; got 5"),
        ({"kv_heads": 64}, "kv_heads: must divide heads (32): each serves as many heads; got 64"),
        (
            {"layers": 80},
            "parameters: the shape (layers, widths, experts, vocabulary) comes to 18.50 billion; got 8.03",
        ),
        (
            {"experts": {"count": 8, "active": 9, "intermediate": 14336}},
            "experts.active: must not be above count (8); got 9",
        ),
        (
            {"experts": {"count": 8, "active": 2, "intermediate": 14336, "layers": 33}},
            "experts.layers: must not be above the model's layers (32); got 33",
        ),
        ({"intermediate": None}, "intermediate: is missing: width of the feed-forward layers that have no experts"),
        (
            {"sliding_window": {"tokens": 4096, "layers": 40}},
            "sliding_window.layers: must not be above the model's layers (32); got 40",
        ),
        ({"precision": "int4"}, "precision: Input should be"),
    ],
)
def test_contradictions_are_refused_where_they_are(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSheet.model_validate({**plain(catalogue.MODELS, "llama-3-8b"), **changes})
    lines = complaint(caught.value)
    assert any(line.startswith(said) or f"; {said}" in line or said in line for line in lines), lines


def test_a_shape_without_a_published_size_is_counted() -> None:
    sheet = ModelSheet.model_validate({**plain(catalogue.MODELS, "llama-3-8b"), "parameters": None})
    assert sheet.all_parameters == sheet.computed_parameters == pytest.approx(8.03e9, rel=0.001)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device_s": [0.1, 0.2, 0.3]}, "device_s: must have an entry for each of the 10 tokens; got 3"),
        ({"tokens": [1, 32, 32, 128, 256, 512, 1024, 2048, 4096, 8192]}, "tokens: must increase"),
        ({"device_s": [0.0] * 10}, "must be above 0"),
    ],
)
def test_a_table_must_be_one(changes: dict[str, Any], said: str) -> None:
    sheet = plain(catalogue.MODELS, "llama-3-8b")
    with pytest.raises(ValidationError) as caught:
        ModelSheet.model_validate({**sheet, "operators": [{**sheet["operators"][0], **changes}]})
    assert any(said in line for line in complaint(caught.value)), complaint(caught.value)


def test_engines() -> None:
    assert engine("vllm-0.15").lookahead
    assert engine("vllm-0.15").launch_s("hopper", 80) == 0.0
    old = engine("vllm-2023")
    assert old.launch_s("ampere", 80) == pytest.approx(0.04)
    assert old.launch_s("hopper", 80) < old.launch_s("ampere", 80)
