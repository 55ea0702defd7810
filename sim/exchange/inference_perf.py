"""inference-perf's `stage_N_lifecycle_metrics.json` and `per_request_lifecycle_metrics.json`; seconds everywhere.

Its inter-token latencies count two chunks a token in some versions, so only TTFT and end-to-end times are taken.
"""

from __future__ import annotations

from typing import ClassVar

from sim.exchange.base import Format, has, named, point_of_requests, rate_of, spread
from sim.exchange.documents import Document, Fields
from sim.exchange.lengths import length_law
from sim.study.fidelity.measured import Measured, OperatingPoint, Spread, Tally


class InferencePerfStage(Format):
    """Aggregates of one stage: one operating point a file."""

    kind: ClassVar[str] = "inference-perf"
    about: ClassVar[str] = "inference-perf, stage_N_lifecycle_metrics.json"

    @classmethod
    def fits(cls, document: Document) -> bool:
        return has(document.first, "load_summary", "successes")

    @classmethod
    def read(cls, document: Document) -> Measured:
        return Measured(tuple(_stage(record, named(document)) for record in document.records()))


def _stage(report: Fields, name: str) -> OperatingPoint:
    load, good = report.child("load_summary"), report.child("successes")
    rate = rate_of(load, "requested_rate")
    cap = load.optional_count("concurrency", least=1)
    if rate is None and cap is None:
        load.refuse("is missing: a summary of several stages mixes loads; give the stage_N files", "requested_rate")
    completed = good.count("count")
    if completed == 0:
        good.refuse("no request was completed", "count")
    latency = good.child("latency")
    failures, throughput = report.maybe("failures"), good.maybe("throughput")
    cached = _cached_share(good)
    prompt, output = _lengths(good, "prompt_tokens", "prompt_len"), _lengths(good, "output_tokens", "output_len")
    return OperatingPoint(
        name=name,
        file=report.file,
        format=InferencePerfStage.kind,
        prompt_tokens=prompt.number("mean"),
        output_tokens=output.number("mean"),
        prompt_law=length_law(prompt, prompt.number("mean")),
        output_law=length_law(output, output.number("mean")),
        requests=completed,
        rate_per_s=rate,
        max_in_flight=cap,
        gap_cv=0.0,  # its default load; Poisson is another load type, which the file does not tell
        gaps_known=False,
        failed=(failures.optional_count("count") or 0) if failures is not None else 0,
        achieved_per_s=None if throughput is None else throughput.optional("requests_per_sec"),
        sent_per_s=load.optional("achieved_rate"),
        ttft=_spread(latency, "time_to_first_token"),
        itl=_spread(latency, "inter_token_latency"),
        e2e=_spread(latency, "request_latency"),
        cached_share=cached,
    )


def _spread(latency: Fields, metric: str) -> Spread:
    return spread(latency.maybe(metric), median="median")


def _lengths(good: Fields, *keys: str) -> Fields:
    """Statistics of tokens, under the name of this version or an older one."""
    return good.child(next((key for key in keys if good.values.get(key) is not None), keys[0]))


def _cached_share(good: Fields) -> float | None:
    tokens = good.maybe("prompt_tokens")
    if tokens is None or "cached" not in tokens.values:
        return None
    cached, total = tokens.optional("cached"), tokens.optional("total")
    return None if cached is None or not total else min(cached / total, 1.0)


class InferencePerfRequests(Format):
    """Every request, with the times of its tokens: one operating point a file, replayed as it was sent."""

    kind: ClassVar[str] = "inference-perf-requests"
    about: ClassVar[str] = "inference-perf, per_request_lifecycle_metrics.json"

    @classmethod
    def fits(cls, document: Document) -> bool:
        first = document.first
        return isinstance(first, list) and bool(first) and has(first[0], "start_time", "end_time", "info")

    @classmethod
    def read(cls, document: Document) -> Measured:
        tally, failed = Tally(), 0
        for record in document.records():
            info = record.maybe("info")
            if record.values.get("error") is not None or info is None:
                failed += 1
                continue
            answer = info.maybe("response_metrics") or info
            times = answer.numbers("output_token_times") or []
            output = answer.optional("output_tokens") or float(len(times))
            if output == 0:
                failed += 1
                continue
            sent, end = record.number("start_time"), record.number("end_time")
            if end < sent:
                record.refuse("must not be before start_time", "end_time")
            tally.add(info.number("input_tokens"), output, sent, times[0] - sent if times else None, end - sent)
        return point_of_requests(document, cls.kind, tally, failed)
