"""The colours of all pictures and pages, by the names that figures use; `page.css` is the one place that has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

SERIES = ("--blue", "--orange", "--teal", "--violet", "--red", "--grey", "--gold", "--brown")
"""For lines that mean nothing by their colour, in this order."""
_BLOCK = re.compile(r":root(\[data-theme=\"dark\"\])?\s*\{([^}]*--page[^}]*)\}")
_COLOUR = re.compile(r"(--[a-z0-9-]+):\s*(#[0-9a-f]{6}(?:[0-9a-f]{2})?)\s*;")


@cache
def palettes() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Colours on a light and on a dark ground: `--blue` to `#rrggbb`, or `#rrggbbaa` where it is see-through."""
    css = resources.files("sim.report.page").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = (dict(_COLOUR.findall(found[2])) for found in _BLOCK.finditer(css))
    assert light.keys() == dark.keys(), "a colour has to be there in light and dark"
    return MappingProxyType(light), MappingProxyType(dark)


def series(place: int, soft: bool = False) -> str:
    """The colour of the so many-th line, as a figure has it; they come again after the last."""
    name = SERIES[place % len(SERIES)]
    return f"var({name}-soft)" if soft else f"var({name})"
