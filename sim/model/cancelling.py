"""A batch lets go, at an iteration boundary, of requests whose clients have gone: their seats and memory are free."""

from __future__ import annotations

from sim.model import batching, memory, meters, outcomes, prefix, seats, transfer
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
    place = s.seats[seat]
    r = 0 + int(place["request"])
    request = s.requests[r]
    replica["changed"] = 1
    prompt = int(place["prompt"])
    computed = prompt - int(place["left"])
    if place["stop"] < 0:
        replica["kv"] -= prompt
        replica["blocks"] -= memory.blocks_of(make, prompt)
        if replica["prefill"] == seat:
            replica["prefill"] = place["newer"]
    else:
        request["done_tokens"] += batching.stop_decoding(s, replica, place) - prompt
    seats.leave(s.seats, replica, seat)
    replica["outstanding"] -= 1
    replica["tokens"] -= request["prompt_tokens"]
    if request["prefix0"] != NONE and request["handed"] == transfer.HERE:
        prefix.drop(s, row, r, computed)
    s.calls[r]["prefilled"] += computed - int(place["cached"])
    s.calls[r]["left_s"] = now_s
    outcomes.gone(s)
    if make["metered"] == 1:
        meters.go(s, int(make["home"]), now_s)
