"""What slow and missing answers cost, as a table of words and as what to know of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.report.tables.table import Table
from sim.result import words
from sim.result.verdict import whose

_NAMES = {
    "linear": "time waited",
    "sla_credits": "SLA credits",
    "lost_users": "lost users",
    "lost_requests": "lost requests",
}


def slowness_table(summary: dict[str, Any]) -> Table:
    """A row a price, and beside them what the fleet costs; no rows for a scenario without such prices."""
    found = summary.get("slowness")
    rows = []
    if found is not None:
        rows = [
            (_name(entry), _rests_on(entry), words.usd(entry["usd"]), words.usd(entry["usd_per_day"]))
            for entry in found["entries"]
        ]
        together_usd, a_day_usd = found["fleet_plus_slowness_usd"], found["fleet_plus_slowness_usd_per_day"]
        rows.append(("the fleet", "", words.usd(found["fleet_usd"]), words.usd(summary["cost"]["usd_per_day"])))
        rows.append(("fleet and slowness", "", words.usd(together_usd), words.usd(a_day_usd)))
    heading = ("of slow and lost answers", "for", "in this run", "a day")
    return Table("Cost", heading, tuple(rows))


def slowness_notes(summary: dict[str, Any]) -> list[str]:
    """Requests that got no answer and that no price counts."""
    entries = summary.get("slowness", {}).get("entries", [])
    return _uncounted(entries)


def _uncounted(entries: list[dict[str, Any]]) -> list[str]:
    if any(entry["kind"] != "linear" for entry in entries):
        return []
    free = max((entry["unanswered_free"] for entry in entries), default=0)
    if not free:
        return []
    return [
        f"{words.plural(free, 'request')} without an answer left before a wait costs anything: slowness is too cheap. "
        "Give a price to those: slowness {kind: lost_requests, usd: ...}, or 'unanswered' with kind linear."
    ]


def _name(entry: dict[str, Any]) -> str:
    metric = words.METRICS.get(entry.get("metric", ""), "")
    limit_s = entry.get("under_s", entry.get("beyond_s"))
    if limit_s:
        metric += f" {'≤' if 'under_s' in entry else '>'} {words.duration(limit_s)}"
    about = whose(entry)
    told = [part for part in (metric, "" if about == "requests" else about) if part]
    return ", ".join([_NAMES.get(entry["kind"], entry["kind"].replace("_", " ")), *told])


def _rests_on(entry: dict[str, Any]) -> str:
    told = _RESTS_ON.get(entry["kind"])
    return words.plural(entry["requests"], "request") if told is None else told(entry)


def _part(entry: dict[str, Any], name: str) -> str:
    number, whole = entry[name], entry["requests"]
    return f"{words.count(number)} ({words.share(number / whole)})" if whole else words.count(number)


def _lost_users(entry: dict[str, Any]) -> str:
    of = "" if entry["users"] is None else f" of {words.count(round(entry['users']))}"
    return f"{words.count(entry['lost_users'])} users{of}"


_RESTS_ON: dict[str, Callable[[dict[str, Any]], str]] = {
    "linear": lambda entry: f"{words.count(entry['waited_beyond_hours'])} h, {_part(entry, 'slow_requests')} requests",
    "sla_credits": lambda entry: f"{words.share(entry['attained'])} in time: {words.share(entry['credit_share'])} back",
    "lost_users": _lost_users,
    "lost_requests": lambda entry: f"{_part(entry, 'lost_requests')} requests",
}
"""By kind: what an entry rests on; others are told by the requests that they are about."""
