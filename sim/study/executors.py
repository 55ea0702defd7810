"""Who does the runs of a study: this process, or several of them; the results are the same, in the same order.

Work is a picklable function of a picklable task and depends on nothing else, so who does it, and when, changes nothing.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Task = TypeVar("Task")
Done = TypeVar("Done")


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def in_order(work: Callable[[Task], Done], tasks: Sequence[Task], workers: int = 1) -> Iterator[Done]:
    """What the work makes of each task, in the order of the tasks, by so many processes; one: this one, no others.

    New processes are spawned, not forked: the same on every platform, and safe beside threads. An error of the work
    comes out of the iterator at its task; what has not begun by then is not done.
    """
    if workers <= 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context) as pool:
        waiting = [pool.submit(work, task) for task in tasks]
        try:
            for one in waiting:
                yield one.result()
        finally:
            for one in waiting:
                one.cancel()
