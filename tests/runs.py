"""Run the model bare (no SimPy, no scenario), for tests that look at transitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model import calls as call_rows
from sim.model import lives, loop, prefix, state, tournament
from sim.model.specs import PoolSpec, SenderSpec, TenantSpec
from sim.model.tables import NONE, REQUEST, State
from tests.oracle import Job, Step

Named = tuple[Sequence[int], Sequence[int]]
"""Ids of the blocks of prompts, list by list, and the tokens of each id."""

ROOM = 5
"""Rows by which the table of requests grows: few, so that it grows often."""


def table(jobs: list[Job]) -> NDArray[Any]:
    """Request rows for these jobs (sorted by arrival)."""
    rows = np.zeros(len(jobs), REQUEST)
    for name in ("start_s", "first_token_s", "finish_s"):
        rows[name] = math.nan
    rows["replica"] = NONE
    for row, job in zip(rows, jobs, strict=True):
        row["arrival_s"] = job.arrival_s
        row["prompt_tokens"] = job.prompt
        row["output_tokens"] = job.output
        row["service_s"] = row["first_service_s"] = job.service_s
        row["ticket"] = job.ticket
        row["pool"] = job.pool
        row["stream"] = job.stream
        row["cached_tokens"] = job.cached
    rows["prefix0"], _ = lists(jobs)
    return rows


def call_table(jobs: list[Job], requests: NDArray[Any]) -> NDArray[Any]:
    """Rows of `CALL` for these jobs, which stand as `table` has them; who follows a job stands together."""
    rows = call_rows.table(requests)
    place = {id(job): number for number, job in enumerate(jobs)}
    for row, job in zip(rows, jobs, strict=True):
        for name in ("patience_s", "first_token_timeout_s", "token_timeout_s", "total_timeout_s", "pause_s", "waits"):
            row[name] = getattr(job, name)
        if job.then:
            row["then"], row["thens"] = place[id(job.then[0])], len(job.then)
            assert [place[id(after)] - row["then"] for after in job.then] == list(range(len(job.then)))
    return rows


def lists(jobs: list[Job]) -> tuple[list[int], list[int]]:
    """Where each job's list of prompt blocks begins (NONE: it has none), and all lists, each closed as it should be."""
    starts: list[int] = []
    names: list[int] = []
    for job in jobs:
        named = bool(job.prefix) or job.answer != NONE
        starts.append(len(names) if named else NONE)
        names += [*job.prefix, NONE if job.answer == NONE else prefix.closing(job.answer)] if named else []
    return starts, names


def prefixes(jobs: list[Job]) -> Named:
    """What these jobs name, for `run` and `play`."""
    tokens: dict[int, int] = {}
    for job in jobs:
        for name, size in (*zip(job.prefix, job.sizes, strict=True), (job.answer, job.answer_tokens)):
            assert tokens.setdefault(name, size) == size, f"block {name} has {size} tokens, and others elsewhere"
    tokens.pop(NONE, None)
    return lists(jobs)[1], [tokens[name] for name in range(len(tokens))]


def run(
    specs: list[PoolSpec],
    requests: NDArray[Any],
    most_in_flight: list[int | None] | None = None,
    named: Named = ((), ()),
) -> State:
    """Every replica ready at zero, then every event to the end."""
    replicas = sum(spec.replicas for spec in specs)
    opened = [Step(0.0, "open", row) for row in range(replicas)]
    return play(specs, requests, opened, most_in_flight, named)[0]


def play(
    specs: list[PoolSpec],
    requests: NDArray[Any],
    steps: Sequence[Step],
    most_in_flight: list[int | None] | None = None,
    named: Named = ((), ()),
    lets_go: bool = True,
    senders: Sequence[SenderSpec] | None = None,
    calls: NDArray[Any] | None = None,
    ends_s: float = math.inf,
    tenants: Sequence[TenantSpec] = (),
) -> tuple[State, list[float]]:
    """Replicas come and go as planned; then every event to the end. Also returns when control was told of something.

    `lets_go`: when told, control closes the draining replicas that have nothing left. `senders`, `calls` and `ends_s`
    are of clients that do more than wait; `senders` go before `most_in_flight`.
    """
    streams = int(requests["stream"].max(initial=0)) + 1
    senders = senders or [SenderSpec(max_in_flight=most) for most in most_in_flight or [None] * streams]
    s = state.build(specs, requests, senders, *named, tenants, calls, ends_s)
    wakes = tournament.build(len(s.replicas))
    notices: list[float] = []
    for step in steps:
        run_until(s, wakes, step.at_s, notices, lets_go)
        act(s, step)
    run_until(s, wakes, math.inf, notices, lets_go)
    return s, notices


def run_until(s: State, wakes: Any, stop_s: float, notices: list[float], lets_go: bool) -> None:
    """Everything before control at `stop_s`, control that is told of something included."""
    run = s.run[0]
    look_s = math.inf
    while True:
        if run["noticed"] == 0:
            while not loop.run_until(s, wakes, min(stop_s, look_s), 10**12):
                state.grow(s, len(s.requests) + ROOM)
        if run["noticed"] > 0:
            run["noticed"] = 0
            look_s = float(run["noticed_s"])
            notices.append(look_s)
        elif look_s < math.inf:
            for row in drained(s) if lets_go else ():
                lives.close_replica(s, row, look_s, "retry")
            look_s = math.inf
        else:
            return


def drained(s: State) -> list[int]:
    """Replicas on their way out that have nothing left to do."""
    rows = np.flatnonzero((s.replicas["serving"] == 1) & (s.replicas["ready"] == 0)).tolist()
    return [row for row in rows if lives.is_empty(s, row)]


def act(s: State, step: Step) -> None:
    """What control planned, if it applies."""
    replica = s.replicas[step.row]
    if step.verb == "open" and replica["serving"] == 0:
        lives.open_replica(s, step.row, step.at_s, make_row(s, step))
    elif step.verb == "drain" and replica["ready"] == 1:
        lives.drain_replica(s, step.row, step.at_s, step.flag)
    elif step.verb == "close" and replica["serving"] == 1:
        lives.close_replica(s, step.row, step.at_s, step.lost)


def make_row(s: State, step: Step) -> int:
    """The row of the pool table that a step opens its replica as."""
    home = int(s.pools[s.replicas[step.row]["pool"]]["home"])
    makes = np.flatnonzero(s.pools["home"] == home)
    return int(makes[step.make])
