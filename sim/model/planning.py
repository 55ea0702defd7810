"""What a batching replica decides between two iterations: who gives way, who comes in, how far it can jump."""

from __future__ import annotations

import math

from sim.model import (
    admission,
    batching,
    cancelling,
    clients,
    gaps,
    heaps,
    memory,
    orders,
    pace,
    preemption,
    prefix,
    queues,
    seats,
    transfer,
)
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import NONE, UNFINISHED, State

REFUSED = -2
"""No seat: the request that was to be admitted is turned away."""

EXTRAS = True
"""False while compiled for runs that have none of these (see compiled.widen)."""


@compiled
def attend(s: State, row: int, now_s: float, at_now: bool) -> None:
    """Somebody waits at the replica: an idle one starts, a busy one looks up at its next boundary."""
    replica = s.replicas[row]
    if replica["planned"] == 0:
        start(s, row, now_s)
    elif replica["planned"] > 1:
        batching.cut(replica, now_s, at_now)


@compiled_apart
def start(s: State, row: int, now_s: float) -> None:
    """An idle replica plans: seldom in a busy fleet, so who attends calls this instead of holding a copy of it all."""
    plan(s, row, now_s)


@compiled
def plan(s: State, row: int, now_s: float) -> None:
    """Decide the next iteration, and how many like it can follow without a decision; set `wake_s`."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    memory.settle(replica, now_s)
    while replica["blocks"] > pool["kv_blocks"]:
        victim = 0 + int(replica["newest"])
        if EXTRAS and pool["ranked"] == 1:
            victim = preemption.lowest(s, row)
        preempt(s, row, victim)
    if replica["idle_blocks"] > 0:
        prefix.trim(s, row)
    fill(s, row, now_s)
    if EXTRAS and replica["hopes"] != NONE:
        clients.settle_hopes(s, row)
    if replica["changed"] == 1:
        replica["changed"] = 0
        replica["noted_blocks"] = replica["blocks"]
    if replica["seated"] == 0:
        replica["wake_s"] = math.inf
        return
    decoding = time_step(s, row)
    if replica["prefill"] != NONE:
        replica["grow_s"] = 0.0
        replica["planned"] = 1
    else:
        attention_s = s.laws[pool["law0"] + decoding]["attention_s_per_token"]
        replica["grow_s"] = attention_s * (decoding * pool["tokens_per_step"])
        ends = int(heaps.next_stop(s.heaps, s.seats, replica)) - pace.clock(pool, replica["tick"])
        ends = min(ends, memory.fitting(s, replica, int(pool["kv_blocks"] - replica["blocks"])))
        replica["planned"] = pace.iterations_for(pool, replica["tick"], ends)
    replica["wake_s"] = now_s + batching.span_s(replica, int(replica["planned"]))
    if EXTRAS and s.run[0]["gaps"] == 1:
        gaps.watch(s, row, now_s)


@compiled
def fill(s: State, row: int, now_s: float) -> None:
    """Give the next iteration its prompt tokens: first to who is in prefill already, then to who is admitted."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    step = s.run[0]
    step["step_prompt_tokens"] = 0
    step["step_squares"] = 0.0
    step["step_whole"] = 0
    step["step_held"] = 0
    # scheduled ahead: an iteration was decided before this boundary, and who is admitted now joins the one after it
    ahead = pool["lookahead"] == 1 and replica["seated"] > 0
    late = NONE
    if EXTRAS and pool["preemptive"] == 1:
        late = displace(s, row, now_s)
    budget = int(pool["max_batched_tokens"] - replica["running"] * pool["verified"])
    seat = 0 + int(replica["prefill"])
    while (
        seat != NONE
        and not (ahead and seat == late)
        and budget > 0
        and (pool["chunked"] == 1 or s.seats[seat]["left"] <= budget)
    ):
        budget -= give(s, seat, budget)
        seat = 0 + int(s.seats[seat]["newer"])
    if ahead:
        admit_ahead(s, row, now_s)
        budget = 0
    while budget > 0:
        seat = admit(s, row, budget, now_s)
        if seat == NONE:
            break
        if seat != REFUSED:
            budget -= give(s, seat, budget)
    replica["prefilled"] += step["step_prompt_tokens"]


@compiled
def admit_ahead(s: State, row: int, now_s: float) -> None:
    """Let in who joins the iteration after the next, which has been decided.

    Where all wait in one line, all that fit come in: the batch prefills them in the order of the line. Where others may
    still go before them, no more come in than that iteration has tokens for, as in vLLM.
    """
    pool = s.pools[s.replicas[row]["pool"]]
    bounded = EXTRAS and (pool["order"] != orders.FCFS or pool["fair"] == 1)
    budget = tokens_left(s, row) if bounded else int(pool["max_batched_tokens"])
    while budget > 0:
        seat = admit(s, row, budget, now_s)
        if seat == NONE:
            break
        if bounded and seat != REFUSED:
            budget -= max(int(s.seats[seat]["left"]), 1)


@compiled
def give(s: State, seat: int, budget: int) -> int:
    """Give a seat in prefill up to `budget` tokens of the next iteration. Returns the tokens taken from the budget.

    A seat with nothing to prefill makes its first token as a decode step.
    """
    place = s.seats[seat]
    step = s.run[0]
    place["begun"] = 1
    tokens = min(int(place["left"]), budget)
    before = float(place["prompt"] - place["left"])
    place["left"] -= tokens
    step["step_prompt_tokens"] += tokens
    step["step_squares"] += tokens * (2.0 * before + tokens)
    if tokens == 0:
        step["step_whole"] += 1
        step["step_held"] += place["prompt"]
    return max(tokens, 1)


@compiled
def time_step(s: State, row: int) -> int:
    """Set how long the next iteration takes. Returns how many sequences decode in it."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    step = s.run[0]
    prompt_tokens = int(step["step_prompt_tokens"])
    decoding = int(replica["running"] + step["step_whole"])
    drafted = int(replica["running"] * (pool["verified"] - 1))
    context = replica["context"] + step["step_held"] + replica["running"] * pace.ahead(pool, replica["tick"])
    law = s.laws[pool["law0"] + decoding]
    step_s = (
        law["fixed_s"]
        + pool["prefill_s_per_token"] * (prompt_tokens + drafted)
        + law["attention_s_per_token"] * context
        + pool["prefill_s_per_token_sq"] * step["step_squares"]
        + s.laws[pool["law0"] + min(prompt_tokens + decoding + drafted, int(pool["most_tokens"]))]["tokens_s"]
    )
    if prompt_tokens > 0:
        step_s += pool["mixed_s"]
    replica["step_s"] = step_s
    return decoding


@compiled
def admit(s: State, row: int, budget: int, now_s: float) -> int:
    """Admit the head of the queue if seat, KV memory and (whole prompts) token budget allow. Its seat, or NONE.

    REFUSED: it was let in and turned away, for it had waited too long.
    """
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    line = len(s.pools) + row
    if s.queues[line]["length"] == 0 or replica["seated"] == pool["seats"]:
        return NONE
    r = queues.first(s, line)
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
        cached = max(min(cached, prompt - 1), 0)
        taken -= shared_blocks
    left = prompt - cached
    room = pool["kv_blocks"] - pool["watermark_blocks"] - replica["blocks"]
    if taken > room or (pool["chunked"] == 0 and left > budget):
        return NONE
    if EXTRAS and admission.late(s, line, r, now_s):
        admission.turn_away_first(s, line, r, blocks, now_s)
        return REFUSED
    queues.pop_front(s, line, r, blocks)
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
    if EXTRAS and pool["shed"] == admission.ESTIMATED_WAIT:
        admission.started(s, int(pool["home"]), now_s)
    return seat


@compiled_apart
def displace(s: State, row: int, now_s: float) -> int:
    """Who waits and outranks somebody in the batch is admitted, in the place of the lowest if there is no other.

    As long as the first in line does, and the batch leaves tokens of the next iteration (without chunks: for its whole
    prompt, cached or not). Places go over one by one until it fits; if it never does, who gave way waits behind it.
    Returns the first of those admitted; NONE if nobody was. Nobody has been given tokens of the next iteration yet.
    """
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    line = len(s.pools) + row
    found = NONE
    while s.queues[line]["length"] > 0:
        r = queues.first(s, line)
        victim = preemption.displaced(s, row, r, now_s)
        budget = tokens_left(s, row)
        whole = int(s.requests[r]["prompt_tokens"]) + int(s.requests[r]["done_tokens"])
        if victim == NONE or budget <= 0 or (pool["chunked"] == 0 and whole > budget):
            break
        seat = admit(s, row, budget, now_s)
        if seat == NONE:
            if victim == found:
                found = 0 + int(s.seats[victim]["newer"])
            preempt(s, row, victim)
        elif found == NONE and seat != REFUSED:
            found = seat
    return found


@compiled
def tokens_left(s: State, row: int) -> int:
    """Tokens of the next iteration that its batch, as it is, does not take."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    budget = int(pool["max_batched_tokens"] - replica["running"] * pool["verified"])
    seat = 0 + int(replica["prefill"])
    while seat != NONE:
        budget -= max(int(s.seats[seat]["left"]), 1)
        seat = 0 + int(s.seats[seat]["newer"])
    return budget


@compiled_apart
def preempt(s: State, row: int, seat: int) -> None:
    """The request of a seat gives its memory back and goes to the head of its line, to be recomputed."""
    replica = s.replicas[row]
    pool = s.pools[replica["pool"]]
    place = s.seats[seat]
    r = 0 + int(place["request"])
    request = s.requests[r]
    if EXTRAS and request["outcome"] != UNFINISHED:
        cancelling.let_go(s, row, seat, float(replica["boundary_s"]))  # its client has gone: nobody wants it again
        return
    if request["handed"] == transfer.GOES_ON:
        request["handed"] = transfer.STARTS_OVER
    if EXTRAS and s.run[0]["gaps"] == 1 and place["stop"] >= 0:
        gaps.waits(s, r, float(replica["boundary_s"]))
    replica["recomputed"] += batching.vacate(s, row, seat)
    request["preempted"] = 1
    replica["preemptions"] += 1
    queues.push_front(s, len(s.pools) + row, r, memory.needed(pool, request))
