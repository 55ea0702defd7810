"""Workloads: arrival laws, length laws and traces become columns of requests. All randomness of demand ends here."""

from __future__ import annotations

from sim.workload.arrivals import AnyArrivals
from sim.workload.base import Workload
from sim.workload.demand import Demand
from sim.workload.distributions import AnyDistribution
from sim.workload.generated import Generated
from sim.workload.replayed import Replayed
from sim.workload.streams import AnyStream, AnyWorkload, Streams
from sim.workload.traces import AnyFormat, Trace, read_trace

__all__ = [
    "AnyArrivals",
    "AnyDistribution",
    "AnyFormat",
    "AnyStream",
    "AnyWorkload",
    "Demand",
    "Generated",
    "Replayed",
    "Streams",
    "Trace",
    "Workload",
    "read_trace",
]
