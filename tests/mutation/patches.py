"""The seeded bugs: unified diffs with a line on top that says what a bug does to a user's numbers.

They are applied here and not by git, because the sources of a release have no repository around them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEEDED = Path(__file__).parent / "seeded"


class StaleError(ValueError):
    """The sources have changed where a patch changes them."""


@dataclass(frozen=True)
class Hunk:
    """Lines that stand next to each other, and what takes their place."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Patch:
    """One bug."""

    name: str
    tells: str
    """What it would do to a user's numbers."""
    hunks: dict[str, list[Hunk]] = field(default_factory=dict)
    """By file, from the project's root."""

    def changed(self, root: Path) -> dict[str, str]:
        """The new text of each file that it changes; raises StaleError."""
        return {name: _applied(self.name, name, (root / name).read_text(), hunks) for name, hunks in self.hunks.items()}


def seeded() -> list[Patch]:
    """All of them, in the order of their numbers."""
    return [read(path) for path in sorted(SEEDED.glob("*.patch"))]


def read(path: Path) -> Patch:
    """One patch file."""
    tells, *lines = path.read_text().splitlines()
    patch = Patch(path.stem, tells)
    name, before, after = "", [], []

    def end_hunk() -> None:
        if before or after:
            patch.hunks.setdefault(name, []).append(Hunk(tuple(before), tuple(after)))
        before.clear()
        after.clear()

    for line in lines:
        if line.startswith("--- "):
            end_hunk()
        elif line.startswith("+++ b/"):
            name = line.removeprefix("+++ b/")
        elif line.startswith("@@ "):
            end_hunk()
        else:
            if not line.startswith("+"):
                before.append(line[1:])
            if not line.startswith("-"):
                after.append(line[1:])
    end_hunk()
    return patch


def _applied(patch: str, name: str, text: str, hunks: list[Hunk]) -> str:
    """The text with all hunks in it. Line numbers may have moved; the lines themselves must be there, and once."""
    lines = text.splitlines()
    for hunk in hunks:
        size = len(hunk.before)
        places = [at for at in range(len(lines) - size + 1) if tuple(lines[at : at + size]) == hunk.before]
        if len(places) != 1:
            changed = next(line for line in hunk.before if line not in hunk.after)
            raise StaleError(
                f"{patch}.patch: {name} has changed around `{changed.strip()}` (found {len(places)} times with the "
                "lines around it): make the same bug in today's sources and write the patch anew (`git diff`)"
            )
        lines[places[0] : places[0] + size] = hunk.after
    return "\n".join(lines) + "\n"
