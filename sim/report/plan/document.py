"""The document of a plan in its order, and as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from sim.report.drawing.paint.files import svg
from sim.report.page.document import Section
from sim.report.plan.asked import decision, demand, performance, scope, title
from sim.report.plan.capacity import CSV_HEADING, capacity, rows, timeline
from sim.report.plan.changed import changed
from sim.report.plan.evidence import certificates, drills
from sim.report.plan.fine import again, assumptions, risks
from sim.report.plan.money import cost, sensitivity
from sim.report.plan.words import verdict
from sim.report.tables.table import Table
from sim.result.files import cell
from sim.study.planned.dossier import Dossier


def sections(dossier: Dossier, command: str) -> tuple[Section, ...]:
    """All of them. `command`: what makes the document again."""
    made = (
        decision(dossier),
        None if dossier.diff is None else changed(dossier.diff),
        scope(dossier),
        demand(dossier),
        performance(dossier),
        capacity(dossier),
        certificates(dossier),
        drills(dossier),
        cost(dossier),
        sensitivity(dossier),
        risks(dossier),
        timeline(dossier),
        assumptions(dossier),
        again(dossier, command),
    )
    return tuple(section for section in made if section is not None)


def headline(dossier: Dossier) -> str:
    """The answer, with a capital and a stop."""
    said = verdict(dossier.plan)
    told = f"{said[:1].upper()}{said[1:].rstrip('.')}."
    if dossier.plan.feasible and dossier.reason:
        told += f" The months ahead do not hold: {dossier.reason}."
    return told


def markdown(dossier: Dossier, command: str) -> str:
    """`plan.md`: the same sections; pictures stand beside it as SVG files."""
    lines = [f"# {title(dossier.scenario)}", "", f"**{_plain(headline(dossier))}**", ""]
    for number, section in enumerate(sections(dossier, command), start=1):
        lines += [f"## {number}. {section.title}", "", *_lines(section)]
    return "\n".join(lines).rstrip() + "\n"


def pictures(dossier: Dossier, command: str) -> dict[str, str]:
    """The SVG files that `plan.md` refers to, by name."""
    found = (figure for section in sections(dossier, command) for figure in section.figures)
    return {f"{figure.key}.svg": svg(figure) for figure in found}


def plan_csv(dossier: Dossier) -> str:
    """`plan.csv`: the capacity table, a row for each month, region, GPU and layer."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADING)
    writer.writerows([cell(value) for value in row.cells] for row in rows(dossier))
    return out.getvalue()


def _lines(section: Section) -> Iterator[str]:
    for text in section.text:
        yield from (_plain(text), "")
    if section.items:
        yield from (f"- {_plain(item)}" for item in section.items)
        yield ""
    for figure in section.figures:
        yield from (f"![{_plain(figure.caption)}]({figure.key}.svg)", "")
    for table in section.tables:
        yield from _table(table)
    if section.commands:
        yield from ("```sh", *section.commands, "```", "")
    for text in section.after:
        yield from (_plain(text), "")


def _table(table: Table) -> Iterator[str]:
    yield from (f"**{_plain(table.caption)}**", "")
    yield _row(table.heading)
    yield _row(["---"] * len(table.heading))
    yield from (_row(row) for row in table.rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(each) if each != "---" else each for each in cells) + " |"


def _plain(said: str) -> str:
    """Text in which nothing is taken for Markdown or HTML."""
    for letter in ("\\", "|", "*", "_", "`", "[", "]", "<", "$"):
        said = said.replace(letter, f"\\{letter}")
    return " ".join(said.split())
