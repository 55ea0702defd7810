"""GuideLLM's `benchmarks.json` or `.yaml`: several benchmarks a file, `*_ms` in ms, request latency in seconds.

Its time per output token counts the first token; its inter-token latency, (last - first) / (output - 1), is our TPOT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from sim.config.units import shown
from sim.exchange.base import Format, has, named, rate_of, spread
from sim.exchange.documents import Document, Fields
from sim.exchange.lengths import length_law
from sim.study.fidelity.measured import Measured, OperatingPoint, Requests, Spread, Tally
from sim.workload.law import Distribution

VERSIONS = (None, 1, 2)
"""Of the file's layout; older files do not say."""

_EVEN, _POISSON = ("constant", "async", "synchronous"), ("poisson",)
_CLOSED = ("concurrent", "throughput", "synchronous")


class GuideLlm(Format):
    """One operating point a benchmark."""

    kind: ClassVar[str] = "guidellm"
    about: ClassVar[str] = "guidellm benchmark, benchmarks.json"

    @classmethod
    def fits(cls, document: Document) -> bool:
        first = document.first
        if not has(first, "benchmarks"):
            return False
        metadata = first.get("metadata")
        return "guidellm_version" in metadata if isinstance(metadata, Mapping) else "metadata" not in first

    @classmethod
    def read(cls, document: Document) -> Measured:
        points: list[OperatingPoint] = []
        for report in document.records():
            metadata = report.maybe("metadata")
            version = None if metadata is None else metadata.values.get("version")
            if metadata is not None and version not in VERSIONS:
                known = ", ".join(str(known) for known in VERSIONS if known is not None)
                metadata.refuse(
                    f"GuideLLM files of version {shown(version)} are not known here; known: {known}", "version"
                )
            benchmarks = report.mappings("benchmarks")
            if not benchmarks:
                report.refuse("holds no benchmark", "benchmarks")
            points += [_point(one, named(document, index)) for index, one in enumerate(benchmarks)]
        return Measured(tuple(points))


def _point(benchmark: Fields, name: str) -> OperatingPoint:
    metrics = benchmark.child("metrics")

    def of(metric: str, scale: float = 1.0) -> Spread:
        return _spread(metrics.maybe(metric, "successful"), scale)

    rows = _rows(benchmark)
    strategy = _strategy(benchmark)
    rate, cap = _load(strategy)
    totals = metrics.maybe("request_totals")
    completed = totals.count("successful") if totals is not None else len(rows.prompt_tokens) if rows else 0
    if completed == 0:
        benchmark.refuse("no request was completed", "metrics.request_totals.successful")
    prompt, output = (metrics.child(f"{which}_token_count", "successful") for which in ("prompt", "output"))
    throughput = metrics.maybe("requests_per_second", "successful")
    return OperatingPoint(
        name=name,
        file=benchmark.file,
        format=GuideLlm.kind,
        prompt_tokens=prompt.number("mean"),
        output_tokens=output.number("mean"),
        prompt_law=_law(prompt),
        output_law=_law(output),
        requests=completed,
        rate_per_s=rate,
        max_in_flight=cap,
        gap_cv=0.0 if strategy.text("type_") in _EVEN else 1.0,
        failed=(totals.optional_count("errored") or 0) if totals is not None else 0,
        achieved_per_s=None if throughput is None else throughput.optional("mean"),
        ttft=of("time_to_first_token_ms", 1e-3),
        tpot=of("inter_token_latency_ms", 1e-3),
        e2e=of("request_latency"),
        model=_model(benchmark),
        # the file may keep a sample of the requests only, which cannot be replayed
        rows=rows if rows is not None and len(rows.prompt_tokens) == completed else None,
    )


def _law(lengths: Fields) -> Distribution[float] | None:
    return length_law(lengths, lengths.number("mean"), std="std_dev", percentiles=lengths.maybe("percentiles"))


def _strategy(benchmark: Fields) -> Fields:
    """How it loaded the server; its place has moved between versions."""
    places = (("config", "strategy"), ("args", "strategy"), ("scheduler", "strategy"))
    found = next((place for keys in places if (place := benchmark.maybe(*keys)) is not None), None)
    if found is None:
        benchmark.refuse("is missing: how the server was loaded", "config.strategy")
    return found


def _load(strategy: Fields) -> tuple[float | None, int | None]:
    """Requested rate and cap on requests in flight."""
    kind = strategy.text("type_")
    cap = strategy.optional_count("max_concurrency", least=1)
    if kind in (*_EVEN, *_POISSON) and kind not in _CLOSED:
        rate = rate_of(strategy, "rate")
        if rate is None:
            strategy.refuse("is missing", "rate")
        return rate, cap
    if kind not in _CLOSED:
        known = ", ".join(sorted({*_EVEN, *_POISSON, *_CLOSED}))
        strategy.refuse(f"'{kind}' is not a strategy known here; known: {known}", "type_")
    if kind == "synchronous":
        return None, 1
    return None, strategy.optional_count("streams", least=1) or cap


def _spread(fields: Fields | None, scale: float) -> Spread:
    if fields is None or not fields.values:
        return Spread()
    percentiles = fields.maybe("percentiles")
    found = spread(fields, median="median", scale=scale)
    told = spread(percentiles, median="p50", scale=scale)
    return replace(told, mean=found.mean, p50=found.p50 if told.p50 is None else told.p50)


def _rows(benchmark: Fields) -> Requests | None:
    requests = benchmark.maybe("requests")
    kept = requests.mappings("successful") if requests is not None else []
    if not kept or any(one.maybe("info", "timings") is None or "prompt_tokens" not in one.values for one in kept):
        return None
    tally = Tally()
    for one in kept:
        first_ms = one.optional("time_to_first_token_ms")
        sent = one.child("info", "timings").optional("request_start")
        if sent is None:
            return None
        latency = one.number("request_latency")
        first = None if first_ms is None else first_ms / 1000.0
        tally.add(one.number("prompt_tokens"), one.number("output_tokens"), sent, first, latency)
    return tally.rows()


def _model(benchmark: Fields) -> str:
    backend = benchmark.maybe("config", "backend")
    return backend.text("model") if backend is not None else ""
