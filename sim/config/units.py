"""Quantities as people write them: `90s`, `4000/min`, `4k`, `80GiB`, `$2.99/h`, `95%`. Owns their spelling, both ways.

Each annotated type (`Duration`, `Rate`, ...) is a plain number in its base unit once validated. In a file it is that
number, or a string with a unit. Arithmetic is exact before the one rounding to a float: `250ms` is 0.25, `0.1s` is 0.1.
A wrong value says what it got and shows an example; `NaN`, infinities and negative numbers are refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from numbers import Integral, Real
from typing import Annotated, Any, NoReturn

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sim.config.said import said

__all__ = [
    "AMOUNT",
    "BANDWIDTH",
    "COUNT",
    "DURATION",
    "RATE",
    "SHARE",
    "SIZE",
    "USD",
    "USD_PER_GB",
    "USD_PER_HOUR",
    "USD_PER_KWH",
    "USD_PER_KW_MONTH",
    "USD_PER_MONTH",
    "USD_PER_MTOK",
    "USD_PER_YEAR",
    "Amount",
    "Bandwidth",
    "Count",
    "Duration",
    "PositiveAmount",
    "PositiveBandwidth",
    "PositiveCount",
    "PositiveDuration",
    "PositiveRate",
    "PositiveShare",
    "PositiveSize",
    "PositiveUsd",
    "PositiveUsdPerMonth",
    "Quantity",
    "Rate",
    "Share",
    "Size",
    "Usd",
    "UsdPerGb",
    "UsdPerHour",
    "UsdPerKwMonth",
    "UsdPerKwh",
    "UsdPerMtok",
    "UsdPerYear",
    "said",
    "shown",
]

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_OTHER_CURRENCY = re.compile(r"[\u00a2-\u00a5\u20a0-\u20cf]|\b(?!USD)[A-Z]{3}\b")
_LONGEST = 80  # characters of a quantity: keeps exact fractions small


@dataclass(frozen=True)
class Quantity:
    """How one kind of quantity is written: its units, its limits, its examples. Pydantic metadata for `Annotated`."""

    noun: str
    """With its article, as in an error: `a duration`."""
    units: dict[str, Fraction] = field(hash=False)
    """Spelling of a unit to its size in base units; the empty spelling is the bare number."""
    examples: tuple[str, ...]
    prefix: str = ""
    """Optional sign before the number, such as `$`."""
    compound: bool = False
    """Whether several parts may follow each other, as in `1h30m`."""
    whole: bool = False
    """Whether only integers make sense once scaled."""
    least: float = 0.0
    most: float = math.inf
    above_zero: bool = False

    def parse(self, value: object) -> float | int:
        """The quantity in base units, from a number or a string. Raises `PydanticCustomError` (see `said`)."""
        exact = self._from_text(value) if isinstance(value, str) else self._from_number(value)
        return self._checked(exact, value)

    def between(self, least: float, most: float) -> Quantity:
        """The same quantity within limits, both allowed."""
        return replace(self, least=least, most=most)

    def positive(self) -> Quantity:
        """The same quantity without 0."""
        return replace(self, above_zero=True)

    def _from_number(self, value: object) -> Fraction:
        if isinstance(value, bool) or not isinstance(value, Real):
            self._refuse(value)
        if isinstance(value, Integral):
            return Fraction(int(value))
        if not math.isfinite(value):
            raise said(f"must be a finite number, got {shown(value)}")
        return Fraction(float(value))

    def _from_text(self, text: str) -> Fraction:
        body = text.strip()
        if len(body) > _LONGEST:
            self._refuse(text)
        negative = body.startswith("-")
        body = body[1:] if body.startswith(("+", "-")) else body
        if body.lower() in ("nan", ".nan", "inf", ".inf", "infinity"):
            raise said(f"must be a finite number, got {shown(text)}")
        if self.prefix:
            body = body.removeprefix(self.prefix).lstrip()
        if re.fullmatch(self._shape, body) is None:
            self._refuse(text)
        parts = re.findall(rf"({_NUMBER})([^0-9.]*)", "".join(body.split()))
        if negative:
            raise said(f"must be {'above' if self.above_zero else 'at least'} 0, got {shown(text)}")
        return sum((Fraction(number) * self.units[unit] for number, unit in parts), start=Fraction(0))

    def _checked(self, exact: Fraction, value: object) -> float | int:
        if exact < 0 or (self.above_zero and exact == 0):
            raise said(f"must be {'above' if self.above_zero else 'at least'} 0, got {shown(value)}")
        if self.whole and exact.denominator != 1:
            raise said(f"must be a whole number, got {shown(value)}")
        try:
            number = float(exact)
        except OverflowError:
            raise said(f"must be a finite number, got {shown(value)}") from None
        # limits are floats, and so is what is compared: 99% is 0.99, whose float is a little less than 99/100
        if not self.least <= number <= self.most:
            raise said(f"must be {self._limits()}, got {shown(value)}{self._hint(exact, value)}")
        if self.above_zero and number == 0.0:
            raise said(f"must be above 0, got {shown(value)}")
        return int(exact) if self.whole else number

    def _limits(self) -> str:
        if math.isinf(self.most):
            return f"at least {self.least:g}"
        return f"between {self.least:g} and {self.most:g}"

    def _hint(self, exact: Fraction, value: object) -> str:
        percent = "%" in self.units and "%" not in str(value) and 1 < exact <= 100
        return f"; did you mean '{float(exact):g}%'?" if percent else ""

    def _refuse(self, value: object) -> NoReturn:
        such = " or ".join((", ".join(self.examples[:-1]), self.examples[-1]))
        foreign = self.prefix == "$" and isinstance(value, str) and _OTHER_CURRENCY.search(value) is not None
        remedy = "; all money is in USD here: convert it, or give a price book with 'currencies'" if foreign else ""
        raise said(f"must be {self.noun}, such as {such}; got {shown(value)}{remedy}")

    @property
    def _shape(self) -> str:
        """A regular expression for the string form without sign, shared by the parser and the JSON Schema."""
        spelt = "|".join(
            re.escape(unit).replace("/", r"\s*/\s*") for unit in sorted(self.units, key=len, reverse=True) if unit
        )
        one = rf"{_NUMBER}\s*(?:{spelt})"
        bare = rf"{_NUMBER}"
        several = rf"{one}(?:\s*{one})*" if self.compound else one
        return rf"(?:{several}|{bare})"

    @property
    def pattern(self) -> str:
        """The anchored regular expression of the string form, as the JSON Schema publishes it."""
        sign = rf"(?:{re.escape(self.prefix)}\s*)?" if self.prefix else ""
        return rf"^\s*\+?{sign}{self._shape}\s*$"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        number: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        number["exclusiveMinimum" if self.above_zero else "minimum"] = 0 if self.above_zero else self.least
        if math.isfinite(self.most):
            number["maximum"] = self.most
        text = {"type": "string", "pattern": self.pattern}
        return {"anyOf": [number, text], "examples": list(self.examples)}


def shown(value: object) -> str:
    """A value as an error quotes it: short, strings in quotes, YAML's words for its own."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    cut = text if len(text) <= 60 else text[:50] + "..."
    return repr(cut) if isinstance(value, str) else cut


_SECONDS = {"ns": Fraction(1, 10**9), "us": Fraction(1, 10**6), "ms": Fraction(1, 1000), "s": Fraction(1)}
_SECONDS |= {"m": Fraction(60), "min": Fraction(60), "h": Fraction(3600), "d": Fraction(86400), "w": Fraction(604800)}
_SECONDS |= {"y": Fraction(365 * 86400)}
_THOUSANDS = {"": Fraction(1), "k": Fraction(10**3), "K": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9)}
_BYTES = {"": Fraction(1), "B": Fraction(1)}
_BYTES |= {f"{letter}B": Fraction(1000**power) for power, letter in enumerate("kMGTP", start=1)}
_BYTES |= {f"{letter}iB": Fraction(1024**power) for power, letter in enumerate("KMGTP", start=1)}

DURATION = Quantity("a duration", {"": Fraction(1), **_SECONDS}, ("90s", "5m", "24h", "250ms"), compound=True)
_PER_SECOND = {"": Fraction(1)} | {
    f"{many}/{unit}": scale / _SECONDS[unit]
    for many, scale in _THOUSANDS.items()
    for unit in ("s", "m", "min", "h", "d")
}
RATE = Quantity("a rate", _PER_SECOND, ("5/s", "4000/min", "10/h"))
AMOUNT = Quantity("a number", _THOUSANDS, ("1024", "4k", "1.5M"))
COUNT = Quantity("a whole number", _THOUSANDS, ("8", "4k", "1.5M"), whole=True, most=1e12)
SIZE = Quantity("a size in bytes", _BYTES, ("80GiB", "80GB", "512MiB"), whole=True, most=1e18)
BANDWIDTH = Quantity(
    "a bandwidth in bytes per second",
    {"": Fraction(1)} | {f"{unit}/s": scale for unit, scale in _BYTES.items() if unit},
    ("3.35TB/s", "900GB/s"),
)
MOST_USD = 1e15
"""Of any price or amount: more is a slip, and sums of it would not be finite."""
USD_PER_HOUR = Quantity(
    "a price per hour",
    {"": Fraction(1), "/h": Fraction(1), "/hour": Fraction(1)},
    ("$2.99/h", "2.99"),
    prefix="$",
    most=MOST_USD,
)
_USD = {"": Fraction(1), "k": Fraction(10**3), "M": Fraction(10**6), "B": Fraction(10**9)}
USD = Quantity("an amount of USD", _USD, ("$40k", "$1.5M", "250"), prefix="$", most=MOST_USD)
USD_PER_KWH = Quantity(
    "a price per kWh", {"": Fraction(1), "/kWh": Fraction(1)}, ("$0.08/kWh", "0.08"), prefix="$", most=MOST_USD
)
USD_PER_GB = Quantity(
    "a price per GB",
    {"": Fraction(1), "/GB": Fraction(1), "/TB": Fraction(1, 1000)},
    ("$0.09/GB", "0.09"),
    prefix="$",
    most=MOST_USD,
)
USD_PER_MONTH = Quantity(
    "a price per month",
    {"": Fraction(1), **{f"{many}/month": scale for many, scale in _USD.items()}, "/year": Fraction(1, 12)},
    ("$20/month", "$240/year", "20"),
    prefix="$",
    most=MOST_USD,
)
USD_PER_KW_MONTH = Quantity(
    "a price per kW and month",
    {"": Fraction(1), "/kW-month": Fraction(1), "/kW/month": Fraction(1), "/month": Fraction(1)},
    ("$150/kW-month", "150"),
    prefix="$",
)
USD_PER_MTOK = Quantity(
    "a price per million tokens",
    {"": Fraction(1), "/Mtok": Fraction(1), "/ktok": Fraction(1000), "/tok": Fraction(10**6)},
    ("$0.50/Mtok", "$0.002/ktok", "0.5"),
    prefix="$",
    most=MOST_USD,
)
USD_PER_YEAR = Quantity(
    "a price per year",
    {"": Fraction(1), **{f"{many}/year": scale for many, scale in _USD.items()}, "/month": Fraction(12)},
    ("$1200/year", "$100/month", "1200"),
    prefix="$",
    most=MOST_USD,
)
SHARE = Quantity("a share", {"": Fraction(1), "%": Fraction(1, 100)}, ("95%", "0.95"), most=1.0)

Duration = Annotated[float, DURATION]
"""Seconds, at least 0."""
PositiveDuration = Annotated[float, DURATION.positive()]
Rate = Annotated[float, RATE]
"""Per second, at least 0."""
PositiveRate = Annotated[float, RATE.positive()]
Amount = Annotated[float, AMOUNT]
"""A number that need not be whole (a mean number of tokens, a ratio), at least 0."""
PositiveAmount = Annotated[float, AMOUNT.positive()]
Count = Annotated[int, COUNT]
"""A whole number, at least 0."""
PositiveCount = Annotated[int, COUNT.positive()]
Size = Annotated[int, SIZE]
"""Bytes."""
PositiveSize = Annotated[int, SIZE.positive()]
Bandwidth = Annotated[float, BANDWIDTH]
"""Bytes per second."""
PositiveBandwidth = Annotated[float, BANDWIDTH.positive()]
UsdPerHour = Annotated[float, USD_PER_HOUR]
Usd = Annotated[float, USD]
PositiveUsd = Annotated[float, USD.positive()]
UsdPerKwh = Annotated[float, USD_PER_KWH]
UsdPerGb = Annotated[float, USD_PER_GB]
PositiveUsdPerMonth = Annotated[float, USD_PER_MONTH.positive()]
"""A month of a bill has 30 days."""
UsdPerKwMonth = Annotated[float, USD_PER_KW_MONTH]
UsdPerMtok = Annotated[float, USD_PER_MTOK]
"""USD per million tokens."""
UsdPerYear = Annotated[float, USD_PER_YEAR]
Share = Annotated[float, SHARE]
"""In [0, 1]."""
PositiveShare = Annotated[float, SHARE.positive()]
"""In (0, 1]."""
