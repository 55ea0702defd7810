"""From a figure's colours to those of matplotlib."""

from __future__ import annotations

import re
from typing import Any

from sim.report.drawing.palette import palettes

_VARIABLE = re.compile(r"var\((--[a-z0-9-]+)\)")
_CHANNELS = re.compile(r"rgba?\(([^)]*)\)")


def colour(said: Any) -> Any:
    """`var(--blue)`, `#2f6fdd`, `rgba(0,0,0,0.5)` or `transparent`."""
    assert isinstance(said, str), f"not a colour: {said!r}"
    named = _VARIABLE.fullmatch(said)
    if named is not None:
        return palettes()[0][named[1]]
    if said == "transparent":
        return "none"
    channels = _CHANNELS.fullmatch(said)
    if channels is not None:
        red, green, blue, *alpha = (float(part) for part in channels[1].split(","))
        return (red / 255, green / 255, blue / 255, *(alpha or [1.0]))
    return said


def scale_of(said: Any) -> Any:
    """A colour scale, `[[0, "var(--card)"], [1, "var(--red)"]]`, as a map of matplotlib."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    return LinearSegmentedColormap.from_list("scale", [(at, to_rgba(colour(name))) for at, name in said])
