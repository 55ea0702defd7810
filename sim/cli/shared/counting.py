"""How far a study of many runs is, and what is known by now, on stderr: a bar in a terminal, else a line at times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from sim.cli.shared.progress import LINE_EVERY_S, QUIET_S

LOOK_EVERY_S = 1.0
"""What is known by now is worked out no more often than this: it takes time that the runs could have,"""
LOOK_SHARE = 0.05
"""and takes at most this share of it."""


class Watch:
    """What a study calls with how many of its parts are done, of how many at most; `look` is given what they are."""

    def __init__(self, what: str, estimate: Callable[[Any], str] | None) -> None:
        self.what = what
        self.estimate = estimate
        self.made: Any = None
        self.latest: tuple[int, int | None] = (0, None)
        self.known, self.again_s = "", 0.0
        self.shown: CountBar | CountLines = CountBar() if sys.stderr.isatty() else CountLines()

    def __call__(self, done: int, most: int | None) -> None:
        self.latest = (done, most)
        self.shown(done, most, self.text)

    def look(self, made: Any) -> None:
        """What has been made by now; a list that grows."""
        self.made = made

    def text(self) -> str:
        """`12 of at most 100 replications: p99 TTFT 615 ms (471 ms to 1.12 s)`."""
        self._estimate()
        return f"{_of(self.what, *self.latest)}: {self.known}" if self.known else _of(self.what, *self.latest)

    def _estimate(self) -> None:
        """Put what is known into words, unless that took long and was done a moment ago: of many runs it does."""
        began = time.monotonic()
        if self.made is None or self.estimate is None or began < self.again_s:
            return
        self.known = self.estimate(self.made)
        ended = time.monotonic()
        self.again_s = ended + (ended - began) * (1 / LOOK_SHARE - 1)


@contextmanager
def counted(
    quiet: bool, what: str, fewer: str = "", estimate: Callable[[Any], str] | None = None
) -> Iterator[Watch | None]:
    """What a study calls as its parts are done; None when `quiet`.

    For one that keeps nothing when it is interrupted, and says so; `fewer`: how to ask for less. `estimate` puts what
    `look` was given into words.
    """
    if quiet:
        yield None
        return
    watch = Watch(what, estimate)
    try:
        yield watch
    except KeyboardInterrupt:
        watch.shown.close()
        if watch.latest[0]:
            hint = f" ({fewer})" if fewer else ""
            click.echo(f"stopped at {_of(what, *watch.latest)}; nothing is kept{hint}", err=True)
        raise
    finally:
        watch.shown.close()


class CountLines:
    """Plain lines, for logs."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, done: int, most: int | None, text: Callable[[], str]) -> None:
        if time.monotonic() - self.last >= LINE_EVERY_S:
            self.last = time.monotonic()
            click.echo(text(), err=True)

    def close(self) -> None:
        """Nothing is open."""


class CountBar:
    """A bar that appears after two seconds and vanishes at the end."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.looked = -LOOK_EVERY_S
        self.bar: Any = None
        self.task: Any = None

    def __call__(self, done: int, most: int | None, text: Callable[[], str]) -> None:
        now = time.monotonic()
        if self.bar is None and now - self.began < QUIET_S:
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=most)
        if now - self.looked >= LOOK_EVERY_S:
            self.looked = now
            self.bar.update(self.task, completed=done, total=most, description=text())
        else:
            self.bar.update(self.task, completed=done, total=most)

    def close(self) -> None:
        """Take it away."""
        if self.bar is not None:
            self.bar.stop()


def _of(what: str, done: int, most: int | None) -> str:
    """`12 of at most 100 replications`; `what` has a place for the number."""
    return f"{done} of {what.format('?' if most is None else most)}"
