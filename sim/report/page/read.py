"""A report that was written earlier: what it holds of itself, and the same page with another report beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.config.errors import DataError, Problem
from sim.report.drawing.figure import Figure
from sim.report.page.render import BESIDE, DATA, script_json

NAME = "report.html"
_MOST_BYTES = 50_000_000
_ELEMENT = '<script type="application/json" id="{}">'
_KEY = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}$"
"""From end to end: a key becomes the name of a picture's file."""
_REMEDY = "write it again with the command at its end"


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Plot(_Strict):
    """As Plotly has it; what traces hold is looked at when it is drawn."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]


class _About(_Strict):
    """What stands around a picture."""

    title: str
    caption: str
    shape: Literal["small", "wide", "tall", "short"]


class _Tile(_Strict):
    value: str
    label: str
    mood: str
    around: str


class _Embedded(_Strict):
    """What a report holds of itself."""

    format: Literal["fleetcast-report"]
    title: str
    verdict: str
    mood: str
    confidence: str
    facts: list[str]
    tiles: list[_Tile]
    plots: dict[Annotated[str, Field(pattern=_KEY)], _Plot]
    figures: dict[str, _About]


class Report:
    """One report.html, read."""

    def __init__(self, path: Path) -> None:
        """Raises `DataError` for a file that is no report, with its place and what to do."""
        self.path = path
        self.text = _text(path)
        found = self._data()
        try:
            self.data = _Embedded.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(step) for step in first["loc"])
            raise self._wrong(f"its data are not those of a report ({at}: {first['msg']}); {_REMEDY}") from None
        if self.data.plots.keys() != self.data.figures.keys():
            raise self._wrong(f"its pictures are not all there; {_REMEDY}")

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Its pictures, in their order."""
        about = self.data.figures
        return tuple(
            Figure(key, about[key].title, about[key].caption, plot.model_dump(), about[key].shape)
            for key, plot in self.data.plots.items()
        )

    def with_beside(self, other: Report) -> str:
        """The page with the other report laid beside this one, from the start."""
        start, end = self._place(BESIDE)
        return self.text[:start] + script_json(other.data.model_dump()) + self.text[end:]

    def _data(self) -> Any:
        start, end = self._place(DATA)
        try:
            found = json.loads(self.text[start:end])
            json.dumps(found, allow_nan=False)  # 1e999 is a number to JSON, and none to who draws it
            return found
        except (ValueError, RecursionError):
            raise self._wrong(f"its data are damaged; {_REMEDY}") from None

    def _place(self, element: str) -> tuple[int, int]:
        """From where to where the content of one of its elements is."""
        opening = _ELEMENT.format(element)
        if self.text.count(opening) != 1:
            raise self._wrong("is no report of fleetcast, or one of another version; name a report.html or its folder")
        start = self.text.index(opening) + len(opening)
        end = self.text.find("</script>", start)
        if end < 0:
            raise self._wrong(f"ends too early; {_REMEDY}")
        return start, end

    def _wrong(self, told: str) -> DataError:
        return DataError(Problem(told, file=str(self.path)))


def located(path: Path) -> Path:
    """The report of a folder, or the file itself. Raises `DataError` where there is none."""
    found = path / NAME if path.is_dir() else path
    if not found.is_file():
        told = "there is no report.html in it" if path.is_dir() else "there is no such file or folder"
        remedy = "name the folder that a verb has written with --out"
        raise DataError(Problem(f"{told}; {remedy}", file=str(path)))
    return found


def _text(path: Path) -> str:
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(Problem("is too large for a report", file=str(path)))
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DataError(Problem("cannot be read as text; name a report.html or its folder", file=str(path))) from None
