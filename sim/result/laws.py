"""Where a pool's iteration times come from, and whether the run stays where they were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.scenario import Pool

_BEYOND = {"seqs": 1.25, "context_tokens": 1.5, "prompt_tokens": 1.5, "rate_per_s": 1.25}
"""How many times more than was measured is told."""
_BELOW = ("context_tokens", "prompt_tokens")
"""Less than was measured is told of these: a lighter load is no risk."""


def price_block(pool: Pool) -> dict[str, Any] | None:
    """The pool's `price` in results: what its GPUs are listed at, per GPU-hour, and who says so; None without one."""
    return None if pool.listed is None else pool.listed.model_dump(mode="json", exclude_defaults=True)


def law_block(pool: Pool, block: dict[str, Any]) -> dict[str, Any] | None:
    """The pool's `law` in results: its facts, and for a calibration that says where it holds, what is outside.

    `outside` has the mean of the run for each quantity that is well beyond the loads that were measured.
    """
    facts = pool.law_facts
    holds = (facts or {}).get("holds")
    if facts is None or holds is None:
        return facts
    seen = _seen(block)
    outside = {
        name: value
        for name, value in seen.items()
        if value is not None and (told := holds.get(name)) is not None and _is_outside(name, value, *told)
    }
    return {**facts, "outside": outside}


def _is_outside(name: str, value: float, low: float, high: float) -> bool:
    return value > _BEYOND[name] * high or (name in _BELOW and value * _BEYOND[name] < low)


def _seen(block: dict[str, Any]) -> dict[str, float | None]:
    """What a replica had on average: sequences, tokens of context and prompt, requests a second."""
    replicas, running = block["replicas"]["mean"], block["time_average"]["running"]
    throughput = block["throughput"]
    rate, prompt, output = (
        throughput[name] for name in ("requests_per_s", "prompt_tokens_per_s", "output_tokens_per_s")
    )
    if not rate or not replicas or running is None:
        return {}
    return {
        "seqs": running / replicas,
        "context_tokens": (prompt + output / 2.0) / rate,
        "prompt_tokens": prompt / rate,
        "rate_per_s": rate / replicas,
    }
