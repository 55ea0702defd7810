"""What stands on a page, in plain values: a report is one of these, whatever it is of."""

from __future__ import annotations

from dataclasses import dataclass

from sim.report.drawing.figure import Figure
from sim.report.tables.table import Table


@dataclass(frozen=True)
class Tile:
    """A number that people look for first."""

    value: str
    label: str
    mood: str = "plain"
    """`good`, `bad`, or `plain` where nothing was promised."""
    around: str = ""
    """Its interval in words, empty where it has none."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in this order."""

    title: str
    text: tuple[str, ...] = ()
    """Paragraphs."""
    items: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    commands: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    """Paragraphs below all that."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands below the heading."""
        return not (self.text or self.items or self.figures or self.tables or self.commands or self.after)


@dataclass(frozen=True)
class Page:
    """A report: a verdict with its confidence, the picture that shows it, then the rest."""

    title: str
    verdict: str
    """The answer in a sentence or two."""
    sections: tuple[Section, ...]
    mood: str = "plain"
    """How the verdict is coloured: `good`, `bad` or `plain`."""
    confidence: str = ""
    """How sure the verdict is, in a sentence."""
    description: str = ""
    facts: tuple[str, ...] = ()
    """How much was done, in a few words each."""
    tiles: tuple[Tile, ...] = ()
    hero: Figure | None = None
    """The one picture that shows the verdict."""
    sources: tuple[tuple[str, str], ...] = ()
    """Where the numbers come from: names and values, such as digests, seed and versions."""
    command: str = ""
    """What gives the same numbers again."""
    files: tuple[tuple[str, str], ...] = ()
    """Texts that are shown on demand, such as the scenario: name and content."""

    def __post_init__(self) -> None:
        keys = [figure.key for figure in self.figures]
        assert len(keys) == len(set(keys)), f"two figures of one name: {keys}"

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All pictures in their order."""
        first = () if self.hero is None else (self.hero,)
        return (*first, *(figure for section in self.sections for figure in section.figures))
