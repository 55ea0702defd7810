"""Upper bounds of the buckets of vLLM's latency histograms: the model counts by them, metrics are answered from them.

Source: vllm-project/vllm@005a810b, vllm/v1/metrics/loggers.py.
"""

from __future__ import annotations

TTFT_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
"""`vllm:time_to_first_token_seconds`; the last bucket has no bound."""

ITL_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
"""`vllm:inter_token_latency_seconds`: those that the file above gives time per output token, its former name."""
