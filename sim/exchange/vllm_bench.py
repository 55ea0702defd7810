"""`vllm bench serve --save-result`: one JSON object a run, one a line with `--append-result`.

Aggregates are in milliseconds, the arrays of `--save-detailed` in seconds (source: vllm/benchmarks/serve.py).
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from sim.exchange.base import Format, has, milliseconds, point_a_record, rate_of
from sim.exchange.documents import Document, Fields
from sim.study.fidelity.measured import Measured, OperatingPoint, Requests, Spread, spread_of


class VllmBench(Format):
    """One operating point an object."""

    kind: ClassVar[str] = "vllm"
    about: ClassVar[str] = "vllm bench serve --save-result"

    @classmethod
    def fits(cls, document: Document) -> bool:
        return has(document.first, "request_throughput", "mean_ttft_ms", "model_id")

    @classmethod
    def read(cls, document: Document) -> Measured:
        return point_a_record(document, _point)


def _point(run: Fields, name: str) -> OperatingPoint:
    if run.values.get("ramp_up_strategy") is not None:
        run.refuse("the load was ramped up during the run: calibrate takes runs at one load", "ramp_up_strategy")
    completed = run.count("completed")
    if completed == 0:
        run.refuse("no request was completed", "completed")
    rows = detailed(run, ends="latencies")
    burstiness = run.optional("burstiness")
    if burstiness == 0:
        run.refuse("must be above 0, got 0", "burstiness")
    e2e = spread_or(milliseconds(run, "e2el"), rows)
    cap = run.optional_count("max_concurrency", least=1)
    return OperatingPoint(
        name=name,
        file=run.file,
        format=VllmBench.kind,
        prompt_tokens=run.number("total_input_tokens") / completed,
        output_tokens=run.number("total_output_tokens") / completed,
        requests=completed,
        rate_per_s=rate_of(run, "request_rate"),
        max_in_flight=cap,
        gap_cv=1.0 if burstiness is None else burstiness**-0.5,
        failed=run.optional_count("failed") or 0,
        achieved_per_s=run.number("request_throughput"),
        ttft=milliseconds(run, "ttft"),
        tpot=milliseconds(run, "tpot"),
        itl=milliseconds(run, "itl"),
        e2e=e2e,
        model=run.text("model_id"),
        rows=rows,
    )


def detailed(run: Fields, ends: str = "") -> Requests | None:
    """The arrays that vLLM and SGLang keep a request, in seconds; failed requests (no token) are left out.

    `ends` names the array of end-to-end latencies, where there is one; else TTFT and the gaps are added up.
    """
    lengths = run.numbers("input_lens")
    if lengths is None:
        return None
    n = len(lengths)
    outputs, ttfts = run.numbers("output_lens", n), run.numbers("ttfts", n)
    if outputs is None or ttfts is None:
        return None
    sent, latencies = run.numbers("start_times", n), run.numbers(ends, n) if ends else None
    if latencies is None:
        gaps = run.items("itls")
        if gaps is not None and len(gaps) != n:
            run.refuse(f"has {len(gaps)} entries where others have {n}", "itls")
        latencies = [
            ttft + _added(run, gap, f"itls.{index}")
            for index, (ttft, gap) in enumerate(zip(ttfts, gaps or [math.nan] * n, strict=True))
        ]
    served = np.array(outputs) > 0
    if not served.any():
        return None
    order = np.arange(n)[served]
    arrival_s = None
    if sent is not None:
        order = order[np.argsort(np.array(sent)[order], kind="stable")]
        arrival_s = np.array(sent)[order]
        arrival_s -= arrival_s[0]
    columns = (np.array(column, float)[order] for column in (lengths, outputs, ttfts, latencies))
    prompt, output, ttft, e2e = columns
    return Requests(prompt, output, arrival_s, ttft, e2e)


def _added(run: Fields, gaps: object, key: str) -> float:
    """The gaps of one request, added up; NaN where there are none at all."""
    if isinstance(gaps, float):
        return gaps
    if not isinstance(gaps, list):
        run.refuse("must be a list of numbers", key)
    return math.fsum(run.checked(gap, key) for gap in gaps)


def spread_or(aggregate: Spread, rows: Requests | None) -> Spread:
    """The tool's own end-to-end statistics, else those of its rows."""
    return aggregate if aggregate.mean is not None or rows is None else spread_of(rows.e2e_s)
