"""What breaks, as SimPy processes: replicas and nodes that fail at a hazard, zones that go down at a time."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol

from sim.fleet.clock import LIFE
from sim.result.log import FAILED, ZONE_OUTAGE
from sim.scenario.faults import AnyFault, Crash, ZoneOutage
from sim.scenario.times import drawn

if TYPE_CHECKING:
    from sim.fleet.deployment import Deployment
    from sim.fleet.life import Life


class Breaker(Protocol):
    """One fault of a pool."""

    def watch(self, life: Life) -> None:
        """A replica is ready, and can fail from now on."""
        ...


def breaker(deployment: Deployment, fault: AnyFault, number: int) -> Breaker:
    """The process of a fault; `number` is its place in the pool's list."""
    match fault:
        case Crash():
            return Crashes(deployment, fault, f"crash {number}")
        case ZoneOutage():
            return Outage(deployment, fault)


class Crashes:
    """Replicas or nodes that fail by themselves, busy or idle."""

    def __init__(self, deployment: Deployment, fault: Crash, stream: str) -> None:
        self.deployment = deployment
        self.fault = fault
        self.stream = stream

    def watch(self, life: Life) -> None:
        """Draw when this replica fails, from now on (a constant hazard remembers nothing)."""
        gpus = self.deployment.made(life).gpus_per_replica
        passes_s = float(life.rng(self.stream).standard_exponential()) * self.fault.mtbf_s / gpus
        self.deployment.clock.process(self._fail(life, life.serving, passes_s))

    def _fail(self, life: Life, serving: int, passes_s: float) -> Generator[Any, Any, None]:
        yield self.deployment.clock.at(self.deployment.clock.now + passes_s, LIFE)
        if life.serving != serving or life.phase not in ("ready", "draining"):
            return  # gone, or down by another fault: a new time is drawn when it is ready again
        repair_s = None if self.fault.repair_s is None else drawn(self.fault.repair_s, life.rng(self.stream))
        for other in self._with(life):
            other.fail(repair_s, FAILED)

    def _with(self, life: Life) -> list[Life]:
        """Those that fail together with a replica: all on its node, or itself."""
        size = self.fault.replicas_per_node
        if size is None:
            return [life]
        others = [*self.deployment.alive, *self.deployment.draining.values()]
        return [
            other
            for other in others
            if other.index // size == life.index // size and other.phase in ("ready", "draining")
        ]


class Outage:
    """A zone that goes down at a time and is up again at another."""

    def __init__(self, deployment: Deployment, fault: ZoneOutage) -> None:
        self.deployment = deployment
        self.fault = fault
        deployment.clock.process(self._run())

    def watch(self, life: Life) -> None:
        """Nothing: the time is set."""

    def _run(self) -> Generator[Any, Any, None]:
        fault, market, clock = self.fault, self.deployment.market, self.deployment.clock
        yield clock.at(fault.at_s, LIFE)
        market.zones_out[fault.region, fault.zone] += 1
        for life in [*self.deployment.alive, *self.deployment.draining.values()]:
            offer = market.offers[life.offer]
            granted = life.phase != "gone" and market.holds(life)
            if granted and offer.region == fault.region and life.zone == fault.zone:
                life.end(ZONE_OUTAGE)
        yield clock.at(fault.until_s, LIFE)
        market.zones_out[fault.region, fault.zone] -= 1
