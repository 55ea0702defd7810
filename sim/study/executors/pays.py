"""As many processes as pay: none beside this one for little work, one for each core for much."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Self

from sim.study.executors.base import Done, Ended, InOrder, Task, tried, usable_cores
from sim.study.executors.local import Local

START_S = 4.0
"""What it takes to start a process and to load the compiled engine there."""
LONG_S = 30.0
"""A first task that takes longer than it takes to load, or even to compile, the engine: no need to see a second."""


class AsPays(InOrder):
    """This process, until what is left would take so long that starting others is worth it.

    Only how long it takes depends on the clock; the results are those of any other executor. `each_s`: how long a task
    takes at least, as far as that is known already.
    """

    def __init__(self, cores: int | None = None, each_s: float = 0.0) -> None:
        self.cores = usable_cores() if cores is None else cores
        self.each_s = each_s
        self.local = Local(self.cores)
        self.hired = False

    def __enter__(self) -> Self:
        self.local.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.local.__exit__()

    def as_ended(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Ended[Done]]:
        """See `Executor`."""
        self.hired = self.hired or self._pays(self.each_s, len(tasks))
        for place in range(len(tasks)):
            if self.hired:
                rest = tasks[place:]
                for one in self.local.as_ended(work, rest):
                    yield Ended(one.place + place, one.value, one.error)
                return
            began = time.monotonic()
            yield tried(work, tasks[place], place)
            took_s = time.monotonic() - began
            sure = place > 0 or took_s > LONG_S  # the first task may have loaded what the next ones need
            self.hired = sure and self._pays(took_s, len(tasks) - place - 1)

    def _pays(self, each_s: float, left: int) -> bool:
        """Whether sharing so many tasks saves twice what it takes to start other processes."""
        return left > 1 and self.cores > 1 and each_s * left * (1 - 1 / self.cores) > 2 * START_S
