"""What a run leaves behind, before anything is derived from it. Every number of a result comes from this."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.model.work import WorkLaw
from sim.result.attempts import logical_rows

if TYPE_CHECKING:
    from sim.result.tally import Tally

SAMPLE = np.dtype(
    [
        ("at_s", "f8"),
        ("pool", "i4"),
        ("ready", "i4"),  # replicas ready at this instant
        # the rest: integrals from 0 to at_s, summed over the replicas that serve, those that drain included
        ("ready_s", "f8"),
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
        ("replica", "i4"),  # row within the pool; a row is used again by later lives
        ("make", "i2"),  # what it is: its offer, and after all offers of one version those of the next
        ("spot", "u1"),  # 1: may be reclaimed
        ("zone", "i2"),
        ("version", "i2"),  # 0, and one more with each rollout
        ("ordered_s", "f8"),
        ("launched_s", "f8"),  # granted: billing begins
        ("image_s", "f8"),  # the node is there: the image is pulled from here
        ("weights_s", "f8"),  # the weights are loaded from here
        ("engine_s", "f8"),  # the engine starts from here
        ("ready_s", "f8"),
        ("draining_s", "f8"),  # takes no new requests
        ("gone_s", "f8"),
        ("why", "u1"),  # how it ended, a place in `WHY`
        ("lost", "i4"),  # requests in flight that it took with it
    ]
)
"""One row a replica's life, from order to gone; instants that it never reached are inf."""

STILL, SCALED_IN, CANCELLED, FAILED, ZONE_OUTAGE, RECLAIMED, ROLLED = range(7)
WHY = ("still", "scaled_in", "cancelled", "failed", "zone_outage", "reclaimed", "rolled")
"""How a life ends: not in this run, by a smaller target, before it was ready, by a fault, as spot, by a rollout."""

DOWN = np.dtype(
    [
        ("span", "i4"),  # row of the life in the log's spans
        ("from_s", "f8"),
        ("to_s", "f8"),  # ready again; inf: not in this run
    ]
)
"""One row a time that a replica is down and repaired in place: paid, and of no use."""


class DecisionRow(NamedTuple):
    """One decision of an autoscaler: what `decisions.csv` shows, and what the ledger needs to know beside it."""

    at_s: float
    pool: str
    current: int
    wanted: int
    reason: str
    proposed: int | None = None
    """What load alone asked for, before windows, rates and bounds; None: the same as `wanted`."""
    ready: int = 0
    """Replicas ready at this instant."""
    ready_s: float = 0.0
    """As `ready_s` and `running_s` of a sample: integrals of the pool from 0 to this instant."""
    running_s: float = 0.0


@dataclass(frozen=True)
class RunLog:
    """The raw outcome of one run of the engine."""

    calendar: str
    """`simpy` or `compiled`: the one that was used."""
    requests: NDArray[np.void]
    """Rows of `sim.model.tables.REQUEST`, in arrival order: one an attempt."""
    samples: NDArray[np.void]
    """Rows of `SAMPLE`, one a pool, at each edge of `edges_s` and at the warm-up's end, in time order."""
    edges_s: NDArray[np.float64]
    """Edges of the timeline's bins, from 0 to the horizon; shape (bins + 1,)."""
    spans: NDArray[np.void]
    """Rows of `SPAN`, in the order of the pools."""
    down: NDArray[np.void]
    """Rows of `DOWN`."""
    decisions: tuple[DecisionRow, ...]
    work: tuple[WorkLaw, ...]
    """How much work requests are, by pool."""
    streams: tuple[str, ...]
    pools: tuple[str, ...]
    rooms: tuple[int, ...]
    """Replica rows of each pool: the most that it may have at once. Request rows count replicas through all pools."""
    notes: tuple[str, ...]
    end_s: float
    """When the last request left (at least the horizon)."""
    events: int
    """Transitions called by the calendar (arrivals and wake-ups), plus control events."""
    preemptions: int
    wall_s: float
    engine_s: float
    """Seconds inside the calendar; compiling and loading excluded."""
    replication: int = 0
    """Which of the independent runs of its scenario and seed it is."""
    calls: NDArray[np.void] | None = None
    """Rows of `sim.model.tables.CALL` beside the requests, whose row numbers are theirs; None: clients just wait."""
    classes: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    stream_class: tuple[int, ...] = ()
    """By stream: the place of its class, -1 for none; empty where there are no classes."""
    stream_tenant: tuple[int, ...] = ()
    """By stream: the place of its tenant, -1 for none; empty where there are no tenants."""
    tally: Tally | None = None
    """What is known of the requests where their rows are not kept: `requests` is then empty. None: they are."""

    @property
    def count(self) -> int:
        """Attempts, whether their rows are kept or not."""
        return len(self.requests) if self.tally is None else self.tally.count

    @cached_property
    def logical(self) -> NDArray[np.void]:
        """What users wanted, one row a request in the order of first attempts (see `sim.result.attempts`).

        The requests themselves where nothing is sent twice. Of a run whose rows are not kept nobody may ask.
        """
        assert self.tally is None, "rows of a run that keeps none"
        return logical_rows(self.requests, self.calls)
