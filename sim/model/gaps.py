"""Clients that give up when the next token of their answer is too long in coming.

Tokens come at the ends of iterations, so one is late when an iteration takes longer than a client bears, or when a
request that has been decoding waits: preempted, or on its way to the pool that goes on with it.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import batching, clients
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, State


@compiled_apart
def waits(s: State, r: int, now_s: float) -> None:
    """Request r has had a token now, and it is not known when it will have the next."""
    call = s.calls[r]
    call["token_due_s"] = now_s + call["token_timeout_s"]
    clients.arm(s, r)


@compiled_apart
def watch(s: State, row: int, now_s: float) -> None:
    """Replica `row` has planned: whose next token will be late? A jump ends before an iteration that is too long."""
    replica = s.replicas[row]
    if replica["planned"] == 0:
        return
    step_s = float(replica["step_s"])
    least_s = math.inf
    seat = 0 + int(replica["newest"])
    while seat != NONE:
        place = s.seats[seat]
        r = 0 + int(place["request"])
        if place["stop"] >= 0:
            limit_s = float(s.calls[r]["token_timeout_s"])
            if limit_s < step_s:
                expect(s, r, now_s + limit_s)
            else:
                expect(s, r, math.inf)
                least_s = min(least_s, limit_s)
        seat = 0 + int(place["older"])
    shorten(replica, least_s, now_s)


@compiled
def expect(s: State, r: int, due_s: float) -> None:
    """The client of request r gives up at `due_s`, if it has no token by then."""
    if s.calls[r]["token_due_s"] != due_s:
        s.calls[r]["token_due_s"] = due_s
        clients.arm(s, r)


@compiled
def shorten(replica: Any, least_s: float, now_s: float) -> None:
    """Keep to iterations of at most `least_s`, of which the first is one; what follows is looked at when it comes."""
    while replica["planned"] > 1 and replica["step_s"] + replica["grow_s"] * (replica["planned"] - 1) > least_s:
        replica["planned"] = max(1, int((least_s - replica["step_s"]) / replica["grow_s"]) + 1)
        if replica["step_s"] + replica["grow_s"] * (replica["planned"] - 1) > least_s:
            replica["planned"] = max(1, replica["planned"] - 1)
        replica["wake_s"] = now_s + batching.span_s(replica, int(replica["planned"]))
