"""What a fuzzed reader is: how it is called, what it may answer, and what its input looks like when it is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sim.config.errors import ConfigError, DataError
from tests.fuzz.guard import FindingError, guarded

Shape = Literal["yaml", "json", "csv", "line", "bytes"]
LONGEST = 1_200
"""Characters of one complaint beside the name of its file: more is no clear message."""


@dataclass(frozen=True)
class Reader:
    """One way in. `read` answers, or raises the project's own complaint."""

    name: str
    read: Callable[[Path], object]
    """Of the file that holds the input."""
    seeds: Callable[[], Sequence[bytes]]
    """Inputs that it answers."""
    shape: Shape
    share: float = 1.0
    """How many of all inputs it gets, beside others."""
    file: str = "input"
    anywhere: bool = False
    """Whether its input may name other files to be read."""
    longest: int = 8_192
    """Bytes of an input."""


def may(call: Callable[..., object], *arguments: Any) -> object:
    """The answer of a second reader of the same file, which may refuse what the first one took."""
    with suppress(ConfigError, DataError):
        return call(*arguments)
    return None


def tried(reader: Reader, data: bytes, folder: Path) -> str:
    """What a reader does with an input, which it may answer or refuse; anything else is raised."""
    path = folder / reader.file
    path.write_bytes(data)
    with guarded(folder, reader.anywhere):
        try:
            reader.read(path)
        except (ConfigError, DataError) as error:
            told = error
        else:
            return "answered"
    _check(told)
    return str(told)


def _check(error: Any) -> None:
    """That a complaint is one a user can read."""
    problems = error.problems if isinstance(error, ConfigError) else (error.problem,)
    assert problems, "a complaint of nothing"
    for problem in problems:
        if not problem.message.strip():
            raise FindingError("a complaint without words")
        if len(str(problem)) > LONGEST + len(problem.file):
            raise FindingError(f"a complaint of {len(str(problem)):,} characters: {problem!s:.300}")
