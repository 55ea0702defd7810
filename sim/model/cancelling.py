"""A batch lets go, at an iteration boundary, of requests whose clients have gone: their seats and memory are free."""

from __future__ import annotations

from sim.model import batching, meters, outcomes
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, State


@compiled_apart
def sweep(s: State, row: int, now_s: float) -> None:
    """Every request in the batch of replica `row` whose client has gone leaves it."""
    replica = s.replicas[row]
    replica["given_up"] = 0
    seat = 0 + int(replica["newest"])
    while seat != NONE:
        older = 0 + int(s.seats[seat]["older"])
        if s.calls[s.seats[seat]["request"]]["given_up"] == 1:
            let_go(s, row, seat, now_s)
        seat = older


@compiled
def let_go(s: State, row: int, seat: int, now_s: float) -> None:
    """The request of a seat leaves unanswered; what has been computed for it is noted."""
    replica = s.replicas[row]
    make = s.pools[replica["pool"]]
    r = 0 + int(s.seats[seat]["request"])
    s.calls[r]["prefilled"] += batching.vacate(s, row, seat)
    replica["outstanding"] -= 1
    replica["tokens"] -= s.requests[r]["prompt_tokens"]
    s.calls[r]["left_s"] = now_s
    outcomes.gone(s)
    if make["metered"] == 1:
        meters.go(s, int(make["home"]), now_s)
