"""Which points of a search are worth measuring again: the best at several margins, and those between cost and tail.

A search sees its best points at their luckiest, above all at the edge of what they must keep. So the finalists are not
its best ten, but the best ones that keep their constraints by none, one, two and three standard errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from sim.study.tuned.figures import Measured, mean
from sim.study.tuned.goal import Goal
from sim.study.tuned.race import Standing
from sim.study.tuned.space import Candidate

MARGINS = (1.0, 2.0, 3.0, 0.0)
FRONT_SHARE = 0.3
"""Of the finalists, those that are there for the front of cost against the tail."""


def finalists(
    goal: Goal, base: Sequence[Measured], standings: Sequence[Standing], number: int, untouched: Candidate
) -> list[Candidate]:
    """So many points at most, the untouched scenario not among them."""
    others = [one for one in standings if one.candidate.digest != untouched.digest]
    spread = round(FRONT_SHARE * number) if number > 2 else 0
    chosen: dict[str, Candidate] = {}
    for one in _best(goal, base, others):
        if len(chosen) >= number - spread:
            break
        chosen.setdefault(one.candidate.digest, one.candidate)
    for one in _between(front_of(others)):
        if len(chosen) >= number:
            break
        chosen.setdefault(one.candidate.digest, one.candidate)
    return list(chosen.values())


def _best(goal: Goal, base: Sequence[Measured], standings: Sequence[Standing]) -> Iterator[Standing]:
    """The best at each margin in turn, then the others."""
    guess = goal.guesses(base)
    lists = []
    for margin in MARGINS:
        kept = [one for one in standings if goal.missed(one.runs, base[: one.replications], margin, guess) <= 0]
        lists.append(sorted(kept, key=lambda one: one.value))
    for turn in zip_longest(*lists):
        yield from (one for one in turn if one is not None)
    yield from sorted(standings, key=lambda one: one.order)


def front_of(standings: Sequence[Standing]) -> list[Standing]:
    """The points that none is both cheaper and faster than, the cheapest first."""
    found: list[Standing] = []
    least = float("inf")
    for one in sorted(standings, key=lambda one: (_cost(one), _tail(one))):
        if _tail(one) < least:
            found.append(one)
            least = _tail(one)
    return found


def _between(front: Sequence[Standing]) -> Iterator[Standing]:
    """From the middle of a front outwards by halves."""
    queue = [(0, len(front))]
    while queue:
        low, high = queue.pop(0)
        if low < high:
            middle = (low + high) // 2
            yield front[middle]
            queue += [(low, middle), (middle + 1, high)]


def _cost(one: Standing) -> float:
    return mean([run.cost for run in one.runs])


def _tail(one: Standing) -> float:
    return mean([run.p99_s for run in one.runs])
