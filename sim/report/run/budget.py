"""The error budget of a run: how much of it is spent, how fast, and which alerts would have fired."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.report.drawing.downsample import extremes, short
from sim.report.drawing.figure import Figure, Plot
from sim.report.drawing.over_time import Clock
from sim.report.tables.table import Table
from sim.result import words
from sim.result.error_budget import ALERTS, FULL_S, HOUR_S, Spending, scale_of, spending
from sim.result.verdict import replications, whose

if TYPE_CHECKING:
    from sim.result import Result

SHADES = ("var(--blue)", "var(--violet)", "var(--teal)", "var(--orange)", "var(--gold)", "var(--grey)")
NAMES = {"queue_wait": "queue wait", "ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E"}


def budget_figure(result: Result) -> Figure | None:
    """The share of each budget that is spent, and the burn rate over the window that pages first; None without one."""
    asked = [place for place, target in enumerate(result.scenario.slo) if target.share < 1]
    told = [(place, spending(result.scenario, result.log, place)) for place in asked]
    told = [(place, spent) for place, spent in told if spent.came.any()]
    if not told:
        return None
    clock = Clock(result.columns, result.scenario.warmup_s)
    length_s = float(told[0][1].edges_s[-1] - told[0][1].edges_s[0])
    _, rate, long_s, _ = ALERTS[0]
    long_s *= scale_of(length_s)
    data: list[Plot] = []
    for at, (place, spent) in enumerate(told):
        name, colour = html.escape(objective(_target(result, place))), SHADES[at % len(SHADES)]
        data.append(_trace(clock, spent, np.append(0.0, spent.spent_share()), spent.edges_s, name, colour))
        burn = _trace(clock, spent, spent.burn(long_s), spent.edges_s[1:], name, colour)
        data.append(burn | {"yaxis": "y2", "showlegend": False})
    most = max(1.0, *(float(np.max(spent.spent_share())) for _, spent in told))
    fastest = max(rate, *(float(np.nanmax(spent.burn(long_s))) for _, spent in told))
    layout = {
        "xaxis": clock.axis | {"anchor": "y2"},
        "yaxis": {
            "title": {"text": "budget spent"}, "tickformat": ".0%", "domain": [0.46, 1],
            "range": [0, round(1.12 * most, 4)],
        },
        "yaxis2": {"title": {"text": "burn rate"}, "domain": [0, 0.38], "range": [0, round(1.15 * fastest, 4)]},
        "shapes": [*clock.shapes, _line("y", 1.0, "all of it"), _line("y2", rate, f"page at {rate:g}")],
    }  # fmt: skip
    caption = (
        "Above, the share of the requests that may miss which have missed so far: at 100% all of the measured window's "
        f"budget is gone. Below, how fast it goes, over {words.duration(long_s)} each: at 1 it lasts just as long as "
        f"the window, at {rate:g} somebody is paged."
    )
    return Figure("budget", _title(told), caption, {"data": data, "layout": layout}, "wide")


def budget_table(summary: dict[str, Any]) -> Table:
    """By objective: its budget, what is spent, when it was gone, and the worst minutes."""
    rows = []
    for found in summary["error_budget"]:
        if found["spent_share"] is None:
            continue
        gone = found["exhausted_at_s"]
        rows.append(
            (
                objective(found),
                f"{words.count(found['missed'])} of {words.count(found['allowed'])}",
                _spent(found["spent_share"]),
                "never" if gone is None else words.duration(gone),
                worst(found),
            )
        )
    heading = ("objective", "missed of what may", "spent", "gone at", "at the worst")
    return Table("Error budget", heading, tuple(rows))


def alert_table(summary: dict[str, Any]) -> Table:
    """By objective and alert: whether it would have fired, when first, and for how long."""
    rows = []
    for found in summary["error_budget"]:
        for alert in found["alerts"] if found["spent_share"] is not None else ():
            over = f"{words.duration(alert['long_s'])} and {words.duration(alert['short_s'])}"
            rows.append((objective(found), f"{alert['kind']}: {alert['burn_rate']:g}x over {over}", *_fired(alert)))
    return Table("Alerts that would have fired", ("objective", "alert", "fired", "first at", "firing for"), tuple(rows))


def budget_notes(summary: dict[str, Any]) -> tuple[str, ...]:
    """What is done about the length of the run, and of several."""
    if not any(found["spent_share"] is not None for found in summary["error_budget"]):
        return ()
    said = (
        "A request counts against the budget when it comes, and as a miss if it is not served. Alerts are the "
        "multi-window burn-rate alerts of Google's SRE workbook, for budgets of 30 days: both windows must burn at "
        "the rate."
    )
    if summary["measured_s"] < FULL_S:
        times = FULL_S / summary["measured_s"]
        said += (
            f" Measured were {words.duration(summary['measured_s'])}, less than their {FULL_S / HOUR_S:.0f} hours: all "
            f"windows are {times:.3g} times shorter here, the rates are the same."
        )
    if replications(summary) > 1:
        said += " These are the first replication's."
    return (said,)


def worst(found: dict[str, Any]) -> str:
    """The worst stretch in words."""
    of = found["worst"]
    if of is None:
        return "no miss"
    length = words.duration(of["to_s"] - of["from_s"])
    share = words.share(of["missed"] / of["requests"])
    return f"{length} from {words.duration(of['from_s'])}: {share} of {words.count(of['requests'])} missed"


def objective(found: dict[str, Any]) -> str:
    """`TTFT ≤ 1 s for 99%`, with whose requests it is about where it says so."""
    of = whose(found)
    limited = "" if of == "requests" else f" ({of})"
    limit, share = words.duration(found["under_s"]), words.percent(found["share"])
    return f"{NAMES[found['metric']]} ≤ {limit} for {share}{limited}"


def _spent(share: float) -> str:
    return words.ratio(share) if share <= 10 else f"{share:,.0f} times"


def _fired(alert: dict[str, Any]) -> tuple[str, str, str]:
    if alert["most_burn_rate"] < alert["burn_rate"]:
        return f"cannot: at most {alert['most_burn_rate']:.3g}x", "", ""
    if not alert["fired"]:
        return "no", "", ""
    times = "once" if alert["fired"] == 1 else f"{alert['fired']} times"
    return times, words.duration(alert["first_at_s"]), words.duration(alert["firing_s"])


def _target(result: Result, place: int) -> dict[str, Any]:
    target = result.scenario.slo[place]
    limits = {"class": getattr(target, "class_name", None), "tenant": getattr(target, "tenant", None)}
    return {"metric": target.metric, "under_s": target.under_s, "share": target.share, **limits}


def _title(told: list[tuple[int, Spending]]) -> str:
    over = sum(spent.spent_share()[-1] > 1 + 1e-12 for _, spent in told)
    if not over:
        return "The error budget lasts" if len(told) == 1 else "The error budgets last"
    if over == len(told):
        return ("The error budget is", "Both error budgets are", "All error budgets are")[
            min(over, 3) - 1
        ] + " overspent"
    return f"{over} of {len(told)} error budgets {'is' if over == 1 else 'are'} overspent"


def _trace(clock: Clock, spent: Spending, value: Any, at_s: Any, name: str, colour: str) -> Plot:
    keep = extremes(value)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": clock.times(at_s[keep]),
        "y": short(np.where(np.isfinite(value), value, np.nan)[keep]),
        "line": {"color": colour, "width": 1.8},
        "hovertemplate": "%{y:.3~g}" if len(value) == len(spent.came) else "%{y:.1%}",
    }


def _line(axis: str, at: float, said: str) -> Plot:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": axis,
        "y0": at,
        "y1": at,
        "line": {"color": "var(--red)", "width": 1.3, "dash": "dash"},
        "label": {
            "text": said,
            "textposition": "end",
            "font": {"size": 11, "color": "var(--red)"},
            "yanchor": "bottom",
        },
    }
