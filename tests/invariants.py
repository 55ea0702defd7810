"""What holds in every run, whatever the scenario: conservation, Little's law, causality, capacity, order, cost.

`check` is called on every run that a test makes (see conftest.py). It computes everything again from the rows and the
spans, by other means than the code it checks. The numbers I2 to I13 are the project's own list of invariants; I1
(determinism) takes two runs and has a test of its own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import Result, Scenario
from sim.model.tables import ABANDONED, COMPLETED, FAILED, NONE, OUTCOMES, REJECTED, TIMED_OUT, UNFINISHED, State
from sim.result import RunLog
from sim.scenario import Pool
from tests.client_invariants import as_users_see, attempts_told, clients
from tests.fleet_invariants import SMALL, TINY, close, cost, decided, lives
from tests.invariant_parts import Part, done, is_still, makes_of, parts
from tests.sweep_invariants import sweeps, union_s
from tests.token_invariants import tokens

MOST_ROWS = 2_000_000
"""The sweeps (capacity, order, work conservation) look at this many rows, the first ones, and the summary is computed
again for runs of at most this size; everything else looks at every row of every run."""


def check(scenario: Scenario, log: RunLog, state: State | None = None, *, most_rows: int = MOST_ROWS) -> None:
    """Assert every invariant of a finished run; with the engine's tables, those on tokens too."""
    clients(log, held=holds_back(scenario))
    outcomes(log)
    causality(scenario, log)
    samples(log)
    lives(log)
    decided(log)
    transfers(scenario, log)
    for part in parts(scenario, log, most_rows):
        if part.moves:
            continue
        placed(part)
        little(part)
        services(part)
        sweeps(part)
        order(part)
        lower_bounds(part)
    if len(log.requests) <= most_rows:
        summary(scenario, log)
    if state is not None:
        tokens(state, {row for row, pool in enumerate(scenario.pools.values()) if pool.drain.lost == "resume"})


# -- rows one by one --------------------------------------------------------------------------------------------------


def outcomes(log: RunLog) -> None:
    """I2: every request ends once, in a way that this model knows, and the columns say the same as the outcome."""
    rows = log.requests
    counts = np.bincount(rows["outcome"], minlength=len(OUTCOMES))
    rejected = rows["outcome"] == REJECTED
    patient = log.calls is None
    tired = 0 if patient else int(counts[ABANDONED] + counts[TIMED_OUT])
    if is_still(log):
        assert counts[COMPLETED] + counts[REJECTED] + tired == len(rows), (
            f"not every request ended: {counts} of {OUTCOMES}"
        )
        assert not rows["lost"].any(), "a request lost a replica, and none ended"
    known = counts[[COMPLETED, REJECTED, FAILED, UNFINISHED]].sum() + tired
    assert known == len(rows), f"a request ended as none can: {counts} of {OUTCOMES}"
    sent = rows["handed"] > 0  # may be turned away by the pool that decodes, with a first token
    served, lost = rows["outcome"] == COMPLETED, rows["lost"] > 0
    for name in ("start_s", "first_token_s", "finish_s"):
        assert np.isfinite(rows[name])[served].all(), f"a completed request has no {name}"
        told = rejected & ~sent & ~lost
        if name == "finish_s":  # who is turned away later than at once hears of it then
            told &= ~(rows["finish_s"] > rows["arrival_s"])
        assert not (np.isfinite(rows[name]) & told).any(), f"a rejected request has a {name}"
        assert np.isfinite(rows[name])[sent & (served | rejected)].all(), f"one that was handed over has no {name}"
    assert (rows["replica"][rejected & ~sent] == NONE).all(), "a rejected request has a replica"
    stayed = np.full(len(rows), True) if log.calls is None else np.isnan(log.calls["left_s"])
    done_tokens = rows["done_tokens"][stayed]
    assert (done_tokens < np.maximum(rows["output_tokens"][stayed], 1)).all(), "more tokens done than asked for"
    kept = rows["done_tokens"][~sent & ~lost & stayed]  # who has lost a replica may go on elsewhere
    assert log.preemptions > 0 or not kept.any(), "tokens recomputed, but nobody was preempted"
    cut_off(log)


def cut_off(log: RunLog) -> None:
    """Who failed did so when a replica ended; who is unfinished has no end."""
    rows = log.requests
    failed = rows[rows["outcome"] == FAILED]
    ends_s = np.concatenate((log.spans["gone_s"], log.down["from_s"]))
    assert np.isin(failed["finish_s"], ends_s).all(), "failed, but no replica ended then"
    assert (failed["lost"] > 0).all(), "failed, but lost no replica"
    assert (failed["replica"] == NONE).all(), "failed, and has a replica still"
    for name in ("start_s", "first_token_s"):
        assert not (failed[name] > failed["finish_s"]).any(), f"{name} after it had failed"
    unfinished = rows[rows["outcome"] == UNFINISHED]
    assert np.isnan(unfinished["finish_s"]).all(), "unfinished, and has an end"
    began = (unfinished["handed"] > 0) | (unfinished["lost"] > 0)
    assert np.isnan(unfinished["first_token_s"][~began]).all(), "unfinished, with a first token"


def causality(scenario: Scenario, log: RunLog) -> None:
    """I9: arrival <= start <= first token <= finish, arrivals in order and, but for those held back, in the horizon."""
    rows, horizon_s = log.requests, log.edges_s[-1]
    completed = done(rows)
    if len(rows):
        assert rows["arrival_s"][0] >= 0
        # a request that its client holds back counts from when it is sent, which may be after the horizon
        sent = holds_back(scenario) or scenario.horizon_s is None
        assert log.logical["arrival_s"][-1] < horizon_s or sent
    assert (np.diff(rows["arrival_s"]) >= 0).all(), "arrivals out of order"
    for earlier, later in (("arrival_s", "start_s"), ("start_s", "first_token_s"), ("first_token_s", "finish_s")):
        wrong = np.flatnonzero(completed[earlier] > completed[later])
        assert len(wrong) == 0, f"{later} before {earlier}: {completed[wrong[0]]}"
    assert log.end_s >= max(horizon_s, completed["finish_s"].max(initial=0.0))


def holds_back(scenario: Scenario) -> bool:
    """Whether any client has so many requests under way at once, and no more."""
    return any(scenario.workload.most_in_flight(name) is not None for name in scenario.workload.stream_names)


def transfers(scenario: Scenario, log: RunLog) -> None:
    """Who was handed over decodes in the other pool, and not before its KV cache was there."""
    names = list(scenario.pools)
    for row, pool in enumerate(scenario.pools.values()):
        rows = log.requests[log.requests["pool"] == row]
        sent = rows["handed"] > 0
        if pool.kv_transfer is None:
            assert not sent.any(), "a request was handed over by a pool that does not"
            continue
        served = done(rows)
        assert ((served["handed"] > 0) == (served["output_tokens"] > 1)).all(), "decoded where it was prefilled"
        to = names.index(pool.kv_transfer.to)
        target = scenario.pools[pool.kv_transfer.to]
        if target.supply or target.rollouts:
            continue  # replicas of other makes are as fast as they are
        place = served["replica"][served["handed"] > 0] - sum(log.rooms[:to])
        assert ((place >= 0) & (place < log.rooms[to])).all(), "handed over to another pool"
        moved = served[served["handed"] > 0]
        link_s = pool.kv_bytes_per_token * moved["prompt_tokens"] / pool.kv_transfer.bandwidth_bytes_per_s
        step_s = target.law.seqs_s[1] + target.law.tokens_s[min(1, len(target.law.tokens_s) - 1)]
        steps = np.ceil((moved["output_tokens"] - 1) / target.replica.verified)
        crossing_s = link_s + pool.kv_transfer.latency_s
        if "resume" in (pool.drain.lost, target.drain.lost):
            # who lost its cache with a replica makes it anew where it decodes, and waits for no link
            crossing_s[moved["lost"] > 0] = 0.0
        slowest_s = max(make.law.overhead_s for make in makes_of(pool))
        least_s = crossing_s + steps * step_s + target.law.overhead_s - slowest_s
        decoding_s = moved["finish_s"] - moved["first_token_s"]
        assert (decoding_s >= least_s - TINY * (1 + moved["finish_s"])).all(), "decoded before its KV cache was there"


def placed(part: Part) -> None:
    """Every request went to a replica of its own pool; routers that do not look at the fleet went by their rule."""
    served = part.rows["outcome"] == COMPLETED
    place = part.rows["replica"] - part.first
    assert ((place >= 0) & (place < part.replicas))[served].all(), "a request was served by another pool"
    if part.elastic:
        alive(part)
        return
    router = "" if part.central else part.pool.queue.router
    if router == "round_robin" and part.in_order and not part.sheds:  # who is refused at the door takes no turn
        assert (place == np.arange(len(part.rows)) % part.replicas)[served].all(), "not round robin"
    if router == "random":
        assert (place == (part.rows["ticket"] * part.replicas).astype(int))[served].all(), "not by the ticket"


def alive(part: Part) -> None:
    """Who was served was so by a replica that was there all the while; the others wait for want of one."""
    rows = part.done[np.argsort(part.done["replica"], kind="stable")]
    steady = part.steady(rows) & part.redirects
    for replica in np.unique(rows["replica"]):
        first, last = np.searchsorted(rows["replica"], (replica, replica + 1))
        own = rows[first:last]
        there = np.zeros(len(own), bool)
        serves = part.serves[part.serves["replica"] == replica]
        for life in serves:
            left_s = own["finish_s"] - part.overheads_s[life["make"]]
            error_s = TINY * (1 + left_s)
            # who was preempted in a pool of one line may go on at another replica
            moved = (own["lost"] > 0) | ((own["preempted"] == 1) & part.central)
            since_s = np.where(moved, left_s, own["start_s"])
            begun = (own["start_s"] <= life["drain_s"]) | ~steady[first:last]
            there |= (since_s >= life["from_s"] - error_s) & (left_s <= life["to_s"] + error_s) & begun
        assert there.all(), f"served by replica {replica}, which was not there: {own[~there][0]}"
    if (part.rows["outcome"] == UNFINISHED).any():
        assert np.isfinite(part.serves["drain_s"]).all(), "unfinished, and a replica is ready"


def services(part: Part) -> None:
    """I5: a slot is held for exactly the service time, so wait and service make up the whole sojourn."""
    if part.is_slots:
        rows = part.done
        pieces = rows["lost"] + rows["preempted"].astype(np.int64)  # each but the last is rounded where it ends
        slack_s = 2 * pieces * np.spacing(rows["finish_s"])
        assert (rows["finish_s"] >= rows["start_s"] + rows["service_s"] - slack_s).all(), "a service was cut short"
        rows = rows[(rows["lost"] == 0) & (rows["preempted"] == 0)]
        end_s, first_s = rows["start_s"] + rows["service_s"], rows["start_s"] + rows["first_service_s"]
        right = [
            (rows["finish_s"] == end_s + extra) & (rows["first_token_s"] == first_s + extra)
            for extra in part.overheads_s
        ]
        assert np.any(right, axis=0).all(), "a service took another time"


def order(part: Part) -> None:
    """I10: nobody overtakes: per replica, and for slots with one line, in the whole pool."""
    if part.pool.queue.order != "fcfs" or part.pool.queue.fair is not None:
        return
    rows = done(part.head)
    rows = rows[part.steady(rows)] if part.elastic else rows
    if part.calls is not None:  # of those that arrive at one instant rows do not tell who was first
        rows = rows[np.lexsort((rows["start_s"], rows["arrival_s"]))]
    if part.is_slots and part.central:
        assert (np.diff(rows["start_s"]) >= 0).all(), "the line was not first come, first served"
        return
    by_replica = rows[np.argsort(rows["replica"], kind="stable")]
    same = np.diff(by_replica["replica"]) == 0
    assert (np.diff(by_replica["start_s"])[same] >= 0).all(), "somebody overtook on a replica"


def lower_bounds(part: Part) -> None:
    """I12: nobody is faster than alone on a replica, and who is alone takes exactly that long."""
    if part.is_slots or len(part.makes) > 1:
        return
    rows = part.done[part.done["lost"] == 0] if part.elastic else part.done
    prompt, more = rows["prompt_tokens"].astype(float), rows["output_tokens"] - 1.0
    first_s, decode_s = alone_s(part.makes[0], prompt, rows["cached_tokens"].astype(float), more)
    ttft_s, decoding_s = rows["first_token_s"] - rows["arrival_s"], rows["finish_s"] - rows["first_token_s"]
    error_s = TINY * (rows["finish_s"] + 1)
    assert (ttft_s >= part.overhead_s + first_s - error_s).all(), "a first token came faster than alone"
    # a prefill that recomputes also makes a token, and may do so faster than a decode step
    if part.makes[0].replica.speculation is not None:
        return
    whole = rows["done_tokens"] == 0
    assert (decoding_s >= decode_s - error_s)[whole].all(), "tokens came faster than alone"
    # alone in the whole pool: nobody was left when it came, nobody came before it was done
    came = ~((part.rows["outcome"] == REJECTED) & np.isnan(part.rows["start_s"]) & part.at_once)
    there = part.rows[came]
    finish_s = np.where(np.isnan(there["finish_s"]), math.inf, there["finish_s"])
    if part.calls is not None:  # their clients may have gone before them
        finish_s = np.fmax(finish_s, part.calls["left_s"][came])
    before_s = np.append(-math.inf, np.maximum.accumulate(finish_s)[:-1])[: len(there)]
    after_s = np.append(there["arrival_s"][1:], math.inf)[: len(there)]
    alone = (before_s < there["arrival_s"]) & (after_s > finish_s) & (part.ready_at(there["arrival_s"]) > 0)
    alone = alone[(there["outcome"] == COMPLETED) & ((there["lost"] == 0) | (not part.elastic))]
    whole_s = part.overhead_s + first_s + decode_s
    slower_s = ttft_s + decoding_s - whole_s
    assert (np.abs(slower_s) <= error_s)[alone].all(), "a request that was alone was held up"


def alone_s(
    pool: Pool, prompt: NDArray[Any], cached: NDArray[Any], more: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Seconds from admission to the first token and from there to the last, of requests alone on a replica."""
    law, budget = pool.law, pool.replica.max_batched_tokens
    left = prompt - cached
    full, rest = np.divmod(left, budget)
    chunks = full + (rest > 0)

    def tokens_s(count: Any) -> Any:
        return law.tokens_s[np.minimum(count, len(law.tokens_s) - 1).astype(int)]

    first_s = chunks * (law.seqs_s[0] + law.mixed_s) + full * tokens_s(budget) + np.where(rest > 0, tokens_s(rest), 0.0)
    first_s += law.prefill_s_per_token * left + law.square_s * (prompt**2 - cached**2)
    step_s = law.seqs_s[1] + tokens_s(1)
    first_s[left == 0] = step_s  # nothing to prefill: the first token is decoded
    return first_s, more * step_s + law.attention_s_per_token * (more * prompt + more * (more + 1) / 2)


# -- sums and sweeps --------------------------------------------------------------------------------------------------


def samples(log: RunLog) -> None:
    """I8: what the sampler integrates never falls, and no part of it is more than the whole."""
    for pool in range(len(log.pools)):
        rows = log.samples[log.samples["pool"] == pool]
        names = ("at_s", "ready_s", "busy_s", "running_s", "seats_s", "kv_tokens_s", "kv_capacity_s")
        step = {name: np.diff(rows[name]) for name in names}
        error = {name: TINY * (1 + rows[name][1:]) for name in names}
        for name in names:
            assert (step[name] >= -error[name]).all(), f"the integral {name} fell"
        for part, whole in (("busy_s", "ready_s"), ("running_s", "seats_s"), ("kv_tokens_s", "kv_capacity_s")):
            assert (step[part] <= step[whole] + error[whole]).all(), f"{part} is more than {whole}"
        assert (step["busy_s"] <= step["running_s"] + error["running_s"]).all(), "busy with nobody"


def little(part: Part) -> None:
    """I4, I6, I7: what the engine integrates is the sum, over requests or replicas, of the time each is there."""
    began = part.rows[np.isfinite(part.rows["start_s"])]
    left_s = np.where(np.isnan(began["finish_s"]), math.inf, began["finish_s"])
    if part.calls is not None:  # served for a while after its client had gone
        until_s = part.calls["left_s"][np.isfinite(part.rows["start_s"])]
        left_s = np.where(np.isnan(until_s), left_s, until_s)
    served = began["outcome"] == COMPLETED
    least_s = left_s - np.where(served, part.overheads_s.max(), 0.0)
    left_s -= np.where(served, part.overheads_s.min(), 0.0)
    # who lost a replica was out of its seat, too, until it had another; unless it failed at once
    sat = (began["lost"] == 0) | ((began["lost"] == 1) & (began["outcome"] == FAILED))
    for sample in part.samples[[len(part.samples) // 3, len(part.samples) // 2, -1]]:
        at_s = float(sample["at_s"])
        ready_s = float(np.maximum(np.minimum(part.spans["gone_s"], at_s) - part.spans["ready_s"], 0).sum())
        ready_s -= float(np.maximum(np.minimum(part.down["to_s"], at_s) - part.down["from_s"], 0).sum())
        assert close(sample["ready_s"], ready_s), f"ready for {sample['ready_s']} s, by the spans {ready_s} s"
        seated_s = float(np.maximum(np.minimum(left_s, at_s) - began["start_s"], 0).sum())
        surely_s = float(np.maximum(np.minimum(least_s, at_s) - began["start_s"], 0)[sat].sum())
        error_s = TINY * (1 + seated_s + part.overheads_s.max() * len(began))
        error_s += 4 * len(began) * float(np.spacing(at_s))  # each time in it is rounded, short as its part may be
        # who was preempted is counted here all the while, by the engine only when in its seat
        assert sample["running_s"] <= seated_s + error_s, f"Little at {at_s}: {sample['running_s']} > {seated_s}"
        assert part.preempted or sample["running_s"] >= surely_s - error_s, f"Little at {at_s}"
    if len(part.rows) == len(part.head):
        at_s = float(part.samples["at_s"][-1])
        known = (began["lost"] == 0) & (began["replica"] != NONE)
        rows = began[known]
        start_s = np.minimum(rows["start_s"], at_s)
        most_s, busy_s = (
            union_s(start_s, np.clip(end_s[known], start_s, at_s), rows["replica"]) for end_s in (left_s, least_s)
        )
        error_s = TINY * (1 + busy_s + part.overheads_s.max() * len(rows))
        # a service that broke off for others may go on at another replica of the same line; a row tells the last one
        moved = part.preempted and part.central and part.is_slots
        assert moved or not known.all() or part.samples["busy_s"][-1] <= most_s + error_s, "busy without a request"
        assert part.preempted or part.samples["busy_s"][-1] >= busy_s - error_s, "idle with a request"


# -- totals -----------------------------------------------------------------------------------------------------------


def summary(scenario: Scenario, log: RunLog) -> None:
    """I4, I7, I13: the summary's counts, averages and costs, computed again."""
    told = Result(scenario, log).summary()
    start_s, end_s = scenario.warmup_s, float(log.edges_s[-1])
    measured = users_requests(log)
    arrival_s = measured["arrival_s"]
    measured = measured[(arrival_s >= start_s) & ((arrival_s < end_s) | (scenario.horizon_s is None))]
    completed = done(measured)
    assert told["requests"]["arrived"] == len(measured) == sum(told["requests"].values()) - told["requests"]["arrived"]
    assert told["requests"]["completed"] == len(completed)
    attempts_told(log, told, start_s, end_s, scenario.horizon_s is None)
    there = log.requests
    if log.calls is not None:
        there, left_s = there.copy(), log.calls["left_s"]
        there["finish_s"] = np.where(np.isnan(left_s), there["finish_s"], left_s)
    there = there[(there["outcome"] == UNFINISHED) | np.isfinite(there["finish_s"])]
    came_s, left_s = there["arrival_s"], np.where(np.isnan(there["finish_s"]), math.inf, there["finish_s"])
    began_s = np.where(np.isnan(there["start_s"]), left_s, there["start_s"])
    for name, from_s, to_s in (
        ("in_system", came_s, left_s),
        ("waiting", came_s, began_s),
        ("running", began_s, left_s),
    ):
        inside_s = np.maximum(np.minimum(to_s, end_s) - np.maximum(from_s, start_s), 0)
        told_s, exact_s = told["time_average"][name] * (end_s - start_s), float(inside_s.sum())
        assert math.isclose(told_s, exact_s, rel_tol=SMALL, abs_tol=SMALL), f"Little: {name} {told_s} {exact_s}"
    for metric, to in (("queue_wait_s", "start_s"), ("ttft_s", "first_token_s"), ("e2e_s", "finish_s")):
        # whoever started has waited, answered or not
        counted = measured[np.isfinite(measured["start_s"])] if metric == "queue_wait_s" else completed
        latency_s = counted[to] - counted["arrival_s"]
        if len(latency_s):
            assert close(told["latency"][metric]["mean"], latency_s.mean())
            assert told["latency"][metric]["max"] == latency_s.max()
    cost(scenario, log, told)


def users_requests(log: RunLog) -> NDArray[Any]:
    """Rows of the request table, with the times of requests instead of those of attempts."""
    if log.calls is None:
        return log.requests
    columns = as_users_see(log)
    rows = np.zeros(len(columns["arrival_s"]), log.requests.dtype)
    for name, column in columns.items():
        if name in (rows.dtype.names or ()):
            rows[name] = column
    return rows
