"""Quantities as Kubernetes writes them: `4`, `500m`; and their whole thousandths, which its controllers count in."""

from __future__ import annotations

import math
from fractions import Fraction

from sim.config.units import Quantity

_POWERS = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12}
_UNITS = {unit: Fraction(10) ** power for unit, power in _POWERS.items()}
_BINARY = {f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGT", start=1)}

QUANTITY = Quantity("a quantity", _UNITS | {"%": Fraction(1, 100)}, ("4", "500m", "80%"))
"""As scenarios write it, at least 0; a percentage is theirs alone."""
MANIFEST_QUANTITY = Quantity("a quantity", _UNITS | _BINARY, ("4", "500m", "1k"))
"""As manifests write it, at least 0."""


def milli_up(quantity: float) -> int:
    """A quantity of a manifest in whole thousandths, rounded up as `Quantity.MilliValue` does."""
    return math.ceil(Fraction(repr(quantity)) * 1000)


def milli_down(value: float) -> int:
    """A measured value in whole thousandths, the rest cut off: what metrics adapters hand on."""
    return int(value * 1000.0)


def written(quantity: float) -> str:
    """The shortest Kubernetes text of a quantity, whole thousandths at least: `4`, `500m`, `2500u`."""
    exact = Fraction(repr(quantity))
    for suffix, power in (("", 0), ("m", 3), ("u", 6), ("n", 9)):
        scaled = exact * 10**power
        if scaled.denominator == 1:
            return f"{scaled.numerator}{suffix}"
    return f"{math.ceil(exact * 10**9)}n"
