"""A Dask cluster: the same work on other machines, by the extra `fleetcast[cluster]`."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from sim.config.errors import ConfigError, Problem
from sim.study.executors.base import Done, Ended, InOrder, LostError, Task

OPTION = "--cluster"
ANSWER_S = 10.0
"""How long a scheduler may take to answer."""
WORKERS_S = 60.0
"""How long the first worker may take to come."""
AHEAD = 3
"""Tasks that are with the cluster for each of its threads: one at work, and some on the way."""
RETRIES = 2
"""What was lost with a worker is done again by Dask itself, so often."""

_alone = threading.Lock()
"""One simulation at a time in a process: the compiled engine is loaded once, and threads would only share a core."""


class Cluster(InOrder):
    """The workers of a Dask scheduler, such as `tcp://scheduler:8786`.

    Every worker must have the same fleetcast, Python and numpy as this process: else runs could differ in a bit.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.client: Any = None

    def __enter__(self) -> Self:
        try:
            import distributed
        except ImportError:
            raise ConfigError(Problem("needs Dask: pip install 'fleetcast[cluster]'", OPTION)) from None
        if re.fullmatch(r"[a-z]+://[^/\s]+:\d+/?", self.address) is None:
            told = f"must be a scheduler's address, such as tcp://host:8786; got '{self.address[:80]}'"
            raise ConfigError(Problem(told, OPTION))
        logging.getLogger("distributed").setLevel(logging.ERROR)
        try:
            self.client = distributed.Client(self.address, timeout=ANSWER_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            told = f"no Dask scheduler answers at {self.address} ({error})"
            raise ConfigError(Problem(told, OPTION)) from None
        try:
            self._check()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _check(self) -> None:
        """Raise `ConfigError` for a cluster without workers, or with other software than here."""
        try:
            self.client.wait_for_workers(1, timeout=WORKERS_S)
        except TimeoutError:
            told = f"the scheduler at {self.address} has no workers; start some: dask worker {self.address}"
            raise ConfigError(Problem(told, OPTION)) from None
        try:
            found: dict[str, dict[str, str]] = self.client.run(versions)
        except Exception as error:
            told = f"the workers of {self.address} cannot run fleetcast; install it there too ({error})"
            raise ConfigError(Problem(told, OPTION)) from None
        here = versions()
        for worker, there in sorted(found.items()):
            other = [
                f"{name} {there.get(name)} (here {wanted})"
                for name, wanted in here.items()
                if there.get(name) != wanted
            ]
            if other:
                told = (
                    f"the worker {worker} has {', '.join(other)}; results would not be the same: install the same there"
                )
                raise ConfigError(Problem(told, OPTION))

    def __exit__(self, *_: object) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    def as_ended(self, work: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Ended[Done]]:
        """See `Executor`."""
        from distributed import as_completed

        places: dict[str, int] = {}
        ended = as_completed(loop=self.client.loop)
        following = 0
        try:
            while places or following < len(tasks):
                while following < len(tasks) and len(places) < self._room():
                    future = self.client.submit(_alone_here, work, tasks[following], pure=False, retries=RETRIES)
                    places[future.key] = following
                    ended.add(future)
                    following += 1
                future = next(ended)
                yield _told(places.pop(future.key), future)
        finally:
            for future in list(ended.futures):
                future.cancel()

    def _room(self) -> int:
        """How many tasks the cluster takes now; workers may come and go."""
        return max(AHEAD * int(sum(self.client.nthreads().values())), 1)


def _told(place: int, future: Any) -> Ended[Any]:
    from distributed import KilledWorker

    error = future.exception()
    if isinstance(error, KilledWorker):
        error = LostError(Problem("has ended its worker again and again; if memory ran out, give workers more"))
    return Ended(place, None, error) if error is not None else Ended(place, future.result())


def _alone_here(work: Callable[[Task], Done], task: Task) -> Done:
    with _alone:
        return work(task)


def versions() -> dict[str, str]:
    """What decides the numbers of a run, of this process."""
    from sim.result.provenance import deciding

    return deciding()
