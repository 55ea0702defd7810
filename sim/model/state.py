"""From what a pool is (numbers) to the tables that the transitions change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model import admission, compiled, heaps, meters, orders, prefix, routing, tournament
from sim.model.calls import senders as sender_table
from sim.model.calls import sent as sent_calls
from sim.model.places import UNLIMITED, queue_table
from sim.model.specs import PoolSpec, SenderSpec, TenantSpec
from sim.model.tables import CALL, FINISH, LAW, NONE, POOL, REPLICA, RUN, SEAT, State


def build(
    specs: Sequence[PoolSpec],
    requests: NDArray[Any],
    senders: Sequence[SenderSpec] = (SenderSpec(),),
    prefixes: NDArray[Any] | Sequence[int] = (),
    prefix_sizes: NDArray[Any] | Sequence[int] = (),
    tenants: Sequence[TenantSpec] = (),
    calls: NDArray[Any] | None = None,
    ends_s: float = math.inf,
) -> State:
    """Tables for pools with no replica ready yet, and requests (rows of `REQUEST`, in arrival order) still to come.

    `senders` has an entry a stream. `calls`: rows of `CALL`, one a request, where clients do more than wait; then those
    requests that follow others stand behind those that arrive by themselves, at infinity; none is sent at or after
    `ends_s`.
    `prefixes` are the ids of the blocks of prompts, from 0 up, each list closed by NONE or by `prefix.closing` of the
    request's answer; requests point into it. `prefix_sizes`: the tokens of each id, a multiple of every pool's
    `block_tokens` unless a prompt ends with it.
    """
    homes = [*range(len(specs)), *(row for row, spec in enumerate(specs) for _ in spec.makes)]
    makes = [*specs, *(make for spec in specs for make in spec.makes)]
    pools = np.zeros(len(makes), POOL)
    replicas = np.zeros(sum(spec.replicas for spec in specs), REPLICA)
    trees: list[NDArray[Any]] = []
    laws: list[NDArray[Any]] = []
    replica0 = seat0 = heap0 = phase0 = tree0 = law0 = meter0 = 0
    for row, spec in enumerate(specs):
        tree = tournament.build(spec.replicas)
        pool = pools[row]
        pool["replica0"] = replica0
        pool["tree0"] = tree0
        pool["meter0"] = meter0
        own = replicas[replica0 : replica0 + spec.replicas]
        places = np.arange(spec.replicas)
        seats = max(make.seats for make in (spec, *spec.makes))
        own["pool"] = row
        own["free"] = seat0 + places * seats
        own["phase0"] = 2 * len(replicas) + phase0 + places * spec.block_tokens
        own["heap0"] = heap0 + places * seats * heaps.SPARE
        replica0 += spec.replicas
        seat0 += spec.replicas * seats
        heap0 += spec.replicas * seats * heaps.SPARE
        phase0 += spec.replicas * spec.block_tokens
        tree0 += len(tree)
        meter0 += meters.WIDTH
        trees.append(tree)
    pools["meter0"][: len(specs)] += 2 * len(replicas) + phase0
    for row, (home, make) in enumerate(zip(homes, makes, strict=True)):
        pool, law = pools[row], _law(make)
        assert make.block_tokens == specs[home].block_tokens, f"blocks of {make} differ from its pool's"
        _set_numbers(pool, specs[home], make)
        pool["home"] = home
        for name in ("replica0", "tree0", "meter0"):
            pool[name] = pools[home][name]
        pool["law0"] = law0
        law0 += len(law)
        laws.append(law)
    run = np.zeros(1, RUN)
    handing = any(spec.next_pool is not None for spec in specs)
    told: NDArray[Any] = np.zeros(0, CALL)
    if calls is not None:
        told = calls
    elif handing or any(spec.preemptive and not spec.batching for spec in specs):
        told = sent_calls(requests)
    # those that follow others are last, at infinity, until they are sent
    run["arrivals"] = run["expected"] = np.count_nonzero(requests["arrival_s"] < math.inf)
    run["rows"] = len(requests)
    run["calls"] = calls is not None
    run["gaps"] = calls is not None and bool((calls["token_timeout_s"] < math.inf).any())
    run["ends_s"] = ends_s
    run["timer0"] = heap0
    names = np.asarray(prefixes, np.int64)
    sizes = np.asarray(prefix_sizes, np.int64)
    assert names.max(initial=NONE) < len(sizes), f"no tokens are told of block {names.max()} of prompts"
    run["prefix_ids"] = len(sizes)
    counts = 2 * len(replicas) + phase0 + meter0
    run["prefix_lists"] = counts
    run["prefix_sizes"] = counts + len(names)
    for spec in specs:
        if spec.next_pool is not None:
            after = specs[spec.next_pool] if 0 <= spec.next_pool < len(specs) else spec
            decodes = after.batching and after.next_pool is None
            assert decodes, f"nothing decodes what {spec} hands over"
    replicas["wake_s"] = math.inf
    replicas["newest"] = NONE
    replicas["prefill"] = NONE
    replicas["hopes"] = NONE
    replicas["period"] = NONE
    tables = State(
        run=run,
        pools=pools,
        replicas=replicas,
        lists=np.concatenate([np.zeros(counts, np.int64), names, sizes]),
        queues=queue_table(specs, pools, replicas, run, senders, tenants),
        seats=_seats(seat0),
        heaps=np.zeros(heap0 + len(told), FINISH),
        routes=np.concatenate(trees),
        laws=np.concatenate(laws),
        prefixes=prefix.table(replicas, int(run["prefix_ids"][0])),
        requests=requests,
        calls=told,
        senders=sender_table(senders, tenants),
    )
    if has_extras(tables):
        compiled.widen()
    return tables


def has_extras(s: State) -> bool:
    """Whether a run needs what is only compiled where it is needed."""
    pools = s.pools
    return bool(
        len(s.calls)
        or s.run["guards"][0]
        or s.queues["lines"].any()
        or (pools["spill_to"] != NONE).any()
        or any(pools[name].any() for name in ("preemptive", "fair", "ranked", "shed", "refresh_s"))
        or np.isin(pools["router"], [routing.ROUTERS[name] for name in routing.BOUNDED]).any()
    )


def grow(s: State, rows: int) -> None:
    """Make room for `rows` requests in all, in place: whoever holds a table keeps it. Columns taken from one do not."""
    s.requests.resize(rows, refcheck=False)
    if not len(s.calls):
        return
    s.calls.resize(rows, refcheck=False)
    s.heaps.resize(int(s.run[0]["timer0"]) + rows, refcheck=False)


def _set_numbers(pool: Any, home: PoolSpec, spec: PoolSpec) -> None:
    """Write what specs say into a make's row; where its rows in other tables begin is not in them."""
    pool["batching"] = home.batching
    pool["central"] = home.central
    pool["router"] = _router(home)
    pool["refresh_s"] = home.refresh_s
    pool["counts_own"] = home.counts_own and home.refresh_s > 0
    pool["load_bound"] = home.load_bound
    pool["spill_to"] = NONE if home.spill_to is None else home.spill_to
    pool["spill_above"] = home.spill_above
    pool["max_waiting"] = UNLIMITED if home.max_waiting is None else home.max_waiting
    pool["max_waiting_tokens"] = UNLIMITED if home.max_waiting_tokens is None else home.max_waiting_tokens
    pool["order"] = orders.ORDERS[home.order]
    pool["fair"] = home.fair_tenants or home.order == "weighted_fair"
    pool["shed"] = admission.SHEDS[home.shed]
    for name in ("aging_s", "silent", "retry_after_s", "target_s", "interval_s"):
        pool[name] = getattr(home, name)
    pool["replicas"] = home.replicas
    pool["leaves"] = tournament.leaves(home.replicas)
    pool["next_pool"] = NONE if home.next_pool is None else home.next_pool
    pool["cancels"] = home.cancels
    pool["link_shared"] = home.link_shared
    pool["link_s_per_token"] = home.link_s_per_token
    pool["link_latency_s"] = home.link_latency_s
    pool["hears"] = home.hears
    pool["metered"] = home.metered or home.hears != meters.HEARS_NOTHING
    pool["seats"] = spec.seats
    pool["max_batched_tokens"] = spec.max_batched_tokens
    pool["chunked"] = spec.chunked
    pool["block_tokens"] = spec.block_tokens
    pool["kv_blocks"] = spec.kv_capacity_tokens // spec.block_tokens
    pool["watermark_blocks"] = int(spec.watermark_share * (spec.kv_capacity_tokens // spec.block_tokens))
    pool["verified"] = 1 + spec.drafted
    pool["tokens_per_step"] = spec.tokens_per_step
    pool["lookahead"] = spec.lookahead
    pool["most_tokens"] = len(spec.tokens_s) - 1
    pool["prefill_s_per_token"] = spec.prefill_s_per_token
    pool["prefill_s_per_token_sq"] = spec.prefill_s_per_token_sq
    pool["mixed_s"] = spec.mixed_s
    pool["overhead_s"] = spec.overhead_s


def _router(spec: PoolSpec) -> int:
    if spec.central:
        return routing.FREE_MEMORY if spec.batching else routing.FREE_SLOT
    return routing.ROUTERS[spec.router]


def _seats(count: int) -> NDArray[Any]:
    """Free seats, each pointing at the next one (a replica never takes more than its own)."""
    seats = np.zeros(count, SEAT)
    seats["newer"] = np.arange(1, count + 1)
    seats["stop"] = -1.0
    return seats


def _law(spec: PoolSpec) -> NDArray[Any]:
    """Iteration time by the number of decoding sequences, and by the number of tokens; the longer table decides."""
    law = np.zeros(max(spec.seats + 1, len(spec.tokens_s)) if spec.batching else 1, LAW)
    law["fixed_s"] = spec.base_s + spec.decode_s_per_seq * np.arange(len(law))
    if spec.seqs_s is not None:
        law["fixed_s"][: len(spec.seqs_s)] += np.asarray(spec.seqs_s)
    law["attention_s_per_token"] = spec.attention_s_per_token
    law["tokens_s"][: len(spec.tokens_s)] = np.asarray(spec.tokens_s)[: len(law)]
    return law
