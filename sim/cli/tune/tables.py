"""What `fleetcast tune` says: what was found, beside what it is compared with, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from sim.report.tables.table import Table as Sheet
from sim.result import words

if TYPE_CHECKING:
    from rich.table import Table

    from sim.report.tuned.page import Said
    from sim.study.tuned.answer import Point, Tuned
    from sim.study.tuned.fresh import Fresh

_MOST_IMPORTANT = 5


def show(found: Tuned) -> None:
    """Print the answer."""
    from sim.cli.shared.plain import console

    for sentence in sentences(found):
        click.echo(sentence)
    console(160).print(table_of(found))
    for line in changes(found):
        click.echo(line)


def sentences(found: Tuned) -> Iterator[str]:
    """The answer in words."""
    best = found.best
    runs = best.fresh.plain()["replications"]
    on = f"on fresh seeds ({runs} runs each, seed {found.fresh_seed})"
    if not found.found_better:
        yield f"Nothing that was found is better than the scenario as it is, {on}."
    elif best.saving is not None:
        low, high = (_percent(end) for end in (best.saving.low, best.saving.high))
        sure = "with 95 % confidence" if best.surely else "by its estimate, not surely"
        yield f"The tuned scenario costs {_percent(best.saving.estimate)} less ({low} to {high}) {on}."
        yield f"It keeps what the SLO needs {sure}."
    if found.fixed is not None and found.fixed.keeps and found.fixed.fresh.cost < best.fresh.cost:
        sizes = ", ".join(f"{name}: {number}" for name, number in found.fixed.about["replicas"].items())
        yield f"A fixed fleet ({sizes}) does as well and costs less: this traffic does not need an autoscaler."
    if found.clairvoyant is not None and not found.clairvoyant.keeps:
        yield "The clairvoyant does not keep what is needed within the policy's bounds: regret says little here."


def table_of(found: Tuned) -> Table:
    """A row for each that was measured on fresh seeds."""
    from sim.cli.shared.plain import table

    made, sheet = table(), sheet_of(found)
    for head in sheet.heading:
        made.add_column(head, justify="left" if not head else "right")
    for row in sheet.rows:
        made.add_row(*row)
    return made


def sheet_of(found: Tuned) -> Sheet:
    """The same as plain words, for the report."""
    slo = found.scenario.slo
    tail = ("p99 " + (slo[0].metric if slo else "")).strip()
    rows = [("as it is", *_of_point(found.baseline))]
    for place, point in enumerate(found.points, start=1):
        name = f"finalist {place}" + (" ← best" if point is found.best else "" if point.keeps else " (misses)")
        rows.append((name, *_of_point(point)))
    for name, other in (("fixed", found.fixed), ("clairvoyant", found.clairvoyant)):
        if other is not None:
            about = ", ".join(str(value) for value in other.about.values()).strip("{}").replace("'", "")
            saved = 1 - other.fresh.cost / found.baseline.fresh.cost if found.baseline.fresh.cost else 0.0
            rows.append((f"{name} ({about})", *_of_fresh(other.fresh, _percent(saved)), "", ""))
    heading = ("", "USD/h", "less than now", *_targets(found), tail, "beyond clairvoyant", "on the front")
    return Sheet("Measured on fresh seeds", heading, tuple(rows))


def said_of(found: Tuned, diffs: Sequence[tuple[str, str]], tuned_yaml: str) -> Said:
    """What the report says in the words of the terminal."""
    from sim.report.tuned.page import Said

    return Said(tuple(sentences(found)), sheet_of(found), tuple(changes(found)), diffs, tuned_yaml)


def changes(found: Tuned) -> Iterator[str]:
    """What the best point changes, the most important first."""
    if not found.found_better:
        return
    values = found.best.fresh.candidate.values
    order = sorted(found.space, key=lambda one: -found.importance.get(one.key, 0.0))
    yield "Changed, the most important first:"
    for one in order:
        own = "?" if one.own is None else one.text(one.own)
        if own != one.text_in(values):
            share = found.importance.get(one.key)
            told = "" if share is None else f"  (importance {_percent(share)})"
            yield f"  {one.key}: {own} -> {one.text_in(values)}{told}"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _targets(found: Tuned) -> list[str]:
    return [
        f"{one.metric} under {words.duration(one.under_s)} (needs {words.share_beside(needed, one.share)})"
        for one, needed in zip(found.scenario.slo, found.needed, strict=True)
    ]


def _of_point(point: Point) -> list[str]:
    saved = ""
    if point.saving is not None:
        saved = _percent(point.saving.estimate)
    regret = "" if point.regret is None else _percent(point.regret.estimate)
    front = f"{point.membership:.0%}" if point.on_front else ""
    return [*_of_fresh(point.fresh, saved), regret, front]


def _of_fresh(fresh: Fresh, saved: str) -> list[str]:
    targets = fresh.records[0].summary["slo"]
    attained = [
        words.share_beside(share, target["share"]) for share, target in zip(fresh.attained, targets, strict=True)
    ]
    return [words.usd(fresh.cost), saved, *attained, words.duration(fresh.tail_s)]
