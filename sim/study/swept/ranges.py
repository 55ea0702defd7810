"""Values of a key between two ends, written as `4..40:4`: first, last, and the step from one to the next."""

from __future__ import annotations

import re
from decimal import Decimal

from sim.config.errors import ConfigError, Problem

_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_UNIT = r"[^\d.:,\s][^.:,\s]*"
_RANGE = re.compile(
    rf"(?P<sign>\$)?(?P<first>{_NUMBER})\s*(?P<unit>{_UNIT})?\s*\.\.\s*\$?(?P<last>{_NUMBER})\s*(?P<last_unit>{_UNIT})?"
    rf"(?:\s*:\s*\$?(?P<step>{_NUMBER})\s*(?P<step_unit>{_UNIT})?)?"
)

_LONGEST = 200
"""Characters of a range."""


def expanded(text: str, option: str, most: int) -> tuple[str, ...]:
    """The values of a range, each as it would stand in the file; a text that is no range alone, as it is.

    The last end is one of them if a step comes to it. Exact for decimals; downwards if the last end is the smaller.
    Without a step whole numbers go by 1. A `$` before the first is before all of them. Raises `ConfigError` (naming
    the option) for a range that makes no sense, or has more than `most` values.
    """
    found = _RANGE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        return (text,)
    unit = found["unit"] or ""
    if unit != (found["last_unit"] or "") or found["step_unit"] not in (None, unit):
        raise ConfigError(Problem(f"a range must have one unit, as in 1s..5s:1s; got '{text}'", option))
    first, last = Decimal(found["first"]), Decimal(found["last"])
    step = _step(found, whole=not unit and "." not in found["first"] + found["last"], text=text, option=option)
    number = int(abs(last - first) / step) + 1
    if number > most:
        many = f"{number:,}" if number < 10**12 else "far too many"
        raise ConfigError(Problem(f"'{text}' has {many} values; a sweep makes at most {most:,} runs", option))
    sign = found["sign"] or ""
    signed = step if last >= first else -step
    return tuple(f"{sign}{_plain(first + place * signed)}{unit}" for place in range(number))


def _step(found: re.Match[str], whole: bool, text: str, option: str) -> Decimal:
    if found["step"] is None and not whole:
        raise ConfigError(Problem(f"needs a step behind ':', as in 0.5..2.5:0.5; got '{text}'", option))
    step = Decimal(found["step"] or 1)
    if step <= 0:
        raise ConfigError(Problem(f"the step must be above 0; got '{text}'", option))
    return step


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
