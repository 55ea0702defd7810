"""The tables of columns in `results.md`: of the timeline and of the rows of requests."""

from __future__ import annotations

from functools import cache
from typing import Any

TIMELINE = {
    "start_s": ("s", "Where the bin begins. Bins have one round width, at most 300 of them; the last may be shorter."),
    "end_s": ("s", "Where it ends."),
    "arrivals": ("attempts", "Attempts that arrive in it."),
    "offered": ("requests", "Requests that arrive in it: first attempts."),
    "completed": ("requests", "Answers that end in it, within every objective that is about them."),
    "waiting": ("attempts", "Attempts that wait, averaged over the bin."),
    "running": ("attempts", "Attempts that run, averaged over the bin."),
    "replicas": ("replicas", "Replicas that serve, averaged over the bin, as `replicas.mean`."),
    "booting": ("replicas", "Replicas launched and not ready yet."),
    "draining": ("replicas", "Of those that serve, the ones that take no new requests."),
    "down": ("replicas", "Replicas down that are repaired in place."),
    "busy_share": ("share", "As `utilization.busy_share`, for the bin."),
    "batch_share": ("share", "As `utilization.batch_share`, for the bin."),
    "kv_share": ("share", "As `utilization.kv_share`, for the bin; empty for slots."),
    "ttft_s_p50": ("s", "Median TTFT of the requests that arrive in the bin and are completed."),
    "ttft_s_p99": ("s", "Their 99th percentile."),
    "usd_per_hour": ("USD/h", "What the paid replicas cost; empty without a price."),
}

ROWS = {
    "request": ("", "Number in arrival order, from 0."),
    "stream": ("", "Name of its stream; `requests` when there is only one without a name."),
    "arrival_s": ("s", "All times count from the run's start."),
    "prompt_tokens": ("tokens", ""),
    "output_tokens": ("tokens", ""),
    "pool": ("", "Name of the pool that it was sent to."),
    "replica": ("", "Index in its pool, from 0; null for one that never got to a replica."),
    "start_s": ("s", "First time in a batch or slot; null for one that never started."),
    "first_token_s": ("s", "First token at the client."),
    "finish_s": ("s", "Last token at the client."),
    "outcome": ("", "One of the outcomes above."),
    "cached_tokens": ("tokens", "Of the prompt, found in the prefix cache when it was first admitted."),
}

FURTHER_ROWS = {
    "class": ("", "Name of its class; there are classes."),
    "tenant": ("", "Name of its tenant, null for none; there are tenants."),
    "attempt": ("", "Which attempt it is, from 1; clients do more than wait. A copy has the number of what it copies."),
    "copy": ("", "Which copy it is, from 1; 0 for none."),
    "first_request": ("", "`request` of the first attempt at the same."),
    "session": ("", "Number of its conversation or user; there are any."),
    "turn": ("", "Its place in the session, from 0."),
}
"""Columns that there are only in some runs."""


@cache
def small_run() -> Any:
    """A result to compare the definitions with."""
    from sim import load, simulate

    return simulate(load("mmc", ["horizon=20m"]))


def timeline_columns() -> str:
    """Every column of `timeline.csv`."""
    return _columns(list(small_run().timeline.columns), TIMELINE)


def request_columns() -> str:
    """Every column of `requests.parquet`."""
    told = _columns(list(small_run().requests.columns), ROWS)
    return "\n".join([told, *(f"| `{name}` | {unit} | {text} |" for name, (unit, text) in FURTHER_ROWS.items())])


def _columns(found: list[str], about: dict[str, tuple[str, str]]) -> str:
    assert found == list(about), f"columns and their definitions differ: {set(found) ^ set(about)}"
    lines = ["| column | unit | what it is |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {unit} | {text} |" for name, (unit, text) in about.items())])
