"""How far a run is, on stderr: a bar in a terminal, a line every few seconds elsewhere, nothing for short runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from sim.result import words

QUIET_S = 2.0
"""Runs shorter than this show nothing."""
LINE_EVERY_S = 5.0


@contextmanager
def progress(quiet: bool, of: str = "") -> Iterator[Any]:
    """What the engine calls with (simulated seconds, arrived, ended, in all); None when `quiet`.

    `of`: which of several runs it is.
    """
    if quiet:
        yield None
        return
    shown: _Bar | _Lines = _Bar(of) if sys.stderr.isatty() else _Lines(of)
    try:
        yield shown
    finally:
        shown.close()


def compiling() -> None:
    """What the engine calls before it is compiled: a wait that would look like a hang."""
    click.echo("compiling the engine, once on this machine ...", err=True)


class Counted:
    """Lines on stderr for work of many parts: how many are done, or which step it is."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.last = time.monotonic()

    def __call__(self, done: int, total: int | None = None) -> None:
        if time.monotonic() - self.last >= LINE_EVERY_S:
            self.last = time.monotonic()
            click.echo(f"{self.what} {done}" if total is None else f"{done} of {total} {self.what}", err=True)


class _Lines:
    """Plain lines, for logs."""

    def __init__(self, of: str) -> None:
        self.of = f"{of}: " if of else ""
        self.began = self.last = time.monotonic()

    def __call__(self, simulated_s: float, arrived: int, ended: int, total: int) -> None:
        now = time.monotonic()
        if now - self.began < QUIET_S or now - self.last < LINE_EVERY_S:
            return
        self.last = now
        click.echo(f"{self.of}{_text(simulated_s, ended, total)}, {_left(now - self.began, ended, total)}", err=True)

    def close(self) -> None:
        pass


class _Bar:
    """A bar that appears after two seconds and vanishes at the end."""

    def __init__(self, of: str) -> None:
        self.of = f"{of}: " if of else ""
        self.began = time.monotonic()
        self.bar: Any = None
        self.task: Any = None

    def __call__(self, simulated_s: float, arrived: int, ended: int, total: int) -> None:
        now = time.monotonic()
        if now - self.began < QUIET_S:
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=total, left="")
        left = _left(now - self.began, ended, total)
        text = self.of + _text(simulated_s, ended, total)
        self.bar.update(self.task, completed=ended, description=text, left=left)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()


def _text(simulated_s: float, ended: int, total: int) -> str:
    return f"{words.duration(simulated_s)} simulated, {words.count(ended)} of {words.count(total)} requests"


def _left(passed_s: float, ended: int, total: int) -> str:
    return f"about {words.duration(passed_s * (total - ended) / ended)} left" if ended else "starting"
