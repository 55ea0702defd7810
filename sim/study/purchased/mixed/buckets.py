"""The requests of a pool by the length of their prompts, and how many of each bucket one replica of a make can serve.

Buckets are by prompt alone: that is what a router knows of a request when it comes. Edges lie at quantiles of requests
and of tokens, so that few long prompts that are most of the work stand apart from many short ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.result.twin.engines import Engine
from sim.result.twin.traffic import Work, horizon_of, traffic_of
from sim.scenario import Pool, Scenario

SHARES = (0.25, 0.5, 0.75, 0.9)
"""Of requests, and of prompt tokens, at which buckets end."""
SAMPLE_S = 600.0
LEAST_REQUESTS = 20
"""Of the sample in a bucket; smaller ones join their neighbour."""
_STEPS = 40
_EVEN = 5
"""Edges evenly between the shortest prompt and the longest, in their logarithm, beside those of quantiles."""


@dataclass(frozen=True)
class Bucket:
    """Requests with prompts of more than `over` tokens and at most `at_most`."""

    over: int | None
    at_most: int | None
    rate_per_s: float
    """When most come."""
    work: Work
    classes: frozenset[str] = frozenset()
    """Of which at least half of its requests are (or all, where there are no classes: then it is empty)."""

    @property
    def name(self) -> str:
        """As tables call it."""
        if self.at_most is None:
            return f"over {self.over or 0}"
        return f"{(self.over or 0) + 1} to {self.at_most}"


def buckets_of(scenario: Scenario, pool: str) -> tuple[Bucket, ...]:
    """The buckets of a pool, short prompts first, from the first ten minutes of its requests."""
    homes = dict(zip(scenario.workload.stream_names, scenario.stream_pools, strict=True))
    streams = [stream for stream, home in homes.items() if home == pool]
    horizon_s = horizon_of(scenario)
    peak = traffic_of(scenario, streams, horizon_s).peak_per_s
    demand = scenario.workload.demand(scenario.seed, 0, min(horizon_s, SAMPLE_S))
    mine = np.isin(demand.stream, [demand.streams.index(stream) for stream in streams])
    prompt, output = (column[mine].astype(float) for column in (demand.prompt_tokens, demand.output_tokens))
    fresh = prompt - demand.cached_tokens[mine]
    classes = dict(zip(scenario.workload.stream_names, scenario.stream_classes, strict=True))
    of_class = {
        name: np.isin(demand.stream[mine], [demand.streams.index(each) for each in streams if classes[each] == name])
        for name in dict.fromkeys(classes[each] for each in streams)
        if name is not None
    }
    edges = _edges(prompt)
    found = []
    for low, high in zip((-math.inf, *edges), (*edges, math.inf), strict=True):
        inside = (prompt > low) & (prompt <= high)
        work = Work(
            prompt=float(prompt[inside].mean()),
            prompt_square=float((prompt[inside] ** 2).mean()),
            output=float(output[inside].mean()),
            output_square=float((output[inside] ** 2).mean()),
            prefilled=float(fresh[inside].mean()),
            known=False,
        )
        found.append(
            Bucket(
                None if math.isinf(low) else int(low),
                None if math.isinf(high) else int(high),
                peak * float(inside.mean()),
                work,
                frozenset(name for name, those in of_class.items() if float(those[inside].mean()) >= 0.5),
            )
        )
    return tuple(found)


def _edges(prompt: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[int]:
    """Where buckets end, rising; each holds enough of the sample."""
    ordered = np.sort(prompt)
    tokens = np.cumsum(ordered) / max(float(ordered.sum()), 1.0)
    wanted = {int(ordered[int(share * (len(ordered) - 1))]) for share in SHARES}
    wanted |= {int(ordered[int(np.searchsorted(tokens, share))]) for share in SHARES}
    wanted |= {int(edge) for edge in np.geomspace(max(ordered[0], 1.0), max(ordered[-1], 2.0), _EVEN + 2)[1:-1]}
    found: list[int] = []
    before = 0
    for edge in sorted(wanted):
        upto = int(np.searchsorted(ordered, edge, side="right"))
        if upto - before >= LEAST_REQUESTS and len(ordered) - upto >= LEAST_REQUESTS:
            found.append(edge)
            before = upto
    return found


def most_per_s(pool: Pool, bucket: Bucket, limits_s: dict[str, float]) -> float:
    """Requests of a bucket that one replica serves a second with mean times within the objectives; 0: not even one.

    From the mean-field picture of a replica (`sim.result.twin.engines`): what runs do not share with it, above all how
    requests bunch, is in the load that a replica may have (see `mix`).
    """
    engine = Engine(pool, bucket.work)
    a_step = max(bucket.work.output / engine.iterations, 1.0)
    most = min(engine.capacity_per_s, 1e9)

    def keeps(rate_per_s: float) -> bool:
        running = engine.running(rate_per_s)
        if engine.iteration_s(max(running, 1.0)) / a_step > limits_s.get("tpot", math.inf):
            return False
        first_s = engine.residual_s(running) + engine.prefill_s(running) + pool.law.overhead_s
        whole_s = first_s + engine.iterations * engine.iteration_s(max(running, 1.0))
        return first_s <= limits_s.get("ttft", math.inf) and whole_s <= limits_s.get("e2e", math.inf)

    low, high = 0.0, most * 0.999
    if keeps(high):
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low if low > most * 1e-6 else 0.0


def limits_of(scenario: Scenario, bucket: Bucket) -> dict[str, float]:
    """The tightest limit of each metric that is promised to most requests of a bucket, in seconds."""
    found: dict[str, float] = {}
    for target in scenario.slo:
        if target.class_name is not None and target.class_name not in bucket.classes:
            continue
        found[target.metric] = min(target.under_s, found.get(target.metric, math.inf))
    return found


def merged_rules(choice: Sequence[str], buckets: Sequence[Bucket]) -> list[tuple[int | None, int | None, str]]:
    """Ranges of prompt tokens, (more than, at most), and who serves them; neighbours of one choice in one range."""
    found: list[tuple[int | None, int | None, str]] = []
    for name, bucket in zip(choice, buckets, strict=True):
        if found and found[-1][2] == name:
            found[-1] = (found[-1][0], bucket.at_most, name)
        else:
            found.append((bucket.over, bucket.at_most, name))
    return found
