"""The traces of a plot, a module a type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.report.drawing.figure import Plot
from sim.report.drawing.paint.bars import bars
from sim.report.drawing.paint.cells import heatmap
from sim.report.drawing.paint.lines import scatter
from sim.report.drawing.paint.panel import Panel


def drawn(panel: Panel, trace: Plot) -> Any:
    """Paint a trace; what stands for it in the legend. A type that no figure has is an assertion."""
    kind = trace.get("type", "scatter")
    assert kind in _TYPES, f"a trace that is not painted: {kind}"
    return _TYPES[kind](panel, trace)


_TYPES: dict[str, Callable[[Panel, Plot], Any]] = {"scatter": scatter, "bar": bars, "heatmap": heatmap}
TRACES = frozenset(_TYPES)
"""The types of traces that are painted."""
