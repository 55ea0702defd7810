"""What holds in every run, whatever the scenario: conservation, Little's law, causality, capacity, order, cost.

`check` is called on every run that a test makes (see conftest.py). It computes everything again from the rows and the
spans, by other means than the code it checks. The numbers I2 to I13 are the project's own list of invariants; I1
(determinism) takes two runs and has a test of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import Result, Scenario
from sim.model.tables import COMPLETED, NONE, OUTCOMES, REJECTED, State
from sim.result import RunLog
from sim.scenario import Pool
from tests.fleet_invariants import SMALL, TINY, close, cost, decided, lives

MOST_ROWS = 2_000_000
"""The sweeps (capacity, order, work conservation) look at this many rows, the first ones, and the summary is computed
again for runs of at most this size; everything else looks at every row of every run."""


def check(scenario: Scenario, log: RunLog, state: State | None = None, *, most_rows: int = MOST_ROWS) -> None:
    """Assert every invariant of a finished run; with the engine's tables, those on tokens too."""
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
        tokens(state)


@dataclass(frozen=True)
class Part:
    """A pool with the requests that it served or turned away."""

    pool: Pool
    central: bool
    first: int
    """Row of its first replica."""
    replicas: int
    rows: NDArray[Any]
    """All of its requests."""
    head: NDArray[Any]
    """The first of them, for the sweeps."""
    until_s: float
    """Nothing arrives before this that is not in `head`."""
    samples: NDArray[Any]
    spans: NDArray[Any]
    down: NDArray[Any]
    preempted: bool
    """Somebody, somewhere, was: then a request may be out of its seat between start and finish."""
    moves: bool
    """Requests are handed over from here or to here: its rows tell only half of what happens on its replicas."""

    @cached_property
    def done(self) -> NDArray[Any]:
        return done(self.rows)

    @property
    def overhead_s(self) -> float:
        return 0.0 if self.is_slots else self.pool.law.overhead_s

    @property
    def is_slots(self) -> bool:
        return bool(self.pool.replica.kind == "slots")


def parts(scenario: Scenario, log: RunLog, most_rows: int) -> Iterator[Part]:
    rows = log.requests
    head = rows[:most_rows]
    until_s = float(rows["arrival_s"][most_rows]) if len(rows) > most_rows else math.inf
    first = 0
    targets = {pool.kv_transfer.to for pool in scenario.pools.values() if pool.kv_transfer is not None}
    for row, (name, pool) in enumerate(scenario.pools.items()):
        own = log.spans[log.spans["pool"] == row]
        one = len(scenario.pools) == 1
        yield Part(
            pool=pool,
            central=pool.queue.kind == "central",
            first=first,
            replicas=len(own),
            rows=rows if one else rows[rows["pool"] == row],
            head=head if one else head[head["pool"] == row],
            until_s=until_s,
            samples=log.samples[log.samples["pool"] == row],
            spans=own,
            down=log.down[log.spans["pool"][log.down["span"]] == row],
            preempted=log.preemptions > 0,
            moves=pool.kv_transfer is not None or name in targets,
        )
        first += log.rooms[row]


def done(rows: NDArray[Any]) -> NDArray[Any]:
    """The completed ones; no copy when they all are."""
    completed = rows["outcome"] == COMPLETED
    return rows if completed.all() else rows[completed]


# -- rows one by one --------------------------------------------------------------------------------------------------


def outcomes(log: RunLog) -> None:
    """I2: every request ends once, in a way that this model knows, and the columns say the same as the outcome."""
    rows = log.requests
    counts = np.bincount(rows["outcome"], minlength=len(OUTCOMES))
    rejected = rows["outcome"] == REJECTED
    assert counts[COMPLETED] + counts[REJECTED] == len(rows), f"not every request ended: {counts} of {OUTCOMES}"
    sent = rows["handed"] > 0  # may be turned away by the pool that decodes, with a first token
    for name in ("start_s", "first_token_s", "finish_s"):
        assert (np.isfinite(rows[name]) | rejected).all(), f"a completed request has no {name}"
        assert not (np.isfinite(rows[name]) & rejected & ~sent).any(), f"a rejected request has a {name}"
        assert np.isfinite(rows[name])[sent].all(), f"a request that was handed over has no {name}"
    assert (rows["replica"][rejected & ~sent] == NONE).all(), "a rejected request has a replica"
    assert (rows["done_tokens"] < np.maximum(rows["output_tokens"], 1)).all(), "more tokens done than asked for"
    assert log.preemptions > 0 or not rows["done_tokens"][~sent].any(), "tokens recomputed, but nobody was preempted"


def causality(scenario: Scenario, log: RunLog) -> None:
    """I9: arrival <= start <= first token <= finish, arrivals in order and, but for those held back, in the horizon."""
    rows, horizon_s = log.requests, log.edges_s[-1]
    completed = done(rows)
    if len(rows):
        assert rows["arrival_s"][0] >= 0
        # a request that its client holds back counts from when it is sent, which may be after the horizon
        held = any(scenario.workload.most_in_flight(name) is not None for name in scenario.workload.stream_names)
        assert rows["arrival_s"][-1] < horizon_s or scenario.horizon_s is None or held
    assert (np.diff(rows["arrival_s"]) >= 0).all(), "arrivals out of order"
    for earlier, later in (("arrival_s", "start_s"), ("start_s", "first_token_s"), ("first_token_s", "finish_s")):
        wrong = np.flatnonzero(completed[earlier] > completed[later])
        assert len(wrong) == 0, f"{later} before {earlier}: {completed[wrong[0]]}"
    assert log.end_s >= max(horizon_s, completed["finish_s"].max(initial=0.0))


def transfers(scenario: Scenario, log: RunLog) -> None:
    """Who was handed over decodes in the other pool, and not before its KV cache was there."""
    names = list(scenario.pools)
    counts = [int((log.spans["pool"] == row).sum()) for row in range(len(names))]
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
        place = served["replica"][served["handed"] > 0] - sum(counts[:to])
        assert ((place >= 0) & (place < counts[to])).all(), "handed over to another pool"
        moved = served[served["handed"] > 0]
        link_s = pool.kv_bytes_per_token * moved["prompt_tokens"] / pool.kv_transfer.bandwidth_bytes_per_s
        step_s = target.law.seqs_s[1] + target.law.tokens_s[min(1, len(target.law.tokens_s) - 1)]
        steps = np.ceil((moved["output_tokens"] - 1) / target.replica.verified)
        least_s = link_s + pool.kv_transfer.latency_s + steps * step_s + target.law.overhead_s - pool.law.overhead_s
        decoding_s = moved["finish_s"] - moved["first_token_s"]
        assert (decoding_s >= least_s - TINY * (1 + moved["finish_s"])).all(), "decoded before its KV cache was there"


def placed(part: Part) -> None:
    """Every request went to a replica of its own pool; routers that do not look at the fleet went by their rule."""
    served = part.rows["outcome"] == COMPLETED
    place = part.rows["replica"] - part.first
    assert ((place >= 0) & (place < part.replicas))[served].all(), "a request was served by another pool"
    router = "" if part.central else part.pool.queue.router
    if router == "round_robin":
        assert (place == np.arange(len(part.rows)) % part.replicas)[served].all(), "not round robin"
    if router == "random":
        assert (place == (part.rows["ticket"] * part.replicas).astype(int))[served].all(), "not by the ticket"


def services(part: Part) -> None:
    """I5: a slot is held for exactly the service time, so wait and service make up the whole sojourn."""
    if part.is_slots:
        rows = part.done
        assert (rows["finish_s"] == rows["start_s"] + rows["service_s"]).all(), "a service took another time"
        assert (rows["first_token_s"] == rows["start_s"] + rows["first_service_s"]).all()


def order(part: Part) -> None:
    """I10: nobody overtakes: per replica, and for slots with one line, in the whole pool."""
    rows = done(part.head)
    if part.is_slots and part.central:
        assert (np.diff(rows["start_s"]) >= 0).all(), "the line was not first come, first served"
        return
    by_replica = rows[np.argsort(rows["replica"], kind="stable")]
    same = np.diff(by_replica["replica"]) == 0
    assert (np.diff(by_replica["start_s"])[same] >= 0).all(), "somebody overtook on a replica"


def lower_bounds(part: Part) -> None:
    """I12: nobody is faster than alone on a replica, and who is alone takes exactly that long."""
    if part.is_slots:
        return
    rows = part.done
    prompt, more = rows["prompt_tokens"].astype(float), rows["output_tokens"] - 1.0
    first_s, decode_s = alone_s(part.pool, prompt, rows["cached_tokens"].astype(float), more)
    ttft_s, decoding_s = rows["first_token_s"] - rows["arrival_s"], rows["finish_s"] - rows["first_token_s"]
    error_s = TINY * (rows["finish_s"] + 1)
    assert (ttft_s >= part.overhead_s + first_s - error_s).all(), "a first token came faster than alone"
    # a prefill that recomputes also makes a token, and may do so faster than a decode step
    if part.pool.replica.speculation is not None:
        return
    whole = rows["done_tokens"] == 0
    assert (decoding_s >= decode_s - error_s)[whole].all(), "tokens came faster than alone"
    # alone in the whole pool: nobody was left when it came, nobody came before it was done
    finish_s = rows["finish_s"]
    before_s = np.append(-math.inf, np.maximum.accumulate(finish_s)[:-1])[: len(rows)]
    after_s = np.append(rows["arrival_s"][1:], math.inf)[: len(rows)]
    alone = (before_s < rows["arrival_s"]) & (after_s > finish_s)
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
    rows = part.done
    left_s = rows["finish_s"] - part.overhead_s
    for sample in part.samples[[len(part.samples) // 3, len(part.samples) // 2, -1]]:
        at_s = float(sample["at_s"])
        ready_s = float(np.maximum(np.minimum(part.spans["gone_s"], at_s) - part.spans["ready_s"], 0).sum())
        ready_s -= float(np.maximum(np.minimum(part.down["to_s"], at_s) - part.down["from_s"], 0).sum())
        assert close(sample["ready_s"], ready_s), f"ready for {sample['ready_s']} s, by the spans {ready_s} s"
        seated_s = float(np.maximum(np.minimum(left_s, at_s) - rows["start_s"], 0).sum())
        error_s = TINY * (1 + seated_s + part.overhead_s * len(rows))
        # who was preempted is counted here all the while, by the engine only when in its seat
        assert sample["running_s"] <= seated_s + error_s, f"Little at {at_s}: {sample['running_s']} > {seated_s}"
        assert part.preempted or sample["running_s"] >= seated_s - error_s, f"Little at {at_s}"
    if len(part.rows) == len(part.head):
        at_s = float(part.samples["at_s"][-1])
        busy_s = _busy_s(np.minimum(rows["start_s"], at_s), np.minimum(left_s, at_s), rows["replica"])
        error_s = TINY * (1 + busy_s + part.overhead_s * len(rows))
        assert part.samples["busy_s"][-1] <= busy_s + error_s, "busy without a request"
        assert part.preempted or part.samples["busy_s"][-1] >= busy_s - error_s, "idle with a request"


def _busy_s(from_s: NDArray[Any], to_s: NDArray[Any], group: NDArray[Any]) -> float:
    """Length of the union of the intervals of each group, summed over groups."""
    _, time_s, (count,) = _sweep(np.concatenate((group, group)), np.concatenate((from_s, to_s)), _steps(len(from_s)))
    return float(np.diff(time_s)[count[:-1] > 0].sum())


def _steps(count: int) -> NDArray[np.int64]:
    return np.repeat((1, -1), count)


def _sweep(
    group: NDArray[Any], time_s: NDArray[Any], *changes: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], list[NDArray[Any]]]:
    """Levels after each instant of each group, from the changes at events: (group, time, levels), in that order.

    Every level must be back at 0 when its group ends.
    """
    events = np.lexsort((time_s, group))
    group, time_s = group[events], time_s[events]
    last = np.append((np.diff(group) != 0) | (np.diff(time_s) != 0), True)[: len(group)]
    return group[last], time_s[last], [np.cumsum(change[events])[last] for change in changes]


def sweeps(part: Part) -> None:
    """I8, I11: at every instant no more in seats and memory than there are; no free seat while somebody waits."""
    rows = done(part.head)
    if not part.preempted:
        capacity(part, rows)
    conservation(part, rows)
    if part.is_slots:
        rejections(part, rows)


def capacity(part: Part, rows: NDArray[Any]) -> None:
    group = np.concatenate((rows["replica"], rows["replica"]))
    error_s = TINY * (1 + rows["finish_s"]) if part.overhead_s else 0.0  # finish - overhead is not exact
    time_s = np.concatenate(
        (rows["start_s"], np.maximum(rows["finish_s"] - part.overhead_s - error_s, rows["start_s"]))
    )
    prompt = rows["prompt_tokens"].astype(np.int64)
    _, _, (seated, kv) = _sweep(group, time_s, _steps(len(rows)), np.concatenate((prompt, -prompt)))
    assert seated.max(initial=0) <= part.pool.replica.seats, (
        f"{seated.max()} requests in {part.pool.replica.seats} seats"
    )
    if not part.is_slots and (rows["prefix0"] == NONE).all():  # else blocks are shared
        assert kv.max(initial=0) <= part.pool.kv_tokens, f"{kv.max()} prompt tokens in {part.pool.kv_tokens}"


def conservation(part: Part, rows: NDArray[Any]) -> None:
    """Slots: all seats of the replica (or of the pool, with one line) are taken. Batching: somebody is served."""
    one = np.zeros(len(rows), int) if part.central else rows["replica"]
    none = np.zeros(len(rows), int)
    waits = (rows["start_s"] > rows["arrival_s"]).astype(int)
    _, time_s, (waiting, running) = _sweep(
        np.concatenate((one, one, one)),
        np.concatenate((rows["arrival_s"], rows["start_s"], rows["finish_s"])),
        np.concatenate((waits, -waits, none)),
        np.concatenate((none, none + 1, none - 1)),
    )
    needed = part.pool.replica.seats * (part.replicas if part.central else 1) if part.is_slots else 1
    idle = (waiting > 0) & (running < needed) & (time_s < part.until_s) & (time_s >= part.spans["ready_s"].max())
    assert not idle.any(), f"somebody waits at {time_s[idle][0]} s beside a free seat"
    limit = part.pool.queue.max_waiting
    if part.is_slots and limit is not None:
        assert waiting.max(initial=0) <= limit, f"{waiting.max()} wait, {limit} may"


def rejections(part: Part, rows: NDArray[Any]) -> None:
    """Slots: nobody is turned away but by a full system (where one can tell from outside)."""
    rejected = part.head["outcome"] == REJECTED
    limit = part.pool.queue.max_waiting
    if limit is None:
        assert not rejected.any(), "rejected, but any number may wait"
    elif part.central or part.pool.queue.router == "least_outstanding":
        taken = np.cumsum(~rejected)[rejected]
        gone = np.searchsorted(np.sort(rows["finish_s"]), part.head["arrival_s"][rejected], side="right")
        full = part.replicas * part.pool.replica.seats + limit * (1 if part.central else part.replicas)
        assert (taken - gone == full).all(), "rejected with room left"


# -- totals -----------------------------------------------------------------------------------------------------------


def tokens(state: State) -> None:
    """I2, I3: at the end nothing is left in the tables, and every token processed belongs to somebody."""
    run = state.run[0]
    assert run["in_system"] == 0
    assert run["finished"] == run["arrivals"] == run["next_arrival"] == len(state.requests)
    assert not state.queues["length"].any()
    assert not state.queues["blocks"].any()
    for name in ("seated", "running", "outstanding", "tokens", "context", "kv", "blocks", "planned"):
        assert not state.replicas[name].any(), f"{name} left at the end"
    completed = state.requests[state.requests["outcome"] == COMPLETED]
    senders = np.flatnonzero(state.pools["next_pool"] != NONE)
    moves = {*senders.tolist(), *state.pools["next_pool"][senders].tolist()}
    named = (state.requests["prefix0"] != NONE).any()
    for row in np.flatnonzero(state.pools["batching"]):
        if row in moves:
            continue
        own, replicas = completed[completed["pool"] == row], state.replicas[state.replicas["pool"] == row]
        total = {name: int(replicas[name].sum()) for name in ("prefilled", "recomputed", "decoded", "preemptions")}
        kept = int((own["prompt_tokens"].astype(np.int64) + own["done_tokens"] - own["cached_tokens"]).sum())
        # a preempted request may find more of its prompt in the prefix cache than at first
        assert total["prefilled"] == kept + total["recomputed"] or (named and total["preemptions"]), (
            f"prefilled {total}, kept {kept}"
        )
        if state.pools[row]["verified"] > 1:
            continue
        # every prefill that comes to its end gives one token, every decode step one
        prefills = int(own["output_tokens"].astype(np.int64).sum()) - total["decoded"]
        assert len(own) <= prefills <= len(own) + total["preemptions"], f"{prefills} prefills of {len(own)}: {total}"


def summary(scenario: Scenario, log: RunLog) -> None:
    """I4, I7, I13: the summary's counts, averages and costs, computed again."""
    told = Result(scenario, log).summary()
    start_s, end_s = scenario.warmup_s, float(log.edges_s[-1])
    arrival_s = log.requests["arrival_s"]
    measured = log.requests[(arrival_s >= start_s) & ((arrival_s < end_s) | (scenario.horizon_s is None))]
    completed = done(measured)
    assert told["requests"]["arrived"] == len(measured) == sum(told["requests"].values()) - told["requests"]["arrived"]
    assert told["requests"]["completed"] == len(completed)
    everybody = log.requests[np.isfinite(log.requests["finish_s"])]

    def there_s(from_: str, to: str) -> float:
        return float(np.maximum(np.minimum(everybody[to], end_s) - np.maximum(everybody[from_], start_s), 0).sum())

    for name, from_, to in (
        ("in_system", "arrival_s", "finish_s"),
        ("waiting", "arrival_s", "start_s"),
        ("running", "start_s", "finish_s"),
    ):
        told_s, exact_s = told["time_average"][name] * (end_s - start_s), there_s(from_, to)
        assert math.isclose(told_s, exact_s, rel_tol=SMALL, abs_tol=SMALL), f"Little: {name} {told_s} {exact_s}"
    for metric, to in (("queue_wait_s", "start_s"), ("ttft_s", "first_token_s"), ("e2e_s", "finish_s")):
        # whoever started has waited, answered or not
        counted = measured[np.isfinite(measured["start_s"])] if metric == "queue_wait_s" else completed
        latency_s = counted[to] - counted["arrival_s"]
        if len(latency_s):
            assert close(told["latency"][metric]["mean"], latency_s.mean())
            assert told["latency"][metric]["max"] == latency_s.max()
    cost(scenario, log, told)
