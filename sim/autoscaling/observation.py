"""What a policy may see and what it may say. Pure data: no clock, no SimPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

How = Literal["last", "mean", "max", "min", "rate", "p50", "p90", "p95", "p99"]
Across = Literal["sum", "mean", "max", "each"]
Phase = Literal["pending", "starting", "ready", "failed"]

WAITING = "vllm:num_requests_waiting"
RUNNING = "vllm:num_requests_running"
KV_USAGE = "vllm:kv_cache_usage_perc"
"""Share of KV memory in use, 0 to 1, as vLLM names it."""
CONCURRENCY = "concurrency"
"""Requests waiting and running; time-averaged between two scrapes."""
BUSY_SHARE = "busy_share"
"""Share of the time between two scrapes in which a replica ran a batch: what a GPU's utilization gauge shows."""
REQUESTS = "requests_total"
"""Counter of requests that reached the pool."""
PROMPT_TOKENS = "vllm:prompt_tokens_total"
"""Counter of their prompt tokens."""
FINISHED = "vllm:request_success_total"
"""Counter of requests answered."""
GENERATION_TOKENS = "vllm:generation_tokens_total"
"""Counter of their output tokens."""
TTFT = "vllm:time_to_first_token_seconds"
"""Histogram; ask for a quantile (`how="p99"`) or the `mean` over a window."""
ITL = "vllm:inter_token_latency_seconds"
"""Histogram of the mean time between two tokens of a request, counted when it is answered."""
WORK_AHEAD = "fleetcast:work_ahead"
"""What no real system knows: replica-seconds of work that will arrive in the next `over_s` seconds, per second."""


@dataclass(frozen=True)
class Query:
    """One number that a policy asks the metrics pipeline for."""

    metric: str
    """A name as above (Prometheus names where vLLM has one)."""
    how: How = "last"
    """Of the samples in the window. `rate`: a counter's growth per second. A quantile: of a histogram's growth."""
    over_s: float = 0.0
    """The window, back from the newest sample; 0: that sample alone."""
    across: Across = "sum"
    """How the pods' values make one; `each`: they do not, every `Pod` holds its own."""


@dataclass(frozen=True)
class Pod:
    """One replica as a cluster shows it."""

    name: int
    """Tells it from others, alive or gone."""
    phase: Phase
    """`pending`: no node, or its image is not there yet. `starting`: runs, but is not ready (weights, engine)."""
    values: Mapping[Query, float] = field(default_factory=dict)
    """Answers to queries across `each`; a query without an answer is a missing metric."""


@dataclass(frozen=True)
class Observation:
    """One pool at one time as its policy sees it: sizes as of now, metrics as old as the pipeline makes them."""

    at_s: float
    current: int
    """Replicas that are asked for now (a scale target's `spec.replicas`)."""
    ready: int
    """Replicas that take requests now."""
    unready: int = 0
    """Replicas that were asked for and are not ready yet, or have failed; those that drain are not counted."""
    values: Mapping[Query, float] = field(default_factory=dict)
    """Answers; a query without one (no sample yet, nothing in the window, no pod) is missing."""
    pods: tuple[Pod, ...] = ()
    """All replicas but draining ones, oldest first; empty when the policy asks nothing across `each`."""

    @property
    def replicas(self) -> int:
        """Replicas that exist (a scale target's `status.replicas`)."""
        return self.ready + self.unready

    def value(self, query: Query) -> float | None:
        """The answer to a query; None when it is missing."""
        return self.values.get(query)


@dataclass(frozen=True)
class Decision:
    """How many replicas the policy wants, and why (which metric, which limit, which window)."""

    replicas: int
    reason: str
    proposed: int | None = None
    """What load alone asks for, before windows, rates and bounds; None: the same as `replicas`."""
    next_s: float | None = None
    """When to ask again; None: `period_s` from now."""


@dataclass(frozen=True)
class Pipeline:
    """How metrics get to a policy, in seconds."""

    scrape_s: float
    """Between two samples; 0: no samples are taken, and a policy reads gauges of its pool as they are when it is asked
    (for one that sits in the router, and `hears` of every change)."""
    delay_s: float = 0.0
    """Until a policy sees a sample."""


class Policy(Protocol):
    """A policy is a frozen value with one pure method: what it remembers goes in and comes out."""

    @property
    def period_s(self) -> float:
        """Seconds between decisions; infinite for a policy that decides once."""
        ...

    @property
    def queries(self) -> tuple[Query, ...]:
        """What it will want to know."""
        ...

    @property
    def pipeline(self) -> Pipeline:
        """How fresh its metrics are in the real system, unless the pool says otherwise."""
        ...

    @property
    def initial_replicas(self) -> int:
        """Replicas that are there, and ready, when the run begins."""
        ...

    @property
    def floor_replicas(self) -> int:
        """The least it will ever want: what idles below this is its minimum's doing."""
        ...

    @property
    def most_replicas(self) -> int:
        """The most it will ever want."""
        ...

    @property
    def hears(self) -> Literal["nothing", "first_arrival", "changes"]:
        """When it is asked between periods: when a request reaches an empty pool, or whenever one comes or goes or a
        replica becomes ready."""
        ...

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        """The decision at `seen.at_s`. `memory` is None at first, then what the last call returned."""
        ...
