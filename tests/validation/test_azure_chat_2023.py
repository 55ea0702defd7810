"""The shipped workload `azure-chat-2023` against the trace it was computed from, where that trace is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter
from scipy import stats

from sim.workload import AnyWorkload, Trace, Workload, read_trace
from sim.workload.demand import PREFIX_BLOCK_TOKENS

ROOT = Path(__file__).resolve().parents[2]
TRACES = ROOT.parent / "shared" / "data" / "traces"
SPAN_S = 3502.0


@pytest.fixture(scope="module")
def trace() -> Trace:
    file = TRACES / "azure2023_conv.csv"
    if not file.exists():
        pytest.skip("the Azure 2023 conversation trace is not beside this checkout (../shared/data/traces)")
    return read_trace(str(file))


@pytest.fixture(scope="module")
def shipped() -> Workload:
    text = (ROOT / "workloads" / "azure-chat-2023.yaml").read_text()
    workload: Workload = TypeAdapter[Any](AnyWorkload).validate_python(yaml.safe_load(text))
    return workload


def fano(times: Any, window_s: float) -> float:
    """Variance over mean of the counts in whole windows of one span of the trace."""
    counts = np.histogram(times, bins=np.arange(0, SPAN_S, window_s))[0]
    return float(counts.var(ddof=1) / counts.mean())


def test_the_trace_is_read_as_published(trace: Trace) -> None:
    """Figures measured independently of this reader."""
    assert len(trace) == 19_366
    assert trace.arrival_s[-1] == pytest.approx(3501.721937)
    assert trace.prompt_tokens is not None
    assert trace.output_tokens is not None
    prompt, output = trace.prompt_tokens, trace.output_tokens
    assert np.quantile(prompt, [0.5, 0.9, 0.99]) == pytest.approx([1020, 2735, 4142], abs=1)
    assert np.quantile(output, [0.5, 0.9, 0.99]) == pytest.approx([129, 424, 601], abs=1)
    assert (round(prompt.mean()), round(output.mean())) == (1155, 211)


def test_shipped_lengths_are_those_of_the_trace(trace: Trace, shipped: Workload) -> None:
    drawn = shipped.demand(1, 0, 40_000.0)
    for name in ("prompt_tokens", "output_tokens"):
        measured, made = getattr(trace, name), getattr(drawn, name)
        assert stats.ks_2samp(measured, made).statistic < 0.02, name
        assert made.mean() == pytest.approx(measured.mean(), rel=0.02), name
        assert made.max() <= measured.max()


def test_shipped_arrivals_drift_as_those_of_the_trace(trace: Trace, shipped: Workload) -> None:
    runs = [shipped.demand(1, replication, SPAN_S).arrival_s for replication in range(100)]
    assert np.mean([len(run) for run in runs]) == pytest.approx(len(trace), rel=0.03)
    for window_s, rel in ((10.0, 0.1), (60.0, 0.15)):
        made = np.mean([fano(run, window_s) for run in runs])
        assert made == pytest.approx(fano(trace.arrival_s, window_s), rel=rel)
    gaps = [np.diff(run) for run in runs]
    measured = np.diff(trace.arrival_s)
    cv = np.mean([gap.std() / gap.mean() for gap in gaps])
    assert cv == pytest.approx(measured.std() / measured.mean(), abs=0.06)
    assert cv > 1.03, "not a plain Poisson process"


def test_mooncake_is_read_as_published() -> None:
    file = TRACES / "mooncake_conversation.jsonl"
    if not file.exists():
        pytest.skip("the Mooncake conversation trace is not beside this checkout (../shared/data/traces)")
    trace = read_trace(str(file))
    assert len(trace) == 12_031
    assert trace.arrival_s[-1] == pytest.approx(3537)
    assert trace.prompt_tokens is not None
    assert trace.output_tokens is not None
    assert np.quantile(trace.prompt_tokens, [0.5, 0.9, 0.99]).round().tolist() == [6909, 27367, 85400]
    assert (round(trace.prompt_tokens.mean()), round(trace.output_tokens.mean())) == (12035, 343)


def test_mooncake_hits_as_many_prefix_blocks_as_published() -> None:
    """With a cache that forgets nothing, 36.6 % of all prefix blocks are there already; and no id is told apart."""
    file = TRACES / "mooncake_conversation.jsonl"
    if not file.exists():
        pytest.skip("the Mooncake conversation trace is not beside this checkout (../shared/data/traces)")
    demand = TypeAdapter[Workload](AnyWorkload).validate_python({"trace": str(file)}).demand(1, 0, None)
    assert demand.notes == ()
    assert (demand.prefix0 >= 0).all()
    ids = demand.prefixes[demand.prefixes >= 0]
    blocks = -(-demand.prompt_tokens.astype(np.int64) // PREFIX_BLOCK_TOKENS)
    assert len(ids) == blocks.sum() == len(demand.prefixes) - len(demand) == 288_500
    assert np.array_equal(np.diff(demand.prefix0), blocks[:-1] + 1)
    assert demand.prefix_blocks == len(np.unique(ids)) == 182_790
    hits = 1 - demand.prefix_blocks / len(ids)
    assert hits == pytest.approx(0.366, abs=0.0005)
