"""How far a run is, on stderr: a bar in a terminal, a line every few seconds elsewhere, nothing for short runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
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


@contextmanager
def counted(quiet: bool, what: str, fewer: str = "") -> Iterator[Callable[[int, int | None], None] | None]:
    """What a study calls with how many of its parts are done, of how many at most; None when `quiet`.

    For one that keeps nothing when it is interrupted, and says so; `fewer`: how to ask for less.
    """
    if quiet:
        yield None
        return
    shown: _CountBar | _CountLines = _CountBar(what) if sys.stderr.isatty() else _CountLines(what)
    latest: tuple[int, int | None] = (0, None)

    def watched(done: int, most: int | None) -> None:
        nonlocal latest
        latest = (done, most)
        shown(done, most)

    try:
        yield watched
    except KeyboardInterrupt:
        shown.close()
        if latest[0]:
            hint = f" ({fewer})" if fewer else ""
            click.echo(f"stopped at {_of(what, *latest)}; nothing is kept{hint}", err=True)
        raise
    finally:
        shown.close()


class _CountLines:
    """Plain lines, for logs."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.last = time.monotonic()

    def __call__(self, done: int, most: int | None) -> None:
        if time.monotonic() - self.last >= LINE_EVERY_S:
            self.last = time.monotonic()
            click.echo(_of(self.what, done, most), err=True)

    def close(self) -> None:
        pass


class _CountBar:
    """A bar that appears after two seconds and vanishes at the end."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.began = time.monotonic()
        self.bar: Any = None
        self.task: Any = None

    def __call__(self, done: int, most: int | None) -> None:
        if self.bar is None and time.monotonic() - self.began < QUIET_S:
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=most)
        self.bar.update(self.task, completed=done, total=most, description=_of(self.what, done, most))

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()


def _of(what: str, done: int, most: int | None) -> str:
    """`12 of at most 100 replications`; `what` has a place for the number."""
    return f"{done} of {what.format('?' if most is None else most)}"


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
