"""The pages of the gallery: the names each may quote, the pictures each shows, and the table of all.

A row of the gallery is `configs/gallery/NAME.yaml`, its page `docs/gallery/NAME.md`, and beside the page its module
(`some_name.py` for `some-name`), if it has one: functions that the page quotes, and `PICTURES`, by the name of their
file in `docs/img/gallery/`.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import gallery_runs
from draw import drawn

DOCS = Path(__file__).resolve().parent
FOLDER, INDEX = DOCS / "gallery", DOCS / "gallery.md"
IMAGES = DOCS / "img" / "gallery"
IN_SHORT = "**In short:** "
"""How the line of a page begins that stands in the index too."""


def is_row(page: Path) -> bool:
    """Whether a page is of one row."""
    return page.parent == FOLDER


def names_of(page: Path) -> dict[str, Any]:
    """What a page of the gallery may quote: runs, words, and the names of its own module."""
    own = vars(_module(page)) if is_row(page) else {"gallery_table": gallery_table}
    return {**vars(gallery_runs), **own}


def draw(pages: list[Path], check: bool) -> list[str]:
    """Draw the pictures of these pages, or say which ones show something else than the runs do."""
    made = [(name, make) for page in pages if is_row(page) for name, make in _pictures(page).items()]
    return [line for name, make in made for line in drawn(IMAGES / name, make, check)]


def gallery_table() -> str:
    """Every row: its number and system, its question, and what its page says in short."""
    from sim.cli.examples import examples

    rows = [
        (each.row, f"[{each.system}](gallery/{each.name}.md)", each.question, _in_short(FOLDER / f"{each.name}.md"))
        for each in examples()
        if each.row
    ]
    return gallery_runs.table("row | system | question | in short", *rows)


def _module(page: Path) -> Any:
    name = page.stem.replace("-", "_")
    return importlib.import_module(f"gallery.{name}") if (FOLDER / f"{name}.py").is_file() else object


def _pictures(page: Path) -> dict[str, Any]:
    found: dict[str, Any] = getattr(_module(page), "PICTURES", {})
    return found


def _in_short(page: Path) -> str:
    """The paragraph that begins with `IN_SHORT`, as a reader sees it."""
    text = page.read_text(encoding="utf-8")
    assert text.count(IN_SHORT) == 1, f"{page.name}: one paragraph must begin with {IN_SHORT}"
    paragraph = text.partition(IN_SHORT)[2].partition("\n\n")[0]
    return " ".join(re.sub(r"<!--.*?-->", "", paragraph, flags=re.DOTALL).split())
