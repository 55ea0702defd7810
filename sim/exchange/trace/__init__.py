"""A run as Chrome trace events, which ui.perfetto.dev and chrome://tracing open.

A process a pool, a track a replica: its states, and in them its batches, a slice as long as who is in it stays the
same. Requests that wait and that run, and ready replicas, as counters; decisions of the autoscaler as instants.
"""

from __future__ import annotations

from sim.exchange.trace.document import Trace, trace_of
from sim.exchange.trace.window import MOST_EVENTS, Window

__all__ = ["MOST_EVENTS", "Trace", "Window", "trace_of"]
