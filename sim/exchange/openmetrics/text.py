"""OpenMetrics text: families, labels and numbers as its grammar wants them.

Format: the OpenMetrics 1.0 specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sim.exchange.openmetrics.families import Family
from sim.exchange.openmetrics.scrapes import Counted, Floats, Ints

END = "# EOF\n"


def head(family: Family) -> str:
    """What a family is."""
    return f"# TYPE {family.name} {family.kind}\n# HELP {family.name} {_escaped(family.help)}\n"


def labels_of(labels: Mapping[str, str]) -> str:
    """Labels between their braces."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def samples(name: str, labels: str, values: Ints | Floats, stamps: Sequence[str]) -> str:
    """A series of plain numbers."""
    begin = f"{name}{{{labels}}} "
    return "".join(f"{begin}{value} {stamp}\n" for value, stamp in zip(values.tolist(), stamps, strict=True))


def histogram(name: str, labels: str, edges: tuple[float, ...], found: Counted, stamps: Sequence[str]) -> str:
    """A series of histograms: all parts of one time together."""
    begins = [f'{name}_bucket{{{labels},le="{edge}"}} ' for edge in (*edges, "+Inf")]
    parts = zip(found.upto.tolist(), found.total.tolist(), stamps, strict=True)
    return "".join(_at_once(name, labels, begins, upto, total, stamp) for upto, total, stamp in parts)


def _at_once(name: str, labels: str, begins: list[str], upto: list[int], total: float, stamp: str) -> str:
    buckets = "".join([f"{begin}{count} {stamp}\n" for begin, count in zip(begins, upto, strict=True)])
    return f"{buckets}{name}_count{{{labels}}} {upto[-1]} {stamp}\n{name}_sum{{{labels}}} {total} {stamp}\n"


def stamps_of(start_s: float, every_s: float, count: int) -> list[str]:
    """Unix times of samples, to the millisecond that Prometheus keeps."""
    return [f"{start_s + place * every_s:.3f}" for place in range(count)]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def chunks(parts: Iterator[str]) -> Iterator[str]:
    """Those that say something."""
    return (part for part in parts if part)
