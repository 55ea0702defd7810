"""What was measured on a real engine, whatever tool measured it. Times in seconds, lengths in tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import DataError, Problem
from sim.workload.law import Distribution
from sim.workload.rows import MOST_TOKENS

Floats = NDArray[np.float64]

QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Spread:
    """A latency over the requests of one operating point, in seconds; None for what the file does not say."""

    mean: float | None = None
    p50: float | None = None
    p99: float | None = None
    p90: float | None = None
    p95: float | None = None


NOTHING = Spread()


@dataclass(frozen=True, eq=False)
class Requests:
    """The completed requests of one operating point, in order of sending; all of shape (n,)."""

    prompt_tokens: Floats
    output_tokens: Floats
    arrival_s: Floats | None = None
    """When each was sent, from the first; None if the file does not say."""
    ttft_s: Floats | None = None
    e2e_s: Floats | None = None


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """An engine under one load: what was asked of it and what came out."""

    name: str
    """For tables: the file, and its line or stage if it holds several."""
    file: str
    format: str
    prompt_tokens: float
    """Mean of the requests."""
    output_tokens: float
    requests: int
    """Completed."""
    prompt_law: Distribution[float] | None = None
    """Lengths as drawn, where the file tells their spread; None: the mean for all, but for `rows`."""
    output_law: Distribution[float] | None = None
    rate_per_s: float | None = None
    """Requested; None: as many as the cap allows."""
    max_in_flight: int | None = None
    """The client's cap; None: it has none, or the file does not say."""
    load_known: bool = True
    """Whether the file says rate or cap at all."""
    gap_cv: float = 1.0
    """Coefficient of variation of the gaps between requests: 1 Poisson, 0 even."""
    gaps_known: bool = True
    """Whether the file says how the gaps vary; if not, `gap_cv` is what its tool does by default."""
    failed: int = 0
    achieved_per_s: float | None = None
    """Completed requests over the whole duration."""
    sent_per_s: float | None = None
    """What the client managed to send, where the file tells it from what was completed."""
    ttft: Spread = NOTHING
    tpot: Spread = NOTHING
    """(e2e - ttft) / (output - 1) of each request, as the tool computed it."""
    itl: Spread = NOTHING
    """Gaps between the chunks of a stream."""
    e2e: Spread = NOTHING
    model: str = ""
    gpu: str = ""
    precision: str = ""
    """Of the weights, where the file says so."""
    gpus_per_replica: int | None = None
    replicas: int = 1
    cached_share: float | None = None
    """Share of prompt tokens found in the prefix cache, where the file says so."""
    rows: Requests | None = None

    @property
    def derived_tpot_s(self) -> float | None:
        """(E2E - TTFT) / (output - 1) of the means: free of what the tool takes for a token."""
        if self.e2e.mean is None or self.ttft.mean is None or self.output_tokens < 2:
            return None
        return (self.e2e.mean - self.ttft.mean) / (self.output_tokens - 1.0)

    @property
    def any_tpot_s(self) -> float | None:
        """The derived time per output token, else the tool's own."""
        return self.derived_tpot_s if self.derived_tpot_s is not None else self.tpot.mean

    @property
    def any_e2e_s(self) -> float | None:
        """Measured, else TTFT plus the answer's tokens."""
        if self.e2e.mean is not None or self.ttft.mean is None or self.tpot.mean is None:
            return self.e2e.mean
        return self.ttft.mean + self.tpot.mean * max(self.output_tokens - 1.0, 0.0)

    @property
    def load(self) -> str:
        """The load in words."""
        parts = [f"{self.rate_per_s:g}/s"] if self.rate_per_s is not None else []
        parts += [f"{self.max_in_flight} in flight"] if self.max_in_flight is not None else []
        return ", ".join(parts) or "all at once"


@dataclass(frozen=True, eq=False)
class Iterations:
    """Iterations of an engine, one a row; all of shape (n,)."""

    file: str
    prefill_tokens: Floats
    decode_seqs: Floats
    context_tokens: Floats
    """Of the decoding sequences, added up."""
    seconds: Floats


@dataclass(frozen=True)
class Measured:
    """All that some files hold."""

    points: tuple[OperatingPoint, ...] = ()
    iterations: tuple[Iterations, ...] = ()


_REPLICAS_MOST, _YEAR_S = 1_000, 366 * 86_400


def impossible(point: OperatingPoint) -> str:
    """Why no run can have been like this, or can be simulated; empty if one can."""
    rows = point.rows
    longest = max(point.prompt_tokens, point.output_tokens)
    if rows is not None:
        longest = max(longest, float(rows.prompt_tokens.max(initial=0)), float(rows.output_tokens.max(initial=0)))
    slowest = max(latency.mean or 0.0 for latency in (point.ttft, point.tpot, point.itl, point.e2e))
    if point.replicas > _REPLICAS_MOST:
        return f"{point.replicas} replicas; at most {_REPLICAS_MOST}"
    if longest > MOST_TOKENS:
        return f"{longest:.3g} tokens in a prompt or an answer; at most {MOST_TOKENS:,}"
    if point.rate_per_s is not None and point.requests / point.rate_per_s > _YEAR_S:
        return f"{point.requests} requests at {point.rate_per_s:g}/s would take more than a year"
    if rows is not None and rows.arrival_s is not None and rows.arrival_s.max(initial=0) > _YEAR_S:
        return f"requests were sent over {rows.arrival_s.max():.3g} s, more than a year: in which unit are the times?"
    if slowest > _YEAR_S:
        return f"a mean latency of {slowest:.3g} s is more than a year: in which unit is it?"
    first, whole = point.ttft.mean, point.e2e.mean
    if first is not None and whole is not None and point.output_tokens >= 2 and first >= whole:
        return (
            f"the mean time to the first token ({first * 1e3:.4g} ms) is not below that of the whole answer "
            f"({whole * 1e3:.4g} ms): were answers streamed?"
        )
    return ""


@dataclass
class Tally:
    """Collects the requests of one operating point as they are read, as plain columns."""

    prompt: list[float] = field(default_factory=list)
    output: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    ttft: list[float] = field(default_factory=list)
    e2e: list[float] = field(default_factory=list)

    def add(self, prompt: float, output: float, sent: float, ttft: float | None, e2e: float) -> None:
        """One completed request."""
        self.prompt.append(prompt)
        self.output.append(output)
        self.sent.append(sent)
        self.ttft.append(math.nan if ttft is None else ttft)
        self.e2e.append(e2e)

    def rows(self) -> Requests:
        """Sorted by the time of sending."""
        sent = np.array(self.sent)
        order = np.argsort(sent, kind="stable")
        columns = (np.array(column)[order] for column in (self.prompt, self.output, self.ttft, self.e2e))
        prompt, output, ttft, e2e = columns
        return Requests(prompt, output, sent[order] - sent.min(), ttft, e2e)


def spread_of(values: Floats | None) -> Spread:
    """Statistics of the values that are there."""
    values = values[np.isfinite(values)] if values is not None else np.empty(0)
    if not len(values):
        return NOTHING
    return Spread(float(values.mean()), **{name: float(np.quantile(values, q)) for name, q in QUANTILES.items()})


def tpot_of(rows: Requests) -> Floats | None:
    """Time per output token of each request that has two; shape (n,), NaN elsewhere."""
    if rows.ttft_s is None or rows.e2e_s is None:
        return None
    gaps = np.where(rows.output_tokens > 1, rows.output_tokens - 1.0, np.nan)
    return np.asarray((rows.e2e_s - rows.ttft_s) / gaps)


def completed_per_s(rows: Requests) -> float | None:
    """Completed requests over the time from the first sending to the last answer."""
    if rows.arrival_s is None or rows.e2e_s is None:
        return None
    span_s = float(np.max(rows.arrival_s + rows.e2e_s))
    return len(rows.e2e_s) / span_s if span_s > 0 else None


def with_cap(measured: Measured, max_in_flight: int | None) -> Measured:
    """The points, with this cap where they do not say one. Raises DataError for one whose load is not known then."""
    found = []
    for point in measured.points:
        if max_in_flight is not None and point.max_in_flight is None:
            found.append(replace(point, max_in_flight=max_in_flight, load_known=True))
            continue
        if not point.load_known:
            remedy = "give --max-in-flight N, or another of the tool's files that says it"
            raise DataError(Problem(f"does not say how the server was loaded; {remedy}", "", point.file))
        found.append(point)
    return replace(measured, points=tuple(found))
