"""What the SVG pictures share: colours on a light and on a dark ground, the frame, round ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence

STYLE = """<style>
svg{font:12px system-ui,sans-serif;--ink:#1f2937;--faint:#cbd5e1;--band:#e8edf3;--ground:#fff}
.c0{--c:#2563eb}.c1{--c:#d97706}.c2{--c:#0d9488}.c3{--c:#7c3aed}.c4{--c:#dc2626}.c5{--c:#64748b}
@media (prefers-color-scheme:dark){svg{--ink:#e5e7eb;--faint:#475569;--band:#243044;--ground:#111827}
.c0{--c:#60a5fa}.c1{--c:#fbbf24}.c2{--c:#2dd4bf}.c3{--c:#a78bfa}.c4{--c:#f87171}.c5{--c:#94a3b8}}
text{fill:var(--ink)}.head{font-weight:600}.title{font-weight:600;font-size:14px}.ground{fill:var(--ground)}
.band{fill:var(--band)}.grid{stroke:var(--faint)}.zero{stroke:var(--ink)}
.dot{fill:var(--c);fill-opacity:.7;stroke:var(--c)}.hollow{fill:var(--ground);fill-opacity:.6;stroke:var(--c)}
</style>"""
COLOURS = 6
"""Classes `c0` to `c5` of the style."""


def framed(parts: Sequence[str], wide: float, high: float) -> str:
    """A whole SVG of these parts, on a ground of its own. The same parts give the same bytes."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" width="{wide:g}">\n{STYLE}\n'
        '<rect class="ground" width="100%" height="100%"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def round_ticks(most: float, about: int = 5) -> list[float]:
    """Round numbers from 0 to at most `most` (above 0), about so many."""
    rough = most / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    return [step * place for place in range(math.floor(most / step * (1 + 1e-9)) + 1)]
