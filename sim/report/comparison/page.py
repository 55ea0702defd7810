"""The report of a comparison: what differs by more than chance, the walk, the latencies of all on the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim.report.comparison.pictures import differences_figure, latency_figures
from sim.report.comparison.walk_picture import CAPTION, walk_figures
from sim.report.comparison.words import (
    better,
    between,
    footnotes,
    main,
    names,
    sentence,
    signed,
    stopped,
    table,
    walk_table,
)
from sim.report.page.document import Page, Section, Tile
from sim.report.page.sources import sources_of
from sim.study.compared.alternatives import Alternative
from sim.study.compared.compare import Comparison
from sim.study.compared.walk import Stride
from sim.study.replicated.replications import Replicated

_SURE = (
    "All scenarios got the same random numbers, so what differs within a pair of runs is what was changed. Intervals "
    "are 95% and hold together for the numbers of one sentence or table."
)
_MOST_TILES = 8


@dataclass(frozen=True)
class Compared:
    """What a comparison came to."""

    baseline: Alternative
    others: Sequence[Alternative]
    ours: Replicated
    compared: Sequence[Comparison]
    strides: Sequence[Stride] | None
    """None: no walk was asked for."""
    notes: Sequence[str] = ()


def page_of(made: Compared, command: str) -> Page:
    """What stands on it. `command`: what makes the same comparison."""
    name, ours = made.baseline.name, made.ours
    told = [sentence(name, ours, each) for each in made.compared]
    others = " and ".join(each.name for each in made.compared)
    figure = differences_figure(name, ours, made.compared)
    latencies = latency_figures({name: ours, **{each.name: each.replicated for each in made.compared}})
    return Page(
        title=f"{name} and {others}",
        verdict=" ".join(told),
        confidence=f"{stopped(ours)} {_SURE}",
        facts=(f"{len(ours.records)} replications of each", f"seed {ours.scenario.seed}"),
        tiles=tuple(_tiles(made))[:_MOST_TILES],
        hero=figure,
        sections=(
            _differences(made),
            *_walk(made),
            Section("Latencies on the same axes", figures=latencies),
            Section("Assumptions, and how to read the numbers", items=tuple(_reading(made))),
        ),
        sources=sources_of({each.name: each.scenario for each in (made.baseline, *made.others)}),
        command=command,
        files=tuple((f"{each.name}.yaml", each.scenario.to_yaml()) for each in (made.baseline, *made.others)),
    )


def _sentence(said: str) -> str:
    return said[:1].upper() + said[1:]


def _tiles(made: Compared) -> list[Tile]:
    """The differences that are clear, of the first alternatives."""
    name = names(made.ours.records[0].summary)
    tiles = []
    for each in made.compared:
        of = f" of {each.name}" if len(made.compared) > 1 else ""
        for found in main(made.ours, each):
            mood = "plain" if not found.is_distinguishable else "good" if better(found) else "bad"
            around = "exactly" if found.is_exact else f"95%: {between(found)}"
            value = "the same" if found.is_same else signed(found.path, found.more.estimate)
            tiles.append(Tile(value, f"{name[found.path]}{of}", mood, "" if found.is_same else around))
    return tiles


def _differences(made: Compared) -> Section:
    sheets = tuple(table(made.baseline.name, made.ours, each, main(made.ours, each)) for each in made.compared)
    return Section("What differs", tables=sheets, after=tuple(footnotes(sheets)))


def _walk(made: Compared) -> tuple[Section, ...]:
    if made.strides is None:
        return ()
    if not made.strides:
        return (Section("One change at a time", ("The scenarios differ in no key that matters.",)),)
    sheet = walk_table(made.ours, made.strides)
    figures = walk_figures(made.baseline.name, made.others[0].name, made.ours, made.strides)
    note = "A change adds this to those above it; in another order (--order) it may add something else."
    return (
        Section(
            "One change at a time", (CAPTION,), figures=figures, tables=(sheet,), after=(note, *footnotes((sheet,)))
        ),
    )


def _reading(made: Compared) -> list[str]:
    return [
        "Latency and outcomes are those of requests that arrive in the measured window; a request that was not served "
        "misses every objective.",
        "A month has 30 days; a day's cost is that of the measured time, by the day.",
        *(_sentence(f"{note.rstrip('.')}.") for note in made.notes),
    ]
