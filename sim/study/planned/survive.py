"""N + k: replicas beside those that are needed, so that what is left after a loss still keeps the promises.

What fails together is a domain (a replica, a node, a zone), never a GPU alone. The need is what the certificate is of:
with the domains lost, at least so many replicas are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.pricing.arithmetic import available_share, spares, units_per_zone
from sim.scenario import Pool
from sim.scenario.plan import Survive


@dataclass(frozen=True)
class Spares:
    """What one pool needs, and what it gets beside that."""

    need: int
    """Replicas that keep the promises."""
    total: int
    """Replicas to have."""
    domain: str
    """What may be lost, in words."""
    per_domain: int = 1
    """Replicas that a domain holds at most."""
    left: int = 0
    """Replicas that are left after the loss, at least."""
    works_share: float | None = None
    """Probability that enough work; None where no availability was asked for."""

    @property
    def spare(self) -> int:
        """Replicas beside the need."""
        return self.total - self.need

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "need": self.need,
            "spare": self.spare,
            "total": self.total,
            "survives": self.domain,
            "replicas_per_domain": self.per_domain,
            "left_after_loss": self.left,
            "enough_work_probability": self.works_share,
        }


def spares_of(need: int, pool: Pool, survive: Survive) -> Spares:
    """The replicas that a pool needs beside `need`, for the loss that it is to survive."""
    if survive.replicas is not None:
        return Spares(need, need + survive.replicas, _many(survive.replicas, "replica"), left=need)
    if survive.nodes is not None:
        # a replica larger than a node stands on several: losing one of them loses it
        each = max(survive.gpus_per_node // pool.gpus_per_replica, 1)
        return Spares(need, need + survive.nodes * each, _many(survive.nodes, "node"), each, need)
    if survive.zones is not None:
        zones = survive.of or max(offer.zones for offer in pool.offers)
        each = units_per_zone(need, zones, survive.zones)
        domain = f"{_many(survive.zones, 'zone')} of {zones}"
        return Spares(need, each * zones, domain, each, each * (zones - survive.zones))
    assert survive.availability is not None
    assert survive.unit_availability is not None
    more = spares(need, survive.unit_availability, survive.availability)
    works = available_share(need + more, need, survive.unit_availability)
    domain = f"replicas that work {survive.unit_availability:.4%} of the time each"
    return Spares(need, need + more, domain, left=need, works_share=works)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
