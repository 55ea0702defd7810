"""Numbers as people say them: one place for the wording of the verdict, the terminal table and the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

MISSING = "n/a"
"""What stands where there is no data."""

METRICS = {"queue_wait": "queue wait", "ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E"}
"""What people call the latencies of a request, in short."""

LEAST_USD = 1e-9
"""Less money than this is only told to be less: its digits could not be counted."""

_CLOCK = (
    ("min", 60.0, "s", 1.0, 3600.0),
    ("h", 3600.0, "min", 60.0, 86400.0),
    ("d", 86400.0, "h", 3600.0, math.inf),
)
"""From a minute on, two units: the big one, the small one, and up to where they are used."""


def duration(value_s: float | None) -> str:
    """A length of time in the unit a reader would pick: `45 ms`, `1.24 s`, `12 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if value_s is None or math.isnan(value_s):
        return MISSING
    if math.isinf(value_s):
        return "forever"
    size_s = abs(value_s)
    if size_s == 0:
        return "0 s"
    if size_s < 0.9995e-3:
        return f"{value_s * 1e6:.3g} µs"
    if size_s < 0.9995:
        return f"{value_s * 1e3:.3g} ms"
    if size_s < 59.95:
        return f"{value_s:.3g} s"
    big, big_s, small, small_s = next(
        (big, big_s, small, small_s)
        for big, big_s, small, small_s, limit_s in _CLOCK
        if round(size_s / small_s) * small_s < limit_s
    )
    major, minor = divmod(round(size_s / small_s), round(big_s / small_s))
    sign = "-" if value_s < 0 else ""
    return f"{sign}{major} {big}" + (f" {minor} {small}" if minor else "")


def share(value: float | None) -> str:
    """A share as a percentage with one decimal, two near the ends: `92.3%`, `99.95%`, never a false `100%` or `0%`."""
    if value is None or math.isnan(value):
        return MISSING
    if value in (0.0, 1.0):
        return f"{value:.0%}"
    for decimals in (1, 2):
        text = f"{value:.{decimals}%}"
        if 0.0 < float(text[:-1]) < 100.0 and not (0.99 <= value < 1 and decimals < 2):
            return text
    return "<0.01%" if value < 0.5 else ">99.99%"


def ratio(value: float | None) -> str:
    """A share that may be below 0 or above 1, such as a margin: `92.3%`, `-781%`, `120%`."""
    if value is None or math.isnan(value):
        return MISSING
    if value < 0:
        return f"-{ratio(-value)}"
    return share(value) if value <= 1 else f"{value:,.0%}"


def share_beside(value: float | None, target: float) -> str:
    """A share with as many decimals as it takes to see on which side of its target it is: 98.996% misses 99%."""
    text = share(value)
    if value is None or math.isnan(value) or value in (0.0, 1.0):
        return text
    if value == target:
        return percent(value)
    aim = float(percent(target)[:-1])
    vague = text[0] in "<>" and share(target)[0] in "<>"
    for decimals in range(2, 12):
        told = float(text.strip("<>%"))
        if not vague and told not in (aim, 0.0, 100.0) and (told < aim) == (value < target):
            break
        text, vague = f"{value:.{decimals}%}", False
    return text


def percent(value: float) -> str:
    """A target as the user wrote it: `99%`, `99.9%`."""
    return f"{value * 100:.10g}%"


def count(value: float | None) -> str:
    """A number of things: `174`, `12,345`, `11.1 million`."""
    if value is None or math.isnan(value):
        return MISSING
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g} {name}" if abs(value) < 999.5 * size else f"{value / size:,.0f} {name}"
    if abs(value) >= 99.95 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}"


def usd(value: float | None) -> str:
    """An amount of money: `$100,224`, `$23.92`, `$0.0090`, `$0.000037`; never with an exponent."""
    if value is None or math.isnan(value):
        return MISSING
    if value < 0:
        return f"-{usd(-value)}"
    size = value
    if size >= 1e6:
        return f"${value / 1e6:,.2f} million"
    if size >= 1000:
        return f"${value:,.0f}"
    if size >= 1 or size == 0:
        return f"${value:,.2f}"
    if size < LEAST_USD:
        return f"<${LEAST_USD:.9f}"
    decimals = 1 - math.floor(math.log10(size))
    return f"${value:.{max(2, decimals)}f}"


def between(low: float, high: float, say: Callable[[float], str]) -> str:
    """Two numbers as their own function says them, the unit once: `551 to 583 ms`, `$12.10 to $12.60`."""
    return between_said(say(low), say(high))


def between_said(first: str, last: str) -> str:
    """The same of two numbers in words already."""
    if first == last:
        return last
    number, _, unit = first.partition(" ")
    return f"{number} to {last}" if unit and last.split(" ", 1)[1:] == [unit] else f"{first} to {last}"


def plural(number: int, noun: str) -> str:
    """`1 replica`, `174 replicas`, `1.2 million requests`."""
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def replicas(fleet: Mapping[str, int]) -> str:
    """Of each pool, in their order: `1 replica`, `8 and 1 replicas`."""
    counts = " and ".join(count(number) for number in fleet.values())
    return f"{counts} replica" + ("" if list(fleet.values()) == [1] else "s")
