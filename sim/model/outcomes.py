"""How a request ends. Every request ends once, and is counted where it ends."""

from __future__ import annotations

from sim.model.compiled import compiled
from sim.model.tables import COMPLETED, REJECTED, State


@compiled
def finish(s: State, r: int, client_s: float) -> None:
    """Request r is answered; `client_s` is when the client has all of it."""
    request = s.requests[r]
    request["finish_s"] = client_s
    request["outcome"] = COMPLETED
    run = s.run[0]
    run["in_system"] -= 1
    run["finished"] += 1
    run["last_finish_s"] = max(run["last_finish_s"], client_s)


@compiled
def reject(s: State, r: int) -> None:
    """Request r is turned away at once."""
    s.requests[r]["outcome"] = REJECTED
    run = s.run[0]
    run["in_system"] -= 1
    run["finished"] += 1
