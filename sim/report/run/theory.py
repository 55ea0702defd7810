"""Theory beside simulation: every number that queueing theory gives of a scenario, next to the simulated one."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.whiskers import whiskers
from sim.report.tables.table import Table
from sim.result import words
from sim.result.twin.block import contradictions
from sim.result.twin.told import unique

_METRICS = {"queue_wait_s": "queue wait", "ttft_s": "TTFT", "tpot_s": "TPOT", "e2e_s": "E2E"}
_NAMES = {
    "utilization.busy_share": "busy share",
    "utilization.batch_share": "batch share",
    "utilization.kv_share": "KV share",
    "time_average.running": "running",
    "time_average.waiting": "waiting",
    "time_average.in_system": "in the system",
    "throughput.requests_per_s": "requests a second",
    "timeline.waiting.max": "longest queue",
}
CLOSE = 0.05
"""An approximation this near is told to agree."""
LEAST_RATIO = 1.1
"""The axis reaches at least this far, so that two percent do not look like a gulf."""
MOST_RATIO = 4.0
"""Farther off than this factor, either way, is drawn at the edge."""
_COLOURS = {"agrees": "var(--teal)", "contradicted": "var(--red)"}


def theory_table(summary: dict[str, Any]) -> Table:
    """What, theory, kind and method, simulated, its interval, and whether they agree."""
    rows = []
    for each in _told(summary):
        around = summary.get("intervals", {}).get(each["path"])
        rows.append(
            (
                name_of(each["path"]),
                say(each["path"], each["theory"]),
                f"{each['kind']} ({each['method']})",
                say(each["path"], each["simulated"]),
                "" if around is None or around[0] == around[1] else f"{_between(each['path'], around)}",
                verdict(each, summary),
            )
        )
    heading = ("what", "theory", "kind", "simulated", "95% interval", "so")
    return Table("Theory and simulation", heading, tuple(rows))


def theory_figure(summary: dict[str, Any]) -> Figure | None:
    """Simulated over theory, number by number: 1 where they are the same; None where there are no two numbers."""
    told = [each for each in _told(summary) if each["theory"] > 0]
    if not told:
        return None
    told = told[::-1]
    ratios = [each["simulated"] / each["theory"] for each in told]
    spans = [_span(each, summary) for each in told]
    farthest = max(LEAST_RATIO, *(max(high, 1 / max(low, 1e-9)) for low, high in spans))
    most = min(farthest * 1.05, MOST_RATIO)
    shown = [min(max(ratio, 1 / most), most) for ratio in ratios]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "simulated / theory",
        "x": [float(f"{ratio:.5g}") for ratio in shown],
        "y": [html.escape(name_of(each["path"])) for each in told],
        "text": [
            f"{say(each['path'], each['simulated'])} simulated, {say(each['path'], each['theory'])} by theory "
            f"({each['kind']}, {html.escape(each['method'])}): {verdict(each, summary)}"
            for each in told
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "size": 11,
            "color": [_COLOURS.get(verdict(each, summary), "var(--blue)") for each in told],
            "symbol": ["diamond" if each["kind"] == "exact" else "circle" for each in told],
        },
        "error_x": whiskers(shown, [(max(low, 1 / most), min(high, most)) for low, high in spans], "var(--muted)"),
    }
    caption = (
        "On the dashed line the simulation says what theory says; right of it, more. Diamonds are exact values, "
        "circles approximations or bounds; whiskers are the simulation's 95% intervals, where there are several runs."
    )
    return Figure("theory", _title(told, summary), caption, {"data": [trace], "layout": _layout(most)})


def _layout(most: float) -> Plot:
    """Ratios to a factor of `most` either way, and the line where both say the same."""
    ticks = _ticks(most)
    return {
        "xaxis": {
            "type": "log",
            "title": {"text": "simulated over theory"},
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
            "range": [round(-float(np.log10(most)), 4), round(float(np.log10(most)), 4)],
        },
        "yaxis": {"title": {"text": ""}, "type": "category"},
        "hovermode": "closest",
        "showlegend": False,
        "shapes": [
            {
                "type": "line",
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "x0": 1,
                "x1": 1,
                "line": {"color": "var(--muted)", "width": 1.3, "dash": "dash"},
            }
        ],
    }


def _ticks(most: float) -> list[float]:
    """Few ratios in sight, the same to either side."""
    near = (1.02, 1.05, 1.1) if most < 1.25 else (1.1, 1.25) if most < 1.7 else (1.25, 2, 4)
    steps = [step for step in near if step <= most]
    return [*(round(1 / step, 2) for step in reversed(steps)), 1, *steps]


def theory_assumptions(summary: dict[str, Any]) -> tuple[str, ...]:
    """What the numbers of theory rest on, in one paragraph."""
    parts = unique(part for each in _told(summary) for part in each["assumes"])
    return (f"Theory assumes: {'; '.join(parts)}.",) if parts else ()


def verdict(each: dict[str, Any], summary: dict[str, Any]) -> str:
    """`agrees`, `contradicted` (only what is exact, by several runs), or how far off it is."""
    if any(one["path"] == each["path"] for one in contradictions(summary)):
        return "contradicted"
    around = summary.get("intervals", {}).get(each["path"])
    if around is not None and around[0] <= each["theory"] <= around[1]:
        return "agrees"
    value, simulated = each["theory"], each["simulated"]
    if (each["kind"] == "upper bound" and simulated <= value) or (each["kind"] == "lower bound" and simulated >= value):
        return "agrees"
    if value == 0:
        return "agrees" if simulated == 0 else ""
    off = simulated / value - 1
    return "agrees" if abs(off) <= CLOSE else f"{off:+.0%}"


def name_of(path: str) -> str:
    """`p99 TTFT`, `busy share`; of a pool with its name before it."""
    pool = ""
    if path.startswith("pools."):
        _, pool, path = path.split(".", 2)
        pool = f"{pool}: "
    if path in _NAMES:
        return f"{pool}{_NAMES[path]}"
    steps = path.split(".")
    if steps[0] == "slo":
        return f"{pool}attained, objective {int(steps[1]) + 1}"
    if steps[0] == "latency":
        return f"{pool}{steps[2]} {_METRICS.get(steps[1], steps[1])}"
    return f"{pool}{path.replace('_', ' ').replace('.', ' ')}"


def say(path: str, value: float) -> str:
    """A number in the unit of its path."""
    steps = path.split(".")
    if any(step.endswith("_s") and not step.endswith("_per_s") for step in steps):
        return words.duration(value)
    if steps[-1].endswith("_share") or steps[-1] == "attained":
        return words.share(value)
    return words.count(value)


def _between(path: str, around: list[float]) -> str:
    return words.between(max(around[0], 0.0), around[1], lambda value: say(path, value))


def _told(summary: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in summary.get("theory", ()) if each["simulated"] is not None]


def _span(each: dict[str, Any], summary: dict[str, Any]) -> tuple[float, float]:
    """The ends of the interval over theory; twice the number itself where it has none."""
    low, high = summary.get("intervals", {}).get(each["path"], [each["simulated"]] * 2)
    return max(low, 0.0) / each["theory"], high / each["theory"]


def _title(told: list[dict[str, Any]], summary: dict[str, Any]) -> str:
    agree = sum(verdict(each, summary) == "agrees" for each in told)
    if agree == len(told):
        return "Theory and simulation agree"
    return f"Theory and simulation agree on {agree} of {len(told)} numbers"
