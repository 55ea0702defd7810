"""Where a pool's replicas come from: offers tried in order, quotas, stock-outs, zones, and spot that is taken back."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from sim.fleet.clock import LIFE
from sim.result.log import RECLAIMED
from sim.scenario.supply import Offer

if TYPE_CHECKING:
    from sim.fleet.deployment import Deployment
    from sim.fleet.life import Life


class Market:
    """The providers of one pool."""

    def __init__(self, deployment: Deployment, offers: tuple[Offer, ...]) -> None:
        self.deployment = deployment
        self.offers = offers
        self.zones_out: list[tuple[str, int]] = []
        """(region, zone) of those that are down, once for each outage there: outages may overlap."""
        self._taken: list[dict[Life, None]] = [{} for _ in offers]
        """By offer, in the order of the grants."""

    def first(self, life: Life) -> tuple[int, int]:
        """Offer and zone of a replica that is there when the run begins: no order of its was ever refused."""
        for index, offer in enumerate(self.offers):
            zone = self._zone(index)
            if zone is not None and self._has_quota(offer, index):
                self._taken[index][life] = None
                return index, zone
        index = len(self.offers) - 1
        self._taken[index][life] = None
        return index, 0

    def grant(self, life: Life) -> Generator[Any, Any, None]:
        """Wait until an offer grants the replica; sets its `offer` and `zone`."""
        clock = self.deployment.clock
        again_s = [-math.inf] * len(self.offers)
        while True:
            for index, offer in enumerate(self.offers):
                if again_s[index] > clock.now:
                    continue
                wait_s = self._answer(index, life)
                if wait_s is None:
                    again_s[index] = clock.now + offer.retry_s
                    continue
                self._taken[index][life] = None
                if wait_s > 0:
                    yield clock.at(clock.now + wait_s, LIFE)
                return
            again = min(again_s)
            yield clock.at(again if again <= self.deployment.calm_s else math.inf, LIFE)

    def holds(self, life: Life) -> bool:
        """Whether the replica has been granted and is not gone."""
        return life in self._taken[life.offer]

    def give_back(self, life: Life) -> None:
        """A replica is gone: another may take its place in the quota."""
        self._taken[life.offer].pop(life, None)

    def is_spot(self, life: Life) -> bool:
        """Whether the provider may take the replica back."""
        return self.offers[life.offer].market == "spot"

    def watch(self, life: Life) -> None:
        """A replica is ready; one on spot may be taken back from now on."""
        spot = self.offers[life.offer].spot
        if spot is not None and life.serving == 1:
            at_s = spot.next_s(self.deployment.clock.now, float(life.rng("spot").standard_exponential()))
            self.deployment.clock.process(self._reclaim(life, at_s))

    def _reclaim(self, life: Life, at_s: float) -> Generator[Any, Any, None]:
        if at_s > self.deployment.calm_s:
            return
        yield self.deployment.clock.at(at_s, LIFE)
        spot = self.offers[life.offer].spot
        assert spot is not None
        if life.phase == "gone":
            return
        others = [other for other in self._taken[life.offer] if other.zone == life.zone and other.phase != "gone"]
        for other in others:
            if other is life or life.rng("spot").random() < spot.batch:
                other.reclaim(RECLAIMED, spot.notice_s)

    def _answer(self, index: int, life: Life) -> float | None:
        """Seconds until the offer grants the replica; None when it refuses."""
        offer = self.offers[index]
        zone = self._zone(index)
        if zone is None or not self._has_quota(offer, index):
            return None
        wait_s: float | None = 0.0
        if offer.stock_out is not None:
            wait_s = offer.stock_out.answer(self.deployment.clock.now, life.rng("stock_out"))
        if wait_s is not None:
            life.offer, life.zone = index, zone
        return wait_s

    def _has_quota(self, offer: Offer, index: int) -> bool:
        return offer.most is None or len(self._taken[index]) < offer.most

    def _zone(self, index: int) -> int | None:
        """The zone with the fewest replicas of this offer, among those that are up; None when none is."""
        offer = self.offers[index]
        if offer.zones == 1 and not self.zones_out:
            return 0
        up = [zone for zone in range(offer.zones) if (offer.region, zone) not in self.zones_out]
        there = [life.zone for life in self._taken[index]]
        return min(up, key=lambda zone: (there.count(zone), zone), default=None)
