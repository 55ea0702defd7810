"""From a result to one HTML page that needs nothing but a browser: no network, no other file."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from sim.report.contract_notes import contract_notes
from sim.report.drawing import Figure
from sim.report.figures import figures
from sim.report.interval_tables import interval, replication_notes, steady_note
from sim.report.slowness_tables import slowness_notes
from sim.report.tables import pool_notes, tables
from sim.report.welch_picture import WELCH_FILE
from sim.result import words
from sim.result.provenance import software
from sim.result.verdict import PROMISES, replications, undecided, whose

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
        replications=replications(summary),
        again=_again(summary),
        steady=steady_note(summary),
        welch=_welch(result),
        notes=[
            *result.log.notes,
            *replication_notes(summary),
            *slowness_notes(summary),
            *contract_notes(result.scenario, summary),
        ],
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
    met = [None if undecided(summary, place) else of["met"] for place, of in enumerate(summary["slo"])]
    if False in met:
        return "bad"
    return "good" if met and all(met) else "plain"


def _facts(summary: dict[str, Any], result: Result) -> list[str]:
    """The line under the title: how much was simulated."""
    arrived = words.plural(summary["requests"]["arrived"], "request")
    warmup_s = result.scenario.warmup_s
    warm = f" after {words.duration(warmup_s)} of warm-up" if warmup_s else ""
    number = replications(summary)
    times = [f"{number} replications"] if number > 1 else []
    each = " each" if times else ""
    measured = f"{words.duration(summary['measured_s'])} measured{warm}"
    pictures = ["pictures of the first"] if times else []
    return [*times, f"{measured}{each}", f"{arrived}{each}", f"seed {summary['seed']}", *pictures]


def _tiles(summary: dict[str, Any]) -> list[dict[str, str]]:
    """The handful of numbers that people look for first."""
    tiles = []
    for place, target in enumerate(summary["slo"]):
        promise = PROMISES[target["metric"]].format(words.duration(target["under_s"]))
        mood = "plain" if undecided(summary, place) else "good" if target["met"] else "bad"
        limited = "" if whose(target) == "requests" else f"of {whose(target)} "
        label = f"{limited}{promise} (target {words.percent(target['share'])})"
        if target["attained"] is not None:
            attained = words.share_beside(target["attained"], target["share"])
            around = _around(summary, f"slo.{place}.attained")
            tiles.append({"value": attained, "label": label, "mood": mood, "around": around})
    latency, cost = summary["latency"], summary["cost"]
    plain = [
        (words.duration(latency["ttft_s"]["p99"]), "p99 time to first token", "latency.ttft_s.p99"),
        (words.share(summary["utilization"]["busy_share"]), "of ready replica time is busy", "utilization.busy_share"),
        (words.usd(cost["usd_per_day"]), "a day", "cost.usd_per_day"),
        (words.usd(cost["usd_per_request"]), "a request", "cost.usd_per_request"),
    ]
    tiles += [
        {"value": value, "label": label, "mood": "plain", "around": _around(summary, path)}
        for value, label, path in plain
        if value != words.MISSING
    ]
    return tiles


def _around(summary: dict[str, Any], path: str) -> str:
    """The interval of a number, empty where it has none."""
    found = interval(summary, path)
    return "" if found is None else f"95%: {found}"


def _again(summary: dict[str, Any]) -> str:
    """The command that gives the same numbers from the folder's scenario."""
    found = summary.get("replications")
    return "fleetcast run scenario.yaml --replications " + str(1 if found is None else found["number"])


def _welch(result: Result) -> str | None:
    """The picture of the warm-up as an address that an `img` takes: its style must not reach the page."""
    picture = None if result.together is None else result.together.files.get(WELCH_FILE)
    return None if picture is None else "data:image/svg+xml;base64," + b64encode(picture.encode()).decode()


@cache
def _resource(name: str) -> str:
    return resources.files("sim.report").joinpath(name).read_text(encoding="utf-8")
