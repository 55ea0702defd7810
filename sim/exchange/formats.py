"""The formats of benchmark results: their union, and which of them a file is.

A format is recognised by keys that only it has; `format` names one instead. Nothing is guessed: what fits none, or
several, is refused with the names to choose from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sim.config.catalogue import did_you_mean
from sim.config.errors import ConfigError, DataError, Problem
from sim.exchange.aiperf import AiPerf, AiPerfRequests
from sim.exchange.aiperf_csv import AiPerfCsv
from sim.exchange.base import Format
from sim.exchange.documents import open_document
from sim.exchange.guidellm import GuideLlm
from sim.exchange.inference_perf import InferencePerfRequests, InferencePerfStage
from sim.exchange.inferencex import InferenceX
from sim.exchange.iteration_log import IterationLog
from sim.exchange.llmd_report import LlmdReport
from sim.exchange.request_csv import RequestCsv
from sim.exchange.sglang_bench import SglangBench
from sim.exchange.vllm_bench import VllmBench
from sim.study.fidelity.measured import Measured, OperatingPoint, Spread, impossible

__all__ = ["FORMATS", "format_names", "read_benchmark", "read_benchmarks"]

FORMATS: tuple[type[Format], ...] = (
    VllmBench,
    SglangBench,
    GuideLlm,
    AiPerf,
    AiPerfRequests,
    AiPerfCsv,
    InferencePerfStage,
    InferencePerfRequests,
    LlmdReport,
    InferenceX,
    RequestCsv,
    IterationLog,
)


def format_names() -> tuple[str, ...]:
    """What `format` may name."""
    return tuple(form.kind for form in FORMATS)


def read_benchmark(file: str, format: str | None = None) -> Measured:
    """All that one file holds. Raises DataError; ConfigError for a format that there is not."""
    forced = next((form for form in FORMATS if form.kind == format), None)
    if format is not None and forced is None:
        raise ConfigError(Problem(f"'{format}' is not a format{did_you_mean(format, format_names())}", "format"))
    document = open_document(file)
    fitting = [forced] if forced is not None else [form for form in FORMATS if form.fits(document)]
    if len(fitting) == 1:
        found = fitting[0].read(document)
        if not found.points and not found.iterations:
            raise DataError(Problem("holds no measurement", "", file))
        return replace(found, points=tuple(_checked(point) for point in found.points))
    if fitting:
        names = " or ".join(form.kind for form in fitting)
        raise DataError(Problem(f"could be {names}; say which with --format", "", file))
    if document.container == "csv":
        known = "; or ".join(form.about for form in FORMATS if form.about.startswith("CSV"))
        raise DataError(Problem(f"is no CSV known here, which are: {known}", "", file, 1))
    known = ", ".join(format_names())
    raise DataError(Problem(f"is of no format known here, which are: {known} (see docs/calibrate.md)", "", file))


def _checked(point: OperatingPoint) -> OperatingPoint:
    """The point, without times of 0, which are none. Raises DataError for times that contradict each other."""
    point = replace(
        point, ttft=_timed(point.ttft), tpot=_timed(point.tpot), itl=_timed(point.itl), e2e=_timed(point.e2e)
    )
    wrong = impossible(point)
    if point.output_tokens < 1:
        wrong = f"{point.output_tokens:.3g} output tokens a request: one that is completed has at least 1"
    if wrong:
        raise DataError(Problem(f"{point.name}: {wrong}", "", point.file))
    return point


def _timed(found: Spread) -> Spread:
    return replace(found, **{name: None for name, value in vars(found).items() if value == 0})


def read_benchmarks(files: Iterable[str], format: str | None = None) -> Measured:
    """All that some files hold, together."""
    found = [read_benchmark(file, format) for file in files]
    return Measured(
        tuple(point for one in found for point in one.points),
        tuple(log for one in found for log in one.iterations),
    )
