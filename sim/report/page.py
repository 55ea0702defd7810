"""From a result to one HTML page that needs nothing but a browser: no network, no other file."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from sim.report.contract_notes import contract_notes
from sim.report.drawing import Figure
from sim.report.figures import figures
from sim.report.slowness_tables import slowness_notes
from sim.report.tables import pool_notes, tables
from sim.result import words
from sim.result.provenance import software
from sim.result.verdict import PROMISES, whose

if TYPE_CHECKING:
    from sim.result import Result


def render(result: Result) -> str:
    """The report as HTML. The same run gives the same bytes, whenever and however fast it ran."""
    import jinja2
    from plotly.offline import get_plotlyjs

    summary = result.summary()
    pictures = figures(result)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_resource("report.html.j2")).render(
        summary=summary,
        scenario_yaml=result.scenario.to_yaml(),
        description=result.scenario.description,
        verdict=result.verdict(),
        mood=_mood(summary),
        facts=_facts(summary, result),
        tiles=_tiles(summary),
        hero=pictures[0],
        pictures=pictures[1:],
        tables=tables(summary),
        notes=[*result.log.notes, *slowness_notes(summary), *contract_notes(result.scenario, summary)],
        laws=pool_notes(result.scenario, summary),
        software=software(),
        plots=script_json(_plots(pictures)),
        style=_resource("report.css"),
        script=_resource("report.js"),
        plotly=get_plotlyjs(),
    )


def script_json(document: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plots(pictures: list[Figure]) -> dict[str, Any]:
    return {picture.key: picture.plot for picture in pictures}


def _mood(summary: dict[str, Any]) -> str:
    """How the verdict is coloured: `good`, `bad`, or `plain` when nothing was promised."""
    met = [target["met"] for target in summary["slo"]]
    if False in met:
        return "bad"
    return "good" if True in met else "plain"


def _facts(summary: dict[str, Any], result: Result) -> list[str]:
    """The line under the title: how much was simulated."""
    arrived = words.plural(summary["requests"]["arrived"], "request")
    warmup_s = result.scenario.warmup_s
    warm = f" after {words.duration(warmup_s)} of warm-up" if warmup_s else ""
    return [f"{words.duration(summary['measured_s'])} measured{warm}", arrived, f"seed {summary['seed']}"]


def _tiles(summary: dict[str, Any]) -> list[dict[str, str]]:
    """The handful of numbers that people look for first."""
    tiles = []
    for target in summary["slo"]:
        promise = PROMISES[target["metric"]].format(words.duration(target["under_s"]))
        mood = "good" if target["met"] else "bad"
        limited = "" if whose(target) == "requests" else f"of {whose(target)} "
        label = f"{limited}{promise} (target {words.percent(target['share'])})"
        if target["attained"] is not None:
            attained = words.share_beside(target["attained"], target["share"])
            tiles.append({"value": attained, "label": label, "mood": mood})
    latency, cost = summary["latency"], summary["cost"]
    plain = [
        (words.duration(latency["ttft_s"]["p99"]), "p99 time to first token"),
        (words.share(summary["utilization"]["busy_share"]), "of ready replica time is busy"),
        (words.usd(cost["usd_per_day"]), "a day"),
        (words.usd(cost["usd_per_request"]), "a request"),
    ]
    tiles += [{"value": value, "label": label, "mood": "plain"} for value, label in plain if value != words.MISSING]
    return tiles


@cache
def _resource(name: str) -> str:
    return resources.files("sim.report").joinpath(name).read_text(encoding="utf-8")
