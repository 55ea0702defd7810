"""From a scenario and its demand to what the model runs on: pool numbers and request rows."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.autoscaling.observation import BUSY_SHARE, KV_USAGE, RUNNING, WAITING, WORK_AHEAD
from sim.config import machine
from sim.config.errors import ConfigError, DataError, Problem
from sim.fleet import queueing
from sim.fleet.routed import pools_of, spilling
from sim.hardware import IterationLaw
from sim.model import meters
from sim.model.specs import PoolSpec
from sim.model.tables import NONE, PREFIX, REQUEST
from sim.scenario import Batching, Central, PerReplica, Pool, Scenario
from sim.workload.demand import KV_BLOCK_TOKENS, Demand
from sim.workload.generated import Generated
from sim.workload.replayed import Replayed

BLOCK_TOKENS = KV_BLOCK_TOKENS
"""Tokens of a block of KV memory; a capacity given directly is meant to the token."""


def horizon_s(scenario: Scenario, demand: Demand) -> float:
    """The horizon given, or (finite traces only) the first whole second after the last arrival."""
    if scenario.horizon_s is not None:
        return scenario.horizon_s
    return float(np.floor(demand.arrival_s[-1])) + 1.0 if len(demand) else 1.0


@dataclass(frozen=True)
class Makes:
    """What the replicas of one pool can be: by the offer they come from and the version they are of."""

    pools: dict[tuple[int, int], Pool]
    specs: dict[tuple[int, int], int]
    """Place in `PoolSpec.makes` of the pool's spec, counted from 1; 0 is the pool's spec itself."""

    def rows(self, home: int, first: int) -> dict[tuple[int, int], int]:
        """Rows in the model's pool table, if the pool's own is `home` and its further makes begin at `first`."""
        return {key: home if place == 0 else first + place - 1 for key, place in self.specs.items()}


def pool_specs(scenario: Scenario) -> tuple[list[PoolSpec], list[Makes]]:
    """The numbers that the model needs of each pool, in the scenario's order, and of what else its replicas can be."""
    names = list(scenario.pools)
    found = [_with_makes(pool, names) for pool in scenario.pools.values()]
    specs = [replace(spec, **queueing.told(scenario, name)) for name, (spec, _) in zip(names, found, strict=True)]
    return specs, [makes for _, makes in found]


def _with_makes(pool: Pool, names: list[str]) -> tuple[PoolSpec, Makes]:
    pools = {
        (index, version): each.as_offered(offer) if pool.supply else each
        for version, each in enumerate(pool.versions)
        for index, offer in enumerate(pool.offers)
    }
    # of the pool itself: one that is told as an offer makes it no longer says that it is on spot
    home = replace(_pool_spec(pools[0, 0], names), replicas=rows(pool))
    specs: list[PoolSpec] = [home]
    places: dict[tuple[int, int], int] = {}
    for key, each in pools.items():
        spec = replace(_pool_spec(each, names), replicas=home.replicas)
        place = next((place for place, other in enumerate(specs) if _same(spec, other)), len(specs))
        specs += [spec] if place == len(specs) else []
        places[key] = place
    # a request takes as many blocks wherever it is: one memory that is told in blocks makes all of them so
    block_tokens = max(spec.block_tokens for spec in specs)
    makes = [replace(spec, replicas=home.replicas, block_tokens=block_tokens) for spec in specs[1:]]
    return replace(home, makes=tuple(makes), block_tokens=block_tokens), Makes(pools, places)


def _same(one: PoolSpec, other: PoolSpec) -> bool:
    pairs = ((getattr(one, field.name), getattr(other, field.name)) for field in fields(PoolSpec))
    return all(a is b or np.array_equal(a, b) for a, b in pairs)


def rows(pool: Pool) -> int:
    """Replicas that a pool can have at once, those that drain included.

    A fleet that never changes needs its size. Another may order anew while all of its replicas still drain; if even
    that is not enough, orders wait until one is gone.
    """
    most = pool.autoscaler.most_replicas
    if pool.autoscaler.initial_replicas == most == pool.autoscaler.floor_replicas and not _changes(pool):
        return most
    return 2 * most + max((min(rollout.limits(most)[0], most) for rollout in pool.rollouts), default=0)


def _changes(pool: Pool) -> bool:
    """Whether replicas can end before the run does."""
    return bool(pool.faults or pool.rollouts or any(offer.market == "spot" for offer in pool.supply))


def _pool_spec(pool: Pool, names: list[str]) -> PoolSpec:
    queued = PoolSpec(
        batching=False,
        replicas=rows(pool),
        cancels=pool.cancels,
        hears=_HEARS[pool.autoscaler.hears],
        metered=any(query.metric not in _LOOKED_UP for query in pool.autoscaler.queries),
        seats=pool.replica.seats,
        central=isinstance(pool.queue, Central),
        max_waiting=pool.queue.max_waiting,
        **_routing(pool, names),
        overhead_s=pool.overhead_s,
    )
    if not isinstance(pool.replica, Batching):
        return queued
    law = pool.law
    return replace(
        queued,
        **_drafting(pool.replica, law),
        **_handing_over(pool, names),
        batching=True,
        max_batched_tokens=pool.replica.max_batched_tokens,
        chunked=pool.replica.chunked_prefill,
        kv_capacity_tokens=pool.kv_tokens,
        block_tokens=BLOCK_TOKENS if pool.kv_capacity_tokens is None else 1,
        watermark_share=pool.replica.watermark,
        tokens_s=law.tokens_s,
        prefill_s_per_token=law.prefill_s_per_token,
        prefill_s_per_token_sq=law.square_s,
        attention_s_per_token=law.attention_s_per_token,
        mixed_s=law.mixed_s,
        lookahead=law.lookahead,
        overhead_s=law.overhead_s,
    )


def _routing(pool: Pool, names: list[str]) -> dict[str, Any]:
    """How the replica of a request is picked, and where the pool sends what is too much for it."""
    found: dict[str, Any] = {"router": ""}
    if isinstance(pool.queue, PerReplica):
        router = pool.queue.routing
        said = {"refresh_s": router.refresh_s, "counts_own": router.counts_own, "load_bound": router.load_bound}
        found = {"router": router.kind} | {name: value for name, value in said.items() if value is not None}
    spill = pool.queue.spill
    if spill is not None:
        found["spill_to"] = names.index(spill.to)
        found |= {} if spill.above is None else {"spill_above": spill.above}
    return found


_LOOKED_UP = frozenset((WAITING, RUNNING, KV_USAGE, BUSY_SHARE, WORK_AHEAD))
"""Metrics that can be read off the tables at any time; others are counted as requests come and go, which takes time."""

_HEARS = {
    "nothing": meters.HEARS_NOTHING,
    "first_arrival": meters.HEARS_FIRST,
    "changes": meters.HEARS_CHANGES,
}


def _drafting(replica: Batching, law: IterationLaw) -> dict[str, Any]:
    """Speculative decoding: what an iteration verifies and keeps, and the time of the draft."""
    speculation = replica.speculation
    if speculation is None:
        return {"seqs_s": law.seqs_s}
    draft_s = speculation.draft_tokens * speculation.draft_s
    return {
        "seqs_s": law.seqs_s + draft_s * (np.arange(len(law.seqs_s)) > 0),
        "drafted": speculation.draft_tokens,
        "tokens_per_step": speculation.tokens_per_step,
    }


def _handing_over(pool: Pool, names: list[str]) -> dict[str, Any]:
    """Where requests decode after their prefill, and how long a token's KV cache takes to get there."""
    transfer = pool.kv_transfer
    if transfer is None:
        return {}
    token_bytes = pool.kv_bytes_per_token
    assert token_bytes is not None
    return {
        "next_pool": names.index(transfer.to),
        "link_s_per_token": token_bytes / transfer.bandwidth_bytes_per_s,
        "link_latency_s": transfer.latency_s,
        "link_shared": transfer.shared,
    }


def request_table(scenario: Scenario, demand: Demand, into: NDArray[Any] | None = None) -> NDArray[Any]:
    """Request rows for the model, in arrival order; the first of `into`, if that is given and long enough."""
    if into is None or len(into) < len(demand):
        requests = np.zeros(len(demand), REQUEST)
    else:
        requests = into[: len(demand)]
        requests.view(np.uint8)[:] = 0
    for name in ("arrival_s", "service_s", "first_service_s", "ticket", "stream"):
        requests[name] = getattr(demand, name)
    for name in ("prompt_tokens", "output_tokens", "cached_tokens", "prefix0"):
        requests[name] = getattr(demand, name)
    for name in ("start_s", "first_token_s", "finish_s"):
        requests[name] = np.nan
    requests["replica"] = NONE
    requests["pool"] = pools_of(scenario, requests)
    return requests


def check_servable(scenario: Scenario, specs: list[PoolSpec], requests: NDArray[Any], first_request: int = 0) -> None:
    """Refuse a request that its pool, or any make of its replicas, could never serve, however long it waited.

    `first_request` is the number of the first one, of demand that comes in chunks.
    """
    for row, (name, spec) in enumerate(zip(scenario.pools, specs, strict=True)):
        if not spec.batching or not len(requests):
            continue
        need = _most_tokens(specs, row, requests)
        for make in (spec, *spec.makes):
            _check_make(scenario, f"pools.{name}", make, need, requests, first_request)


def _check_make(
    scenario: Scenario, path: str, spec: PoolSpec, need: NDArray[Any], requests: NDArray[Any], first_request: int
) -> None:
    blocks = spec.kv_capacity_tokens // spec.block_tokens
    whole = (blocks - int(spec.watermark_share * blocks)) * spec.block_tokens
    limits = [(whole, "KV memory of a replica holds", "more GPU memory or gpus_per_replica")]
    if spec.watermark_share:
        limits = [(whole, "KV memory of a replica holds, above its watermark,", "more memory or a lower watermark")]
    if not spec.chunked:
        limits.append((spec.max_batched_tokens, "max_batched_tokens unchunked is", "chunked_prefill: true"))
    for limit, what, remedy in limits:
        worst = int(np.argmax(need))
        if need[worst] <= limit:
            continue
        request = requests[worst]
        stream = list(scenario.workload.stream_names)[int(request["stream"])]
        sender = scenario.workload.by_name()[stream]
        bound = ", of sessions `max_context:`" if isinstance(sender, Generated) and sender.session else ""
        problem = Problem(
            f"request {first_request + worst} of stream '{stream}' has {request['prompt_tokens']} prompt and "
            f"{request['output_tokens']} output tokens and can never be served: {what} {limit} tokens "
            f"({int((need > limit).sum())} such requests); bound the lengths (`max:`{bound}) or give {remedy}",
            path=path,
        )
        raise DataError(problem) if isinstance(sender, Replayed) else ConfigError(problem)


def check_memory(specs: list[PoolSpec], demand: Demand) -> None:
    """Refuse prefix caches that this machine cannot hold: each replica has a row for every block. Raises DataError."""
    replicas, ids = sum(spec.replicas for spec in specs), demand.prefix_blocks
    needed, there = replicas * ids * PREFIX.itemsize, machine.memory_bytes()
    if needed > 0.8 * there:
        raise DataError(
            Problem(
                f"prefix caches of {replicas:,} replicas for {ids:,} different blocks take {needed / 2**30:.3g} GiB of "
                f"memory, and this machine has {there / 2**30:.3g}: replay fewer requests (`limit`), have fewer "
                "replicas, or leave the hashes out (`prefixes: false`; of sessions: `prefix_cache: false`)",
                "workload",
            )
        )


def _most_tokens(specs: list[PoolSpec], row: int, requests: NDArray[Any]) -> NDArray[Any]:
    """The most tokens that each request ever holds in a replica of this pool; 0 for those that never come there."""
    whole = requests["prompt_tokens"] + requests["output_tokens"] - 1
    if specs[row].next_pool is not None:
        whole = requests["prompt_tokens"]
    comes = np.isin(requests["pool"], spilling(specs, row))
    for other, spec in enumerate(specs):
        if spec.next_pool == row:
            comes |= np.isin(requests["pool"], spilling(specs, other)) & (requests["output_tokens"] > 1)
    return np.where(comes, whole, 0)
