"""What an executor is, and the simplest one: this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from sim.config.errors import ConfigError

Task = TypeVar("Task")
Done = TypeVar("Done")


class LostError(ConfigError):
    """A task has ended the process that worked at it, again and again."""


@dataclass(frozen=True)
class Ended(Generic[Done]):
    """What became of one task."""

    place: int
    """Among the tasks, from 0."""
    value: Done | None
    error: Exception | None = None


class Executor(Protocol):
    """Does work, task by task; open it with `with`, for as long as a study lasts.

    Tasks are taken from their sequence when somebody is free to do them, not before.
    """

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
    def as_ended(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Ended[Done]]:
        """What became of each task, in the order in which they end; an error of the work is told, not raised."""
        ...

    def in_order(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Done]:
        """What the work makes of each task, in the order of the tasks.

        An error of the work comes out of the iterator at its task; what has not begun by then is not done.
        """
        ...


class InOrder:
    """The second half of an executor, from the first."""

    def as_ended(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Ended[Done]]:
        """See `Executor`."""
        raise NotImplementedError

    def in_order(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Done]:
        """See `Executor`."""
        early: dict[int, Ended[Done]] = {}
        turn = 0
        ended = self.as_ended(work, tasks)
        with closing(ended):  # type: ignore[type-var]
            for one in ended:
                early[one.place] = one
                while turn in early:
                    yield value_of(early.pop(turn))
                    turn += 1


def value_of(one: Ended[Done]) -> Done:
    """What the work has made; raises what the work has raised."""
    if one.error is not None:
        raise one.error
    return one.value  # type: ignore[return-value]


def tried(work: Callable[[Task], Done], task: Task, place: int) -> Ended[Done]:
    """The work, done here."""
    try:
        return Ended(place, work(task))
    except Exception as error:
        return Ended(place, None, error)


class Here(InOrder):
    """This process, one task after another."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def as_ended(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Ended[Done]]:
        """See `Executor`."""
        for place in range(len(tasks)):
            yield tried(work, tasks[place], place)


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
