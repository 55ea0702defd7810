"""As many processes as pay: this one alone for short work, all cores for what takes long.

Only time depends on it, never a result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from sim.study.executors import Done, Executor, Here, Local, Task, usable_cores

SPAWN_S = 3.0
"""What it takes until other processes have started and loaded what a run needs."""


class AsPays:
    """Begins in this process; hands over to others once the time that this saves is more than starting them takes.

    `first_s`: how long such a task takes at least, as far as known. Work that turns out longer than thought is handed over too,
    after as much of it as starting takes: never more than twice the time of who had known.
    """

    def __init__(self, workers: int, first_s: float = 0.0) -> None:
        self.workers = workers
        self.each_s = first_s
        self.spent_s = 0.0
        self.others: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.others is not None:
            self.others.__exit__(kind, error, at)
            self.others = None

    def in_order(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Done]:
        """See `Executor`."""
        for place, task in enumerate(tasks):
            if self.others is None and self._pays(len(tasks) - place):
                self.others = Local(self.workers).__enter__()
            if self.others is not None:
                yield from self.others.in_order(work, tasks[place:])
                return
            began = time.perf_counter()
            done = work(task)
            took_s = time.perf_counter() - began
            self.spent_s += took_s
            self.each_s = min(self.each_s, took_s) if self.each_s else took_s
            yield done

    def _pays(self, left: int) -> bool:
        if left < 2:
            return False
        workers = min(self.workers, left)
        return left * self.each_s * (1 - 1 / workers) > SPAWN_S or self.spent_s > 2 * SPAWN_S


def workers(number: int | None, first_s: float = 0.0) -> Executor:
    """So many processes, or as many as pay; `first_s`: how long a task takes at least."""
    if number is not None:
        return Here() if number == 1 else Local(number)
    cores = usable_cores()
    return Here() if cores == 1 else AsPays(cores, first_s)
