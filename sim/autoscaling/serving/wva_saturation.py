"""How llm-d's workload-variant-autoscaler judges the load of one variant: version 1 by shares, version 2 by tokens.

Source: llm-d/llm-d-workload-variant-autoscaler, internal/saturation/analyzer.go (@b08b1c77),
internal/engines/analyzers/saturation_v2/analyzer.go and internal/engines/pipeline/cost_aware_optimizer.go. Sums are
made in the same order as there, so that values on a threshold fall on the same side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_ENOUGH_TO_SHRINK = 2
"""Replicas that are not saturated, at least, before one may go."""
_REMEMBERED = 10
"""Observed capacities that are averaged."""


class Thresholds(NamedTuple):
    """When a replica is saturated, and how much must be spare on average."""

    kv_share: float = 0.8
    queue: float = 5.0
    spare_kv_share: float = 0.1
    spare_queue: float = 3.0


class Saturation(NamedTuple):
    """Version 1: what is spare on the replicas that are not saturated, and what follows."""

    replicas: int
    unsaturated: int
    spare_kv_share: float
    spare_queue: float
    scale_up: bool
    scale_down_safe: bool

    @property
    def delta(self) -> int:
        """One more, one fewer, or neither."""
        if self.scale_up:
            return 1
        return -1 if self.scale_down_safe and self.replicas > 1 else 0


def saturation(loads: Sequence[tuple[float, float]], limits: Thresholds) -> Saturation:
    """Version 1, from each replica's KV share and queue length.

    The triggers are strict: spare KV of exactly 0.10 does not scale up (though the project's page says it does). A
    saturated replica among idle ones counts for nothing: the others may still be too many.
    """
    free = [(kv, queue) for kv, queue in loads if kv < limits.kv_share and queue < limits.queue]
    count = len(free)
    spare_kv = spare_queue = 0.0
    if count:
        # A mean of the variant first, then one over all variants: with one variant the same, but for rounding.
        spare_kv = sum(limits.kv_share - kv for kv, _ in free) / count * count / count
        spare_queue = sum(limits.queue - queue for _, queue in free) / count * count / count
    up = bool(loads) and (spare_kv < limits.spare_kv_share or spare_queue < limits.spare_queue)
    return Saturation(len(loads), count, spare_kv, spare_queue, up, _safe(count, spare_kv, spare_queue, limits))


def _safe(count: int, spare_kv: float, spare_queue: float, limits: Thresholds) -> bool:
    """Whether the load, spread over one replica fewer, still leaves what must be spare."""
    if count < _ENOUGH_TO_SHRINK:
        return False
    grows = count / (count - 1)
    after_kv = limits.kv_share - (limits.kv_share - spare_kv) * grows
    after_queue = limits.queue - (limits.queue - spare_queue) * grows
    return after_kv >= limits.spare_kv_share and after_queue >= limits.spare_queue


class Requests(NamedTuple):
    """Mean prompt and output of a request, in tokens; 0 when not known."""

    prompt_tokens: float
    output_tokens: float


class Engine(NamedTuple):
    """What version 2 knows of a replica's engine; 0: the deployment does not say."""

    kv_capacity_tokens: int
    max_batched_tokens: int = 0
    max_num_seqs: int = 0


History = tuple[tuple[str, tuple[float, ...]], ...]
"""Tokens in use that were seen on saturated replicas, by the length of outputs: short, medium or long."""


@dataclass(frozen=True, slots=True)
class TokenCapacity:
    """Version 2: demand and capacity in tokens."""

    demand_tokens: float
    replica_tokens: float
    """Capacity of one replica: the median."""
    history: History


def token_capacity(
    loads: Sequence[tuple[float, float]], engine: Engine, requests: Requests, limits: Thresholds, history: History
) -> TokenCapacity:
    """Version 2, from each replica's KV share and queue length. `loads` must not be empty.

    A replica holds what memory allows (`limits.kv_share` of it) or what its compute allows: the tokens in use where
    its queue is full, else their mean over the last ten times, else an estimate from batch limits, else memory alone.
    """
    memory = int(engine.kv_capacity_tokens * limits.kv_share)
    length = _length(requests.output_tokens)
    known = dict(history)
    seen = known.get(length, ())
    demand, capacities = 0, []
    for kv, queue in loads:
        used = int(kv * engine.kv_capacity_tokens)
        demand += used + int(queue) * int(requests.prompt_tokens)
        if queue >= int(limits.queue) and used > 0:
            seen = (*seen, float(used))[-_REMEMBERED:]
            compute = used
        elif seen:
            compute = int(sum(seen) / len(seen))
        else:
            compute = steady_tokens(engine, requests) or memory
        capacities.append(min(memory, compute))
    if seen:
        known[length] = seen
    return TokenCapacity(float(demand), float(_median(capacities)), tuple(sorted(known.items())))


def steady_tokens(engine: Engine, requests: Requests) -> int:
    """Tokens in use when prefill fills the batch steadily; 0 when something is not known."""
    prompt, output = requests
    if engine.max_batched_tokens <= 0 or output <= 0:
        return 0
    sequences = min(engine.max_batched_tokens * output / (prompt + output), float(engine.max_num_seqs))
    return int(sequences * (prompt + output / 2))


def token_target(
    found: TokenCapacity, current: int, ready: int, up_share: float, down_share: float
) -> tuple[int, float, float]:
    """Version 2's replicas, and the tokens that are required or spare.

    Above `up_share` of all capacity, that on its way included, replicas are added; below `down_share` of the capacity
    that is ready whole replicas go, all but one.
    """
    one = found.replica_tokens
    required = max(found.demand_tokens / up_share - max(current, ready) * one, 0.0)
    spare = max(ready * one - found.demand_tokens / down_share, 0.0)
    if one <= 0.0:
        return current, required, spare
    if required > 0.0:
        return current + math.ceil(required / one), required, spare
    fewer = min(math.floor(spare / one), current - 1)
    return current - max(fewer, 0), required, spare


def _length(output_tokens: float) -> str:
    return "short" if output_tokens < 100 else "medium" if output_tokens < 500 else "long"


def _median(values: list[int]) -> int:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
