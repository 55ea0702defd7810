"""What every benchmark format is: a name, the keys that give it away, and a way from its file to operating points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from sim.config.units import shown
from sim.exchange.documents import Document, Fields
from sim.study.fidelity.measured import (
    Measured,
    OperatingPoint,
    Requests,
    Spread,
    Tally,
    completed_per_s,
    spread_of,
    tpot_of,
)


class Format(ABC):
    """A file format of one tool."""

    kind: ClassVar[str]
    about: ClassVar[str]
    """The tool, and which of its files."""

    @classmethod
    @abstractmethod
    def fits(cls, document: Document) -> bool:
        """Whether a file looks like this, by the keys of its first record."""

    @classmethod
    @abstractmethod
    def read(cls, document: Document) -> Measured:
        """All that the file holds. Raises DataError."""


def has(value: Any, *keys: str) -> bool:
    """Whether a value is a mapping with all these keys."""
    return isinstance(value, Mapping) and all(key in value for key in keys)


def named(document: Document, part: object = "") -> str:
    """A point's name in tables: the file's, and the part where it holds several."""
    stem = Path(document.file).name
    return f"{stem}:{part}" if part != "" else stem


def point_a_record(document: Document, point: Callable[[Fields, str], OperatingPoint]) -> Measured:
    """An operating point for each record of a file, numbered where it holds several."""
    several = document.container == "jsonl" or isinstance(document.first, list)
    records = enumerate(document.records(), start=1)
    return Measured(tuple(point(record, named(document, index if several else "")) for index, record in records))


def point_of_requests(document: Document, kind: str, rows: Requests | Tally, failed: int = 0) -> Measured:
    """One operating point: all requests of a file, each with its time of sending. Refuses a tally of none."""
    if isinstance(rows, Tally):
        if not rows.prompt:
            Fields({}, document.file).refuse("no request was completed")
        rows = rows.rows()
    point = OperatingPoint(
        name=named(document),
        file=document.file,
        format=kind,
        prompt_tokens=float(rows.prompt_tokens.mean()),
        output_tokens=float(rows.output_tokens.mean()),
        requests=len(rows.prompt_tokens),
        failed=failed,
        achieved_per_s=completed_per_s(rows),
        ttft=spread_of(rows.ttft_s),
        tpot=spread_of(tpot_of(rows)),
        e2e=spread_of(rows.e2e_s),
        rows=rows,
    )
    return Measured((point,))


def milliseconds(fields: Fields, metric: str) -> Spread:
    """`mean_<metric>_ms`, `median_...`, `p99_...`, as vLLM and SGLang write them."""
    found = [fields.optional(f"{statistic}_{metric}_ms") for statistic in ("mean", "median", "p99", "p90", "p95")]
    return Spread(*(None if value is None else value / 1000.0 for value in found))


def spread(fields: Fields | None, *, median: str, scale: float = 1.0, mean: str = "mean") -> Spread:
    """A mapping of statistics, by the names of its mean and median; nothing if it is absent."""
    if fields is None:
        return Spread()
    found = [fields.optional(key) for key in (mean, median, "p99", "p90", "p95")]
    return Spread(*(None if value is None else value * scale for value in found))


def rate_of(fields: Fields, key: str) -> float | None:
    """A request rate; None where the tool was to send as fast as it could (`inf`)."""
    value = fields.values.get(key)
    if (
        value is None
        or value == float("inf")
        or (isinstance(value, str) and value.strip().lower() in ("inf", "infinity"))
    ):
        return None
    if isinstance(value, str):
        fields.refuse(f"must be a number or 'inf', got {shown(value)}", key)
    rate = fields.checked(value, key)
    if rate <= 0:
        fields.refuse(f"must be above 0, got {shown(value)}", key)
    return rate


SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""A unit that a file names, in seconds."""


def unit_s(fields: Fields, key: str) -> float:
    """Seconds of the unit that a statistic names (`ms`, `s/token`). It must name one."""
    unit = fields.values.get(key)
    plain = unit.removesuffix("/token") if isinstance(unit, str) else ""
    if plain not in SECONDS:
        fields.refuse(f"must be one of {', '.join(SECONDS)}, got {shown(unit)}", key)
    return SECONDS[plain]
