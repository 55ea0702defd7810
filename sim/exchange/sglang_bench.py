"""SGLang's `bench_serving`: one JSON object a line, one line a run, aggregates in milliseconds, arrays in seconds."""

from __future__ import annotations

from typing import ClassVar

from sim.exchange.base import Format, has, milliseconds, point_a_record, rate_of
from sim.exchange.documents import Document, Fields
from sim.exchange.lengths import uniform_from
from sim.exchange.vllm_bench import detailed, spread_or
from sim.study.fidelity.measured import Measured, OperatingPoint
from sim.workload.law import Distribution


class SglangBench(Format):
    """One operating point a line. Its rows (`--output-details`) have no times of sending."""

    kind: ClassVar[str] = "sglang"
    about: ClassVar[str] = "sglang.bench_serving --output-file"

    @classmethod
    def fits(cls, document: Document) -> bool:
        return has(document.first, "total_output_tokens_retokenized", "mean_e2e_latency_ms")

    @classmethod
    def read(cls, document: Document) -> Measured:
        return point_a_record(document, _point)


def _point(run: Fields, name: str) -> OperatingPoint:
    completed = run.count("completed")
    if completed == 0:
        run.refuse("no request was completed", "completed")
    run.number("mean_e2e_latency_ms")  # always there: another tool's file, named as this one's, is not
    rows = detailed(run)
    prompt, output = (run.number(f"total_{which}_tokens") / completed for which in ("input", "output"))
    return OperatingPoint(
        name=name,
        file=run.file,
        format=SglangBench.kind,
        prompt_tokens=prompt,
        output_tokens=output,
        prompt_law=_law(run, "random_input_len", prompt),
        output_law=_law(run, "random_output_len", output),
        requests=completed,
        rate_per_s=rate_of(run, "request_rate"),
        max_in_flight=run.optional_count("max_concurrency", least=1),
        achieved_per_s=run.number("request_throughput"),
        ttft=milliseconds(run, "ttft"),
        tpot=milliseconds(run, "tpot"),
        itl=milliseconds(run, "itl"),
        e2e=spread_or(milliseconds(run, "e2e_latency"), rows),
        model=run.text("model_id") or run.text("model"),
        rows=rows,
    )


def _law(run: Fields, longest: str, mean: float) -> Distribution[float] | None:
    """The spread of random lengths: evenly from a share of the longest on."""
    share, most = run.optional("random_range_ratio"), run.optional(longest)
    if run.text("dataset_name") not in ("random", "random-ids") or share is None or not most or mean <= 0:
        return None
    return uniform_from(share, most, mean)
