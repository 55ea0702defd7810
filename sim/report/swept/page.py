"""The report of a sweep: the cheapest point or the answer of a search, spend against waiting, every number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sim.report.drawing.figure import Figure
from sim.report.page.document import Page, Section, Tile
from sim.report.page.sources import software_of
from sim.report.swept.cost_picture import of_curve
from sim.report.swept.metric_picture import heat_of, of_metric
from sim.report.swept.search_picture import of_search
from sim.report.swept.waiting_picture import of_spend
from sim.report.tables.table import Table
from sim.result import words
from sim.study.store import Design
from sim.study.swept.cheapest import Cheapest
from sim.study.swept.sweep import Run, number
from sim.study.swept.turning import Found

_MAIN = ("latency.ttft_s.p99", "slo.0.attained", "cost.usd_per_day", "utilization.busy_share")
_COST, _TOGETHER = "cost.usd_per_day", "slowness.fleet_plus_slowness_usd_per_day"
_READING = (
    "All points have the same seed, and each replication the same random numbers at every point: what differs between "
    "two of them is what was changed.",
    "Only what was run is compared: the true best may lie between two values.",
    "Latency and outcomes are those of requests that arrive in the measured window; a request that was not served "
    "misses every objective.",
)


@dataclass(frozen=True)
class Said:
    """What the terminal says of a sweep as well."""

    sentences: Sequence[str]
    table: Table
    chance: Sequence[str] = ()
    failures: Sequence[str] = ()


def page_of(
    design: Design, runs: Sequence[Run], best: Cheapest | None, metrics: Sequence[str], said: Said, command: str
) -> Page:
    """What stands on it. `metrics`: the numbers that were asked for; `command`: what makes the same sweep."""
    keys = design.keys
    spend = of_spend(keys, runs)
    curve = None if best is None or best.curve is None else of_curve(best.curve, runs)
    numbers = _numbers(metrics, keys, runs)
    hero, *rest = _kept(curve, spend, *numbers) or (None,)
    first = metrics[0] if metrics else _TOGETHER if best is not None else _MAIN[0]
    maps = _kept(*(heat_of(path, keys, runs) for path in dict.fromkeys((first, _COST))))
    over = " and ".join(keys)
    made = sum(run.summary is not None for run in runs)
    return Page(
        title=f"{design.scenario} over {over}",
        verdict=" ".join(said.sentences) or _verdict(keys, runs),
        confidence=" ".join((*said.chance, "All points have the same random numbers.")),
        facts=(words.plural(len(runs), "point"), *_seeds(runs)),
        mood="bad" if made < len(runs) else "plain",
        tiles=tuple(_tiles(best)),
        hero=hero,
        sections=(
            Section("Points", tables=(said.table,), items=tuple(said.failures)),
            Section("Over both keys", figures=maps),
            Section("Number by number", figures=_kept(*rest)),
            Section("Assumptions, and how to read the numbers", items=_READING),
        ),
        sources=_sources(design, runs),
        command=command,
    )


def _kept(*figures: Figure | None) -> tuple[Figure, ...]:
    return tuple(figure for figure in figures if figure is not None)


def _numbers(metrics: Sequence[str], keys: Sequence[str], runs: Sequence[Run]) -> list[Figure]:
    """A picture of each number that was asked for, else of the main ones that the points have."""
    if metrics:
        return [of_metric(path, keys, runs) for path in metrics]
    there = [path for path in _MAIN if any(number(run.summary or {}, path) is not None for run in runs)]
    return [of_metric(path, keys, runs) for path in there]


def _verdict(keys: Sequence[str], runs: Sequence[Run]) -> str:
    """The answer of a sweep without a price of slowness: the cheapest point that keeps what was promised."""
    done = [run for run in runs if run.summary is not None]
    if not done:
        return "No point could be run."
    targets = (done[0].summary or {})["slo"]
    told = f"{words.plural(len(done), 'point')} over {' and '.join(keys)}"
    if not targets:
        return f"{told}."
    keeping = [run for run in done if all(target["met"] is not False for target in (run.summary or {})["slo"])]
    if not keeping:
        return f"{told}: none of them meets every objective."
    priced = [run for run in keeping if number(run.summary or {}, _COST) is not None]
    if not priced:
        return f"{told}: {len(keeping)} of them meet every objective: {'; '.join(run.told for run in keeping[:5])}."
    least = min(priced, key=lambda run: float(number(run.summary or {}, _COST)))
    usd = words.usd(number(least.summary or {}, _COST))
    return f"Of {told}, {len(keeping)} meet every objective; the cheapest of those is {least.told} at {usd} a day."


def _tiles(best: Cheapest | None) -> list[Tile]:
    if best is None:
        return []
    cost = best.cost
    kept = Tile(
        "met" if cost.within_slo else "missed",
        "objectives, at the cheapest point",
        "good" if cost.within_slo else "bad",
    )
    return [
        Tile(", ".join(cost.values.values()), "is cheapest, fleet and slowness together"),
        Tile(words.usd(cost.together_usd), "a day, together"),
        Tile(words.usd(cost.fleet_usd), "a day for the fleet"),
        Tile(words.usd(cost.slowness_usd), "a day for slow answers"),
        kept,
    ]


def _seeds(runs: Sequence[Run]) -> tuple[str, ...]:
    seeds = list(dict.fromkeys(str(run.summary["seed"]) for run in runs if run.summary is not None))
    return (f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds[:6])}",) if seeds else ()


def _sources(design: Design, runs: Sequence[Run]) -> tuple[tuple[str, str], ...]:
    of_points = hashlib.sha256("\n".join(place.digest for place in design.places).encode()).hexdigest()
    changed = [("changed in all", ", ".join(design.sets))] if design.sets else []
    return (
        ("scenario", design.scenario),
        *changed,
        ("points, SHA-256 of their scenarios' digests", of_points),
        ("replications", f"{sum(run.replications for run in runs if run.summary is not None):,} in all"),
        *software_of(),
    )


def page_of_search(scenario: str, found: Found, said: Said, command: str) -> Page:
    """The report of `--find`: the value at which the service turns."""
    return Page(
        title=f"{scenario}: where it turns along {found.along.key}",
        verdict=said.sentences[0],
        confidence=" ".join((*said.sentences[1:], "One run of each value, all of the same random numbers.")),
        mood="plain",
        facts=(words.plural(len(found.runs), "run"), *_seeds(found.in_order())),
        hero=of_search(found),
        sections=(
            Section("Values that were run, from mild to severe", tables=(said.table,)),
            Section("Assumptions, and how to read the numbers", items=_READING[2:]),
        ),
        sources=(("scenario", scenario), *software_of()),
        command=command,
    )
