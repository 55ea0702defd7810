"""The report of a run: its words, pictures and numbers, laid out as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sim.report.drawing.figure import Figure
from sim.report.page.document import Page, Section, Tile
from sim.report.page.render import render as render_page
from sim.report.run import sections
from sim.report.run.clients import goodput_over_time
from sim.report.run.figures import latency_over_time
from sim.report.run.tail import latency_tail
from sim.report.tables.assertions import assertion_notes
from sim.report.tables.intervals import interval, replication_notes
from sim.result import words
from sim.result.provenance import software
from sim.result.verdict import PROMISES, replications, runs_away, undecided, whose

if TYPE_CHECKING:
    from sim.result import Result

PLAIN_RUN = "This is one run with one seed: chance moves every number, the far tail most of all."


def render(result: Result, more: Sequence[Figure] = ()) -> str:
    """The report as HTML. The same run gives the same bytes, however fast it ran. `more`: see `page_of`."""
    return render_page(page_of(result, more))


def page_of(result: Result, more: Sequence[Figure] = ()) -> Page:
    """What stands on the report of a run. `more`: pictures of how it was made, such as that of its warm-up."""
    summary = result.summary()
    columns = result.columns
    latencies = [latency_tail(result), latency_over_time(result)]
    if runs_away(columns["waiting"], columns["replicas"]):
        latencies.reverse()
    found = summary["recovery"]
    # what is answered stays quick in a failure that keeps itself going: the picture is what is not
    fails = found is not None and found["metastable"] and result.log.calls is not None
    first = goodput_over_time(result) if fails else latencies.pop(0)
    sure = [*replication_notes(summary), *assertion_notes(summary)]
    made: Iterable[Section] = (
        sections.promises(result, summary),
        sections.latency(result, summary, latencies),
        sections.fleet(result, summary),
        Section("Warm-up", figures=tuple(more)),
        sections.clients(result, summary, first.key),
        sections.money(result, summary),
        sections.theory(summary),
        sections.reading(result, summary),
    )
    return Page(
        title=result.scenario.name,
        description=result.scenario.description,
        facts=_facts(summary, result),
        verdict=result.verdict(),
        mood=_mood(summary),
        confidence=" ".join(sure) if replications(summary) > 1 else PLAIN_RUN,
        tiles=tuple(_tiles(summary)),
        hero=first,
        sections=tuple(section for section in made if not section.is_empty),
        sources=_sources(summary),
        command=_again(summary),
        files=(("scenario.yaml", result.scenario.to_yaml()),),
    )


def _mood(summary: dict[str, Any]) -> str:
    """How the verdict is coloured: `good`, `bad`, or `plain` when nothing was promised."""
    met = [None if undecided(summary, place) else of["met"] for place, of in enumerate(summary["slo"])]
    if False in met:
        return "bad"
    return "good" if met and all(met) else "plain"


def _facts(summary: dict[str, Any], result: Result) -> tuple[str, ...]:
    """The line under the title: how much was simulated."""
    arrived = words.plural(summary["requests"]["arrived"], "request")
    warmup_s = result.scenario.warmup_s
    warm = f" after {words.duration(warmup_s)} of warm-up" if warmup_s else ""
    number = replications(summary)
    times = [f"{number} replications"] if number > 1 else []
    each = " each" if times else ""
    measured = f"{words.duration(summary['measured_s'])} measured{warm}"
    pictures = ["pictures of the first"] if times else []
    return (*times, f"{measured}{each}", f"{arrived}{each}", f"seed {summary['seed']}", *pictures)


def _tiles(summary: dict[str, Any]) -> list[Tile]:
    """The handful of numbers that people look for first."""
    tiles = []
    for place, target in enumerate(summary["slo"]):
        promise = PROMISES[target["metric"]].format(words.duration(target["under_s"]))
        mood = "plain" if undecided(summary, place) else "good" if target["met"] else "bad"
        limited = "" if whose(target) == "requests" else f"of {whose(target)} "
        label = f"{limited}{promise} (target {words.percent(target['share'])})"
        if target["attained"] is not None:
            attained = words.share_beside(target["attained"], target["share"])
            tiles.append(Tile(attained, label, mood, _around(summary, f"slo.{place}.attained")))
    latency, cost = summary["latency"], summary["cost"]
    plain = (
        (words.duration(latency["ttft_s"]["p99"]), "p99 time to first token", "latency.ttft_s.p99"),
        (words.share(summary["utilization"]["busy_share"]), "of ready replica time is busy", "utilization.busy_share"),
        (words.usd(cost["usd_per_day"]), "a day", "cost.usd_per_day"),
        (words.usd(cost["usd_per_request"]), "a request", "cost.usd_per_request"),
    )
    shown = [(value, label, path) for value, label, path in plain if value != words.MISSING]
    return tiles + [Tile(value, label, around=_around(summary, path)) for value, label, path in shown]


def _around(summary: dict[str, Any], path: str) -> str:
    """The interval of a number, empty where it has none."""
    found = interval(summary, path)
    return "" if found is None else f"95%: {found}"


def _sources(summary: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """What the numbers come from: enough to get them again."""
    made = " · ".join(f"{name} {version}" for name, version in software().items())
    return (
        ("scenario, SHA-256", summary["run"]["config_sha256"]),
        ("seed, calendar", f"{summary['seed']}, {summary['calendar']}"),
        ("software", made),
        *(row for name, block in summary["pools"].items() for row in _of_pool(name, block)),
    )


def _of_pool(name: str, block: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Where a pool's price and its iteration times come from."""
    price, law = block.get("price"), block.get("law")
    if price:
        day = f", {price['as_of']}" if price.get("as_of") else ""
        listed = f"{words.usd(price.get('on_demand'))} a GPU-hour"
        yield f"price, pool {name}", f"{listed}: {price.get('source') or 'as the scenario says'}{day}"
    if law:
        parts = (law.get("source"), law.get("about"), law.get("engine"), law.get("precision"))
        yield f"latency law, pool {name}", " · ".join(str(part) for part in parts if part)


def _again(summary: dict[str, Any]) -> str:
    """The command that gives the same numbers from the folder's scenario."""
    found = summary.get("replications")
    return "fleetcast run scenario.yaml --replications " + str(1 if found is None else found["number"])
