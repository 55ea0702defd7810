"""Work that is watched rather than waited for: comparisons that sharpen, runs that are long. One at a time, in line."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from sim.config.errors import ConfigError, DataError, Problem
from sim.ui.crew.crew import Call, Crew
from sim.ui.crew.worker import Setup
from sim.ui.wire.limits import Limits
from sim.ui.wire.told import JobTold, ProblemTold

__all__ = ["Jobs", "JobsFullError", "problems_told"]

OVER = ("done", "cancelled", "failed")


class JobsFullError(Exception):
    """As many jobs wait as may."""


class _Job:
    def __init__(self, id_: str, kind: str, whole: Callable[[Any], dict[str, Any]]) -> None:
        self.told = JobTold.model_validate(
            {"id": id_, "kind": kind, "state": "waiting", "done": 0, "most": None, "what": "", "found": None}
            | {"problems": []}
        )
        self.whole = whole
        """From what the worker answers, and tells on the way, to a part of `JobTold`."""
        self.call: Call | None = None


class Jobs:
    """Jobs by id; safe to ask from any thread."""

    def __init__(self, setup: Setup, limits: Limits) -> None:
        self._setup, self._limits = setup, limits
        self._crew: Crew | None = None
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._lock = threading.RLock()

    def start(
        self, kind: str, *arguments: Any, whole: Callable[[Any], dict[str, Any]] = lambda value: dict(value)
    ) -> JobTold:
        """Start a job, or have it wait for those before it. Raises `JobsFullError`."""
        with self._lock:
            if sum(job.told.state not in OVER for job in self._jobs.values()) >= self._limits.jobs:
                raise JobsFullError
            if self._crew is None:  # most who look at the page never start one
                self._crew = Crew(1, self._setup)
            job = _Job(secrets.token_hex(8), kind, whole)
            self._jobs[job.told.id] = job
            self._forget()
            job.call = self._crew.give(
                kind, *arguments, most_s=self._limits.job_s, told=lambda value: self._heard(job, whole(value))
            )
            job.call.future.add_done_callback(lambda future: self._ended(job, future))
            return job.told

    def get(self, id_: str) -> JobTold | None:
        """How far a job is; None: there is no such."""
        with self._lock:
            job = self._jobs.get(id_)
            return None if job is None else job.told

    def cancel(self, id_: str) -> JobTold | None:
        """End a job; what it has found so far stays to be read."""
        with self._lock:
            job = self._jobs.get(id_)
            if job is None:
                return None
            if job.told.state not in OVER:
                job.told = job.told.model_copy(update={"state": "cancelled"})
                assert job.call is not None
                job.call.cancel()
            return job.told

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            crew = self._crew
        if crew is not None:
            crew.close()

    def processes(self) -> list[int]:
        """The processes at work."""
        return [] if self._crew is None else self._crew.processes()

    def _heard(self, job: _Job, value: dict[str, Any]) -> None:
        with self._lock:
            if job.told.state not in OVER:
                job.told = job.told.model_copy(update={"state": "running", **value})

    def _ended(self, job: _Job, future: Future[Any]) -> None:
        with self._lock:
            if job.told.state in OVER:
                return
            try:
                value = future.result()
            except CancelledError:
                job.told = job.told.model_copy(update={"state": "cancelled"})
            except (ConfigError, DataError) as error:
                job.told = job.told.model_copy(update={"state": "failed", "problems": problems_told(error)})
            except Exception as error:
                told = [ProblemTold(place="", message=f"this is a bug in fleetcast, please report it: {error}")]
                job.told = job.told.model_copy(update={"state": "failed", "problems": told})
            else:
                job.told = job.told.model_copy(update={"state": "done", **job.whole(value)})

    def _forget(self) -> None:
        over = [id_ for id_, job in self._jobs.items() if job.told.state in OVER]
        for id_ in over[: max(len(self._jobs) - self._limits.jobs_kept - self._limits.jobs, 0)]:
            del self._jobs[id_]


def problems_told(error: ConfigError | DataError) -> list[ProblemTold]:
    """What is wrong, in the words of the command line, each with its place."""
    return [_told(each) for each in (error.problems if isinstance(error, ConfigError) else (error.problem,))]


def _told(problem: Problem) -> ProblemTold:
    file = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
    place = ": ".join(part for part in (file, problem.path) if part)
    return ProblemTold(place=_plain(place), message=_plain(problem.message))


def _plain(text: str) -> str:
    """A text that JSON in UTF-8 can hold, whatever somebody sent."""
    return text.encode("utf-8", "backslashreplace").decode()
