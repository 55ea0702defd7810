"""Run the model bare (no SimPy, no scenario), for tests that look at transitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model import loop, state, tournament, transitions
from sim.model.state import PoolSpec
from sim.model.tables import NONE, REQUEST, State
from tests.oracle import Job


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
    return rows


def run(specs: list[PoolSpec], requests: NDArray[Any], most_in_flight: list[int | None] | None = None) -> State:
    """Every replica ready at zero, then every event to the end."""
    streams = int(requests["stream"].max(initial=0)) + 1
    s = state.build(specs, requests, most_in_flight or [None] * streams)
    wakes = tournament.build(len(s.replicas))
    for row in range(len(s.replicas)):
        transitions.open_replica(s, row, 0.0)
    assert loop.run_until(s, wakes, math.inf, 10**12)
    return s
