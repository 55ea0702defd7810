"""A run as the metrics that its vLLM servers would have exported: OpenMetrics text with timestamps, for backfilling.

`promtool tsdb create-blocks-from openmetrics` makes blocks of it that a Prometheus serves as its own past, so that
dashboards made for vLLM show the simulated fleet. Counters begin at 0 with each replica. What a run does not know is
left out (see `families`).
"""

from __future__ import annotations

from sim.exchange.openmetrics.document import MOST_SAMPLES, Metrics, metrics_of

__all__ = ["MOST_SAMPLES", "Metrics", "metrics_of"]
