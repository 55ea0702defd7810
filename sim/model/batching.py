"""A replica with continuous batching, in the manner of vLLM V1: iterations, chunked prefill, KV memory, preemption.

Requests join and leave only at iteration boundaries. While a batch decodes and nobody joins or leaves, iteration i
takes `step_s + i * grow_s`: context grows by as many tokens in each and time is linear in context. So k iterations take
`k * step_s + grow_s * k * (k - 1) / 2`, and the replica jumps straight to the boundary where something happens: a
sequence ends, KV memory runs out, or an arrival wants to join. This is exact, not an approximation.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model import heaps, memory, outcomes, pace, prefix, queues, seats, transfer
from sim.model.compiled import compiled, compiled_apart
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
def kv_integral(replica: Any, pool: Any, k: int) -> float:
    """Token-seconds of KV memory over the first k planned iterations: sum of (step + i grow)(kv + i more)."""
    ones = 0.5 * k * (k - 1)
    squares = ones * (2 * k - 1) / 3.0
    kv = replica["kv"] + replica["running"] * pace.ahead(pool, replica["tick"])
    more = replica["running"] * pool["tokens_per_step"]
    rising = replica["step_s"] * more + replica["grow_s"] * kv
    return float(k * replica["step_s"] * kv + rising * ones + replica["grow_s"] * more * squares)


@compiled
def has_room(s: State, row: int, r: int, now_s: float, at_now: bool) -> bool:
    """Whether a seat and the KV memory for request r are free now, after all that wait at the replica already.

    `at_now` tells whether an iteration of this replica that ends exactly now is over: it is when an arrival asks (a
    completion goes before an arrival), it is not when a replica of a lower row asks (completions go by row).
    """
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    waiting = s.queues[len(s.pools) + row]
    if replica["seated"] + waiting["length"] >= pool["seats"]:
        return False
    blocks = memory.needed(pool, s.requests[r]) - prefix.shared_blocks(s, row, r)
    spare = int(pool["kv_blocks"] - pool["watermark_blocks"] - replica["blocks"] - waiting["blocks"]) - blocks
    most_tokens = int(pool["tokens_per_step"] * replica["planned"]) + 1
    most = (most_tokens // pool["block_tokens"] + 1) * replica["running"]
    if spare < 0 or replica["planned"] == 0 or spare >= most:
        return spare >= 0
    return spare >= memory.taken(s, replica, iterations_by(replica, now_s, at_now))


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
    replica["kv_s"] += kv_integral(replica, pool, k)
    before = pace.clock(pool, replica["tick"])
    made = pace.clock(pool, replica["tick"] + k)
    grown = (made - before) * int(replica["running"])
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
    request = s.requests[place["request"]]
    if request["done_tokens"] == 0:
        request["first_token_s"] = client_s
    replica["changed"] = 1
    more = int(request["output_tokens"]) - int(request["done_tokens"]) - 1
    if more > 0 and pool["next_pool"] != NONE:
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
def answered(s: State, row: int, seat: int, client_s: float) -> None:
    """The last token of a seat's request is out."""
    replica = s.replicas[row]
    replica["changed"] = 1
    r = int(s.seats[seat]["request"])
    seats.leave(s.seats, replica, seat)
    replica["outstanding"] -= 1
    replica["tokens"] -= s.requests[r]["prompt_tokens"]
    if s.requests[r]["prefix0"] != NONE and s.requests[r]["handed"] == transfer.HERE:
        prefix.drop(s, row, r, int(s.requests[r]["prompt_tokens"]))
    outcomes.finish(s, r, client_s)


@compiled_apart
def preempt(s: State, row: int) -> None:
    """The most recently admitted gives its memory back and goes to the head of the queue, to be recomputed."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    seat = int(replica["newest"])
    place = s.seats[seat]
    r = int(place["request"])
    request = s.requests[r]
    prompt = int(place["prompt"])
    computed = prompt - int(place["left"])
    replica["recomputed"] += computed - int(place["cached"])
    if request["handed"] == transfer.GOES_ON:
        request["handed"] = transfer.STARTS_OVER
    if place["stop"] < 0:
        replica["kv"] -= prompt
        replica["blocks"] -= memory.blocks_of(pool, prompt)
        if replica["prefill"] == seat:
            replica["prefill"] = NONE
    else:
        request["done_tokens"] += stop_decoding(s, replica, place) - prompt
    seats.leave(s.seats, replica, seat)
    if request["prefix0"] != NONE and request["handed"] == transfer.HERE:
        prefix.drop(s, row, r, computed)
    replica["preemptions"] += 1
    replica["changed"] = 1
    queues.push_front(s.queues, s.requests, len(s.pools) + row, r, memory.needed(pool, request))


@compiled
def plan(s: State, row: int, now_s: float) -> None:
    """Decide the next iteration, and how many like it can follow without a decision; set `wake_s`."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    memory.settle(replica, now_s)
    while replica["blocks"] > pool["kv_blocks"]:
        preempt(s, row)
    if replica["idle_blocks"] > 0:
        prefix.trim(s, row)

    # scheduled ahead: an iteration was decided before this boundary, and who is admitted now joins the one after it
    ahead = pool["lookahead"] == 1 and replica["seated"] > 0
    budget = int(pool["max_batched_tokens"] - replica["running"] * pool["verified"])
    prompt_tokens = 0
    held = 0  # in memory, by those with nothing to prefill
    squares = 0.0
    whole = 0
    seat = int(replica["prefill"])
    while seat != NONE and budget > 0 and (pool["chunked"] == 1 or s.seats[seat]["left"] <= budget):
        tokens, square = give(s, seat, budget)
        prompt_tokens += tokens
        squares += square
        if tokens == 0:
            whole += 1
            held += int(s.seats[seat]["prompt"])
        budget -= max(tokens, 1)
        seat = int(s.seats[seat]["newer"])
    while ahead or budget > 0:
        seat = admit(s, row, int(pool["max_batched_tokens"]) if ahead else budget, now_s)
        if seat == NONE:
            break
        if not ahead:
            tokens, square = give(s, seat, budget)
            prompt_tokens += tokens
            squares += square
            if tokens == 0:
                whole += 1
                held += int(s.seats[seat]["prompt"])
            budget -= max(tokens, 1)
    replica["prefilled"] += prompt_tokens

    if replica["changed"] == 1:
        replica["changed"] = 0
        replica["noted_blocks"] = replica["blocks"]
    if replica["seated"] == 0:
        replica["wake_s"] = math.inf
        return
    decoding = int(replica["running"]) + whole
    drafted = int(replica["running"] * (pool["verified"] - 1))
    law = s.laws[pool["law0"] + decoding]
    step_s = (
        law["fixed_s"]
        + pool["prefill_s_per_token"] * (prompt_tokens + drafted)
        + law["attention_s_per_token"]
        * (replica["context"] + held + replica["running"] * pace.ahead(pool, replica["tick"]))
        + pool["prefill_s_per_token_sq"] * squares
        + s.laws[pool["law0"] + min(prompt_tokens + decoding + drafted, int(pool["most_tokens"]))]["tokens_s"]
    )
    if prompt_tokens > 0:
        step_s += pool["mixed_s"]
    replica["step_s"] = step_s
    if replica["prefill"] != NONE:
        replica["grow_s"] = 0.0
        replica["planned"] = 1
    else:
        replica["grow_s"] = law["attention_s_per_token"] * (decoding * pool["tokens_per_step"])
        ends = int(heaps.next_stop(s.heaps, s.seats, replica)) - pace.clock(pool, replica["tick"])
        ends = min(ends, memory.fitting(s, replica, int(pool["kv_blocks"] - replica["blocks"])))
        replica["planned"] = pace.iterations_for(pool, replica["tick"], ends)
    replica["wake_s"] = now_s + span_s(replica, int(replica["planned"]))


@compiled
def give(s: State, seat: int, budget: int) -> tuple[int, float]:
    """Give a seat in prefill up to `budget` tokens of the next iteration: (tokens, square term of their attention).

    A seat with nothing to prefill gets no token here: its first token is a decode step.
    """
    place = s.seats[seat]
    place["begun"] = 1
    tokens = min(int(place["left"]), budget)
    before = float(place["prompt"] - place["left"])
    place["left"] -= tokens
    return tokens, tokens * (2.0 * before + tokens)


@compiled
def admit(s: State, row: int, budget: int, now_s: float) -> int:
    """Admit the head of the queue if seat, KV memory and (whole prompts) token budget allow. Its seat, or NONE."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    line = len(s.pools) + row
    if s.queues[line]["length"] == 0 or replica["seated"] == pool["seats"]:
        return NONE
    r = int(s.queues[line]["head"])
    request = s.requests[r]
    prompt = int(request["prompt_tokens"]) + int(request["done_tokens"])
    blocks = memory.blocks_of(pool, prompt)
    named = request["prefix0"] != NONE and request["handed"] == transfer.HERE
    cached = int(request["cached_tokens"])
    if request["handed"] == transfer.SENT:
        cached = prompt
    elif request["prefix0"] != NONE:
        cached = 0
    shared = 0
    taken = blocks
    if named:
        cached, shared, shared_blocks = prefix.look(s, row, r)
        cached = min(cached, prompt - 1)
        taken -= shared_blocks
    left = prompt - cached
    room = pool["kv_blocks"] - pool["watermark_blocks"] - replica["blocks"]
    if taken > room or (pool["chunked"] == 0 and left > budget):
        return NONE
    queues.pop_front(s.queues, s.requests, line, blocks)
    if request["handed"] == transfer.SENT:
        request["handed"] = transfer.GOES_ON
    seat = seats.sit(s.seats, replica, r)
    place = s.seats[seat]
    place["prompt"] = prompt
    place["left"] = left
    place["cached"] = cached
    place["begun"] = 0
    replica["kv"] += prompt - shared
    replica["blocks"] += taken
    replica["changed"] = 1
    if named:
        prefix.hold(s, row, r)
    if replica["idle_blocks"] > 0:
        prefix.trim(s, row)
    if replica["prefill"] == NONE:
        replica["prefill"] = seat
    if math.isnan(request["start_s"]):
        request["start_s"] = now_s
        request["cached_tokens"] = cached
    return seat


@compiled
def integrals(replica: Any, pool: Any, now_s: float) -> tuple[float, float, float]:
    """Busy time, seats taken and KV tokens in use, integrated up to now, without changing anything."""
    if replica["planned"] == 0:
        held = float(replica["kv_s"] + replica["kv"] * (now_s - replica["boundary_s"]))
        return float(replica["busy_s"]), float(replica["running_s"]), held
    k = iterations_by(replica, now_s, True)
    passed_s = now_s - replica["boundary_s"]
    rest_s = passed_s - span_s(replica, k)
    more = pool["tokens_per_step"] * k + pace.ahead(pool, replica["tick"])
    kv = kv_integral(replica, pool, k) + (replica["kv"] + more * replica["running"]) * rest_s
    return (
        float(replica["busy_s"] + passed_s),
        float(replica["running_s"] + passed_s * replica["seated"]),
        float(replica["kv_s"] + kv),
    )
