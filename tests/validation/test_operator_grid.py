"""Iteration times from sheets and from operator tables, against the operator grid they rest on. No host in either."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.hardware import IterationLaw, implied
from sim.hardware.law import Source, table_of
from tests.sheets import SHARED, pair

GRID = SHARED / "data" / "perf" / "itergrid_aic_oplevel.csv.gz"
GPUS = {"a100_sxm": "a100-80gb", "h100_sxm": "h100-sxm", "h200_sxm": "h200"}
PAIRS = [
    (gpu, model, gpus) for gpu in GPUS for model, gpus in (("8B", 1), ("8B", 2), ("70B", 2), ("70B", 4), ("70B", 8))
]

pytestmark = pytest.mark.skipif(
    not GRID.is_file(), reason="needs the optional data folder ../shared/data beside the checkout"
)


def errors(gpu: str, size: str, gpus: int, source: Source, prefill: bool) -> NDArray[np.float64]:
    """Signed relative errors over the grid's domain: 256 sequences, 4096 tokens of context each, 300,000 together."""
    import pandas as pd

    grid = pd.read_csv(GRID)
    grid = grid[(grid["gpu"] == gpu) & (grid["model"] == f"Llama-3-{size}") & (grid["tp"] == gpus)]
    grid = grid[(grid["ctx_tokens"] <= 4096 * grid["decode_seqs"]) & (grid["ctx_tokens"] <= 3e5)]
    grid = grid[(grid["prefill_tokens"] > 0) == prefill]
    grid = grid[grid["prefill_tokens"] + grid["decode_seqs"] <= 8192]
    assert len(grid) >= 49
    law = implied(pair(f"llama-3-{size.lower()}", gpus, GPUS[gpu]), 256, 8192, source)
    assert isinstance(law, IterationLaw), law
    rows = zip(grid["prefill_tokens"], grid["decode_seqs"], grid["ctx_tokens"], grid["ms"], strict=True)
    return np.array([law.iteration_s(p, b, c, p * p) / (ms / 1000) - 1 for p, b, c, ms in rows])


def mape(found: NDArray[np.float64]) -> float:
    return float(np.abs(found).mean())


@pytest.mark.parametrize(("gpu", "size", "gpus"), PAIRS)
def test_tables_of_decode_iterations(gpu: str, size: str, gpus: int) -> None:
    found = mape(errors(gpu, size, gpus, "operators", prefill=False))
    assert found <= 0.03
    row = table_of(pair(f"llama-3-{size.lower()}", gpus, GPUS[gpu]))
    assert row is not None
    assert found == pytest.approx(row.decode_error_share, abs=0.001), "the sheet states another error"


@pytest.mark.parametrize(("gpu", "size", "gpus"), PAIRS)
def test_tables_of_iterations_that_prefill(gpu: str, size: str, gpus: int) -> None:
    found = mape(errors(gpu, size, gpus, "operators", prefill=True))
    assert found <= 0.04
    row = table_of(pair(f"llama-3-{size.lower()}", gpus, GPUS[gpu]))
    assert row is not None
    assert found == pytest.approx(row.mixed_error_share, abs=0.001), "the sheet states another error"


@pytest.mark.parametrize(("gpu", "size", "gpus"), PAIRS)
def test_roofline_of_decode_iterations(gpu: str, size: str, gpus: int) -> None:
    found = errors(gpu, size, gpus, "roofline", prefill=False)
    assert mape(found) <= 0.045
    assert abs(float(found.mean())) <= 0.04


@pytest.mark.parametrize(("gpu", "size", "gpus"), PAIRS)
def test_roofline_of_iterations_that_prefill(gpu: str, size: str, gpus: int) -> None:
    assert mape(errors(gpu, size, gpus, "roofline", prefill=True)) <= 0.07
