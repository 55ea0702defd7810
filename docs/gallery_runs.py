"""Runs that pages of the gallery quote: each is made once in a process, and only small things are kept of it.

A page of the gallery reaches these names in `<!--= ... -->`, and those of its own module (`docs/gallery/ROW.py`).
"""

from __future__ import annotations

import contextlib
import functools
import io
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim.result import words

usd, duration, share, count = words.usd, words.duration, words.share, words.count


@dataclass(frozen=True)
class Told:
    """What is kept of a run."""

    summary: dict[str, Any]
    timeline: dict[str, list[float]]
    """Columns of `timeline.csv`."""
    verdict: str
    printed: str
    """What `fleetcast run` prints."""
    kept: Any
    """Whatever the page's own `keep` took from the result."""

    def __getitem__(self, path: str) -> Any:
        """A number of the summary by its dotted path; a place in a list is a number."""
        found: Any = self.summary
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        return found


@functools.cache
def told(name: str, *sets: str, keep: Callable[[Any], Any] | None = None) -> Told:
    """Run a scenario with these changes (as in `--set`); `keep` takes more from the result while it is there."""
    from sim import load, simulate

    result = simulate(load(name, sets))
    timeline = {column: values.tolist() for column, values in result.columns.items()}
    return Told(result.summary(), timeline, result.verdict(), _printed(result), keep(result) if keep else None)


@dataclass(frozen=True)
class Swept:
    """What `fleetcast sweep` came to."""

    runs: list[Any]
    best: Any
    """The cheapest point (`sim.study.swept.cheapest.Cheapest`); None without a price of slowness."""
    printed: str


@functools.cache
def swept(name: str, over: str, *sets: str) -> Swept:
    """Run a scenario over values of a key, as with `--over`."""
    from sim.cli.sweep.study import show_grid
    from sim.study.swept.cheapest import cheapest
    from sim.study.swept.sweep import axis_of, grid, sweep

    axes = [axis_of(over)]
    runs = sweep(grid(name, sets, axes))
    return Swept(runs, cheapest(axes, runs), _said(lambda: show_grid(axes, runs)))


def _printed(result: Any) -> str:
    from sim.cli.run import show

    return _said(lambda: show(result, None))


def _said(what: Callable[[], None]) -> str:
    """What is printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        what()
    return out.getvalue()


def run_block(name: str, *sets: str, lines: int = 10, keep: Callable[[Any], Any] | None = None) -> str:
    """The command of a run and the first lines that it prints, without running it once more than the page does."""
    return _block(f"run {name}", sets, told(name, *sets, keep=keep).printed, lines)


def sweep_block(name: str, over: str, *sets: str, lines: int = 40) -> str:
    """The same of a sweep."""
    return _block(f"sweep {name}", sets, swept(name, over, *sets).printed, lines, f"--over {shlex.quote(over)}")


def _block(verb: str, sets: tuple[str, ...], printed: str, lines: int, *more: str) -> str:
    shown = [line.rstrip() for line in printed.strip().splitlines()]
    command = " ".join([f"$ fleetcast {verb}", *(f"--set {shlex.quote(one)}" for one in sets), *more])
    return "\n".join(["```text", command, *shown[:lines], *["..."] * (len(shown) > lines), "```"])


def table(heads: str, *rows: tuple[Any, ...]) -> str:
    """A Markdown table. `heads` are `system | replicas: | a day:`: a colon at the end sets a column to the right."""
    columns = [head.strip() for head in heads.split("|")]
    rule = ["---:" if head.endswith(":") else "---" for head in columns]
    lines = [[head.rstrip(":") for head in columns], rule, *(list(map(str, row)) for row in rows)]
    assert all(len(line) == len(columns) for line in lines), f"{len(columns)} columns: {heads}"
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def question(name: str) -> str:
    """The question that a scenario asks."""
    from sim import load

    return load(name).description.partition("\n")[0]
