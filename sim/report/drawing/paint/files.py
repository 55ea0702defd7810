"""A figure as the bytes of a file: SVG for light and dark grounds, PNG for everything that takes nothing else."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sim.report.drawing.figure import Figure
from sim.report.drawing.paint.canvas import painted
from sim.report.drawing.palette import palettes

FORMATS = ("svg", "png")
_DOTS = 180
"""Of an inch of PNG: two for each pixel of a page."""
_PAD = 0.18
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
_SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "fleetcast",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
}


def svg(figure: Figure) -> str:
    """SVG text, its words as text; the same figure gives the same bytes. On a dark ground it is dark."""
    held = io.BytesIO()
    with _settled():
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        painted(figure).savefig(held, format="svg", bbox_inches="tight", pad_inches=_PAD, metadata=nothing)
    return _themed(held.getvalue().decode(), figure)


def png(figure: Figure) -> bytes:
    """PNG bytes on a light ground, two dots a pixel; the same figure gives the same bytes."""
    held = io.BytesIO()
    with _settled():
        painted(figure).savefig(
            held, format="png", dpi=_DOTS, bbox_inches="tight", pad_inches=_PAD, metadata={"Software": None}
        )
    return held.getvalue()


def picture(figure: Figure, form: str) -> bytes:
    """The bytes of a file of this format."""
    assert form in FORMATS, f"a format that is not painted: {form}"
    return png(figure) if form == "png" else svg(figure).encode()


@contextmanager
def _settled() -> Iterator[None]:
    """The same settings wherever it is painted, whatever the user's own are."""
    import matplotlib as mpl

    with warnings.catch_warnings(), mpl.rc_context():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in letters that the font has not
        mpl.rcdefaults()
        for name, value in _SETTINGS.items():
            mpl.rcParams[name] = value  # type: ignore[index]
        yield


def _themed(text: str, figure: Figure) -> str:
    """Colours as variables, with their values on light and on dark grounds; what the picture is called."""
    from xml.sax.saxutils import escape

    light, dark = palettes()
    solid = {name: value for name, value in light.items() if len(value) == 7}
    assert len(set(solid.values())) == len(solid), "two colours of one value cannot be told apart"
    used = {name: value for name, value in solid.items() if value in text}
    for name, value in used.items():
        text = text.replace(value, f"var({name})")
    text = re.sub(r"'DejaVu Sans'(, *'[^']*')*(, *[a-z-]+)?", _FONT, text)
    sheets = (";".join(f"{name}:{values[name]}" for name in used) for values in (light, dark))
    style = "<style>svg{{{}}}@media (prefers-color-scheme:dark){{svg{{{}}}}}</style>".format(*sheets)
    about = f"<title>{escape(figure.title)}</title><desc>{escape(figure.caption)}</desc>"
    body = text[text.index("<svg") :]
    head, _, rest = body.partition(">")
    return f"{head}>\n{style}\n{about}{rest}"
