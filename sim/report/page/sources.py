"""Where the numbers of a study come from, for the end of its page."""

from __future__ import annotations

from collections.abc import Mapping

from sim.result.provenance import software
from sim.scenario import Scenario


def sources_of(scenarios: Mapping[str, Scenario], *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Digest and seed of each scenario, what else there is to be told, and the versions of what made it."""
    several = len(scenarios) > 1
    told = [
        (f"{name}, SHA-256" if several else "scenario, SHA-256", scenario.digest)
        for name, scenario in scenarios.items()
    ]
    seeds = list(dict.fromkeys(str(scenario.seed) for scenario in scenarios.values()))
    return (*told, ("seed", ", ".join(seeds)), *more, *software_of())


def software_of() -> tuple[tuple[str, str], ...]:
    """What made it."""
    return (("software", " · ".join(f"{name} {version}" for name, version in software().items())),)
