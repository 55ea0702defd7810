"""What a random scenario asks of slots, put before servers behind one line, for theorems that few scenarios are for.

The scenario gives arrivals and services; requests are dealt to three classes of as many tenants, and services scaled
so that the servers are busy most of the time, and sometimes not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sim.scenario import Scenario
from sim.workload.demand import Demand
from tests.swarm.relations.changes import Told

LOAD = 0.9
NAMES = ("x", "y", "z")


def asked(scenario: Scenario, count: int) -> Demand | None:
    """The demand, for so many servers that can just do it; None if it asks for nothing that a server does."""
    if scenario.horizon_s is None:
        return None
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    if demand.more is not None or demand.links is not None or len(demand) < 3 or not (demand.service_s > 0).any():
        return None
    service_s = demand.service_s * (LOAD * count * scenario.horizon_s / demand.service_s.sum())
    return replace(
        demand,
        service_s=service_s,
        first_service_s=service_s,
        stream=(np.arange(len(demand)) % len(NAMES)).astype(np.int16),
        streams=NAMES,
        patience_s=None,
        first_token_timeout_s=None,
        token_timeout_s=None,
        total_timeout_s=None,
    )


def servers(horizon_s: float, replicas: int, concurrency: int, **queue: Any) -> Told:
    """Keys of so many servers and their line."""
    law = {"kind": "constant", "value": 1}
    stream: Told = {"arrivals": {"kind": "poisson", "rate": 1}, "service": law}
    return {
        "name": "servers",
        "horizon": horizon_s,
        "workload": {"streams": {name: {**stream, "class": name, "tenant": name} for name in NAMES}},
        "pools": {
            "one": {
                "replica": {"kind": "slots", "concurrency": concurrency},
                "queue": {"kind": "central", **queue},
                "autoscaler": {"kind": "fixed", "replicas": replicas},
            }
        },
    }
