"""What the charts show, as numbers: a run's place on the curve, and the tiles. The same numbers as its summary."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.model.tables import COMPLETED
from sim.pricing.spans import DAY_S
from sim.result import Result, words
from sim.result.groups import meant
from sim.result.latency import metric_s, within
from sim.result.money.bill import bill_of
from sim.result.money.slowness import slowness_block
from sim.result.verdict import PROMISES, whose
from sim.result.window import measured_window
from sim.scenario import Scenario
from sim.scenario.replica import Batching

__all__ = ["point", "tiles", "waited"]


def waited(scenario: Scenario) -> str:
    """The wait that the curve shows: to the first token where answers have tokens, else to the start."""
    return "ttft" if any(isinstance(pool.replica, Batching) for pool in scenario.pools.values()) else "queue_wait"


def point(result: Result, replicas: int) -> dict[str, Any]:
    """A run's place on the curve: what it costs a day, and how long requests wait. A fifth of a summary's time."""
    scenario, log = result.scenario, result.log
    window = measured_window(scenario, log)
    usd = bill_of(scenario, log).spent_usd(list(log.pools), np.array((window.start_s, window.end_s)))
    total_usd = None if usd is None else float(usd[1] - usd[0])
    per_day = None if total_usd is None or not window.length_s else total_usd * DAY_S / window.length_s
    block = slowness_block(scenario, log, window, {"total_usd": total_usd, "usd_per_day": per_day}).get("slowness")
    found: dict[str, Any] = {
        "replicas": replicas,
        "usd_per_day": per_day,
        "slowness_usd_per_day": None if block is None else block["usd_per_day"],
    }
    if log.tally is not None:  # too large for rows: the summary has what there is
        summary = result.summary(theory=False)
        wait = summary["latency"][f"{waited(scenario)}_s"]
        met = [target["met"] for target in summary["slo"]]
        return found | {"wait_s_p99": wait["p99"], "wait_s_mean": wait["mean"], "met": met, "served": _served(summary)}
    rows = log.logical[window.rows]
    wait_s = metric_s(rows, waited(scenario))
    wait_s = wait_s[~np.isnan(wait_s)]
    served = float((rows["outcome"] == COMPLETED).mean()) if len(rows) else None
    return found | {
        "wait_s_p99": float(np.quantile(wait_s, 0.99)) if len(wait_s) else None,
        "wait_s_mean": float(wait_s.mean()) if len(wait_s) else None,
        "met": [_met(result, rows, target) for target in scenario.slo],
        "served": served,
    }


def _met(result: Result, rows: Any, target: Any) -> bool | None:
    mask = meant(result.log, target).mask(rows)
    met = within(rows, metric_s(rows, target.metric), target.metric, target.under_s)
    met = met if mask is None else met[mask]
    return bool(met.sum() / len(met) >= target.share) if len(met) else None


def _served(summary: dict[str, Any]) -> float | None:
    arrived = summary["requests"]["arrived"]
    return summary["requests"]["completed"] / arrived if arrived else None


def tiles(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The numbers that people look for first: label, text, number, and whether it is good or bad news."""
    found = []
    for target in summary["slo"]:
        promise = PROMISES[target["metric"]].format(words.duration(target["under_s"]))
        of = "" if whose(target) == "requests" else f"of {whose(target)} "
        mood = {True: "good", False: "bad", None: "plain"}[target["met"]]
        label = f"{of}{promise} (target {words.percent(target['share'])})"
        text = words.MISSING if target["attained"] is None else words.share_beside(target["attained"], target["share"])
        found.append({"label": label, "text": text, "value": target["attained"], "mood": mood})
    latency, cost, slowness = summary["latency"], summary["cost"], summary.get("slowness")
    first = "ttft_s" if latency["ttft_s"]["p99"] is not None else "queue_wait_s"
    wait = "p99 time to first token" if first == "ttft_s" else "p99 wait"
    plain = [
        (wait, words.duration, latency[first]["p99"]),
        ("mean wait", words.duration, latency["queue_wait_s"]["mean"]),
        ("busy share of ready time", words.share, summary["utilization"]["busy_share"]),
        ("replicas on average", words.count, summary["replicas"]["mean"]),
        ("for the fleet a day", words.usd, cost["usd_per_day"]),
        ("for slowness a day", words.usd, None if slowness is None else slowness["usd_per_day"]),
        ("a request", words.usd, cost["usd_per_request"]),
    ]
    return found + [
        {"label": label, "text": say(value), "value": value, "mood": "plain"}
        for label, say, value in plain
        if value is not None
    ]
