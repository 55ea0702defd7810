"""What may stand in `study.json` and in the text of a run, as pydantic models: anybody may have written them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from sim.statistics.histogram import BUCKETS

__all__ = ["RUN", "DesignFile", "RunsFile"]

_MOST_RUNS, _MOST_COUNT = 1_000_000, 2**62
_Count = Annotated[int, Field(ge=0, le=_MOST_COUNT)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Point(_Strict):
    set: dict[str, str]
    sha256: str


class RunsFile(_Strict):
    """How many replications: `replications` alone, or all the others."""

    replications: Annotated[int, Field(ge=1, le=_MOST_RUNS)] | None = None
    precision: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    of: list[str] | None = None
    at_most_runs: Annotated[int, Field(ge=1, le=_MOST_RUNS)] = 1
    at_most_requests: Annotated[int, Field(ge=1, le=_MOST_COUNT)] = 1


class DesignFile(_Strict):
    """`study.json`, without what is made of the rest of it."""

    scenario: str
    set: list[str]
    points: list[_Point]
    runs: RunsFile
    base_sha256: str | None
    version: str
    libraries: dict[str, str] = {}
    data_sha256: dict[str, str] = {}
    runs_sha256: str | None


class _Histogram(_Strict):
    buckets: list[Annotated[int, Field(ge=0, lt=BUCKETS)]]
    counts: list[_Count]
    zeros: _Count
    sum: _Finite
    least: _Finite | None
    most: _Finite | None


class _Attempts(_Strict):
    sent: _Count


class _Summary(_Strict):
    """Of all that a summary holds, what is needed to know how large the run was."""

    attempts: _Attempts


class _Run(_Strict):
    scenario: str
    replication: Annotated[int, Field(ge=0, lt=2**31)]
    error: str | None
    in_time_at_end_share: _Finite | None
    latency: dict[str, _Histogram]
    summary: _Summary | None


RUN: TypeAdapter[_Run] = TypeAdapter(_Run)
"""Reads the text of one run."""
