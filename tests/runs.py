"""Run the model bare (no SimPy, no scenario), for tests that look at transitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model import lives, loop, state, tournament
from sim.model.state import PoolSpec
from sim.model.tables import NONE, REQUEST, State
from tests.oracle import Job

PIECE = 16
"""Tokens of a block of a prompt that has an id."""


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
    rows["prefix0"], _ = prefixes(jobs)
    return rows


def prefixes(jobs: list[Job]) -> tuple[list[int], list[int]]:
    """Where each job's list of prompt blocks begins (NONE: it has none), and all lists, each closed by NONE."""
    starts, names = [], []
    for job in jobs:
        starts.append(len(names) if job.prefix else NONE)
        names += [*job.prefix, NONE] if job.prefix else []
    return starts, names


def run(
    specs: list[PoolSpec],
    requests: NDArray[Any],
    most_in_flight: list[int | None] | None = None,
    names: list[int] | None = None,
) -> State:
    """Every replica ready at zero, then every event to the end."""
    streams = int(requests["stream"].max(initial=0)) + 1
    s = state.build(specs, requests, most_in_flight or [None] * streams, names or (), PIECE)
    wakes = tournament.build(len(s.replicas))
    for row in range(len(s.replicas)):
        lives.open_replica(s, row, 0.0)
    assert loop.run_until(s, wakes, math.inf, 10**12)
    return s
