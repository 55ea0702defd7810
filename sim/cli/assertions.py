"""What a scenario asserts, beside what its runs say: a table, and what to do about what they do not decide."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.report.table import Table
from sim.result import words
from sim.scenario.numbers import kind_of
from sim.study.assertions import FAIL, PASS, UNDECIDED, Judged


def missed(judged: Sequence[Judged]) -> bool:
    """Whether `--check` fails: a confidence that was asked for and not reached is not a pass."""
    return any(each.verdict != PASS for each in judged)


def assertions_table(judged: Sequence[Judged]) -> Table:
    """A row an assertion, in the order of the file; no rows where there are none."""
    rows = tuple((each.assertion.text, _value(each), _between(each), each.verdict) for each in judged)
    return Table("Assertions", ("", "value", "between", "verdict"), rows)


def assertion_notes(judged: Sequence[Judged]) -> list[str]:
    """A sentence for each that does not pass."""
    found = [f"fails: {each.assertion.text}: {_told(each)}" for each in judged if each.verdict == FAIL]
    return found + [f"undecided: {each.assertion.text}: {each.why}" for each in judged if each.verdict == UNDECIDED]


def _told(each: Judged) -> str:
    between = _between(each)
    return f"it is {_value(each)}" + (f", between {between}" if between else "")


def _value(each: Judged) -> str:
    return _said(each.value, each.path)


def _between(each: Judged) -> str:
    """The ends that a verdict follows from, and how many runs it took; empty where there are none."""
    interval = each.interval
    if interval is None or math.isinf(interval.half_width) or interval.half_width == 0:
        return ""
    return f"{_said(interval.low, each.path)} and {_said(interval.high, each.path)}"


def _said(value: float | None, path: str) -> str:
    """A number in the words of its kind."""
    kind = kind_of(path)
    if kind == "rate":
        return f"{words.count(value)}/s"
    return {"duration": words.duration, "usd": words.usd, "share": words.ratio, "number": words.count}[kind](value)
