"""Deadlines that nobody can meet: a stream whose every request must time out is a mistake, told before the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.config.errors import ConfigError, Problem
from sim.model.specs import PoolSpec
from sim.model.tables import NONE
from sim.scenario import Scenario
from sim.workload.demand import Demand


def check(scenario: Scenario, specs: Sequence[PoolSpec], demand: Demand, requests: NDArray[Any]) -> None:
    """Refuse timeouts below the least possible time of every request of a stream. Raises ConfigError with all of them.

    The least possible time is that of the stream's shortest prompt and shortest answer, alone on the fastest make of
    replica of the pools that it can come to; a single request that must time out is the user's business.
    """
    if demand.first_token_timeout_s is None and demand.total_timeout_s is None:
        return
    problems: list[Problem] = []
    for stream, name in enumerate(demand.streams):
        own = demand.stream == stream
        if not own.any():
            continue
        pools = _pools(specs, requests[own])
        least = [_least_s(specs, row, requests[own]) for row in pools]
        first_s, total_s = (min(times_s) for times_s in zip(*least, strict=True))
        where = " or ".join(f"'{list(scenario.pools)[row]}'" for row in pools)
        for key, column, least_s, what in (
            ("first_token_timeout", demand.first_token_timeout_s, first_s, "gets its first token"),
            ("total_timeout", demand.total_timeout_s, total_s, "is answered"),
        ):
            most_s = math.inf if column is None else float(column[own].max())
            if most_s < least_s:
                told = (
                    f"is {most_s:.3g} s at most, and no request of stream '{name}' {what} in less than {least_s:.3g} s "
                    f"by pool {where}: all would time out; allow more time or serve it faster"
                )
                problems.append(Problem(told, f"{_place(scenario, name, key)}.{key}"))
    if problems:
        raise ConfigError(problems)


def _place(scenario: Scenario, stream: str, key: str) -> str:
    """Where the clients stand that say this of the stream: its own, or those of all streams."""
    own = scenario.workload.by_name()[stream].clients
    said = own is not None and getattr(own, f"{key}_s") is not None
    return ".".join((*(scenario.stream_place(stream) if said else ("workload",)), "clients"))


def _pools(specs: Sequence[PoolSpec], rows: NDArray[Any]) -> list[int]:
    """The pools that these requests can enter, by themselves or because others are too full."""
    found = np.unique(rows["pool"]).tolist()
    for row in found:
        spill_to = specs[row].spill_to
        if spill_to is not None and spill_to not in found:
            found.append(spill_to)
    return [int(row) for row in found]


def _least_s(specs: Sequence[PoolSpec], row: int, rows: NDArray[Any]) -> tuple[float, float]:
    """The least seconds to a first token, and to a whole answer, of any of these requests of one stream in a pool."""
    home = specs[row]
    if not home.batching:
        overhead_s = min(make.overhead_s for make in (home, *home.makes))
        return float(rows["first_service_s"].min()) + overhead_s, float(rows["service_s"].min()) + overhead_s
    new = np.where(rows["prefix0"] == NONE, rows["prompt_tokens"] - rows["cached_tokens"], 1)  # all cached but the last
    prompt, output = int(rows["prompt_tokens"].min()), int(rows["output_tokens"].min())
    first_s = min(_prefill_s(make, int(new.min())) for make in (home, *home.makes))
    if output == 1:
        return first_s, first_s
    decodes, link_s = home, 0.0
    if home.next_pool is not None:
        decodes = specs[home.next_pool]
        link_s = home.link_latency_s + home.link_s_per_token * prompt
    step_s = min(_decode_s(make, prompt) for make in (decodes, *decodes.makes))
    steps = math.floor((output - 1) / max(make.tokens_per_step for make in (decodes, *decodes.makes)))
    return first_s, first_s + link_s + steps * step_s


def _prefill_s(spec: PoolSpec, tokens: int) -> float:
    """Until so many prompt tokens are computed, alone on a replica: as few iterations as the token budget allows."""
    whole, rest = divmod(max(tokens, 1), spec.max_batched_tokens)
    fixed_s = spec.base_s + float(_seqs_s(spec).min())
    step_s = whole * (fixed_s + _tokens_s(spec, spec.max_batched_tokens))
    step_s += fixed_s + _tokens_s(spec, rest) if rest else 0.0
    return step_s + spec.prefill_s_per_token * tokens + spec.overhead_s


def _decode_s(spec: PoolSpec, context: int) -> float:
    """An iteration in which one sequence decodes, alone on a replica."""
    fixed_s = spec.base_s + spec.decode_s_per_seq + float(_seqs_s(spec)[1:].min())
    drafted_s = spec.prefill_s_per_token * spec.drafted
    return fixed_s + drafted_s + spec.attention_s_per_token * context + _tokens_s(spec, 1 + spec.drafted)


def _seqs_s(spec: PoolSpec) -> NDArray[np.float64]:
    return np.zeros(2) if spec.seqs_s is None else np.asarray(spec.seqs_s)


def _tokens_s(spec: PoolSpec, tokens: int) -> float:
    """The least device time of an iteration of at least so many tokens."""
    table = np.asarray(spec.tokens_s)
    return float(table[min(tokens, len(table) - 1) :].min())
