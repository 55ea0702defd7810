"""A replica with continuous batching, in the manner of vLLM V1: iterations, chunked prefill, KV memory, preemption.

Requests join and leave only at iteration boundaries. While a batch decodes and nobody joins or leaves, iteration i
takes `step_s + i * grow_s`: context grows by one token a sequence and time is linear in context. So k iterations take
`k * step_s + grow_s * k * (k - 1) / 2`, and the replica jumps straight to the boundary where something happens: a
sequence ends, KV memory runs out, or an arrival wants to join. This is exact, not an approximation.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import heaps, outcomes, queues, seats
from sim.model.compiled import compiled
from sim.model.tables import NONE, State


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
def kv_integral(replica: Any, k: int) -> float:
    """Token-seconds of KV memory over the first k planned iterations: sum of (step + i grow)(kv + i running)."""
    ones = 0.5 * k * (k - 1)
    squares = ones * (2 * k - 1) / 3.0
    rising = replica["step_s"] * replica["running"] + replica["grow_s"] * replica["kv"]
    return float(
        k * replica["step_s"] * replica["kv"] + rising * ones + replica["grow_s"] * replica["running"] * squares
    )


@compiled
def has_room(s: State, row: int, tokens: int, now_s: float, at_now: bool) -> bool:
    """Whether a seat and KV memory for this many tokens are free now, after all that wait at the replica already.

    `at_now` tells whether an iteration of this replica that ends exactly now is over: it is when an arrival asks (a
    completion goes before an arrival), it is not when a replica of a lower row asks (completions go by row).
    """
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    waiting = s.queues[len(s.pools) + row]
    if replica["seated"] + waiting["length"] >= pool["seats"]:
        return False
    spare = int(pool["kv_capacity"] - replica["kv"] - waiting["tokens"]) - tokens
    if spare < 0 or replica["planned"] == 0 or spare >= replica["planned"] * replica["running"]:
        return spare >= 0
    return bool(spare >= iterations_by(replica, now_s, at_now) * replica["running"])


@compiled
def attend(s: State, row: int, now_s: float, at_now: bool) -> None:
    """Somebody waits at the replica: an idle one starts, a busy one looks up at its next boundary."""
    replica = s.replicas[row]
    if replica["planned"] == 0:
        plan(s, row, now_s)
    elif replica["planned"] > 1:
        cut(replica, now_s, at_now)


@compiled
def advance(s: State, row: int, now_s: float) -> None:
    """The planned iterations end now; first tokens and last tokens come out."""
    replica = s.replicas[row]
    k = int(replica["planned"])
    pool = s.pools[replica["pool"]]
    passed_s = span_s(replica, k)
    replica["busy_s"] += passed_s
    replica["running_s"] += passed_s * replica["seated"]
    replica["kv_s"] += kv_integral(replica, k)
    grown = k * int(replica["running"])
    replica["decoded"] += grown
    replica["context"] += grown
    replica["kv"] += grown
    replica["tick"] += k
    replica["boundary_s"] = now_s
    replica["planned"] = 0
    client_s = now_s + pool["overhead_s"]

    seat = int(replica["prefill"])
    while seat != NONE and s.seats[seat]["left"] == 0:
        newer = int(s.seats[seat]["newer"])
        prefilled(s, row, seat, client_s)
        seat = newer
    replica["prefill"] = seat

    while heaps.next_stop(s.heaps, s.seats, replica) <= replica["tick"]:
        seat = heaps.pop(s.heaps, replica)
        context = int(s.seats[seat]["offset"] + replica["tick"])
        replica["running"] -= 1
        replica["context"] -= context
        replica["kv"] -= context
        answered(s, row, seat, client_s)


@compiled
def prefilled(s: State, row: int, seat: int, client_s: float) -> None:
    """The prefill of a seat is done: its first token is out, and it decodes from the next iteration on."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    place = s.seats[seat]
    request = s.requests[place["request"]]
    if request["done_tokens"] == 0:
        request["first_token_s"] = client_s
    replica["changed"] = 1
    more = int(request["output_tokens"]) - int(request["done_tokens"]) - 1
    prompt = int(place["prompt"])
    if more == 0:
        replica["kv"] -= prompt
        answered(s, row, seat, client_s)
        return
    place["offset"] = prompt + 1 - int(replica["tick"])
    place["stop"] = replica["tick"] + more
    replica["running"] += 1
    replica["context"] += prompt + 1
    replica["kv"] += 1
    heaps.push(s.heaps, s.seats, replica, heaps.SPARE * int(pool["seats"]), float(place["stop"]), seat)


@compiled
def answered(s: State, row: int, seat: int, client_s: float) -> None:
    """The last token of a seat's request is out."""
    replica = s.replicas[row]
    replica["changed"] = 1
    r = int(s.seats[seat]["request"])
    seats.leave(s.seats, replica, seat)
    replica["outstanding"] -= 1
    replica["tokens"] -= s.requests[r]["prompt_tokens"]
    outcomes.finish(s, r, client_s)


@compiled
def preempt(s: State, row: int) -> None:
    """The most recently admitted gives its memory back and goes to the head of the queue, to be recomputed."""
    replica = s.replicas[row]
    seat = int(replica["newest"])
    place = s.seats[seat]
    r = int(place["request"])
    request = s.requests[r]
    prompt = int(place["prompt"])
    if place["stop"] < 0:
        replica["kv"] -= prompt
        replica["recomputed"] += prompt - int(place["left"])
        if replica["prefill"] == seat:
            replica["prefill"] = NONE
    else:
        context = int(place["offset"] + replica["tick"])
        replica["running"] -= 1
        replica["context"] -= context
        replica["kv"] -= context
        replica["recomputed"] += prompt
        request["done_tokens"] += context - prompt
    seats.leave(s.seats, replica, seat)
    replica["preemptions"] += 1
    replica["changed"] = 1
    tokens = int(request["prompt_tokens"]) + int(request["done_tokens"])
    queues.push_front(s.queues, s.requests, len(s.pools) + row, r, tokens)


@compiled
def plan(s: State, row: int, now_s: float) -> None:
    """Decide the next iteration, and how many like it can follow without a decision; set `wake_s`."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    replica["boundary_s"] = now_s
    while replica["kv"] > pool["kv_capacity"]:
        preempt(s, row)

    budget = int(pool["max_batched_tokens"] - replica["running"])
    prompt_tokens = 0
    squares = 0.0
    seat = int(replica["prefill"])
    if seat != NONE:
        # at most one prefill is under way at a boundary: admission stops where the budget ends
        prompt_tokens, squares = give(s, seat, budget)
        budget -= prompt_tokens
    whole = 0
    admitted = True
    while admitted and budget > 0:
        admitted, tokens, square = admit(s, row, budget, now_s)
        prompt_tokens += tokens
        squares += square
        budget -= tokens
        if admitted and tokens == 0:
            whole += 1
            budget -= 1
    replica["prefilled"] += prompt_tokens

    if replica["changed"] == 1:
        replica["changed"] = 0
        replica["noted_kv"] = replica["kv"]
    if replica["seated"] == 0:
        replica["wake_s"] = math.inf
        return
    decoding = int(replica["running"]) + whole
    law = s.laws[pool["law0"] + decoding]
    replica["step_s"] = (
        law["fixed_s"]
        + pool["prefill_s_per_token"] * prompt_tokens
        + law["attention_s_per_token"] * replica["context"]
        + pool["prefill_s_per_token_sq"] * squares
    )
    if replica["prefill"] != NONE:
        replica["grow_s"] = 0.0
        replica["planned"] = 1
    else:
        replica["grow_s"] = law["attention_s_per_token"] * decoding
        ends = int(heaps.next_stop(s.heaps, s.seats, replica) - replica["tick"])
        fits = int((pool["kv_capacity"] - replica["kv"]) // decoding) + 1
        replica["planned"] = min(ends, fits)
    replica["wake_s"] = now_s + span_s(replica, int(replica["planned"]))


@compiled
def give(s: State, seat: int, budget: int) -> tuple[int, float]:
    """Give a prefilling seat up to `budget` tokens of the next iteration: (tokens, square term of their attention)."""
    place = s.seats[seat]
    tokens = min(int(place["left"]), budget)
    before = float(place["prompt"] - place["left"])
    place["left"] -= tokens
    return tokens, tokens * (2.0 * before + tokens)


@compiled
def admit(s: State, row: int, budget: int, now_s: float) -> tuple[bool, int, float]:
    """Admit the head of the queue if seat, KV memory and token budget allow: (admitted, tokens, square term)."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    line = len(s.pools) + row
    if s.queues[line]["length"] == 0 or replica["seated"] == pool["seats"]:
        return False, 0, 0.0
    r = int(s.queues[line]["head"])
    request = s.requests[r]
    prompt = int(request["prompt_tokens"]) + int(request["done_tokens"])
    if replica["kv"] + prompt > pool["kv_capacity"] or (pool["chunked"] == 0 and prompt > budget):
        return False, 0, 0.0
    queues.pop_front(s.queues, s.requests, line, prompt)
    seat = seats.sit(s.seats, replica, r)
    place = s.seats[seat]
    place["prompt"] = prompt
    place["left"] = prompt
    replica["kv"] += prompt
    replica["changed"] = 1
    if replica["prefill"] == NONE:
        replica["prefill"] = seat
    if math.isnan(request["start_s"]):
        request["start_s"] = now_s
    tokens, square = give(s, seat, budget)
    return True, tokens, square


@compiled
def integrals(replica: Any, now_s: float) -> tuple[float, float, float]:
    """Busy time, seats taken and KV tokens in use, integrated up to now, without changing anything."""
    if replica["planned"] == 0:
        return float(replica["busy_s"]), float(replica["running_s"]), float(replica["kv_s"])
    k = iterations_by(replica, now_s, True)
    passed_s = now_s - replica["boundary_s"]
    rest_s = passed_s - span_s(replica, k)
    kv = kv_integral(replica, k) + (replica["kv"] + k * replica["running"]) * rest_s
    return (
        float(replica["busy_s"] + passed_s),
        float(replica["running_s"] + passed_s * replica["seated"]),
        float(replica["kv_s"] + kv),
    )
