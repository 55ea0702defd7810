"""Several processes of this machine: what one of them was at when it died is done again by another."""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Any, Self

from sim.config.errors import ConfigError, Problem
from sim.study.executors.base import Done, Ended, InOrder, LostError, Task, usable_cores
from sim.study.executors.worker import READY, Worker

MOST_DEATHS = 3
"""So often a task may end its process before it is given up, and so often in a row a process may fail to start."""
STARTS_S = 300.0
"""How long a process may take to start, on a machine however busy. How long a task may take, nobody can say."""
LEAST_BORNE, BORNE_A_CORE = 8, 2
"""More processes than this, in all or for each core, only take memory from one another."""
PRELOAD = "sim.study.replicated.record"
"""What nearly all work needs: loaded while the process that asks still reads its scenarios."""


class Local(InOrder):
    """Other processes of this machine; so many at most as it can bear, which changes no result.

    They are spawned, not forked: the same on every platform, and safe beside threads. They start when the pool is
    opened (`at_once`; the others with the first tasks), are kept until it is closed, and end with the process that made
    them, however that ends.
    """

    def __init__(self, workers: int, at_once: int = 0) -> None:
        self.workers = min(workers, max(LEAST_BORNE, BORNE_A_CORE * usable_cores()))
        self.at_once = at_once
        self.crew: list[Worker] = []
        self.failed_starts = 0

    def __enter__(self) -> Self:
        self._hire(min(self.workers, self.at_once))
        return self

    def __exit__(self, *_: object) -> None:
        while self.crew:
            self.crew.pop().dismiss()

    def as_ended(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Ended[Done]]:
        """See `Executor`."""
        ahead: deque[int] = deque()
        """Tasks to be given out next; few, so that those behind are not even made."""
        deaths: Counter[int] = Counter()
        following = 0
        try:
            while True:
                while len(ahead) < self.workers and following < len(tasks):
                    ahead.append(following)
                    following += 1
                self._hire(len(ahead))
                for worker in self.crew:
                    if worker.is_idle and ahead:
                        worker.give(ahead[0], pickle.dumps((work, tasks[ahead[0]])))
                        ahead.popleft()
                if not ahead and all(worker.place is None for worker in self.crew):
                    return
                for worker in self._speaking():
                    place, answer = worker.place, worker.heard()
                    if answer is None:
                        self._bury(worker)
                        if place is None:
                            continue
                        deaths[place] += 1
                        if deaths[place] < MOST_DEATHS:
                            ahead.appendleft(place)
                        else:
                            yield Ended(place, None, _lost())
                    elif answer == READY:
                        worker.is_ready, self.failed_starts = True, 0
                    else:
                        worker.place = None
                        assert place is not None
                        went_well, told = pickle.loads(answer)
                        yield Ended(place, told) if went_well else Ended(place, None, told)
        finally:
            for worker in [worker for worker in self.crew if worker.place is not None]:
                self.crew.remove(worker)
                worker.dismiss()

    def _hire(self, tasks: int) -> None:
        """Start processes for so many tasks, as far as there is room."""
        waiting = sum(worker.place is None for worker in self.crew)
        for _ in range(min(self.workers - len(self.crew), tasks - waiting)):
            self.crew.append(Worker(_context(), PRELOAD))

    def _speaking(self) -> list[Worker]:
        """The workers that have said something, or have died; waits for one.

        Raises `ConfigError` where one does not even start.
        """
        pipes: dict[Any, Worker] = {worker.pipe: worker for worker in self.crew}
        ends_s = min((worker.began_s + STARTS_S for worker in self.crew if not worker.is_ready), default=None)
        heard = wait(list(pipes), None if ends_s is None else max(ends_s - time.monotonic(), 0.0))
        if not heard:
            told = f"a process has not started within {STARTS_S:g} s; use one worker, or see what holds it up"
            raise ConfigError(Problem(told, "workers"))
        return [pipes[pipe] for pipe in heard]

    def _bury(self, worker: Worker) -> None:
        """Note a death; who dies before it has started tells of the machine, not of a task."""
        self.crew.remove(worker)
        started = worker.is_ready
        worker.dismiss()
        if not started:
            self.failed_starts += 1
            if self.failed_starts >= MOST_DEATHS:
                told = "processes end as soon as they start; in a script, keep what it does under if __name__ == ..."
                raise ConfigError(Problem(f"{told}; or use one worker", "workers"))


def _context() -> SpawnContext | ForkServerContext:
    """How processes start: forked from one that has loaded what they need, where there is such a thing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context


def _lost() -> LostError:
    told = f"has ended its process {MOST_DEATHS} times; if memory ran out, use fewer workers or a shorter horizon"
    return LostError(Problem(told))
