"""Which make serves which bucket, and how many replicas of each: a MILP, after Melange (Griggs et al. 2024).

    minimise    sum over makes of cost * replicas
    subject to  each bucket on one make,
                sum over its buckets of rate / (throughput * load share) <= replicas, of each make, in whole numbers.

Loads are taken as additive, and a replica as full only to the share of its throughput that runs have shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sim.study.purchased.program import Program


@dataclass(frozen=True)
class Assigned:
    """What the MILP picks."""

    choice: tuple[str, ...]
    """By bucket, the make that serves it."""
    replicas: Mapping[str, int]
    """By make, those that serve something."""
    loads: Mapping[str, float]
    """Replicas' worth of requests, each as full as theory lets it be."""
    usd_per_hour: float


def assign(
    loads: Sequence[Mapping[str, float]],
    usd_per_hour: Mapping[str, float],
    load_share: Mapping[str, float],
    only: Sequence[str] | None = None,
) -> Assigned | None:
    """The cheapest choice; None where a bucket can be served by none of the makes.

    `loads`: by bucket and make, rate over throughput; a make that cannot serve the bucket is not in it. `load_share`:
    by make, how full a replica may be. `only`: the makes that may be used.
    """
    makes = [make for make in usd_per_hour if only is None or make in only]
    program = Program()
    count = {make: program.add(usd_per_hour[make], whole=True) for make in makes}
    picked: dict[tuple[int, str], int] = {}
    for bucket, able in enumerate(loads):
        for make in makes:
            if make in able:
                picked[bucket, make] = program.add(high=1.0, whole=True)
        mine = [(column, 1.0) for (which, _), column in picked.items() if which == bucket]
        if not mine:
            return None
        program.row(mine, low=1.0, high=1.0)
    for make in makes:
        terms = [
            (column, loads[bucket][make] / load_share[make]) for (bucket, who), column in picked.items() if who == make
        ]
        program.row([*terms, (count[make], -1.0)], high=0.0)
    values = program.solve().values
    choice = tuple(
        next(make for make in makes if (bucket, make) in picked and values[picked[bucket, make]] > 0.5)
        for bucket in range(len(loads))
    )
    carried = {make: sum(loads[place][make] for place, who in enumerate(choice) if who == make) for make in makes}
    replicas = {make: round(values[count[make]]) for make in makes if carried[make] > 0}
    usd = sum(usd_per_hour[make] * number for make, number in replicas.items())
    return Assigned(choice, replicas, {make: load for make, load in carried.items() if load > 0}, usd)
