"""A candidate of a plan: a design for each pool, and how far it has come; looked at, found, raised, certified."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sim.study.planned.certify import Certified, Certifying
from sim.study.planned.designs import Fleets
from sim.study.planned.mixes import Found
from sim.study.planned.screen import Bracket


@dataclass
class Mixing:
    """Where to look for the fleet of a mix of two GPUs in one pool."""

    pool: str
    beside: dict[str, int]
    """Replicas of all pools where one GPU serves alone; those of the others stay."""
    total: int
    """Replicas of both GPUs that may be needed."""


@dataclass
class Candidate:
    """What is known of some designs. Prices in USD an hour, or in GPUs where no price is known."""

    fleets: Fleets
    brackets: Mapping[str, Bracket]
    floor_usd: float
    """For less it does not keep the promises: by theory, later by a search among all fleets that cost less."""
    mixing: Mixing | None = None
    looked_at: bool = False
    """Whether there was a search, not theory alone."""
    broken: str = ""
    """Why it cannot be run."""
    said: str = ""
    """What the search said of the fleet that it found."""
    found: Found | None = None
    """The smallest fleet by the search; `met` is false of one that shows that none does."""
    reached: Found | None = None
    """The fleet to be certified next, or certified: that of the search, or raised where a certificate has failed."""
    certifying: Certifying | None = None
    """Its certificates so far."""
    certified: Certified | None = None
    """Where certifying has ended."""

    @property
    def open(self) -> bool:
        """Whether a fleet is still to be found, once there is more money for it."""
        return self.found is None and not self.broken

    @property
    def sure(self) -> bool:
        """Whether it is certified."""
        return self.certified is not None and self.certified.enough

    @property
    def hopeful(self) -> bool:
        """Whether it has a fleet that keeps the promises, as far as is known."""
        return self.sure or (self.certified is None and self.found is not None and self.found.met)

    @property
    def usd_per_hour(self) -> float:
        """Of the fleet reached."""
        assert self.reached is not None, "it has a fleet"
        return self.reached.usd_per_hour

    def take(self, found: Found, said: str) -> None:
        """Keep what the search has found."""
        self.found = self.reached = found
        self.said = said

    def raise_to(self, fleet: Mapping[str, int], usd_per_hour: float) -> None:
        """Go on with another fleet of the same designs."""
        assert self.found is not None, "it has been found"
        self.reached = Found(self.fleets, dict(fleet), usd_per_hour, self.found.met)


def cheapest_usd(candidates: Iterable[Candidate]) -> float:
    """What the cheapest of those that keep the promises costs, as far as is known; infinite: none does."""
    return min((one.usd_per_hour for one in candidates if one.hopeful), default=math.inf)


def rival_usd(one: Candidate, candidates: Iterable[Candidate]) -> float:
    """What any other candidate may cost at least: those without a fleet as far as they have been looked at."""
    others = [other for other in candidates if other is not one]
    return min([cheapest_usd(others), *(other.floor_usd for other in others if other.open)])


def chosen(candidates: Iterable[Candidate]) -> Candidate | None:
    """The cheapest that is certified; None: none is."""
    return min((one for one in candidates if one.sure), key=lambda one: one.usd_per_hour, default=None)
