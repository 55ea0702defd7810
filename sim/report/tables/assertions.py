"""What a scenario asserts, beside what its runs say: a table, and what to do about what they do not decide."""

from __future__ import annotations

from typing import Any

from sim.report.tables.table import Table
from sim.result import words
from sim.scenario.numbers import kind_of

Told = dict[str, Any]
"""An entry of the block `assertions` of a summary."""


def assertion_table(summary: dict[str, Any]) -> Table:
    """A row an assertion, in the order of the file; no rows where there are none."""
    made = (summary.get("replications") or {}).get("number")
    rows = tuple((each["text"], _value(each), _between(each, made), each["verdict"]) for each in _entries(summary))
    return Table("Assertions", ("", "value", "interval", "verdict"), rows)


def assertion_notes(summary: dict[str, Any]) -> list[str]:
    """A sentence for each that does not pass, those that fail first."""
    found = [each for each in _entries(summary) if each["verdict"] != "pass"]
    found.sort(key=lambda each: each["verdict"] != "fail")
    return [f"{_SAID[each['verdict']]}: {each['text']}; {each['why'] or _told(each)}" for each in found]


def missed(summary: dict[str, Any]) -> bool:
    """Whether an assertion fails or is undecided: a confidence asked for and not reached is no pass."""
    return any(each["verdict"] != "pass" for each in _entries(summary))


_SAID = {"fail": "fails", "undecided": "undecided"}


def _entries(summary: dict[str, Any]) -> list[Told]:
    found: list[Told] = summary.get("assertions", [])
    return found


def _told(each: Told) -> str:
    between = _between(each)
    return f"it is {_value(each)}" + (f", {between}" if between else "")


def _value(each: Told) -> str:
    return _said(each["value"], each["quantity"])


def _between(each: Told, made: int | None = None) -> str:
    """The ends that a verdict follows from; empty where there are none, or but one.

    `made`: all replications, to say so where the verdict fell after fewer and its interval may leave the value out.
    """
    ends = each["interval"]
    if ends is None or ends[0] == ends[1]:
        return ""
    low, high = max(ends[0], min(each["value"], 0.0)), ends[1]  # none of these is below 0 but what is
    if kind_of(each["quantity"]) == "share":
        high = min(high, max(each["value"], 1.0))
    told = words.between(low, high, lambda value: _said(value, each["quantity"]))
    inside = ends[0] <= each["value"] <= ends[1]
    return told if inside or made in (None, each["runs"]) else f"{told} (first {each['runs']})"


def _said(value: float | None, path: str) -> str:
    """A number in the words of its kind."""
    kind = kind_of(path)
    if kind == "rate":
        return words.MISSING if value is None else f"{words.count(value)}/s"
    return {"duration": words.duration, "usd": words.usd, "share": words.ratio, "number": words.count}[kind](value)
