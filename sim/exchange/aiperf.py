"""AIPerf and genai-perf: `profile_export_aiperf.json` (aggregates) and `profile_export.jsonl` (a request a line).

Every statistic names its unit; times of day are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from sim.exchange.base import Format, has, named, point_of_requests, rate_of, spread, unit_s
from sim.exchange.documents import Document, Fields
from sim.exchange.lengths import length_law
from sim.study.fidelity.measured import Measured, OperatingPoint, Spread, Tally

_NS = 1e-9


class AiPerf(Format):
    """Aggregates: one operating point a file."""

    kind: ClassVar[str] = "aiperf"
    about: ClassVar[str] = "aiperf or genai-perf, profile_export_aiperf.json"

    @classmethod
    def fits(cls, document: Document) -> bool:
        first = document.first
        return has(first, "time_to_first_token", "request_latency") and has(first["request_latency"], "unit", "avg")

    @classmethod
    def read(cls, document: Document) -> Measured:
        return Measured(tuple(_point(record, named(document)) for record in document.records()))


def _point(report: Fields, name: str) -> OperatingPoint:
    if report.values.get("was_cancelled") is True:
        report.refuse("the run was cancelled", "was_cancelled")
    count, config = report.maybe("request_count"), report.maybe("input_config")
    completed = count.count("avg") if count is not None else 0
    if completed == 0:
        report.refuse("no request was completed, or not said how many", "request_count")
    rate, cap, mode = _load(config)
    if rate is None and cap is None:
        report.refuse("says neither request_rate nor concurrency; give profile_export.jsonl instead", "input_config")
    prompt, output = (report.child(f"{which}_sequence_length") for which in ("input", "output"))
    throughput, errors = report.maybe("request_throughput"), report.maybe("error_request_count")
    names = config.maybe("endpoint") if config is not None else None
    models = (names.items("model_names") or []) if names is not None else []
    return OperatingPoint(
        name=name,
        file=report.file,
        format=AiPerf.kind,
        prompt_tokens=prompt.number("avg"),
        output_tokens=output.number("avg"),
        prompt_law=length_law(prompt, prompt.number("avg")),
        output_law=length_law(output, output.number("avg")),
        requests=completed,
        rate_per_s=rate,
        max_in_flight=cap,
        gap_cv=0.0 if mode == "constant" else 1.0,
        failed=(errors.optional_count("avg") or 0) if errors is not None else 0,
        achieved_per_s=None if throughput is None else throughput.optional("avg"),
        ttft=_spread(report, "time_to_first_token"),
        tpot=_spread(report, "inter_token_latency"),
        e2e=_spread(report, "request_latency"),
        model=str(models[0]) if models else "",
    )


def _spread(report: Fields, metric: str) -> Spread:
    found = report.maybe(metric)
    return Spread() if found is None else spread(found, median="p50", scale=unit_s(found, "unit"), mean="avg")


def _load(config: Fields | None) -> tuple[float | None, int | None, str]:
    """Requested rate, cap, and how the gaps were drawn; genai-perf keeps them elsewhere than AIPerf."""
    if config is None:
        return None, None, ""
    for keys in (("loadgen",), ("perf_analyzer", "stimulus"), ()):
        place = config.maybe(*keys)
        if place is not None and any(place.values.get(key) is not None for key in ("request_rate", "concurrency")):
            mode = place.text("arrival_pattern") or place.text("request_rate_mode")
            return rate_of(place, "request_rate"), place.optional_count("concurrency", least=1), mode
    return None, None, ""


class AiPerfRequests(Format):
    """Every request with its time of sending: one operating point a file, replayed as it was sent."""

    kind: ClassVar[str] = "aiperf-requests"
    about: ClassVar[str] = "aiperf, profile_export.jsonl"

    @classmethod
    def fits(cls, document: Document) -> bool:
        first = document.first
        return has(first, "metadata", "metrics") and has(first["metadata"], "request_start_ns")

    @classmethod
    def read(cls, document: Document) -> Measured:
        tally, failed = Tally(), 0
        for record in document.records():
            metadata = record.child("metadata")
            if metadata.text("benchmark_phase") == "warmup":
                continue
            if isinstance(record.values.get("error"), Mapping) or metadata.values.get("was_cancelled") is True:
                failed += 1
                continue
            metrics = record.child("metrics")
            first, whole = metrics.maybe("time_to_first_token"), metrics.child("request_latency")
            tally.add(
                metrics.child("input_sequence_length").number("value"),
                metrics.child("output_sequence_length").number("value", least=1),
                metadata.number("request_start_ns") * _NS,
                None if first is None else first.number("value") * unit_s(first, "unit"),
                whole.number("value") * unit_s(whole, "unit"),
            )
        return point_of_requests(document, cls.kind, tally, failed)
