"""What the search has found of designs, and the mixes of two GPUs in one pool that may be cheaper than either alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sim.study.planned.designs import Design, Fleets, mixed


@dataclass
class Found:
    """The smallest fleet of some designs, by the search."""

    fleets: Fleets
    fleet: dict[str, int]
    usd_per_hour: float
    met: bool = True


def differ_in(best: Found, other: Found, name: str) -> bool:
    """Whether two fleets have the same designs but for this pool (and are both of one GPU there)."""
    ours, theirs = best.fleets.designs, other.fleets.designs
    return all(ours[each] is theirs[each] for each in ours if each != name)


def proposals(below_usd: float, alone: list[Found], name: str) -> Iterator[tuple[float, Found, Design, int]]:
    """Mixes of two GPUs that may cost less: the least price that they may have, what they come from, and where to look.

    What is needed is more than what one replica fewer of a GPU alone can do, and no more than what all of them can.
    """
    for place, one in enumerate(alone):
        for other in alone[place + 1 :]:
            first, second = one.fleets.designs[name], other.fleets.designs[name]
            if first.pool.gpu == second.pool.gpu:
                continue
            need, rest = one.fleet[name], other.fleet[name]
            for count in range(1, need):
                least = max(math.floor((need - 1 - count) * (rest - 1) / need) + 1, 1)
                likely = max(math.ceil(rest * (1 - count / need)), least)
                design = mixed(first, second, count)
                each = Fleets(one.fleets.scenario, {**one.fleets.designs, name: design})
                usd = each.usd_per_hour({**one.fleet, name: count + least})
                if usd < below_usd:
                    yield usd, one, design, count + likely
