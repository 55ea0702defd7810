"""Shipped data sheets by name, and pairs of them, for the tests of what they imply."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from sim.config import catalogue
from sim.config.loader import read_file
from sim.hardware import EngineSheet, GpuSheet, ModelSheet, Pair

SHARED = Path(__file__).parents[1].parent / "shared"
"""The optional data folder beside the checkout."""

CSV_NAMES = {
    "A10G": "a10g",
    "L4": "l4",
    "L40S": "l40s",
    "A100-40GB-SXM": "a100-40gb",
    "A100-80GB-SXM": "a100-80gb",
    "H100-PCIe": "h100-pcie",
    "H100-SXM": "h100-sxm",
    "H200-SXM": "h200",
    "B200-SXM": "b200",
    "GB200-NVL72": "gb200",
    "MI300X": "mi300x",
    "RTX-PRO-6000-Server": "rtx-pro-6000",
}
"""What the tables there call the GPUs of `configs/gpus`."""


def plain(folder: str, name: str) -> dict[str, Any]:
    """A shipped sheet as it is written."""
    content = read_file(catalogue.root() / folder / f"{name}.yaml").plain()
    assert isinstance(content, dict)
    return content


@cache
def model(name: str) -> ModelSheet:
    return ModelSheet.model_validate(plain(catalogue.MODELS, name))


@cache
def gpu(name: str) -> GpuSheet:
    return GpuSheet.model_validate(plain(catalogue.GPUS, name))


@cache
def engine(name: str) -> EngineSheet:
    return EngineSheet.model_validate(plain(catalogue.ENGINES, name))


BARE = EngineSheet(o0_s=0.0, o1_s=0.0)
"""No host at all."""


def pair(on: ModelSheet | str, gpus: int, card: GpuSheet | str, by: EngineSheet | str = BARE, **keys: Any) -> Pair:
    """A model on GPUs, with everything else as the model has it."""
    sheet = model(on) if isinstance(on, str) else on
    given = {"precision": sheet.precision, "kv_precision": sheet.kv_precision, **keys}
    return Pair(
        model=sheet,
        gpu=gpu(card) if isinstance(card, str) else card,
        gpus=gpus,
        engine=engine(by) if isinstance(by, str) else by,
        **given,
    )
