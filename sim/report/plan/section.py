"""A section of a plan's document, in plain values: what HTML and Markdown are both written from."""

from __future__ import annotations

from dataclasses import dataclass

from sim.report.table import Table


@dataclass(frozen=True)
class Picture:
    """An SVG, and how to read it."""

    name: str
    """Of its file, without the ending."""
    svg: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in this order."""

    title: str
    text: tuple[str, ...] = ()
    """Paragraphs."""
    items: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    commands: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    """Paragraphs below all that."""
