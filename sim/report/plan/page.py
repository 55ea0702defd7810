"""The report of a plan: the verdict and its certificate on top, then the same sections as its Markdown."""

from __future__ import annotations

from sim.report.page.document import Page, Tile
from sim.report.page.sources import sources_of
from sim.report.plan.asked import title
from sim.report.plan.certificate_picture import certificate_picture
from sim.report.plan.document import headline, sections
from sim.report.plan.fine import seeds
from sim.report.plan.said import MONTH_H, fleet, interval
from sim.result import words
from sim.study.planned.dossier import Dossier


def page_of(dossier: Dossier, command: str) -> Page:
    """What stands on it. `command`: what makes the document again."""
    plan, planned = dossier.plan, dossier.planned
    sure = (
        f"{words.percent(plan.confidence)} for all fleets together, on seeds that the search had not seen."
        if plan.certificates
        else ""
    )
    return Page(
        title=title(dossier.scenario),
        description=dossier.scenario.description,
        verdict=headline(dossier),
        mood="bad" if not dossier.feasible else "good" if plan.certificates[0].meets else "plain",
        confidence=f"Confidence: {sure}" if sure else "",
        facts=(words.plural(plan.runs, "run"), words.plural(plan.requests, "request"), f"seed {plan.seed}"),
        tiles=tuple(_tiles(dossier)),
        hero=certificate_picture(plan),
        sections=sections(dossier, command)[:-1],
        sources=sources_of(
            {plan.scenario.name: plan.scenario}, *((f"seed of {what}", str(seed)) for what, seed in seeds(dossier))
        ),
        command=command,
        files=() if planned is None else (("planned.yaml", planned.to_yaml()),),
    )


def _tiles(dossier: Dossier) -> list[Tile]:
    plan = dossier.plan
    if not plan.feasible:
        return []
    tiles = [Tile(f"{pool.replicas:,}", f"{name}: {fleet(pool)}") for name, pool in plan.pools.items()]
    if plan.usd_per_hour is not None:
        tiles.append(Tile(words.usd(plan.usd_per_hour), "an hour"))
        tiles.append(Tile(words.usd(plan.usd_per_hour * MONTH_H), "a month of 30 days"))
    for line in plan.certificates[0].lines:
        mood = {True: "good", False: "bad", None: "plain"}[line.meets]
        label = f"{line.promise.told} ({words.percent(line.promise.share)} promised)"
        around = f"bounds: {interval(line).partition(' (')[2].rstrip(')')}"
        tiles.append(Tile(words.share_beside(line.attained, line.promise.share), label, mood, around))
    return tiles
