"""Names of the metrics that tell an engine's traffic.

Source: vllm-project/vllm, vllm/v1/metrics/loggers.py; sgl-project/sglang, srt/metrics/collector.py. Counts are of
requests that ended; with those still in the system they tell when requests came.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class EngineMetrics:
    """What one engine calls things; the first name that is there is taken."""

    engine: str
    ended: tuple[str, ...]
    in_system: tuple[str, ...]
    """Gauges whose sum is the number of requests in the system."""
    prompt: tuple[str, ...]
    """Histogram of prompt lengths, without its endings."""
    output: tuple[str, ...]
    prompt_total: tuple[str, ...]
    output_total: tuple[str, ...]
    e2e_sum: tuple[str, ...]
    cache_hits: tuple[str, ...]
    """Tokens."""
    cache_queries: tuple[str, ...]
    gave_up: tuple[str, ...] = ()
    """Counter of aborted requests, where `ended` has no label that tells them."""

    def counters(self) -> set[str]:
        """Metrics that tell when requests came: wanted in short steps."""
        return {*self.ended, *self.in_system, *self.gave_up}

    def sums(self) -> set[str]:
        """Metrics of which only the growth over the whole time is wanted."""
        histograms = {
            f"{name}{part}" for name in (*self.prompt, *self.output) for part in ("_bucket", "_sum", "_count")
        }
        others = ("prompt_total", "output_total", "e2e_sum", "cache_hits", "cache_queries")
        return histograms | {
            name for field in fields(self) if field.name in others for name in getattr(self, field.name)
        }

    def all(self) -> set[str]:
        """Every metric that is of use."""
        return self.counters() | self.sums()


VLLM = EngineMetrics(
    "vLLM",
    ("vllm:request_success_total",),
    ("vllm:num_requests_running", "vllm:num_requests_waiting"),
    ("vllm:request_prompt_tokens",),
    ("vllm:request_generation_tokens",),
    ("vllm:prompt_tokens_total",),
    ("vllm:generation_tokens_total",),
    ("vllm:e2e_request_latency_seconds_sum",),
    ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
    ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
)
SGLANG = EngineMetrics(
    "SGLang",
    ("sglang:num_requests_total",),
    ("sglang:num_running_reqs", "sglang:num_queue_reqs"),
    ("sglang:prompt_tokens_histogram",),
    ("sglang:generation_tokens_histogram",),
    ("sglang:prompt_tokens_total",),
    ("sglang:generation_tokens_total",),
    ("sglang:e2e_request_latency_seconds_sum",),
    ("sglang:cached_tokens_total",),
    ("sglang:prompt_tokens_total",),
    ("sglang:num_aborted_requests_total",),
)
ENGINES = (VLLM, SGLANG)
ABORTED = "abort"
"""Value of the label `finished_reason` of requests that were given up."""
PREFIXES = ("vllm:", "sglang:")
EVERY = frozenset().union(*(engine.all() for engine in ENGINES))
