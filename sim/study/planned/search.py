"""The smallest number with which a goal is met: gallop, bisect, and look whether it is as monotone as it should be.

More replicas are expected to help. Where a probe says otherwise (a router that spreads a cache too thin, an autoscaler
that overreacts), the neighbourhood is looked at number by number, and the answer is the smallest number from which on
all that was looked at meet the goal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

SCAN = 12
"""Numbers that are looked at one by one where the goal is not monotone."""


@dataclass
class Search:
    """Looks for the smallest number that meets a goal; remembers what it has looked at."""

    met: Callable[[int], bool]
    least: int
    most: int
    probes: dict[int, bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def at(self, number: int) -> bool:
        """Whether this number meets the goal."""
        if number not in self.probes:
            self.probes[number] = self.met(number)
        return self.probes[number]

    def smallest(self, start: int, hopeless: Callable[[], bool] = lambda: False) -> int | None:
        """The smallest number in [least, most] that meets the goal; None: not even the most (or `hopeless`) does.

        `start`: where it may be. `hopeless`: asked after a probe on the way up has failed, whether to go on.
        """
        start = min(max(start, self.least), self.most)
        above = self._up(start, hopeless) if not self.at(start) else start
        if above is None:
            return None
        below = self._down(above)
        while above - below > 1:
            middle = (above + below) // 2
            if self.at(middle):
                above = middle
            else:
                below = middle
        return self._checked(above)

    def _up(self, failed: int, hopeless: Callable[[], bool]) -> int | None:
        """A number above that meets it, by steps that double."""
        step = max(failed // 8, 1)
        while failed < self.most:
            failed = min(failed + step, self.most)
            step *= 2
            if self.at(failed):
                return failed
            if hopeless():
                return None
        return None

    def _down(self, met: int) -> int:
        """The largest number below that is known not to meet it, found by steps that double; least - 1: none."""
        known = [number for number, meets in self.probes.items() if not meets and number < met]
        if known:
            return max(known)
        step = 1
        while met - step >= self.least:
            if not self.at(met - step):
                return met - step
            met, step = met - step, step * 2
        if met > self.least and not self.at(self.least):
            return self.least
        return self.least - 1

    def _checked(self, found: int) -> int:
        """The answer, after a look at both sides of it; where they contradict it, of all numbers around."""
        if found < self.most:
            self.at(found + 1)
        if found - 2 >= self.least:
            self.at(found - 2)
        wrong = [
            (low, high)
            for low, meets in self.probes.items()
            if meets
            for high, also in self.probes.items()
            if not also and high > low
        ]
        if not wrong:
            return found
        low, high = min(low for low, _ in wrong), max(high for _, high in wrong)
        first = max(self.least, low - 1)
        last = min(self.most, max(high, found) + 1, first + 2 * SCAN)
        for number in range(first, last + 1):
            self.at(number)
        fails = [number for number, meets in self.probes.items() if not meets and number <= max(last, high)]
        answer = max(fails) + 1
        self.notes.append(
            f"more is not always better here: {low} meet what {high} do not; {answer} is the smallest number from "
            f"which on all that were tried do"
        )
        while answer < self.most and not self.at(answer):
            answer += 1
        return answer
