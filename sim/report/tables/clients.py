"""What clients did and how each kind of them was served: attempts, classes and tenants, as tables of words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.report.tables.intervals import told
from sim.report.tables.table import Table
from sim.result import words
from sim.result.attempts import OUTCOME_ORDER

KINDS = {"classes": "Classes", "tenants": "Tenants"}


def attempts_table(summary: dict[str, Any]) -> Table:
    """How often requests were sent and what became of each sending; no rows where every request was sent once."""
    told = summary["attempts"]
    if told["sent"] == summary["requests"]["arrived"] and not told["wasted"]["attempts"]:
        return Table("Attempts", ("", ""), ())
    rows = [("sent", words.count(told["sent"])), ("attempts a request", _times(told["amplification"]))]
    if told["hedges"]:
        rows.append(("of these, copies to be sooner", _part(told["hedges"], told["sent"])))
    rows += [(name.replace("_", " "), _part(told[name], told["sent"])) for name in OUTCOME_ORDER if told[name]]
    wasted = told["wasted"]
    if wasted["attempts"]:
        rows.append(("served in vain", _part(wasted["attempts"], told["sent"])))
    for kind in ("prompt", "output"):
        if wasted[f"{kind}_tokens"]:
            rows.append((f"{kind} tokens computed in vain", words.count(wasted[f"{kind}_tokens"])))
    return Table("Attempts", ("at the requests that arrived", ""), tuple(rows))


def party_tables(summary: dict[str, Any]) -> list[Table]:
    """A table of the classes and one of the tenants, where there are any: a row each."""
    return [_party_table(caption, summary, kind) for kind, caption in KINDS.items() if kind in summary]


def _party_table(caption: str, summary: dict[str, Any], kind: str) -> Table:
    blocks: dict[str, dict[str, Any]] = summary[kind]
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        "requests": lambda block: words.count(block["requests"]["arrived"]),
        "completed": lambda block: _part_of(block["requests"]["completed"], block["requests"]["arrived"]),
        "good/s": lambda block: words.count(block["throughput"]["goodput_per_s"]),
        "attempts": lambda block: _times(block["attempts"]["amplification"]),
        "TTFT p50": lambda block: words.duration(block["latency"]["ttft_s"]["p50"]),
        "TTFT p99": lambda block: words.duration(block["latency"]["ttft_s"]["p99"]),
        "E2E p99": lambda block: words.duration(block["latency"]["e2e_s"]["p99"]),
        "SLO": lambda block: _met(block["slo"]),
        "of the cost": lambda block: words.share(block["cost_share"]),
        "a request": lambda block: words.usd(block["cost"]["usd_per_request"]),
    }
    cells = {name: [say(block) for block in blocks.values()] for name, say in columns.items()}
    for name, path in (("TTFT p50", "ttft_s.p50"), ("TTFT p99", "ttft_s.p99"), ("E2E p99", "e2e_s.p99")):
        for place, party in enumerate(blocks):
            cells[name][place] = told(summary, f"{kind}.{party}.latency.{path}") or cells[name][place]
    said = {name: column for name, column in cells.items() if set(column) != {words.MISSING}}
    rows = tuple((name, *(column[place] for column in said.values())) for place, name in enumerate(blocks))
    return Table(caption, ("", *said), rows)


def _met(slo: list[dict[str, Any]]) -> str:
    """`met`, `missed`, or how many of several are missed."""
    known = [target["met"] for target in slo if target["met"] is not None]
    if not known:
        return words.MISSING
    if all(known):
        return "met"
    return "missed" if len(known) == 1 else f"{known.count(False)} of {len(known)} missed"


def _times(amplification: float | None) -> str:
    return words.MISSING if amplification is None else f"{amplification:.2f}"


def _part(number: int, whole: int) -> str:
    return f"{words.count(number)} ({words.share(number / whole)})" if whole else "0"


def _part_of(number: int, whole: int) -> str:
    return words.share(number / whole) if whole else words.MISSING
