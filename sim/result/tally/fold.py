"""The loop over the rows of requests that have ended: everything that is a sum over them, in one look at each.

What each sum is for is told where it is used: `sim.result.occupancy`, `sim.result.latency`, `sim.result.work`.
"""

from __future__ import annotations

import math
from typing import Any

from sim.model.compiled import compiled, compiled_apart
from sim.model.tables import COMPLETED, UNFINISHED
from sim.result.tally import buckets
from sim.result.tally.layout import E2E, TPOT, TTFT, WAIT, Grid, Plan, Sums

LEAST_LENGTH_S = 1e-9
"""Work is spread over at least this time."""


@compiled
def after(grid: Grid, at_s: float) -> int:
    """How many instants of a grid are at or before this one."""
    edges_s = grid.edges_s
    if at_s < edges_s[0]:
        return 0
    if at_s >= edges_s[len(edges_s) - 1]:
        return len(edges_s)
    place = 0 + int(grid.guide[int((at_s - edges_s[0]) * grid.per_s)])
    while edges_s[place] <= at_s:
        place += 1
    return place


@compiled
def before(grid: Grid, at_s: float) -> int:
    """How many instants of a grid are before this one."""
    edges_s = grid.edges_s
    if at_s <= edges_s[0]:
        return 0
    if at_s > edges_s[len(edges_s) - 1]:
        return len(edges_s)
    place = 0 + int(grid.guide[int((at_s - edges_s[0]) * grid.per_s)])
    while edges_s[place] < at_s:
        place += 1
    return place


@compiled
def rest_s(grid: Grid, place: int, at_s: float) -> float:
    """What is left of a bin after an instant in it; nothing behind the last one."""
    if place == len(grid.edges_s):
        return 0.0
    return float(grid.edges_s[place] - at_s)


@compiled
def latency(plan: Plan, tail: Any, counts: Any, value_s: Any) -> int:
    """Count a latency; returns its bucket, -1 for zero."""
    tail["sum"] += value_s
    tail["least"] = min(tail["least"], value_s)
    tail["most"] = max(tail["most"], value_s)
    if value_s <= 0.0:
        tail["zeros"] += 1
        return -1
    bucket = buckets.place(plan.buckets, value_s)
    counts[bucket] += 1
    return bucket


@compiled
def first_s(grid: Grid, came: int, from_s: float, went: int, to_s: float) -> float:
    """Of a stay, what is to be counted in the bin in which it begins."""
    if came == went:
        return to_s - from_s
    return rest_s(grid, came, from_s)


@compiled
def last_s(grid: Grid, came: int, went: int, to_s: float) -> float:
    """What has been counted too much in the bin in which a stay ends: it is there for all of that bin."""
    if came == went:
        return 0.0
    return rest_s(grid, went, to_s)


@compiled
def occupy(grid: Grid, bins: Any, row: Any, came: int) -> int:
    """A request's way through its pool; returns the bin in which it ends, behind the last one if it does not."""
    arrival_s, start_s, finish_s = row["arrival_s"], row["start_s"], row["finish_s"]
    bins[came]["came"] += 1
    never = len(grid.edges_s)
    ends = never
    if finish_s == finish_s:
        ends = after(grid, finish_s)
    begins, waits_until_s = never, math.nan
    if start_s == start_s:
        begins, waits_until_s = after(grid, start_s), start_s
        bins[begins]["started"] += 1
        bins[ends]["left"] += 1
        bins[begins]["running_s"] += first_s(grid, begins, start_s, ends, finish_s)
        bins[ends]["running_s"] -= last_s(grid, begins, ends, finish_s)
    elif row["outcome"] != UNFINISHED:
        begins, waits_until_s = came, arrival_s
        if finish_s == finish_s:
            begins, waits_until_s = ends, finish_s
        bins[begins]["gone"] += 1
    bins[came]["waiting_s"] += first_s(grid, came, arrival_s, begins, waits_until_s)
    bins[begins]["waiting_s"] -= last_s(grid, came, begins, waits_until_s)
    return ends


@compiled
def measure(plan: Plan, sums: Sums, row: Any, pool: int, came: int, is_in: bool, values_s: Any) -> bool:
    """The latencies of a request, and which objectives it is within; returns whether those that are about it.

    `came`: the bin it comes in; `values_s`: room for four.
    """
    stream = 0 + int(row["stream"])
    answered = row["outcome"] == COMPLETED
    output_tokens = row["output_tokens"]
    values_s[WAIT] = row["start_s"] - row["arrival_s"]
    values_s[TTFT] = values_s[TPOT] = values_s[E2E] = math.nan
    if answered:
        values_s[TTFT] = row["first_token_s"] - row["arrival_s"]
        values_s[E2E] = row["finish_s"] - row["arrival_s"]
        if output_tokens > 1:
            values_s[TPOT] = (row["finish_s"] - row["first_token_s"]) / (output_tokens - 1)
    good = bool(answered)
    for place in range(len(plan.metric)):
        metric = plan.metric[place]
        met = answered and (values_s[metric] <= plan.under_s[place] or (metric == TPOT and output_tokens <= 1))
        if is_in and met:
            sums.met[pool, stream, place] += 1
        if is_in and plan.about[place, stream] == 1:
            spent = sums.budget[place, came]
            spent["came"] += 1
            if met:
                spent["met"] += 1
        if not met and plan.about[place, stream] == 1:
            good = False
    return good


@compiled
def count(cell: Any, row: Any, good: bool) -> None:
    """A request of the window, in its cell; its work apart."""
    outcome = row["outcome"]
    cell["outcomes"][outcome] += 1
    if outcome == COMPLETED:
        cell["prompt_tokens"] += row["prompt_tokens"]
        cell["output_tokens"] += row["output_tokens"]
        cell["cached_tokens"] += row["cached_tokens"]
    if good:
        cell["good"] += 1
    if row["lost"] > 0:
        cell["lost"] += 1
        if outcome == COMPLETED:
            cell["retried"] += 1
    if row["handed"] > 0:
        cell["handed"] += 1
        cell["handed_tokens"] += row["prompt_tokens"]


@compiled
def work(plan: Plan, sums: Sums, row: Any, pool: int, cell: Any, is_in: bool) -> None:
    """What a request weighs in the mix of the pools it comes to, and its work in the window."""
    own = plan.pools[pool]
    takes = is_in and row["outcome"] == COMPLETED
    if own["batching"] == 0:
        if takes:
            cell["service_s"] += row["service_s"]
        return
    prompt, output = float(row["prompt_tokens"]), float(row["output_tokens"])
    new = max(prompt - row["cached_tokens"], 0.0)
    prefills = max(new / own["max_batched_tokens"], 1.0)
    context = prompt + 0.5 * output
    decodes = 0.0
    if own["next"] < 0:
        decodes = max(output - 1.0, 0.0) / own["tokens_per_step"]
    mix = sums.mix[pool]
    mix["requests"] += 1
    mix["new_tokens"] += new
    mix["decodes"] += decodes
    mix["held"] += decodes + prefills
    mix["context_tokens"] += decodes * context
    mix["prefill_tokens"] += prefills * prompt
    if takes:
        cell["prefills"] += prefills
        cell["new_tokens"] += new
        cell["squares"] += prompt * prompt - (prompt - new) * (prompt - new)
        cell["decodes"] += decodes
    if own["next"] >= 0 and row["output_tokens"] > 1:
        decodes = (output - 1.0) / plan.pools[own["next"]]["tokens_per_step"]
        other = sums.mix[own["next"]]
        other["requests"] += 1
        other["decodes"] += decodes
        other["held"] += decodes
        other["context_tokens"] += decodes * context
        if takes:
            cell["decodes_next"] += decodes


@compiled
def ramp(grid: Grid, ramps: Any, at_s: float, held: float, new: float, squares: float) -> None:
    """Work that begins, or if negative ends, to be done at this rate."""
    at = ramps[before(grid, at_s)]
    since_s = at_s - grid.edges_s[0]
    at[0] += held
    at[1] += new
    at[2] += squares
    at[3] += held * since_s
    at[4] += new * since_s
    at[5] += squares * since_s


@compiled
def spread(grid: Grid, plan: Plan, ramps: Any, row: Any) -> None:
    """The work of an answered request, evenly over its time at a pool that batches, and at the next one."""
    pool = 0 + int(row["pool"])
    own = plan.pools[pool]
    prompt, output = float(row["prompt_tokens"]), float(row["output_tokens"])
    new = max(prompt - row["cached_tokens"], 0.0)
    squares = prompt * prompt - (prompt - new) * (prompt - new)
    held = max(new / own["max_batched_tokens"], 1.0)
    from_s, to_s = float(row["start_s"]), float(row["finish_s"])
    if own["next"] < 0:
        held += max(output - 1.0, 0.0) / own["tokens_per_step"]
    elif row["handed"] > 0:
        to_s = float(row["first_token_s"])
    from_s = min(from_s, to_s - LEAST_LENGTH_S - 1e-15 * to_s)
    per_s = 1.0 / (to_s - from_s)
    ramp(grid, ramps[pool], from_s, held * per_s, new * per_s, squares * per_s)
    ramp(grid, ramps[pool], to_s, -held * per_s, -new * per_s, -squares * per_s)
    if own["next"] >= 0 and output > 1.0:
        other = 0 + int(own["next"])
        from_s, to_s = float(row["first_token_s"]), float(row["finish_s"])
        from_s = min(from_s, to_s - LEAST_LENGTH_S - 1e-15 * to_s)
        rate = (output - 1.0) / plan.pools[other]["tokens_per_step"] / (to_s - from_s)
        ramp(grid, ramps[other], from_s, rate, 0.0, 0.0)
        ramp(grid, ramps[other], to_s, -rate, 0.0, 0.0)


@compiled_apart
def count_all(
    rows: Any, plan: Plan, sums: Sums, grid: Grid, work_grid: Grid, ramps: Any, now_s: float, later: Any, values_s: Any
) -> int:
    """Count rows of `REQUEST`. Returns how many are answered after `now_s`: their work is not spread yet.

    `later`: their places, with room for as many as there are rows; `values_s`: room for four numbers.
    """
    window_s = plan.window_s
    mark = sums.marks[0]
    put_off = 0
    for place in range(len(rows)):
        row = rows[place]
        pool, stream = 0 + int(row["pool"]), 0 + int(row["stream"])
        arrival_s, finish_s = row["arrival_s"], row["finish_s"]
        is_in = bool(arrival_s >= window_s[0] and arrival_s < window_s[1])
        answered = row["outcome"] == COMPLETED
        bins = sums.bins[pool]
        came = after(grid, arrival_s)
        ends = occupy(grid, bins, row, came)
        good = measure(plan, sums, row, pool, came, is_in, values_s)
        cell = sums.cells[pool, stream]
        bucket = -2
        if is_in:
            count(cell, row, good)
            party = plan.party[stream]
            for metric in range(4):
                value_s = values_s[metric]
                if value_s == value_s:
                    found = latency(plan, sums.tails[pool, party, metric], sums.counts[pool, party, metric], value_s)
                    if metric == TTFT:
                        bucket = found
        work(plan, sums, row, pool, cell, is_in)
        ttft_s = values_s[TTFT]
        at = bins[came]
        if ttft_s == ttft_s:
            at["least_s"] = min(at["least_s"], ttft_s)
            at["most_s"] = max(at["most_s"], ttft_s)
            if ttft_s <= 0.0:
                at["zeros"] += 1
            else:
                if bucket < 0:
                    bucket = buckets.place(plan.buckets, ttft_s)
                sums.ttft[pool, came, bucket] += 1
        if good:
            at["in_time"] += 1
            bins[ends]["good"] += 1
        if answered:
            bins[ends]["answered"] += 1
            bins[ends]["output_tokens"] += row["output_tokens"]
            if finish_s == window_s[3]:
                mark["answered"] += 1
            if finish_s > now_s:
                later[put_off] = place
                put_off += 1
            elif plan.pools[pool]["batching"] == 1:
                spread(work_grid, plan, ramps, row)
        if arrival_s == window_s[3]:
            mark["came"] += 1
            if good:
                mark["in_time"] += 1
        if is_in and arrival_s >= window_s[2]:
            mark["last"] += 1
            if good:
                mark["last_in_time"] += 1
    return put_off


@compiled_apart
def spread_all(rows: Any, plan: Plan, work_grid: Grid, ramps: Any) -> None:
    """Spread the work of answered requests that was put off."""
    for place in range(len(rows)):
        if plan.pools[rows[place]["pool"]]["batching"] == 1:
            spread(work_grid, plan, ramps, rows[place])
