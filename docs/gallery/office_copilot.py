"""What `office-copilot.md` quotes: a week of business hours under policies that know it, see it or forecast it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gallery_runs import Told, duration, share, table, told, usd
from palette import AMBER, BLUE, FAINT, GREEN, INK

NAME = "office-copilot"
AT = "pools.office.autoscaler"
WEEK_S = 7 * 86_400

BIN_S = 300
"""Of the picture."""

_DAY = (
    "{days: mon-fri, from: '08:40', to: '18:00', replicas: 3}, {days: mon-fri, from: '18:00', to: '20:00', replicas: 2}"
)
_MONDAY = "{days: mon, from: '08:40', to: '18:00', replicas: 4}"
_NOW = "{kind: predictive, min_replicas: 1, max_replicas: 8, per_replica: 0.6/s, method: last}"

POLICIES: dict[str, tuple[str, ...]] = {
    "fixed, 4": (f"{AT}={{kind: fixed, replicas: 4}}",),
    "scheduled, every weekday alike": (f"{AT}={{kind: scheduled, replicas: 1, rows: [{_DAY}]}}",),
    "scheduled, one more on Mondays": (f"{AT}={{kind: scheduled, replicas: 1, rows: [{_DAY}, {_MONDAY}]}}",),
    "reactive: the load of the moment": (f"{AT}={_NOW}",),
    "predictive, by the week, as shipped": (),
    "predictive, by the day": (f"{AT}.season=24h",),
}
"""By name on the page: what is set."""

FIXED, ALIKE, MONDAY, REACTIVE, SHIPPED, DAILY = POLICIES
GROWN = "workload.arrivals.scale=2.0"
"""A third more than what the schedule was made for."""


@dataclass(frozen=True)
class Monday:
    """The measured Monday: who is served in time, and what its morning looks like."""

    in_time_share: float
    """Of the requests from 8:30 to 18:00, those within both limits."""
    requests_per_s: list[float]
    """By bins from 7:00 to 13:00, as the two below."""
    ready: list[int]
    ttft_s_p99: list[float]


def monday(result: Any) -> Monday:
    """What is kept of a run."""
    import numpy as np

    rows, spans = result.log.requests, result.log.spans
    hour = (rows["arrival_s"] - WEEK_S) / 3600
    ttft_s = rows["first_token_s"] - rows["arrival_s"]
    tpot_s = (rows["finish_s"] - rows["first_token_s"]) / np.maximum(rows["output_tokens"] - 1, 1)
    office = (hour >= 8.5) & (hour < 18)
    edges = WEEK_S + np.arange(7 * 3600, 13 * 3600 + 1, BIN_S, dtype=float)
    where = np.searchsorted(edges, rows["arrival_s"], side="right") - 1
    bins = [ttft_s[where == place] for place in range(len(edges) - 1)]
    ready = [int(((spans["ready_s"] <= at_s) & (spans["draining_s"] > at_s)).sum()) for at_s in edges[:-1]]
    return Monday(
        float(((ttft_s <= 4) & (tpot_s <= 0.06))[office].mean()),
        [round(len(each) / BIN_S, 3) for each in bins],
        ready,
        [round(float(np.quantile(each, 0.99)), 2) if len(each) else 0.0 for each in bins],
    )


def carried_per_s(step: float = 0.05) -> float:
    """The most requests a second that each of four replicas carries within the promise, to a step: a step more is run.

    Fixed fleets at constant rates, as the policies' target was found.
    """

    def keeps(per_s: float) -> bool:
        steady = ("horizon=3h", "warmup=10m", f"workload.arrivals={{kind: poisson, rate: {4 * per_s:.4g}/s}}")
        run = told(NAME, *steady, "pools.office.autoscaler={kind: fixed, replicas: 4}")
        return all(target["met"] for target in run["slo"])

    per_s = 0.7
    assert keeps(per_s), f"{per_s} requests a second are too many now"
    assert not keeps(per_s + step), f"{per_s + step} requests a second are carried now"
    return per_s


def policy(name: str, *more: str) -> Told:
    """A run under a policy, by its name on the page."""
    return told(NAME, *POLICIES[name], *more, keep=monday)


def week(name: str, *more: str) -> float:
    """What a week costs, in USD."""
    return float(policy(name, *more)["cost.usd_per_day"] * 7)


def policies_table() -> str:
    """The policies side by side: the week's bill and who is served in time."""
    rows = []
    for name in POLICIES:
        run = policy(name)
        rows.append((name, usd(week(name)), _replicas(run), *_served(run)))
    return table("| a week: | replicas: | TTFT ≤ 4 s: | TPOT ≤ 60 ms: | Monday, both: | TTFT max:", *rows)


def grown_table() -> str:
    """Some of them with a third more demand than they were set up for."""
    rows = []
    for name in (MONDAY, SHIPPED):
        run = policy(name, GROWN)
        rows.append((name, usd(week(name, GROWN)), _replicas(run), *_served(run)))
    return table("| a week: | replicas: | TTFT ≤ 4 s: | TPOT ≤ 60 ms: | Monday, both: | TTFT max:", *rows)


def _replicas(run: Told) -> str:
    return f"{run['replicas.mean']:.2f} ({run['replicas.min']} to {run['replicas.max']})"


def _served(run: Told) -> tuple[str, ...]:
    told_slo = [share(one["attained"]) if one["met"] else f"**{share(one['attained'])}**" for one in run["slo"]]
    return (*told_slo, share(run.kept.in_time_share), duration(run["latency.ttft_s.max"]))


def saved(name: str, than: str) -> str:
    """What a policy saves a week over another, in USD and as a share."""
    less = week(than) - week(name)
    return f"{usd(less)} a week ({share(less / week(than))})"


def the_picture() -> tuple[Any, Callable[[Any], None]]:
    """Monday morning: requests a second, replicas that are ready, waits, by policy."""
    mornings = {name: policy(name).kept for name in (MONDAY, REACTIVE, SHIPPED)}
    shown = {name: [seen.ready, seen.ttft_s_p99] for name, seen in mornings.items()}
    rate = mornings[SHIPPED].requests_per_s

    def paint(figure: Any) -> None:
        figure.set_size_inches(8.2, 6.2)
        load, fleet, waits = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1.5, 1.2))
        hours = [7 + place * BIN_S / 3600 for place in range(len(rate) + 1)]
        load.stairs(rate, hours, fill=True, color=FAINT)
        load.set_title("Requests a second on Monday morning")
        for (name, (ready, ttft_s)), colour in zip(shown.items(), (GREEN, AMBER, BLUE), strict=True):
            fleet.stairs(ready, hours, baseline=None, color=colour, linewidth=1.6, label=name)
            waits.stairs(ttft_s, hours, baseline=None, color=colour, linewidth=1.6)
        fleet.set_title("Replicas that are ready")
        fleet.set_ylim(0, 11.5)
        fleet.legend(loc="upper left", fontsize=8.5)
        waits.axhline(4, color=INK, linewidth=0.9, linestyle="--")
        waits.set_yscale("log")
        waits.set_title("Time to first token, p99 of five minutes, seconds (dashed: the promise)")
        waits.set_xlim(7, 13)
        waits.set_xticks(range(7, 14), [f"{hour}:00" for hour in range(7, 14)])
        figure.align_ylabels()
        figure.tight_layout()

    return [rate, shown], paint


PICTURES = {f"{NAME}.png": the_picture}
