"""A replica with continuous batching, in the manner of vLLM V1: iterations, chunked prefill, KV memory, preemption.

Requests join and leave only at iteration boundaries. While a batch decodes and nobody joins or leaves, iteration i
takes `step_s + i * grow_s`: context grows by as many tokens in each and time is linear in context. So k iterations take
`k * step_s + grow_s * k * (k - 1) / 2`, and the replica jumps straight to the boundary where something happens: a
sequence ends, KV memory runs out, or an arrival wants to join. This is exact, not an approximation.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import clients, heaps, memory, meters, outcomes, pace, prefix, queues, seats, transfer
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, UNFINISHED, State

EXTRAS = True
"""False while compiled for runs that have none of these (see compiled.widen)."""


@compiled
def span_s(replica: Any, k: int) -> float:
    """Seconds that the first k planned iterations take."""
    return float(k * replica["step_s"] + replica["grow_s"] * (0.5 * k * (k - 1)))


@compiled
def iterations_by(replica: Any, now_s: float, at_now: bool) -> int:
    """How many of the planned iterations are over at `now_s`, counting one that ends exactly then only if `at_now`."""
    passed_s = now_s - replica["boundary_s"]
    linear = replica["step_s"] - 0.5 * replica["grow_s"]
    k = int(2.0 * passed_s / (linear + math.sqrt(linear * linear + 2.0 * replica["grow_s"] * passed_s)))
    # the root is only a guess: the boundary times themselves decide
    while k > 0 and replica["boundary_s"] + span_s(replica, k) > now_s:
        k -= 1
    while replica["boundary_s"] + span_s(replica, k + 1) <= now_s:
        k += 1
    if not at_now and k > 0 and replica["boundary_s"] + span_s(replica, k) == now_s:
        k -= 1
    return k


@compiled
def cut(replica: Any, now_s: float, at_now: bool) -> None:
    """Somebody may join: stop the jump at the next boundary."""
    k = iterations_by(replica, now_s, at_now) + 1
    if k < replica["planned"]:
        replica["planned"] = k
        replica["wake_s"] = replica["boundary_s"] + span_s(replica, k)


@compiled
def kv_integral(replica: Any, pool: Any, k: int) -> float:
    """Token-seconds of KV memory over the first k planned iterations: sum of (step + i grow)(kv + i running).

    With speculation, whole tokens on the clock of `pace` in place of i: the mean would be above what is held.
    """
    if pool["tokens_per_step"] != 1.0:
        token_s = 0.0
        for i in range(k):
            kv = replica["kv"] + replica["running"] * pace.made(pool, replica["tick"], i)
            token_s += (replica["step_s"] + i * replica["grow_s"]) * kv
        return token_s
    ones = 0.5 * k * (k - 1)
    squares = ones * (2 * k - 1) / 3.0
    rising = replica["step_s"] * replica["running"] + replica["grow_s"] * replica["kv"]
    return float(
        k * replica["step_s"] * replica["kv"] + rising * ones + replica["grow_s"] * replica["running"] * squares
    )


@compiled
def has_room(s: State, row: int, r: int, now_s: float, at_now: bool) -> bool:
    """Whether a seat and the KV memory for request r are free now, after all that wait at the replica already.

    `at_now` tells whether an iteration of this replica that ends exactly now is over: it is when an arrival asks (a
    completion goes before an arrival), it is not when a replica of a lower row asks (completions go by row).
    """
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    waiting, held = queues.ahead(s, len(s.pools) + row, r)
    if replica["seated"] + waiting >= pool["seats"]:
        return False
    blocks = memory.needed(pool, s.requests[r]) - prefix.shared_blocks(s, row, r)
    spare = int(pool["kv_blocks"] - pool["watermark_blocks"] - replica["blocks"] - held) - blocks
    most_tokens = int(pool["tokens_per_step"] * replica["planned"]) + 1
    most = (most_tokens // pool["block_tokens"] + 1) * replica["running"]
    if spare < 0 or replica["planned"] == 0 or spare >= most:
        return spare >= 0
    return spare >= memory.taken(s, replica, iterations_by(replica, now_s, at_now))


@compiled
def advance(s: State, row: int, now_s: float) -> None:
    """The planned iterations end now; first tokens and last tokens come out."""
    replica = s.replicas[row]
    k = int(replica["planned"])
    pool = s.pools[replica["pool"]]
    passed_s = span_s(replica, k)
    replica["busy_s"] += passed_s
    replica["running_s"] += passed_s * replica["seated"]
    replica["kv_s"] += kv_integral(replica, pool, k)
    made = pace.clock(pool, replica["tick"] + k)
    grown = pace.made(pool, replica["tick"], k) * int(replica["running"])
    replica["decoded"] += k * int(replica["running"])
    replica["context"] += grown
    replica["kv"] += grown
    replica["blocks"] += memory.taken(s, replica, k)
    if replica["idle_blocks"] > 0:
        prefix.trim(s, row)
    replica["tick"] += k
    replica["boundary_s"] = now_s
    replica["planned"] = 0
    client_s = now_s + pool["overhead_s"]

    seat = int(replica["prefill"])
    while seat != NONE and s.seats[seat]["begun"] == 1 and s.seats[seat]["left"] == 0:
        newer = int(s.seats[seat]["newer"])
        prefilled(s, row, seat, client_s)
        seat = newer
    replica["prefill"] = seat

    while heaps.next_stop(s.heaps, s.seats, replica) <= made:
        seat = heaps.pop(s.heaps, replica)
        stop_decoding(s, replica, s.seats[seat])
        answered(s, row, seat, client_s)


@compiled
def prefilled(s: State, row: int, seat: int, client_s: float) -> None:
    """The prefill of a seat is done: its first token is out, and it decodes from the next iteration on."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    place = s.seats[seat]
    r = 0 + int(place["request"])
    request = s.requests[r]
    if EXTRAS and replica["given_up"] > 0 and s.calls[r]["given_up"] == 1:
        return  # it leaves before the next iteration
    if request["done_tokens"] == 0 and request["outcome"] == UNFINISHED:
        request["first_token_s"] = client_s
        if pool["metered"] == 1:
            meters.first_token(s, int(pool["home"]), r)
        if EXTRAS and s.run[0]["calls"] == 1:
            clients.first_token(s, r, replica["boundary_s"])
    replica["changed"] = 1
    more = int(request["output_tokens"]) - int(request["done_tokens"]) - 1
    if EXTRAS and more > 0 and pool["next_pool"] != NONE:
        transfer.send(s, row, seat, replica["boundary_s"])
        return
    prompt = int(place["prompt"])
    replica["kv"] -= prompt
    replica["blocks"] -= memory.blocks_of(pool, prompt)
    if more == 0:
        answered(s, row, seat, client_s)
        return
    context = prompt + 1
    made = pace.clock(pool, replica["tick"])
    place["offset"] = context - made
    place["stop"] = made + more
    replica["running"] += 1
    replica["context"] += context
    replica["kv"] += context
    replica["blocks"] += memory.blocks_of(pool, context)
    s.lists[memory.phase(pool, replica, place)] += 1
    heaps.push(s.heaps, s.seats, replica, heaps.SPARE * int(pool["seats"]), seat)


@compiled
def stop_decoding(s: State, replica: Any, place: Any) -> int:
    """A sequence leaves the decoding batch and its memory. Returns the tokens that it held."""
    pool = s.pools[replica["pool"]]
    context = int(place["offset"]) + pace.clock(pool, replica["tick"])
    replica["running"] -= 1
    replica["context"] -= context
    replica["kv"] -= context
    replica["blocks"] -= memory.blocks_of(pool, context)
    s.lists[memory.phase(pool, replica, place)] -= 1
    return context


@compiled
def vacate(s: State, row: int, seat: int) -> int:
    """The request of a seat leaves the batch before its end. Returns how many tokens of this admission were computed.

    It keeps the tokens that it has made (`done_tokens`); its memory is free, and its prompt's blocks are idle.
    """
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    place = s.seats[seat]
    r = 0 + int(place["request"])
    request = s.requests[r]
    prompt = int(place["prompt"])
    computed = prompt - int(place["left"])
    if place["stop"] < 0:
        replica["kv"] -= prompt
        replica["blocks"] -= memory.blocks_of(pool, prompt)
        if replica["prefill"] == seat:
            replica["prefill"] = place["newer"]
    else:
        request["done_tokens"] += stop_decoding(s, replica, place) - prompt
    cached = int(place["cached"])
    seats.leave(s.seats, replica, seat)
    if request["prefix0"] != NONE and request["handed"] == transfer.HERE:
        prefix.drop(s, row, r, computed)
    replica["changed"] = 1
    return computed - cached


@compiled
def answered(s: State, row: int, seat: int, client_s: float) -> None:
    """The last token of a seat's request is out."""
    replica = s.replicas[row]
    replica["changed"] = 1
    r = 0 + int(s.seats[seat]["request"])
    seats.leave(s.seats, replica, seat)
    replica["outstanding"] -= 1
    replica["tokens"] -= s.requests[r]["prompt_tokens"]
    if s.requests[r]["prefix0"] != NONE and s.requests[r]["handed"] == transfer.HERE:
        prefix.keep(s, row, r)
        prefix.drop(s, row, r, 0 + int(s.requests[r]["prompt_tokens"]))
    if s.requests[r]["first_token_s"] > client_s:
        client_s = s.requests[r]["first_token_s"]  # it came by a slower way, from another replica
    outcomes.finish(s, r, client_s, replica["boundary_s"])
    pool = s.pools[replica["pool"]]
    if pool["metered"] == 1:
        meters.ended(s, int(pool["home"]), r, replica["boundary_s"])


@compiled_apart
def kv_share(s: State, row: int, now_s: float) -> float:
    """Share of the KV memory that is in use now."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    if pool["kv_blocks"] == 0:
        return 0.0
    blocks = int(replica["blocks"])
    if replica["planned"] > 0:
        blocks += memory.taken(s, replica, iterations_by(replica, now_s, True))
    return min(1.0, float(blocks / pool["kv_blocks"]))


@compiled
def integrals(replica: Any, pool: Any, now_s: float) -> tuple[float, float, float]:
    """Busy time, seats taken and KV tokens in use, integrated up to now, without changing anything."""
    if replica["planned"] == 0:
        held = float(replica["kv_s"] + replica["kv"] * (now_s - replica["boundary_s"]))
        return float(replica["busy_s"]), float(replica["running_s"]), held
    k = iterations_by(replica, now_s, True)
    passed_s = now_s - replica["boundary_s"]
    rest_s = passed_s - span_s(replica, k)
    kv = replica["kv"] + pace.made(pool, replica["tick"], k) * replica["running"]
    kv_s = kv_integral(replica, pool, k) + kv * rest_s
    return (
        float(replica["busy_s"] + passed_s),
        float(replica["running_s"] + passed_s * replica["seated"]),
        float(replica["kv_s"] + kv_s),
    )
