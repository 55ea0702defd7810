"""How a request ends. Every request ends once, and is counted where it ends; its client may then send the next."""

from __future__ import annotations

import math

from sim.model import lines
from sim.model.compiled import compiled
from sim.model.tables import COMPLETED, FAILED, REJECTED, State


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
    answer(s, r)


@compiled
def reject(s: State, r: int, now_s: float) -> None:
    """Request r is turned away at once; after its prefill, if the pool that decodes has no place for it."""
    request = s.requests[r]
    request["outcome"] = REJECTED
    if not math.isnan(request["start_s"]):
        request["finish_s"] = now_s
    run = s.run[0]
    run["in_system"] -= 1
    run["finished"] += 1
    answer(s, r)


def fail(s: State, r: int, now_s: float) -> None:
    """Request r ends with the replica that served it or held it in its queue. Rare, so not compiled by itself."""
    request = s.requests[r]
    request["outcome"] = FAILED
    request["finish_s"] = now_s
    if request["first_token_s"] > now_s:
        request["first_token_s"] = math.nan  # on its way, or foreseen: its client has not seen it
    run = s.run[0]
    run["in_system"] -= 1
    run["finished"] += 1
    run["last_finish_s"] = max(float(run["last_finish_s"]), now_s)
    answer(s, r)


@compiled
def answer(s: State, r: int) -> None:
    """The client of request r has heard: one less in flight, and the next one that it held back may go."""
    stream = int(s.requests[r]["stream"])
    line = len(s.pools) + len(s.replicas) + stream
    client = s.queues[line]
    if client["length"] == 0:
        client["in_flight"] -= 1
    else:
        lines.append(s.queues, s.requests, len(s.queues) - 1, lines.pop(s.queues, s.requests, line))
