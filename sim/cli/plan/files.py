"""What `fleetcast plan` prints and writes: a short answer on the terminal, the documents in a folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sim.study.planned.dossier import Dossier
    from sim.study.replanned.before import Before
    from sim.study.replanned.diff import Diff

_MARKED = "plan.json"


def check(out: Path, force: bool) -> None:
    """Raise `ConfigError` for a folder that cannot be written: before the work, not after it."""
    from sim.result.save import check_folder
    from sim.study.planned.dossier import FORMAT

    check_folder(out, force, (_MARKED, f'"{FORMAT}"'))


def read(path: Path) -> Before:
    """The earlier plan of `--diff`."""
    from sim.study.replanned.before import read_before

    return read_before(path)


def write(dossier: Dossier, document: dict[str, Any], out: Path, force: bool, command: str) -> None:
    """The folder with all documents, whole or not at all."""
    from sim.config.errors import naming
    from sim.report.page.render import render
    from sim.report.plan.document import markdown, pictures, plan_csv
    from sim.report.plan.page import page_of
    from sim.result.files import json_text, write_text
    from sim.result.save import whole_or_absent
    from sim.study.planned.dossier import FORMAT

    planned = dossier.planned
    files = {
        "report.html": render(page_of(dossier, command)),
        "plan.md": markdown(dossier, command),
        "plan.json": json_text(document),
        "plan.csv": plan_csv(dossier),
        **pictures(dossier, command),
        **({} if planned is None else {"planned.yaml": planned.to_yaml()}),
    }
    with naming(out), whole_or_absent(out, force, (_MARKED, f'"{FORMAT}"')) as draft:
        for name, text in files.items():
            write_text(draft / name, text)


def names(out: Path) -> list[str]:
    """The files of a folder that was written."""
    return sorted(path.name for path in out.iterdir())


def again(scenario: str, sets: Sequence[str], budget: int | None, looked: tuple[bool, bool]) -> str:
    """The command that makes the same documents."""
    words = ["fleetcast", "plan", scenario, *(word for each in sets for word in ("--set", each))]
    words += [] if budget is None else ["--budget", str(budget)]
    words += [option for option, made in zip(("--no-drills", "--no-sensitivity"), looked, strict=True) if not made]
    return shlex.join([*words, "--out", "DIR"])


def show(dossier: Dossier) -> None:
    """The answer on the terminal: verdict, months, drills, what has changed."""
    from sim.cli.plan.purchase_words import purchase_sentences
    from sim.report.plan.words import sentences, verdict

    click.echo(verdict(dossier.plan))
    for sentence in sentences(dossier.plan):
        click.echo(sentence)
    for sentence in purchase_sentences(dossier.purchases) if dossier.purchases is not None else ():
        click.echo(sentence)
    if dossier.plan.feasible and dossier.reason:
        click.echo(f"no plan over time: {dossier.reason}")
    for each in dossier.drills or ():
        click.echo(f"drill, {each.drill.name}: {each.verdict}")
    if dossier.diff is not None:
        _show_diff(dossier.diff)


def _show_diff(diff: Diff) -> None:
    from sim.report.plan.changed import lines

    for line in lines(diff):
        click.echo(line)
