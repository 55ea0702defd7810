"""The metrics that are written: vLLM's names, types and bucket edges, and kube-state-metrics' counts of replicas.

Source: vllm-project/vllm@005a810b (vllm/v1/metrics/loggers.py), and for `inter_token_latency_seconds` and
`request_time_per_output_token_seconds` the same file of later versions. Left out, because a run does not know it:
tokens per iteration, preemptions over time (it has their number), KV memory of single replicas, limits that requests
ask for (`max_tokens`, `n`), LoRA, sleep states, and why an answer ended (all are `stop`).
"""

from __future__ import annotations

from typing import NamedTuple

TTFT_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
    *(160.0, 640.0, 2560.0),
)
TOKEN_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
REQUEST_S = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0),
    *(1920.0, 7680.0),
)
TOKENS = ()
"""Edges that depend on the longest request: 1, 2, 5, 10, 20, ..."""


class Family(NamedTuple):
    """One metric."""

    name: str
    """Without `_total`."""
    kind: str
    """gauge, counter or histogram."""
    help: str
    edges: tuple[float, ...] = ()
    """Of a histogram; empty: those of `tokens_edges`."""


RUNNING = Family("vllm:num_requests_running", "gauge", "Requests in the batch.")
WAITING = Family("vllm:num_requests_waiting", "gauge", "Requests that wait for a place in the batch.")
KV = Family(
    "vllm:kv_cache_usage_perc", "gauge", "KV memory in use, 1 is all of it: mean of the pool since the last sample."
)
PROMPT = Family("vllm:prompt_tokens", "counter", "Prompt tokens of requests whose prefill is done.")
GENERATION = Family("vllm:generation_tokens", "counter", "Output tokens; within an answer evenly spread.")
QUERIES = Family("vllm:prefix_cache_queries", "counter", "Prompt tokens looked up in the prefix cache.")
HITS = Family("vllm:prefix_cache_hits", "counter", "Prompt tokens found in the prefix cache.")
SUCCESS = Family("vllm:request_success", "counter", "Requests that ended: stop, answered; abort, given up by clients.")

TTFT = Family("vllm:time_to_first_token_seconds", "histogram", "From arrival to the first token.", TTFT_S)
ITL = Family(
    "vllm:inter_token_latency_seconds",
    "histogram",
    "Gaps between tokens, each as the mean of its answer: sum and count are exact.",
    TOKEN_S,
)
TPOT = Family(
    "vllm:request_time_per_output_token_seconds", "histogram", "Mean gap between the tokens of an answer.", TOKEN_S
)
E2E = Family("vllm:e2e_request_latency_seconds", "histogram", "From arrival to the last token.", REQUEST_S)
QUEUE = Family("vllm:request_queue_time_seconds", "histogram", "From arrival to the first place in a batch.", REQUEST_S)
INFERENCE = Family("vllm:request_inference_time_seconds", "histogram", "From there to the last token.", REQUEST_S)
PREFILL = Family("vllm:request_prefill_time_seconds", "histogram", "From there to the first token.", REQUEST_S)
DECODE = Family("vllm:request_decode_time_seconds", "histogram", "From the first token to the last.", REQUEST_S)
PROMPTS = Family("vllm:request_prompt_tokens", "histogram", "Prompt tokens of a request.", TOKENS)
OUTPUTS = Family("vllm:request_generation_tokens", "histogram", "Output tokens of a request.", TOKENS)

EXIST = Family("kube_deployment_status_replicas", "gauge", "Replicas of a pool, those that boot included.")
READY = Family("kube_deployment_status_replicas_ready", "gauge", "Replicas that take requests.")


def tokens_edges(most: int) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, 50, ... up to `most`, as of an engine whose requests may be so long; at least 1."""
    found = [digit * 10.0**power for power in range(13) for digit in (1, 2, 5)]
    return tuple(edge for edge in found if edge <= max(most, 1))
