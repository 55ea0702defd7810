"""The document of a plan as one HTML page that needs nothing but a browser: no script, no network, no other file."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from importlib import resources

from sim.report.plan.asked import title
from sim.report.plan.document import headline, sections
from sim.study.planned.dossier import Dossier


def render(dossier: Dossier, command: str) -> str:
    """`plan.html`. The same dossier gives the same bytes."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    plan = dossier.plan
    planned = dossier.planned
    return environment.from_string(_resource("plan.html.j2")).render(
        title=title(dossier.scenario),
        description=dossier.scenario.description,
        verdict=headline(dossier),
        mood="bad" if not dossier.feasible else "good" if plan.certificates[0].meets else "plain",
        sections=sections(dossier, command),
        address=_address,
        slug=_slug,
        is_number=_is_number,
        planned_yaml="" if planned is None else planned.to_yaml(),
        style=_resource("../report.css") + _resource("plan.css"),
    )


def _address(svg: str) -> str:
    """An SVG as what an `img` takes: its style must not reach the page."""
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()


def _slug(said: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")


def _is_number(said: str) -> bool:
    """Whether a cell is set to the right."""
    return re.match(r"[-+$<>]?\$?\d", said) is not None and len(said) < 24


@cache
def _resource(name: str) -> str:
    folder = resources.files("sim.report")
    place = folder.joinpath(name[3:]) if name.startswith("../") else folder.joinpath("plan", name)
    return place.read_text(encoding="utf-8")
