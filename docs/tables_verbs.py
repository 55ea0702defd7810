"""The tables of `verbs.md`: every verb of the command line, read from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

CODES = {
    "run": "99: an objective or an assertion was missed, and `--check` was given. 130, 143: interrupted; replications "
    "that were done are told and kept.",
    "sweep": "4: `--find` found no value that turns. 5: some runs failed.",
    "merge": "5: some runs of the study failed.",
    "plan": "4: no fleet keeps the promises; the reason is told.",
}
"""Exit codes that a verb has beside those that all have."""

_NUMBERS = dict.fromkeys(("integer", "integer range", "float", "float range"), "number")
_COMMAND = re.compile(r"^\$ fleetcast (?P<words>[^\n]*(?:\n> [^\n]*)*)", re.MULTILINE)
_SOURCES = (
    "README.md",
    "docs/questions.md",
    "docs/first-run.md",
    "docs/howto.md",
    "docs/*.md",
    "docs/gallery/*.md",
)


def verbs() -> str:
    """Every verb: what it is for, what it takes, how it exits, and where a page shows it."""
    return "\n\n".join(part for path, command in _commands() for part in _section(path, command))


def verbs_list() -> str:
    """The verbs with a line each, as `fleetcast --help` has them."""
    from sim.cli import VERBS

    lines = [f"| [`{verb}`](verbs.md#{verb}) | {about} |" for verb, about in VERBS.items()]
    return "\n".join(["| verb | what it does |", "| --- | --- |", *lines])


def _commands() -> Iterator[tuple[str, Any]]:
    """All verbs with their full names, in the order of `--help`; after a group those in it."""
    import click

    from sim.cli import main

    context = click.Context(main, info_name="fleetcast")
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", each) for inner, each in command.commands.items())


def _section(path: str, command: Any) -> Iterator[str]:
    import click

    yield f"## {path}"
    yield _prose(command.help or "")
    usage = command.collect_usage_pieces(click.Context(command))
    yield f"`fleetcast {path} {' '.join(usage)}`"
    rows = [row for each in command.params if isinstance(each, click.Option) and (row := _row(each))]
    if rows:
        yield "\n".join(["| option | value | default | what it does |", "| --- | --- | --- | --- |", *rows])
    if path in CODES:
        yield f"Exit codes beside [those of all verbs](#exit-codes): {CODES[path]}"
    shown = _example(path)
    if shown:
        yield f"Shown in [{shown[1]}]({shown[2]}): `fleetcast {shown[0]}`"


def _prose(text: str) -> str:
    """Help as paragraphs, each on one line."""
    paragraphs = text.replace("\b", "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _row(parameter: Any) -> str | None:
    """A row for an option; None for one that help does not show."""
    if parameter.hidden:
        return None
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    needed = "required" if parameter.required else _default(parameter)
    about = " ".join((parameter.help or "").split()).replace("|", "\\|")
    return f"| {names} | {_value(parameter)} | {needed} | {about} |"


def _value(parameter: Any) -> str:
    import click

    kind = parameter.type
    if parameter.is_flag:
        return ""
    if isinstance(kind, click.Choice):
        return ", ".join(f"`{choice}`" for choice in kind.choices)
    word = (parameter.metavar or _NUMBERS.get(kind.name, kind.name)).strip("[]")
    if isinstance(kind, click.IntRange | click.FloatRange):
        least = "" if kind.min is None else f" from {kind.min:,}"
        most = "" if kind.max is None or kind.max >= 1e12 else f" to {kind.max:,}"
        word += f"{least}{most}"
    return word.replace("|", "\\|")


def _default(parameter: Any) -> str:
    default = parameter.default
    plain = isinstance(default, str | int | float | Path) and not isinstance(default, bool)
    return f"`{default}`" if plain and default != "" else ""


@cache
def _shown() -> list[tuple[str, str, str]]:
    """Every command that a page runs: its words, the page's title and its address, the first pages first."""
    pages = dict.fromkeys(page for pattern in _SOURCES for page in sorted(ROOT.glob(pattern)))
    found = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        title = re.search(r"^# (.*)$", text, re.MULTILINE)
        link = page.relative_to(ROOT / "docs").as_posix() if page.parent != ROOT else f"../{page.name}"
        run = re.sub(r"<!-- not run.*?```\n.*?```\n", "", text, flags=re.DOTALL)
        found += [(words["words"], title[1] if title else page.stem, link) for words in _COMMAND.finditer(run)]
    return found


def _example(path: str) -> tuple[str, str, str] | None:
    """The first command of the pages with this verb, short enough to stand in a line."""
    of_verb = [each for each in _shown() if each[0].split()[: len(path.split())] == path.split()]
    short = [each for each in of_verb if len(each[0]) < 110 and not re.search(r"[`\n]|2>&1", each[0])]
    return next(iter(short), None)
