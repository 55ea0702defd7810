"""What a replica is, stretch by stretch, from its order to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.exchange.trace.window import nanoseconds
from sim.result.log import WHY

if TYPE_CHECKING:
    from sim.exchange.served import Life
    from sim.result.log import RunLog

ORDERED, BOOTING, READY, DRAINING, DOWN = "ordered", "booting", "ready", "draining", "down"
"""Asked for and not granted yet; granted and not ready; in service; no new requests; being repaired in place."""


class State(NamedTuple):
    """One stretch of a life, in nanoseconds."""

    name: str
    from_ns: int
    to_ns: int


class End(NamedTuple):
    """How a life ended."""

    at_ns: int
    why: str
    """A word of `sim.result.log.WHY`."""
    lost: int
    """Requests in flight that it took with it."""


def states_of(log: RunLog, life: Life, most_ns: int) -> list[State]:
    """The stretches of a life in order, none of them empty and no two at once, up to `most_ns`."""
    span = log.spans[life.span]
    at = {name: int(nanoseconds(float(span[f"{name}_s"]), most_ns)) for name in ("ordered", "launched", "ready")}
    gone_ns = int(nanoseconds(life.gone_s, most_ns))
    drains_ns = min(max(int(nanoseconds(float(span["draining_s"]), most_ns)), at["ready"]), gone_ns)
    found = [
        State(ORDERED, at["ordered"], min(at["launched"], gone_ns)),
        State(BOOTING, at["launched"], min(at["ready"], gone_ns)),
        State(READY, at["ready"], drains_ns),
        State(DRAINING, drains_ns, gone_ns),
    ]
    found = [state for state in found if state.to_ns > state.from_ns]
    for row in log.down[log.down["span"] == life.span]:
        from_ns, to_ns = (int(nanoseconds(float(row[name]), gone_ns)) for name in ("from_s", "to_s"))
        found = [part for state in found for part in _without(state, from_ns, to_ns)]
    return found


def end_of(log: RunLog, life: Life, most_ns: int) -> End | None:
    """How a life ended; None for one that goes on beyond `most_ns`."""
    if not np.isfinite(life.gone_s):
        return None
    gone_ns = int(nanoseconds(life.gone_s, most_ns + 1))
    span = log.spans[life.span]
    return None if gone_ns > most_ns else End(gone_ns, WHY[int(span["why"])], int(span["lost"]))


def _without(state: State, from_ns: int, to_ns: int) -> list[State]:
    """A stretch with the time in which the replica is down told as that."""
    begin_ns, end_ns = max(state.from_ns, from_ns), min(state.to_ns, to_ns)
    if end_ns <= begin_ns or state.name not in (READY, DRAINING):
        return [state]
    parts = (
        State(state.name, state.from_ns, begin_ns),
        State(DOWN, begin_ns, end_ns),
        State(state.name, end_ns, state.to_ns),
    )
    return [part for part in parts if part.to_ns > part.from_ns]
