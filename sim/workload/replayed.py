"""Replayed streams: the requests of a trace file, sped up, cut or repeated."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from sim.config.errors import ConfigError, DataError, Problem
from sim.config.said import said
from sim.config.units import Duration, PositiveAmount, PositiveCount
from sim.workload.base import Columns, Floats, Stream
from sim.workload.generated import ServiceLaw, service_times
from sim.workload.prefixes import PrefixLists
from sim.workload.randomness import RngOf
from sim.workload.rates import check_size
from sim.workload.traces import Peek, Trace, format_names, peek, read_trace

__all__ = ["Replayed"]


def _format(name: str) -> str:
    if name not in format_names():
        close = difflib.get_close_matches(name, format_names(), n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise said(f"'{name}' is not one of {', '.join(format_names())}{hint}")
    return name


def _path(value: Any) -> Any:
    if value is None or value == "":
        raise said("names no file; give the path of a trace, for example --set workload.trace=PATH")
    return value


class Replayed(Stream):
    """Requests read from a trace file."""

    trace: Annotated[str, BeforeValidator(_path), Field(description="File of the trace.")]
    format: Annotated[
        str | None,
        AfterValidator(lambda name: name if name is None else _format(name)),
        WithJsonSchema({"anyOf": [{"enum": list(format_names())}, {"type": "null"}]}),
        Field(description="Default: recognised by its columns."),
    ] = None
    speed: Annotated[PositiveAmount, Field(description="2 replays it in half the time.")] = 1.0
    start: Annotated[Duration, Field(description="Trace time to skip.")] = 0.0
    limit: Annotated[PositiveCount | None, Field(description="Requests to replay at most.")] = None
    loop: Annotated[
        bool, Field(strict=True, description="Repeat until the horizon, every span of the trace plus its mean gap.")
    ] = False
    service: Annotated[
        ServiceLaw | None, Field(description="Service time on a `slots` replica, unless the trace has its own.")
    ] = None
    prefixes: Annotated[bool, Field(strict=True, description="Use the trace's prefix hashes.")] = True

    @property
    def _peek(self) -> Peek:
        return peek(self.trace, self.format)

    @property
    def brings_service(self) -> bool:
        return self.service is not None or self._peek.has_service

    @property
    def brings_tokens(self) -> bool:
        return self._peek.has_tokens

    @property
    def ends(self) -> bool:
        return not self.loop

    def expected(self, horizon_s: float | None) -> float:
        if self.loop and horizon_s is not None:
            return self._peek.rate_per_s * self.speed * horizon_s
        return min(self._peek.requests, math.inf if self.limit is None else self.limit)

    def columns(self, rng_of: RngOf, horizon_s: float | None) -> Columns:
        trace = self._read(horizon_s)
        arrival_s, row, notes = _scheduled(trace.arrival_s / self.speed, self, horizon_s)
        prefixes = None if trace.prefixes is None else trace.prefixes.cycled(len(arrival_s))
        if prefixes is not None and len(arrival_s) > len(trace):
            name = os.path.basename(self.trace)
            notes += (f"{name}: every repeat stands for new conversations, sharing no prefix with others",)
        columns = self._asked(trace, rng_of, arrival_s, row)
        return replace(columns, notes=(*trace.notes, *notes), prefixes=prefixes)

    def pieces(self, rng_of: RngOf, horizon_s: float | None, rows: int) -> Iterator[Columns]:
        if not self.loop:
            whole = self.columns(rng_of, horizon_s)
            self._refuse_hashes(whole.prefixes)
            yield from whole.parts(rows)
            return
        trace = self._read(horizon_s)
        self._refuse_hashes(trace.prefixes)
        assert horizon_s is not None
        trace_s, n = trace.arrival_s / self.speed, len(trace)
        turns, period_s, note = _turns(trace_s, self, horizon_s)
        for first in range(0, max(turns * n, 1), rows):
            places = np.arange(first, min(first + rows, turns * n))
            arrival_s = places // n * period_s + trace_s[places % n]
            arrival_s = arrival_s[: np.searchsorted(arrival_s, horizon_s)]
            columns = self._asked(trace, rng_of, arrival_s, places[: len(arrival_s)] % n)
            yield replace(columns, notes=(*trace.notes, note))

    def _refuse_hashes(self, prefixes: PrefixLists | None) -> None:
        if prefixes is not None:
            told = f"{self.trace} has prefix hashes, and is not streamed with them; set prefixes: false"
            raise ConfigError(Problem(told, "prefixes"))

    def _read(self, horizon_s: float | None) -> Trace:
        if self.loop and horizon_s is None:
            raise ConfigError("needs a horizon: a trace that loops never ends by itself")
        trace = read_trace(self.trace, self.format, start_s=self.start, limit=self.limit, prefixes=self.prefixes)
        if self.cached_share and trace.prefixes is not None:
            what = (
                f"{self.trace} has prefix hashes, which tell what is cached; take this key out or set prefixes: false"
            )
            raise ConfigError(Problem(what, "cached_share"))
        if trace.service_s is not None and self.service is not None:
            raise ConfigError(Problem(f"{self.trace} has service times of its own; take this key out", "service"))
        return trace

    def _asked(self, trace: Trace, rng_of: RngOf, arrival_s: Floats, row: slice | NDArray[np.intp]) -> Columns:
        """What the requests of these rows of the trace ask for, when they arrive."""
        n = len(arrival_s)
        prompt = np.zeros(n, np.int32) if trace.prompt_tokens is None else trace.prompt_tokens[row]
        output = np.ones(n, np.int32) if trace.output_tokens is None else trace.output_tokens[row]
        if trace.service_s is None:
            return Columns(arrival_s, prompt, output, *service_times(self.service, rng_of, prompt, output))
        service_s = trace.service_s[row]
        return Columns(arrival_s, prompt, output, service_s, service_s)


def _scheduled(
    trace_s: Floats, stream: Replayed, horizon_s: float | None
) -> tuple[Floats, slice | NDArray[np.intp], tuple[str, ...]]:
    """When the rows of a trace arrive, which row each arrival is, and what to say about it."""
    n, name = len(trace_s), os.path.basename(stream.trace)
    if stream.loop:
        assert horizon_s is not None
        turns, period_s, note = _turns(trace_s, stream, horizon_s)
        check_size(turns * n)
        arrival_s = (np.arange(turns)[:, np.newaxis] * period_s + trace_s).ravel()
        arrival_s = arrival_s[: np.searchsorted(arrival_s, horizon_s)]
        return arrival_s, np.arange(len(arrival_s)) % n, (note,)
    if horizon_s is None:
        return trace_s, slice(None), ()
    kept = int(np.searchsorted(trace_s, horizon_s))
    note = f"{name}: {n - kept:,} of {n:,} requests arrive at or after the horizon and are left out"
    return trace_s[:kept], slice(kept), (note,) if kept < n else ()


def _turns(trace_s: Floats, stream: Replayed, horizon_s: float) -> tuple[int, float, str]:
    """How often a trace that loops begins before the horizon, after how many seconds each time, and a note of it."""
    n, name = len(trace_s), os.path.basename(stream.trace)
    span_s = float(trace_s[-1] - trace_s[0])
    if span_s == 0:
        raise DataError(Problem("cannot loop: all its requests arrive at one instant", "", stream.trace))
    period_s = span_s + span_s / (n - 1)
    turns = max(math.ceil((horizon_s - trace_s[0]) / period_s), 0)
    return (
        turns,
        period_s,
        f"{name}: {n:,} requests repeated every {period_s:g} s (their span plus their mean gap) to the horizon",
    )
