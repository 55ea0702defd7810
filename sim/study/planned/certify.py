"""From a fleet that the search has found to one that is certified: it is enough, and one replica fewer is not.

The search has seen other runs, so fresh ones may contradict it: then the fleet goes up until it is certified, and down
as long as one fewer is certified as well. What is not decided counts as not enough: the plan is on the safe side, and
a little further down there may be a fleet that is known to miss, which says how far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sim.study.planned.certificate import Certificate
from sim.study.planned.designs import Fleet

MOST_STEPS = 64
"""Fleets that are certified one after another; more than this and the search was of something else."""
BELOW = 2
"""How many fleets below one that is not decided are tested, for the first that is known to miss."""


@dataclass(frozen=True)
class Certified:
    """What certifying came to."""

    fleet: dict[str, int]
    certificates: tuple[Certificate, ...]
    """Of the fleet, then of each pool with one fewer, then of the others that were tried."""

    @property
    def enough(self) -> bool:
        """Whether the fleet is certified."""
        return self.certificates[0].meets is True


@dataclass
class Certifying:
    """Goes from fleet to neighbouring fleet."""

    test: Callable[[Mapping[str, int]], Certificate]
    least: Mapping[str, int]
    most: Mapping[str, int]
    made: dict[tuple[tuple[str, int], ...], Certificate] = field(default_factory=dict)

    def of(self, fleet: Mapping[str, int]) -> Certificate:
        """The certificate of a fleet, made once."""
        key = tuple(sorted(fleet.items()))
        if key not in self.made:
            self.made[key] = self.test(fleet)
        return self.made[key]

    def tested(self, fleet: Mapping[str, int]) -> bool:
        """Whether there is a certificate of it, whatever it says."""
        return tuple(sorted(fleet.items())) in self.made

    def raised(self, start: Mapping[str, int], worth: Callable[[Mapping[str, int]], bool] | None = None) -> Fleet:
        """From this fleet up, the first that is certified; where none is, the largest that may be.

        `worth`: asked of each larger fleet before its test; one that is not worth a test is the answer, untested.
        """
        fleet = dict(start)
        for _ in range(MOST_STEPS):
            if self.of(fleet).meets is True:
                break
            larger = {name: min(count + 1, self.most[name]) for name, count in fleet.items()}
            if larger == fleet:
                break
            fleet = larger
            if worth is not None and not self.tested(fleet) and not worth(fleet):
                break
        return fleet

    def around(self, start: Mapping[str, int]) -> Certified:
        """The certified fleet next to this one; the largest that may be, uncertified, where none is."""
        return self.settled(self.raised(start))

    def settled(self, start: Mapping[str, int]) -> Certified:
        """From a certified fleet down, as long as one fewer is certified; one that is not stays as it is."""
        fleet = dict(start)
        lowered = self._lowered(fleet)
        for _ in range(MOST_STEPS):
            smaller = next((name for name, found in lowered.items() if found.meets is True), None)
            if smaller is None:
                break
            fleet = {**fleet, smaller: fleet[smaller] - 1}
            lowered = self._lowered(fleet)
        for name, found in lowered.items():
            if found.meets is None:
                self._below({**fleet, name: fleet[name] - 1}, name)
        return self._told(fleet, lowered)

    def _lowered(self, fleet: Mapping[str, int]) -> dict[str, Certificate]:
        """With one replica fewer, pool by pool, as far as there may be fewer."""
        if self.of(fleet).meets is not True:
            return {}
        return {
            name: self.of({**fleet, name: count - 1}) for name, count in fleet.items() if count - 1 >= self.least[name]
        }

    def _below(self, fleet: Mapping[str, int], name: str) -> None:
        """Test fleets with ever fewer replicas in a pool, until one is known to miss."""
        for count in range(fleet[name] - 1, max(fleet[name] - 1 - BELOW, self.least[name] - 1), -1):
            if self.of({**fleet, name: count}).meets is False:
                return

    def _told(self, fleet: dict[str, int], lowered: Mapping[str, Certificate]) -> Certified:
        first = self.of(fleet)
        beside = [replace(found, lowered=name) for name, found in lowered.items()]
        shown = [first.fleet, *(found.fleet for found in beside)]
        others = [found for found in self.made.values() if found.fleet not in shown]
        others.sort(key=lambda found: sorted(found.fleet.items()))
        return Certified(fleet, (first, *beside, *others))
