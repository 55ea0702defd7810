"""What clients do of their own accord: they lose patience, try again, send a second copy, ask the next thing.

Everything they do is due at a known time (`due_s`), and happens when the timer of the request rings (see leaving).
Clients that only wait for their answers have no rows in the table of calls, and none of this is called.
"""

from __future__ import annotations

import math

from sim.model import calls, timers
from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import COMPLETED, NONE, REJECTED, UNFINISHED, State

AGAIN, STAYS_AWAY = 100, 1000
"""Numbers of draws of luck; those for pauses are numbers of attempts."""


@compiled
def luck(ticket: float, draw: float) -> float:
    """A number in [0, 1) from a request's own, another for each `draw`: no change of fleet shifts anybody's luck."""
    x = ticket * (1000003.0 + 7919.0 * draw)
    return float(x - math.floor(x))


@compiled
def first_token_seen(s: State, r: int, at_s: float) -> bool:
    """Whether the client of request r has seen a first token at `at_s`."""
    return bool(s.calls[r]["answering"] == 1 or s.requests[r]["first_token_s"] <= at_s)


@compiled
def due_s(s: State, r: int) -> float:
    """When something will next happen to request r of its own accord; inf: never."""
    call = s.calls[r]
    request = s.requests[r]
    at_s = min(float(call["link_s"]), float(call["retry_s"]))
    if request["outcome"] != UNFINISHED:
        return at_s
    sent_s = float(request["arrival_s"])
    if call["sent"] == 0:  # if a twin was first, it never will be
        return at_s if call["beaten"] == 1 else min(at_s, sent_s)
    at_s = min(at_s, sent_s + call["total_timeout_s"], float(call["token_due_s"]))
    if math.isnan(request["start_s"]):
        limit_s = sent_s + float(call["patience_s"])
        # who has found room is started at the next boundary, or looked at again there
        if call["hopeful"] == 0 or limit_s < s.replicas[request["replica"]]["wake_s"]:
            at_s = min(at_s, limit_s)
    limit_s = sent_s + call["first_token_timeout_s"]
    if limit_s < at_s and not first_token_seen(s, r, limit_s):
        at_s = limit_s
    hedge_s = next_copy_s(s, r)
    if hedge_s < at_s and not first_token_seen(s, r, hedge_s):
        at_s = hedge_s
    return at_s


@compiled
def next_copy_s(s: State, r: int) -> float:
    """When the client of request r sends a copy of it, unless it has its first token by then; inf: never."""
    sender = s.senders[s.requests[r]["stream"]]
    call = s.calls[r]
    if call["copy"] > 0 or call["hedged"] >= sender["hedges"]:
        return math.inf
    return float(s.requests[r]["arrival_s"] + sender["hedge_s"] * (call["hedged"] + 1))


@compiled_apart
def arm(s: State, r: int) -> None:
    """Set the timer of request r to what comes next."""
    timers.set_to(s, r, due_s(s, r))


@compiled
def arm_new(s: State, r: int) -> None:
    """`arm`, for a request that has just been sent, and mostly has no timer."""
    if s.calls[r]["timer"] != NONE:
        arm(s, r)
        return
    at_s = due_s(s, r)
    if at_s < math.inf:
        timers.add(s, r, at_s)


@compiled
def hope(s: State, row: int, r: int) -> None:
    """Request r has found room in the batch of replica `row`: its client's patience will hardly be tried."""
    s.calls[r]["hopeful"] = 1
    s.calls[r]["hopes"] = s.replicas[row]["hopes"]
    s.replicas[row]["hopes"] = r


@compiled_apart
def settle_hopes(s: State, row: int) -> None:
    """Of those who had found room at replica `row`, who is not started is impatient from now on."""
    r = 0 + int(s.replicas[row]["hopes"])
    s.replicas[row]["hopes"] = NONE
    while r != NONE:
        call = s.calls[r]
        call["hopeful"] = 0
        if math.isnan(s.requests[r]["start_s"]) and s.requests[r]["outcome"] == UNFINISHED:
            arm(s, r)
        r = 0 + int(call["hopes"])


@compiled
def sending(s: State, r: int) -> None:
    """Request r is sent now: it earns its part of a retry."""
    call = s.calls[r]
    call["sent"] = 1
    sender = s.senders[s.requests[r]["stream"]]
    if call["attempt"] == 1 and call["copy"] == 0 and sender["budget"] < math.inf:
        sender["credit"] = min(sender["credit"] + sender["budget"], sender["most_credit"])
    if call["last"] == 1:
        s.run[0]["asked"] = 1


@compiled
def deadline_s(s: State, r: int, client_s: float) -> float:
    """The deadline that an answer at `client_s` misses, the first of them; inf: it is in time."""
    call = s.calls[r]
    request = s.requests[r]
    at_s = math.inf
    total_s = float(request["arrival_s"] + call["total_timeout_s"])
    if client_s > total_s:
        at_s = total_s
    first_s = float(request["arrival_s"] + call["first_token_timeout_s"])
    if not first_token_seen(s, r, first_s):
        at_s = min(at_s, first_s)
    return at_s


@compiled_apart
def first_token(s: State, r: int, now_s: float) -> None:
    """The first token of request r is out: its twins, if it has any, are beaten."""
    call = s.calls[r]
    other = 0 + int(call["twin"])
    call["twin"] = r
    while other != r:
        after = 0 + int(s.calls[other]["twin"])
        s.calls[other]["twin"] = other
        s.calls[other]["beaten"] = 1
        s.calls[other]["retry_s"] = now_s
        arm(s, other)
        other = after


@compiled_apart
def over(s: State, r: int, now_s: float, heard_s: float) -> None:
    """Attempt r has its outcome, and its client knows at `heard_s`: it tries again, asks the next thing, or leaves."""
    call = s.calls[r]
    outcome = 0 + int(s.requests[r]["outcome"])
    call["retry_s"] = call["token_due_s"] = math.inf
    if outcome == COMPLETED:
        first_token(s, r, now_s)
        follow(s, r, heard_s)
    elif call["beaten"] == 1:
        pass  # its client has an answer from a twin
    elif call["twin"] != r:
        leave_ring(s, r, heard_s)
    else:
        heard_s = max(heard_s, float(call["unheard_s"]))
        if tries_again(s, r, outcome):
            call["retry_s"] = heard_s + pause_s(s, r, outcome)
            s.run[0]["expected"] += 1
        else:
            follow(s, r, heard_s)
    arm(s, r)


@compiled
def leave_ring(s: State, r: int, heard_s: float) -> None:
    """Attempt r is no more under way, its twins are; its client, who hears of it at `heard_s`, waits for all."""
    heard_s = max(heard_s, float(s.calls[r]["unheard_s"]))
    before = 0 + int(s.calls[r]["twin"])
    s.calls[before]["unheard_s"] = max(heard_s, float(s.calls[before]["unheard_s"]))
    while s.calls[before]["twin"] != r:
        before = 0 + int(s.calls[before]["twin"])
        s.calls[before]["unheard_s"] = max(heard_s, float(s.calls[before]["unheard_s"]))
    s.calls[before]["twin"] = s.calls[r]["twin"]
    s.calls[r]["twin"] = r


@compiled
def tries_again(s: State, r: int, outcome: int) -> bool:
    """Whether a request is sent again after attempt r; if so, that takes one from the budget."""
    sender = s.senders[s.requests[r]["stream"]]
    if (int(sender["retries"]) >> outcome) & 1 == 0 or s.calls[r]["attempt"] >= sender["attempts"]:
        return False
    if sender["budget"] < math.inf:
        if sender["credit"] < 1.0:
            return False
        sender["credit"] -= 1.0
    return True


@compiled
def pause_s(s: State, r: int, outcome: int) -> float:
    """How long a client waits after attempt r before it sends the request again.

    Jitter as in "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    """
    call = s.calls[r]
    sender = s.senders[s.requests[r]["stream"]]
    base_s = float(sender["backoff_s"])
    most_s = float(sender["longest_backoff_s"])
    number = int(call["attempt"])
    drawn = luck(float(s.requests[r]["ticket"]), float(number))
    wait_s = base_s
    if sender["exponential"] == 1:
        wait_s = min(most_s, base_s * float(1 << min(number - 1, 62)))
    if sender["jitter"] == calls.FULL:
        wait_s = drawn * wait_s
    elif sender["jitter"] == calls.EQUAL:
        wait_s = 0.5 * wait_s + drawn * (0.5 * wait_s)
    elif sender["jitter"] == calls.DECORRELATED:
        last_s = base_s if number == 1 else float(call["backoff_s"])
        wait_s = min(most_s, base_s + drawn * (3.0 * last_s - base_s))
    call["backoff_s"] = wait_s  # its next attempt takes it over
    if outcome == REJECTED and sender["heeds"] == 1:
        wait_s = max(wait_s, float(s.run[0]["retry_after_s"]))
    return wait_s


@compiled
def follow(s: State, r: int, heard_s: float) -> None:
    """A request is over with attempt r: those that follow it are sent after their pauses."""
    call = s.calls[r]
    count = 0 + int(call["thens"])
    if count == 0:
        return
    request = s.requests[r]
    sender = s.senders[request["stream"]]
    answered = request["outcome"] == COMPLETED
    if not answered and sender["persists"] == 0:
        return
    first = s.requests[call["first"]]
    away_s = 0.0
    slow = not answered or heard_s - first["arrival_s"] > sender["slow_s"]
    if slow and luck(float(first["ticket"]), float(STAYS_AWAY)) < sender["leaves"]:
        away_s = float(sender["away_s"])
    for row in range(int(call["then"]), int(call["then"]) + count):
        after = s.calls[row]
        after["before"] = r
        after["waits"] -= 1
        at_s = heard_s + after["pause_s"] + away_s
        if after["waits"] <= 0 and at_s < s.run[0]["ends_s"]:
            s.requests[row]["arrival_s"] = at_s
            s.run[0]["expected"] += 1
            arm(s, row)


@compiled_apart
def again(s: State, r: int, copy: int, now_s: float) -> int:
    """A row for another attempt at the request of attempt r, to be sent now; `copy`: to hedge. Returns the row."""
    run = s.run[0]
    row = 0 + int(run["rows"])
    run["rows"] += 1
    last = s.calls[r]
    first = 0 + int(last["first"])
    number = 0 + int(last["attempt"])
    if copy == 0:
        number += 1
    fresh_call(s, row, r)
    fresh_request(s, row, r, now_s)
    s.requests[row]["ticket"] = luck(float(s.requests[first]["ticket"]), float(AGAIN + number + 50 * copy))
    s.calls[row]["first"] = first
    s.calls[row]["attempt"] = number
    s.calls[row]["copy"] = copy
    s.calls[row]["unheard_s"] = last["unheard_s"] if copy > 0 else 0.0
    return row


@compiled
def fresh_call(s: State, row: int, r: int) -> None:
    """What its client bears and does is the same for each attempt; nothing has happened to this one."""
    old = s.calls[r]
    new = s.calls[row]
    new["patience_s"] = old["patience_s"]
    new["first_token_timeout_s"] = old["first_token_timeout_s"]
    new["token_timeout_s"] = old["token_timeout_s"]
    new["total_timeout_s"] = old["total_timeout_s"]
    new["pause_s"] = old["pause_s"]
    new["service_s"] = old["service_s"]
    new["first_service_s"] = old["first_service_s"]
    new["link_s"] = new["token_due_s"] = new["retry_s"] = math.inf
    new["backoff_s"] = old["backoff_s"]
    new["left_s"] = math.nan
    new["timer"] = NONE
    new["twin"] = row
    new["before"] = old["before"]
    new["then"] = old["then"]
    new["thens"] = old["thens"]
    new["waits"] = 0
    new["session"] = old["session"]
    new["cached_tokens"] = old["cached_tokens"]
    new["prefilled"] = 0
    new["hedged"] = 0
    new["pool"] = old["pool"]
    new["turn"] = old["turn"]
    new["hopes"] = NONE
    new["sent"] = new["hopeful"] = new["beaten"] = new["answering"] = new["given_up"] = new["last"] = 0


@compiled
def fresh_request(s: State, row: int, r: int, now_s: float) -> None:
    """The same request as it was drawn."""
    old = s.requests[r]
    new = s.requests[row]
    call = s.calls[r]
    new["arrival_s"] = now_s
    new["start_s"] = new["first_token_s"] = new["finish_s"] = math.nan
    new["service_s"] = call["service_s"]
    new["first_service_s"] = call["first_service_s"]
    new["prompt_tokens"] = old["prompt_tokens"]
    new["output_tokens"] = old["output_tokens"]
    new["cached_tokens"] = call["cached_tokens"]
    new["done_tokens"] = 0
    new["next"] = NONE
    new["replica"] = NONE
    new["prefix0"] = old["prefix0"]
    new["pool"] = call["pool"]
    new["stream"] = old["stream"]
    new["outcome"] = UNFINISHED
    new["handed"] = 0
    new["lost"] = 0
    new["preempted"] = 0
