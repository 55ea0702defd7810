"""From a page in plain values to one HTML file: no network, no other file, the same bytes for the same page."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from functools import cache
from importlib import resources
from typing import Any

from sim.report.page.document import Page

DATA = "report"
"""The id of the element that holds the report as JSON, from which another report takes what it lays beside."""

BESIDE = "report-beside"
"""The id of the element that holds the other report, or `null`."""
FORMAT = "fleetcast-report"


def render(page: Page, beside: dict[str, Any] | None = None) -> str:
    """The HTML of a page; `beside`: another report's `embedded`, laid next to it from the start."""
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_resource("page.html.j2")).render(
        page=page,
        sections=[section for section in page.sections if not section.is_empty],
        slug=_slug,
        is_number=is_number,
        data=script_json(embedded(page)),
        beside=script_json(beside),
        style=_resource("page.css"),
        script=_resource("page.js"),
        plotly=get_plotlyjs() if page.figures else "",
    )


def embedded(page: Page) -> dict[str, Any]:
    """What a report holds of itself for whoever lays it beside another: words, tiles and pictures, JSON-ready."""
    return {
        "format": FORMAT,
        "title": page.title,
        "verdict": page.verdict,
        "mood": page.mood,
        "confidence": page.confidence,
        "facts": list(page.facts),
        "tiles": [asdict(tile) for tile in page.tiles],
        "plots": {figure.key: figure.plot for figure in page.figures},
        "figures": {
            figure.key: {"title": figure.title, "caption": figure.caption, "shape": figure.shape}
            for figure in page.figures
        },
    }


def script_json(document: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def is_number(said: str) -> bool:
    """Whether a cell is set to the right."""
    return re.match(r"[-+$<>≈~]*\$?\d", said) is not None and len(said) < 24


def _slug(said: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-") or "part"


@cache
def _resource(name: str) -> str:
    return resources.files("sim.report.page").joinpath(name).read_text(encoding="utf-8")
