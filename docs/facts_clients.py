"""What `clients.md` and `queues.md` quote: one busy replica, and what its clients and its queue change.

A page reaches these names in `<!--= ... -->`. Each run is small, on the SimPy calendar, and made once.
"""

from __future__ import annotations

import functools
from typing import Any

from sim.result import words

BUSY = """\
name: busy
seed: 1
horizon: 8m
warmup: 2m

workload:
  streams:
    paid:
      class: paid
      arrivals: {kind: poisson, rate: 0.9/s}
      prompt_tokens: {kind: lognormal, mean: 800, cv: 1, max: 8k}
      output_tokens: {kind: lognormal, mean: 250, cv: 0.8, max: 1k}
    free:
      class: free
      arrivals: {kind: poisson, rate: 2.7/s}
      prompt_tokens: {kind: lognormal, mean: 800, cv: 1, max: 8k}
      output_tokens: {kind: lognormal, mean: 250, cv: 0.8, max: 1k}

pools:
  chat:
    model: llama-3-70b
    gpu: h100-sxm
    gpus_per_replica: 4
    replica: {kind: batching, max_num_seqs: 16}
    autoscaler: {replicas: 1}

slo:
  - {metric: ttft, under: 10s, share: 95%}
"""
"""One replica of 16 sequences, asked for somewhat more than it can answer."""

Sets = tuple[str, ...]
KINDS = ("paid", "free")


def _clients(keys: str) -> str:
    return f"workload.clients={{{keys}}}"


def _queue(keys: str) -> str:
    return f"pools.chat.queue={{{keys}}}"


STAYS = "first_token_timeout: 10s"
BACKOFF = "kind: exponential, attempts: 4, base: 1s, cap: 30s, jitter: full"
AT_ONCE = "kind: fixed, attempts: 4, base: 0"

DOINGS: dict[str, Sets] = {
    "wait for ever": (),
    "lose patience after 10 s in the queue": (_clients("patience: 10s"),),
    "give up after 10 s without a first token": (_clients(STAYS),),
    "give up, and send again at once, up to three times": (_clients(f"{STAYS}, retry: {{{AT_ONCE}}}"),),
    "with backoff and full jitter instead": (_clients(f"{STAYS}, retry: {{{BACKOFF}}}"),),
    "with a budget of 10 % as well": (_clients(f"{STAYS}, retry: {{{BACKOFF}, budget: 10%}}"),),
    "give up after 20 s without the whole answer": (_clients("total_timeout: 20s"),),
    "the same, but the server goes on for nobody": (_clients("total_timeout: 20s"), "pools.chat.cancels=false"),
}
"""What clients do, by its name on the page."""

SPREAD = (
    "horizon=6m",
    "workload.streams.paid.arrivals.rate=2.7/s",
    "workload.streams.free.arrivals.rate=8.1/s",
    "pools.chat.autoscaler.replicas=4",
)
"""Four replicas with room to spare."""
LOTS = _queue("router: random")

HEDGES: dict[str, Sets] = {
    "`random`, no copies": (*SPREAD, LOTS),
    "`random`, a copy after 2 s": (*SPREAD, LOTS, _clients("hedge: {after: 2s}")),
    "`random`, a copy after 200 ms": (*SPREAD, LOTS, _clients("hedge: {after: 200ms}")),
    "`least_outstanding`, no copies": SPREAD,
}


def _levels(keys: str) -> Sets:
    return "classes={paid: {priority: 0}, free: {priority: 1}}", _queue(f"order: priority{keys}")


def _weights(paid: int, free: int) -> Sets:
    return f"classes={{paid: {{weight: {paid}}}, free: {{weight: {free}}}}}", _queue("order: weighted_fair")


TURNS: dict[str, Sets] = {
    "`fcfs`": (),
    "`priority`": _levels(""),
    "`priority`, `preemptive: true`": _levels(", preemptive: true"),
    "`priority`, `aging: 20s`": _levels(", aging: 20s"),
    "`weighted_fair`, weights 1 and 1": _weights(1, 1),
    "`weighted_fair`, weights 1 and 3": _weights(1, 3),
}
"""Who goes first, by its name on the page."""

DOORS: dict[str, Sets] = {
    said: (_queue(said),)
    for said in (
        "max_waiting: 20",
        "max_waiting_tokens: 16k",
        "classes: {free: {max_waiting: 15}}",
        "shed: {kind: load, at: {free: 10}}",
        "shed: {kind: estimated_wait}",
        "shed: {kind: codel, target: 2s, interval: 10s}",
    )
}
"""Who is turned away, as it stands in the queue."""


@functools.cache
def busy(*sets: str) -> dict[str, Any]:
    """The summary of the busy replica with these changes."""
    import yaml

    from sim import load, simulate

    return simulate(load(yaml.safe_load(BUSY), sets)).summary()


def busy_file() -> str:
    """The scenario as a block."""
    return f"```yaml\n{BUSY}```"


def doings_table() -> str:
    """What clients do, and what comes of it."""
    lines = ["| clients | first token within 10 s | answered | attempts a request | tokens in vain |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for name, sets in DOINGS.items():
        told = busy(*sets)
        requests, attempts = told["requests"], told["attempts"]
        cells = (
            name,
            words.share(told["slo"][0]["attained"]),
            words.share(requests["completed"] / requests["arrived"]),
            f"{attempts['amplification']:.2f}",
            words.share(in_vain_share(told)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def in_vain_share(told: dict[str, Any]) -> float:
    """Of all tokens computed for requests that are over, prompt and output, those of attempts without an answer."""
    wasted, served = told["attempts"]["wasted"], told["throughput"]
    kinds = ("prompt_tokens", "output_tokens")
    lost = sum(wasted[kind] for kind in kinds)
    return float(lost / (lost + told["measured_s"] * sum(served[f"{kind}_per_s"] for kind in kinds)))


def hedges_table() -> str:
    """Copies of slow requests, and what they cost."""
    lines = ["| router and clients | TTFT p50 | p99 | attempts a request |", "| --- | ---: | ---: | ---: |"]
    for name, sets in HEDGES.items():
        told = busy(*sets)
        ttft_s = told["latency"]["ttft_s"]
        shown = (words.duration(ttft_s[of]) for of in ("p50", "p99"))
        lines.append(f"| {name} | {' | '.join(shown)} | {told['attempts']['amplification']:.2f} |")
    return "\n".join(lines)


def turns_table() -> str:
    """Orders of one queue, class by class."""
    lines = ["| order | paid, TTFT p50 | p99 | free, TTFT p50 | p99 |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, sets in TURNS.items():
        told = busy(*sets)["classes"]
        shown = (words.duration(told[kind]["latency"]["ttft_s"][of]) for kind in KINDS for of in ("p50", "p99"))
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def doors_table() -> str:
    """Limits of one queue: who is served in time, who is refused."""
    lines = ["| queue | first token within 10 s: paid | free | rejected: paid | free | TTFT p99 of the answered |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for said, sets in ({"no limit": ()} | {f"`{said}`": sets for said, sets in DOORS.items()}).items():
        told = busy(*sets)
        parts = [told["classes"][kind] for kind in KINDS]
        cells = [words.share(part["slo"][0]["attained"]) for part in parts]
        cells += [words.share(part["requests"]["rejected"] / part["requests"]["arrived"]) for part in parts]
        lines.append(f"| {said} | {' | '.join(cells)} | {words.duration(told['latency']['ttft_s']['p99'])} |")
    return "\n".join(lines)
