"""The two kinds of mistake a user can make, each with its place.

A `ConfigError` is a scenario that is wrong (exit code 2); a `DataError` is a data file that is wrong (exit code 3).
Our own mistakes are assertions, never one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MESSAGE_MAX, _PATH_MAX = 900, 200
"""Characters: files may hold words of any length, and what is told of them has to be read."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where it stands and what to do about it."""

    message: str
    path: str = ""
    """Dotted path of the key, for example `pools.chat.max_replica`; empty when the file as a whole is meant."""
    file: str = ""
    line: int = 0
    """Counted from 1; 0 when there is no line (a value given by `--set`, or built in Python)."""
    column: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _short(self.message, _MESSAGE_MAX))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return ": ".join(part for part in (place, _short(self.path, _PATH_MAX), self.message) if part)


def _short(text: str, most: int) -> str:
    """The text, without its middle if it is longer: the remedy stands at the end."""
    if len(text) <= most:
        return text
    return f"{text[: most * 2 // 3]} ... {text[-(most - most * 2 // 3 - 5) :]}"


class ConfigError(ValueError):
    """A scenario (or an option) is wrong. Holds every problem found, in file order."""

    def __init__(self, problems: Iterable[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        """Whole when it comes from another process."""
        return type(self), (self.problems,)


class DataError(ValueError):
    """A data file (a trace, a rate curve) is wrong. One problem: reading stops at the first bad row."""

    def __init__(self, problem: Problem | str) -> None:
        self.problem = Problem(problem) if isinstance(problem, str) else problem
        super().__init__(str(self.problem))

    def __reduce__(self) -> tuple[Any, ...]:
        """As that of `ConfigError`."""
        return type(self), (self.problem,)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have an error of the operating system name this file: that of a full disk names none, others a draft of it."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise
