"""The report of a tuning: the best point beside the scenario as it is, the front, what matters, what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim.report.drawing.figure import Figure
from sim.report.page.document import Page, Section, Tile
from sim.report.page.sources import sources_of
from sim.report.tables.table import Table
from sim.report.tuned.pictures import SEEN, front_picture, slice_figures
from sim.result import words
from sim.study.tuned.answer import Tuned

_READING = (
    "Only numbers on fresh seeds are told: those of the search flatter what it chose.",
    "Needed is what the SLO promises, or, where the scenario misses it now, as much as it attains now.",
    "The clairvoyant knows the demand to come; what a policy costs beyond it is its regret.",
    "How sure it is that a point is on the front comes from drawing the fresh runs again, with replacement.",
)


@dataclass(frozen=True)
class Said:
    """What the terminal says of a tuning as well."""

    sentences: Sequence[str]
    table: Table
    changes: Sequence[str]
    diffs: Sequence[tuple[str, str]] = ()
    """What changes in each manifest: name and text."""
    tuned_yaml: str = ""


def page_of(found: Tuned, said: Said, command: str) -> Page:
    """What stands on it."""
    best = found.best
    mood = "plain" if not found.found_better else "good" if best.surely else "plain"
    changed = tuple(line.strip() for line in said.changes[1:])
    return Page(
        title=f"{found.scenario.name}, tuned",
        description=found.scenario.description,
        verdict=" ".join(said.sentences),
        mood=mood,
        confidence=_confidence(found),
        facts=(
            words.plural(len(found.space), "parameter"),
            words.plural(len(found.standings), "point") + " searched",
            f"seed {found.scenario.seed}, fresh seed {found.fresh_seed}",
        ),
        tiles=tuple(_tiles(found)),
        hero=front_picture(found),
        sections=(
            Section("What changes", items=changed or ("Nothing: the scenario as it is was not beaten.",)),
            Section("Measured on fresh seeds", tables=(said.table,)),
            Section("What each parameter does", (SEEN,), tables=_importance(found), figures=_slices(found)),
            Section("What it took", tables=(_spent(found),)),
            Section("Assumptions, and how to read the numbers", items=_READING),
        ),
        sources=sources_of({found.scenario.name: found.scenario}, ("fresh seed", str(found.fresh_seed))),
        command=command,
        files=(*said.diffs, *([("tuned.yaml", said.tuned_yaml)] if said.tuned_yaml else [])),
    )


def _confidence(found: Tuned) -> str:
    best = found.best
    runs = len(best.fresh.records)
    sure = "" if not found.found_better else f" On the front with {best.membership:.0%} confidence." * best.on_front
    return f"{runs} runs of each on fresh seeds that the search had not seen.{sure}"


def _tiles(found: Tuned) -> list[Tile]:
    best, now = found.best, found.baseline
    told = best.fresh.plain()["intervals"]
    tiles = [Tile(words.usd(best.fresh.cost), f"an hour; as it is {words.usd(now.fresh.cost)}", "plain", _usd(told))]
    if best.saving is not None:
        mood = "good" if best.saving.low > 0 else "plain"
        ends = f"95%: {best.saving.low:.1%} to {best.saving.high:.1%}"
        tiles.append(Tile(f"{best.saving.estimate:.1%}", "less than now", mood, ends))
    for target, attained, needed in zip(found.scenario.slo, best.fresh.attained, found.needed, strict=True):
        label = (
            f"{target.metric} under {words.duration(target.under_s)} (needs {words.share_beside(needed, target.share)})"
        )
        mood = "good" if attained >= needed else "bad"
        tiles.append(Tile(words.share_beside(attained, target.share), label, mood))
    tiles.append(Tile(words.duration(best.fresh.tail_s), f"p99; as it is {words.duration(now.fresh.tail_s)}"))
    return tiles


def _usd(told: dict[str, list[float] | None]) -> str:
    ends = told["usd_per_hour"]
    return "" if ends is None else f"95%: {words.between(ends[0], ends[1], words.usd)}"


def _importance(found: Tuned) -> tuple[Table, ...]:
    order = sorted(found.space, key=lambda one: -found.importance.get(one.key, 0.0))
    rows = tuple(
        (
            one.key,
            "" if one.key not in found.importance else f"{found.importance[one.key]:.0%}",
            "?" if one.own is None else one.text(one.own),
            one.text_in(found.best.fresh.candidate.values),
        )
        for one in order
    )
    return (Table("Parameters, the most important first", ("", "importance", "as it is", "best"), rows),)


def _slices(found: Tuned) -> tuple[Figure, ...]:
    return slice_figures(found) if found.standings else ()


def _spent(found: Tuned) -> Table:
    rows = tuple((key.replace("_", " "), _told(value)) for key, value in found.spent.items())
    return Table("Budget", ("what", "how much"), rows)


def _told(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_told(each)}" for key, each in value.items())
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}" if isinstance(value, float) else str(value)
