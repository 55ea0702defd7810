"""What a run leaves behind, before anything is derived from it. Every number of a result comes from this."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE = np.dtype(
    [
        ("at_s", "f8"),
        ("pool", "i4"),
        ("ready", "i4"),  # replicas ready at this instant
        ("ready_s", "f8"),  # the rest: integrals from 0 to at_s, summed over the pool's replicas
        ("busy_s", "f8"),  # replica-seconds with at least one running request
        ("running_s", "f8"),  # request-seconds in a batch or slot
        ("seats_s", "f8"),  # seat-seconds of ready replicas (max_num_seqs or concurrency)
        ("kv_tokens_s", "f8"),  # token-seconds of KV memory in use
        ("kv_capacity_s", "f8"),  # token-seconds of KV memory of ready replicas
    ]
)

SPAN = np.dtype(
    [
        ("pool", "i4"),
        ("replica", "i4"),  # index within the pool
        ("launched_s", "f8"),
        ("ready_s", "f8"),
        ("gone_s", "f8"),  # inf: still there at the end
    ]
)
"""One row a replica: what is billed."""


@dataclass(frozen=True)
class DecisionRow:
    """One decision of an autoscaler, as `decisions.csv` shows it."""

    at_s: float
    pool: str
    current: int
    wanted: int
    reason: str


@dataclass(frozen=True)
class RunLog:
    """The raw outcome of one run of the engine."""

    calendar: str
    """`simpy` or `compiled`: the one that was used."""
    requests: NDArray[np.void]
    """Rows of `sim.model.tables.REQUEST`, in arrival order."""
    samples: NDArray[np.void]
    """Rows of `SAMPLE`, one a pool, at each edge of `edges_s` and at the warm-up's end, in time order."""
    edges_s: NDArray[np.float64]
    """Edges of the timeline's bins, from 0 to the horizon; shape (bins + 1,)."""
    spans: NDArray[np.void]
    """Rows of `SPAN`."""
    decisions: tuple[DecisionRow, ...]
    streams: tuple[str, ...]
    pools: tuple[str, ...]
    notes: tuple[str, ...]
    end_s: float
    """When the last request left (at least the horizon)."""
    events: int
    """Transitions called by the calendar (arrivals and wake-ups), plus control events."""
    preemptions: int
    wall_s: float
    engine_s: float
    """Seconds inside the calendar; compiling and loading excluded."""
