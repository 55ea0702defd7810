"""Run the model bare with classes and tenants, for tests of who goes first and who is turned away."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.model import state, tournament
from sim.model.specs import PoolSpec, SenderSpec, TenantSpec
from sim.model.tables import State
from tests import runs
from tests.oracle import Job, Step


def slots(replicas: int = 1, seats: int = 1, central: bool = True, **queue: object) -> PoolSpec:
    """A pool of slots."""
    return PoolSpec(batching=False, replicas=replicas, seats=seats, central=central, **queue)  # type: ignore[arg-type]


def engine(seats: int = 4, memory: int = 1000, central: bool = False, **queue: object) -> PoolSpec:
    """One batching replica: an iteration takes a second, a prompt token nothing."""
    return PoolSpec(
        batching=True,
        replicas=1,
        seats=seats,
        central=central,
        max_batched_tokens=1000,
        kv_capacity_tokens=memory,
        base_s=1.0,
        **queue,  # type: ignore[arg-type]
    )


def levels(*given: int, **more: object) -> list[SenderSpec]:
    """A stream of each level, each a class of its own."""
    return [SenderSpec(level=level, group=group, **more) for group, level in enumerate(given)]  # type: ignore[arg-type]


def served(arrival_s: float, stream: int, service_s: float) -> Job:
    return Job(arrival_s=arrival_s, stream=stream, service_s=service_s)


def asked(arrival_s: float, stream: int, prompt: int, output: int) -> Job:
    return Job(arrival_s=arrival_s, stream=stream, prompt=prompt, output=output)


def run(
    pool: PoolSpec, jobs: Sequence[Job], senders: Sequence[SenderSpec], tenants: Sequence[TenantSpec] = ()
) -> State:
    """Every replica ready at zero, then every event to the end."""
    s = state.build([pool], runs.table(list(jobs)), senders, tenants=tenants)
    for row in range(pool.replicas):
        runs.act(s, Step(0.0, "open", row))
    runs.run_until(s, tournament.build(len(s.replicas)), math.inf, [], lets_go=True)
    return s
