"""llm-d-benchmark's reports 0.1, 0.2 and 0.2.1, YAML or JSON: aggregates, each statistic with its units."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from sim.config.units import shown
from sim.exchange.base import Format, has, named, rate_of, spread, unit_s
from sim.exchange.documents import Document, Fields
from sim.exchange.lengths import length_law
from sim.study.fidelity.measured import Measured, OperatingPoint, Spread

VERSIONS = ("0.1", "0.2", "0.2.1")


class LlmdReport(Format):
    """One operating point a report."""

    kind: ClassVar[str] = "llm-d"
    about: ClassVar[str] = "llm-d-benchmark report 0.1, 0.2 or 0.2.1"

    @classmethod
    def fits(cls, document: Document) -> bool:
        first = document.first
        return has(first, "version", "scenario") and (has(first, "results", "run") or has(first, "metrics"))

    @classmethod
    def read(cls, document: Document) -> Measured:
        points = []
        for report in document.records():
            version = str(report.values.get("version"))
            if version not in VERSIONS:
                known = ", ".join(VERSIONS)
                report.refuse(
                    f"reports of version {shown(report.values.get('version'))} are not known here; known: {known}",
                    "version",
                )
            points.append((_oldest if version == "0.1" else _point)(report, named(document)))
        return Measured(tuple(points))


def _point(report: Fields, name: str) -> OperatingPoint:
    measured = report.child("results", "request_performance", "aggregate")
    load = report.child("scenario", "load", "standardized")
    rate, cap = rate_of(load, "rate_qps"), load.optional_count("concurrency", least=1)
    if rate is None and cap is None:
        load.refuse("is missing, and 'concurrency' too: the load is not known", "rate_qps")
    serving = [
        engine
        for part in report.child("scenario").mappings("stack")
        if (engine := part.maybe("standardized")) is not None and engine.text("kind") == "inference_engine"
    ]
    if any(engine.text("role") in ("prefill",) for engine in serving):
        serving[0].refuse("prefill and decode are apart in this run: calibrate takes replicas that do both", "role")
    card = next((found for engine in serving if (found := engine.maybe("accelerator")) is not None), None)
    split = None if card is None else card.maybe("parallelism")
    model = next((found for engine in serving if (found := engine.maybe("model")) is not None), None)
    throughput = measured.maybe("throughput")
    point = OperatingPoint(
        name=name,
        file=report.file,
        format=LlmdReport.kind,
        rate_per_s=rate,
        max_in_flight=cap,
        gap_cv=_gap_cv(load.text("tool")),
        achieved_per_s=_mean(throughput, "request_rate"),
        model="" if model is None else model.text("name"),
        gpu="" if card is None else card.text("model"),
        gpus_per_replica=None if split is None else split.optional_count("tp", least=1),
        replicas=max(1, sum(engine.optional_count("replicas") or 1 for engine in serving)),
        prompt_tokens=0.0,
        output_tokens=0.0,
        requests=0,
    )
    return _with_results(point, measured.child("requests"), measured.child("latency"))


def _oldest(report: Fields, name: str) -> OperatingPoint:
    """Version 0.1: everything under `metrics`, the load as the tool's own arguments."""
    metrics, scenario = report.child("metrics"), report.child("scenario")
    arguments = scenario.maybe("load", "args")
    places = [place for place in (arguments, scenario.maybe("load", "metadata")) if place is not None]
    rate, cap = None, None
    for place in places:
        for key in ("request_rate", "rate", "rate_qps"):
            rate = rate if rate is not None else rate_of(place, key)
        for key in ("max_concurrency", "concurrency"):
            cap = cap if cap is not None else place.optional_count(key, least=1)
    if rate is None and cap is None:
        scenario.refuse("says neither a request rate nor a concurrency", "load.args")
    host, model = scenario.maybe("host"), scenario.maybe("model")
    cards = host.mappings("accelerator") if host is not None else []
    split = cards[0].maybe("parallelism") if cards else None
    load, throughput = scenario.maybe("load"), metrics.maybe("throughput")
    point = OperatingPoint(
        name=name,
        file=report.file,
        format=LlmdReport.kind,
        rate_per_s=rate,
        max_in_flight=cap,
        gap_cv=_gap_cv("" if load is None else load.text("name")),
        achieved_per_s=None if throughput is None else throughput.optional("requests_per_sec"),
        model="" if model is None else model.text("name"),
        gpu=cards[0].text("model") if cards else "",
        gpus_per_replica=None if split is None else split.optional_count("tp", least=1),
        replicas=max(1, len(cards)),
        prompt_tokens=0.0,
        output_tokens=0.0,
        requests=0,
    )
    return _with_results(point, metrics.child("requests"), metrics.child("latency"))


def _gap_cv(tool: str) -> float:
    """inference-perf sends evenly by default, the others as a Poisson process."""
    return 0.0 if "inference-perf" in tool else 1.0


def _with_results(point: OperatingPoint, requests: Fields, latency: Fields) -> OperatingPoint:
    """The point with what both layouts say alike: counts, lengths and latencies."""
    failed = requests.optional_count("failures") or 0
    completed = requests.count("total") - failed
    if completed <= 0:
        requests.refuse("no request was completed", "total")
    prompt, output = requests.child("input_length"), requests.child("output_length")
    return replace(
        point,
        gaps_known=point.gap_cv > 0.0,
        requests=completed,
        failed=failed,
        prompt_tokens=prompt.number("mean"),
        output_tokens=output.number("mean"),
        prompt_law=length_law(prompt, prompt.number("mean"), std="stddev"),
        output_law=length_law(output, output.number("mean"), std="stddev"),
        ttft=_spread(latency, "time_to_first_token"),
        itl=_spread(latency, "inter_token_latency"),
        tpot=_spread(latency, "time_per_output_token"),
        e2e=_spread(latency, "request_latency"),
    )


def _spread(latency: Fields, metric: str) -> Spread:
    found = latency.maybe(metric)
    return Spread() if found is None else spread(found, median="p50", scale=unit_s(found, "units"))


def _mean(place: Fields | None, metric: str) -> float | None:
    found = None if place is None else place.maybe(metric)
    return None if found is None else found.optional("mean")
