"""The main numbers of several replications with their intervals, and how well they are known, in words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from sim.report.tables.table import Table
from sim.result import words
from sim.result.verdict import PROMISES, replications, whose

Say = Callable[[float | None], str]

NAMES: dict[str, tuple[str, Say]] = {
    "latency.queue_wait_s.mean": ("mean queue wait", words.duration),
    "latency.ttft_s.p50": ("p50 TTFT", words.duration),
    "latency.ttft_s.p99": ("p99 TTFT", words.duration),
    "latency.tpot_s.p99": ("p99 TPOT", words.duration),
    "latency.e2e_s.p99": ("p99 E2E", words.duration),
    "utilization.busy_share": ("busy", words.share),
    "replicas.mean": ("replicas", words.count),
    "cost.usd_per_day": ("cost a day", words.usd),
    "cost.usd_per_request": ("cost a request", words.usd),
    "cost.usd_per_million_output_tokens": ("cost a million output tokens", words.usd),
}
"""What is shown, as far as it varies; what each objective attains stands after the latencies."""
_AFTER = "latency.e2e_s.p99"
MOST_ADVISED = 1000
"""More replications are told as out of reach, not as what to ask for."""
SHORT = re.compile(r"^needs (.*) more$")
"""What stands in place of a quantile that is not told; `+4,200` where there is little room."""


def interval_table(summary: dict[str, Any]) -> Table:
    """Estimate and 95 % interval of the main numbers that vary; no rows from one replication."""
    rows = []
    for path, (name, say) in _shown(summary).items():
        lacking = told(summary, path)
        if lacking:
            rows.append((name, lacking, "", ""))
            continue
        around = summary.get("intervals", {}).get(path)
        if around is None or around[0] == around[1]:
            continue
        rows.append((name, say(_at(summary, path)), interval(summary, path) or "", _relative(around)))
    several = words.plural(replications(summary), "replication")
    return Table("Intervals", (f"of {several}", "estimate", "95% interval", "±"), tuple(rows))


def interval(summary: dict[str, Any], path: str) -> str | None:
    """The 95 % interval of a number, as far as it can be: none of these is below 0, and no share above 1."""
    around = summary.get("intervals", {}).get(path)
    if around is None or around[0] == around[1]:
        return None
    _, say = NAMES[path] if path in NAMES else _objective(_target(summary, path))
    most = 1.0 if path.endswith(("_share", ".attained")) else math.inf
    return words.between(max(around[0], 0.0), min(around[1], most), say)


def told(summary: dict[str, Any], path: str) -> str | None:
    """What stands in place of a quantile that is not told: how many more requests it takes."""
    lacking = summary.get("refused", {}).get(path)
    return None if lacking is None else f"needs {words.count(lacking)} more"


def replication_notes(summary: dict[str, Any]) -> list[str]:
    """How many replications there are, why no more, and what is not told for lack of requests."""
    found = summary.get("replications")
    if found is None:
        return []
    number, requests = found["number"], words.count(found["requests"])
    if number == 1 and found["stopped"] == "interrupted":
        return ["Interrupted after the first replication: no intervals. This is one plain run."]
    if number == 1:
        most = (found["budget"] or {}).get("requests")
        why = "" if most is None else f", as a second would be beyond the budget of {words.count(most)} requests"
        told = words.plural(found["requests"], "request")
        return [f"1 replication of {told}: no intervals{why}. For some, say how many: --replications 5."]
    notes = [f"{number} replications of {requests} requests each, with 95% intervals. {_stopped(summary)}."]
    refused = {path: lacking for path, lacking in summary["refused"].items() if path.startswith("latency.")}
    if refused:
        path = max(refused, key=lambda one: refused[one])
        enough = number + math.ceil(refused[path] / summary["requests"]["completed"])
        notes.append(
            "A quantile that needs more requests is not told: fewer than 100 lie beyond it. "
            f"--replications {enough} would do."
        )
    return notes


def steady_note(summary: dict[str, Any]) -> str | None:
    """What `--steady` chose; None without it."""
    found = summary.get("steady")
    if found is None:
        return None
    horizon = words.duration(found["horizon_s"])
    if found["extended"]:
        horizon += f" (made longer from {words.duration(found['horizon_s'] / 2 ** found['extended'])})"
    if not found["warmup_s"]:
        return f"No warm-up needed in {horizon}: nothing settles later than the start."
    return f"Warm-up {words.duration(found['warmup_s'])} of {horizon}: {SETTLES[found['slowest']]} last."


SETTLES = {
    "in_system": "the number in the system settles",
    "waiting": "the number waiting settles",
    "kv_tokens": "KV memory in use settles",
    "replicas": "the number of ready replicas settles",
}


def _shown(summary: dict[str, Any]) -> dict[str, tuple[str, Say]]:
    """The numbers of the table, in order, with their names and how they are said."""
    found: dict[str, tuple[str, Say]] = {}
    whole = summary["latency"]["ttft_s"] == summary["latency"]["e2e_s"]
    for path, named in NAMES.items():
        if not (whole and "ttft" in path):  # an answer that comes whole has no first token of its own
            found[path] = named
        if path == _AFTER:
            found |= {f"slo.{place}.attained": _objective(target) for place, target in enumerate(summary["slo"])}
    return found


def _target(summary: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = summary["slo"][int(path.split(".")[1])]
    return found


def _objective(target: dict[str, Any]) -> tuple[str, Say]:
    promise = PROMISES[target["metric"]].format(words.duration(target["under_s"]))
    limited = "" if whose(target) == "requests" else f"{whose(target)} "
    return f"{limited}{promise}", lambda share: words.share_beside(share, target["share"])


def _stopped(summary: dict[str, Any]) -> str:
    """Why no more replications were made."""
    found = summary["replications"]
    least = found["least_known"]
    if least is None:
        return "Nothing that a precision is about varies"
    wanted = None if found["precision"] is None else words.percent(found["precision"])
    if found["stopped"] == "precision":
        told = [_name(summary, least["path"]), *_others(summary, least["path"])]
        return f"Enough: {_and(told)} {'is' if len(told) == 1 else 'are'} known to {wanted}"
    known = _known(summary, least)
    if found["stopped"] == "number":
        return known[0].upper() + known[1:] if known.startswith(("attain", "cost")) else known
    budget = found["budget"]
    spent = f"{budget['replications']} replications"
    if found["number"] < budget["replications"]:
        spent = f"{words.count(budget['requests'])} requests"
    if found["stopped"] == "interrupted":
        return f"Interrupted after {words.plural(found['number'], 'replication')}: {known}"
    enough = least["replications"]
    if enough is None:
        return f"Stopped at the budget of {spent}: {known}"
    more = f"{wanted} takes about {words.count(enough)} (--replications {enough})"
    if enough > MOST_ADVISED:
        more = f"{wanted} would take some {words.count(float(f'{enough:.1g}'))}"
    return f"Stopped at the budget of {spent}: {known}; {more}"


def _known(summary: dict[str, Any], least: dict[str, Any]) -> str:
    """How well the number is known that is known least.

    That is wider than its interval in the table: it holds at once with those of the others, and is relative to the
    true value.
    """
    name, others = _name(summary, least["path"]), _others(summary, least["path"])
    if least["within_share"] is not None:
        at_once = f" (at once with {_and(others)})" if others else ""
        return f"{name} is known to {words.ratio(least['within_share'])}{at_once}"
    low, high = least["single"]
    if least["path"] in summary["refused"] or low == high:
        return f"{name} is not known yet"
    say = NAMES[least["path"]][1] if least["path"] in NAMES else words.share
    return f"{name} is not known yet, single replications have {words.between(low, high, say)}"


def _others(summary: dict[str, Any], path: str) -> list[str]:
    """What else a precision is about."""
    found = []
    if summary["latency"]["ttft_s"]["p99"] is not None and path != "latency.ttft_s.p99":
        found.append("p99 TTFT")
    promised = sum(target["attained"] is not None for target in summary["slo"])
    if promised > path.startswith("slo."):
        found.append("the other attainment" if path.startswith("slo.") else "attainment")
    if summary["cost"]["usd_per_day"] is not None and path != "cost.usd_per_day":
        found.append("cost")
    return found


def _and(said: list[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _name(summary: dict[str, Any], path: str) -> str:
    if path.startswith("slo."):
        if len(summary["slo"]) == 1:
            return "attainment"
        target = _target(summary, path)
        return f"attainment of {words.METRICS[target['metric']]} ≤ {words.duration(target['under_s'])}"
    return NAMES[path][0] if path in NAMES else path


def _relative(around: list[float]) -> str:
    """Half the interval over the estimate; nothing where the estimate is 0."""
    middle, half = (around[0] + around[1]) / 2, (around[1] - around[0]) / 2
    return words.ratio(half / abs(middle)) if middle else ""


def _at(summary: dict[str, Any], path: str) -> float | None:
    value: Any = summary
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return None if value is None else float(value)
