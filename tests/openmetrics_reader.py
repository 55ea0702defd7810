"""A strict reader of OpenMetrics text: grammar, order, and what counters and histograms may do over time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (\S+) (\d+(?:\.\d+)?)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
SUFFIXES = {"gauge": ("",), "counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Series:
    """Samples of one name and set of labels, `le` among them."""

    times_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass
class Read:
    """A whole text."""

    kinds: dict[str, str] = field(default_factory=dict)
    series: dict[tuple[str, Labels], Series] = field(default_factory=dict)

    def of(self, name: str, **labels: str) -> list[Series]:
        """Series of a name with these labels, and any others."""
        return [
            series
            for (found, has), series in self.series.items()
            if found == name and labels.items() <= dict(has).items()
        ]

    def last(self, name: str, **labels: str) -> float:
        """The sum of the last values of some series, which must be there."""
        found = self.of(name, **labels)
        assert found, f"no {name} with {labels}"
        return sum(series.values[-1] for series in found)


def read(text: str) -> Read:
    """The samples, or an assertion that says what is wrong."""
    assert text.endswith("\n# EOF\n"), "no end"
    found, family = Read(), ""
    point: tuple[Labels, float] | None = None
    points: set[tuple[str, Labels]] = set()
    for line in text.removesuffix("# EOF\n").splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in found.kinds, f"{family} stands twice"
            found.kinds[family], point = kind, None
        elif line.startswith("# HELP "):
            assert line.split(" ")[2] == family
        else:
            name, labels, value, at_s = _sample(line)
            suffix = name.removeprefix(family)
            assert suffix in SUFFIXES[found.kinds[family]], f"{name} is no part of {family}"
            whose = tuple(pair for pair in labels if pair[0] != "le")
            if point is None or point[0] != whose:
                assert (family, whose) not in points, f"samples of {family} {whose} do not stand together"
                points.add((family, whose))
            else:
                assert at_s >= point[1], "times go back"
            point = (whose, at_s)
            series = found.series.setdefault((name, labels), Series())
            assert not series.times_s or series.times_s[-1] < at_s, f"two samples at one time: {line}"
            series.times_s.append(at_s)
            series.values.append(value)
    _check_values(found)
    return found


def _sample(line: str) -> tuple[str, Labels, float, float]:
    parts = _SAMPLE.fullmatch(line)
    assert parts, f"no sample: {line}"
    labels = tuple(_LABEL.findall(parts[2]))
    assert ",".join(f'{name}="{value}"' for name, value in labels) == parts[2], f"no labels: {parts[2]}"
    assert len(dict(labels)) == len(labels), f"a label twice: {parts[2]}"
    return parts[1], labels, float(parts[3]), float(parts[4])


def _check_values(found: Read) -> None:
    for family, kind in found.kinds.items():
        if kind == "gauge":
            continue
        for (name, labels), series in found.series.items():
            if name.removeprefix(family) in SUFFIXES[kind]:
                assert series.values[0] >= 0
                later = zip(series.values, series.values[1:], strict=False)
                assert all(one <= other for one, other in later), f"{name} {labels} goes down"
        if kind == "histogram":
            _check_buckets(found, family)


def _check_buckets(found: Read, family: str) -> None:
    """Buckets grow with their edges, and the last is the count."""
    by_server: dict[Labels, list[tuple[float, Series]]] = {}
    for (name, labels), series in found.series.items():
        if name == f"{family}_bucket":
            whose = tuple(pair for pair in labels if pair[0] != "le")
            by_server.setdefault(whose, []).append((float(dict(labels)["le"]), series))
    for whose, buckets in by_server.items():
        edges = [edge for edge, _ in buckets]
        assert edges == sorted(edges)
        assert edges[-1] == float("inf")
        for one, other in pairwise(buckets):
            assert all(a <= b for a, b in zip(one[1].values, other[1].values, strict=True))
        assert buckets[-1][1].values == found.series[f"{family}_count", whose].values
