"""What a plan has that an earlier one had not, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sim.report.page.document import Section
from sim.report.tables.table import Table
from sim.result import words
from sim.study.replanned.diff import Changed, Diff, Strided


def lines(diff: Diff) -> Iterator[str]:
    """For the terminal."""
    if not diff.numbers:
        yield f"since {diff.file}: the same plan"
        return
    yield f"since {diff.file}:"
    for each in diff.numbers:
        yield f"  {each.what}: {_values(each)}"
    yield "because of:" if diff.inputs or diff.others else "though no input differs; which no run of ours should do"
    for other in diff.others:
        yield f"  {other.what}: {_value(other.what, other.before)} → {_value(other.what, other.after)}"
    for change in diff.inputs:
        yield f"  {change.text}"
    if diff.why_no_walk:
        yield f"({diff.why_no_walk})"
    if len(diff.walk) > 2:
        yield "one at a time:"
        for stride in diff.walk:
            yield f"  {stride.told}: {_plan(stride)}"


def changed(diff: Diff) -> Section:
    """For the documents."""
    if not diff.numbers:
        return Section("What has changed", (f"Nothing: the plan is that of {diff.file}.",))
    tables = [Table("Numbers", ("what", "before", "now"), tuple(_row(each) for each in diff.numbers))]
    why = [(each.what, _value("", each.before), _value("", each.after)) for each in diff.others]
    why += [(each.key, _short(each.before), _short(each.after)) for each in diff.inputs]
    if why:
        tables.append(Table("Inputs that differ", ("key", "before", "now"), tuple(why)))
    if diff.walk:
        body = tuple((each.told, *_plan_cells(each)) for each in diff.walk)
        tables.append(Table("One at a time, each with those above it", ("after", "replicas", "USD an hour"), body))
    text = (
        f"Since {diff.file}:",
        *([f"{diff.why_no_walk[:1].upper()}{diff.why_no_walk[1:]}."] if diff.why_no_walk else []),
    )
    return Section("What has changed", tuple(text), tables=tuple(tables))


def _row(each: Changed) -> tuple[str, str, str]:
    return each.what, _value(each.what, each.before), _value(each.what, each.after)


def _values(each: Changed) -> str:
    more = each.more
    told = f"{_value(each.what, each.before)} → {_value(each.what, each.after)}"
    if more is None or isinstance(each.before, bool) or not each.before:
        return told
    return f"{told} ({'+' if more > 0 else ''}{more / each.before:.1%})" if "USD" in each.what else told


def _value(what: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if "USD" in what:
        return words.usd(value)
    if what.startswith("attained"):
        return words.share(value)
    return f"{value:,}" if isinstance(value, int) and what != "seed" else str(value)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("name", "kind") if key in value), "...")
    told = "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return told if len(told) <= 60 else f"{told[:57]}..."


def _plan(stride: Strided) -> str:
    replicas, usd = _plan_cells(stride)
    return replicas if stride.replicas is None else f"{words.replicas(stride.replicas)}, {usd} an hour"


def _plan_cells(stride: Strided) -> tuple[str, str]:
    if stride.replicas is None:
        return "no plan", ""
    counts = ", ".join(f"{count:,}" for count in stride.replicas.values())
    return counts, words.usd(stride.usd_per_hour)
