"""Zones that failures name and that there are none of."""

from __future__ import annotations

from collections.abc import Sequence

from sim.config.said import Problems
from sim.scenario.faults import AnyFault, ZoneOutage
from sim.scenario.supply import Offer


def unknown_zones(offers: Sequence[Offer], faults: Sequence[AnyFault]) -> Problems:
    """Outages of zones, or in regions, that no offer is in."""
    zones: dict[str, int] = {}
    for offer in offers:
        zones[offer.region] = max(zones.get(offer.region, 0), offer.zones)
    problems: Problems = []
    for index, fault in enumerate(faults):
        if not isinstance(fault, ZoneOutage):
            continue
        if fault.region not in zones:
            there = ", ".join(f"'{region}'" for region in zones)
            problems.append((("faults", index, "region"), f"no offer is in '{fault.region}'; there are: {there}"))
        elif fault.zone >= zones[fault.region]:
            most = zones[fault.region] - 1
            told = f"must be at most {most}, the last zone of the offers (`zones` in 'supply'); got {fault.zone}"
            problems.append((("faults", index, "zone"), told))
    return problems
