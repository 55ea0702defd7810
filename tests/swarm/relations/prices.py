"""Money only counts what has happened."""

from __future__ import annotations

from typing import Any

import pytest

from sim import Result
from sim.config.errors import ConfigError, DataError
from sim.pricing.books.book import PriceBook
from sim.scenario import Scenario, load
from tests.swarm.ran import run
from tests.swarm.relations.changes import Relation, Told, keys_of, parts, same_run
from tests.swarm.scaling import multiplied


def dearer(scenario: Scenario, result: Result, told: Told) -> bool:
    """M11: all prices doubled double the bill, and nothing else changes."""
    if told["cost"]["total_usd"] is None:
        return False
    other = load_doubled(scenario)
    if other is None:
        return False
    again = run(other, "compiled")
    same_run(result, again, "prices")
    twice = again.summary()
    assert twice["cost"]["total_usd"] == approx(2 * told["cost"]["total_usd"]), "twice the prices is not twice the bill"
    for name, block in twice["pools"].items():
        assert block["cost"]["total_usd"] == approx(2 * told["pools"][name]["cost"]["total_usd"]), name
    assert twice["latency"] == told["latency"]
    return True


def load_doubled(scenario: Scenario) -> Scenario | None:
    """The scenario with every amount of money doubled; None if some price stands in a currency or a book."""
    if any(isinstance(part, PriceBook) for part in parts(scenario)):
        return None
    return scaled(scenario, {"USD": 2.0})


def scaled(scenario: Scenario, factors: dict[str, float]) -> Scenario | None:
    """The scenario with numbers of some kinds multiplied; None if it cannot be loaded so."""
    try:
        return load(multiplied(keys_of(scenario), factors))
    except (ConfigError, DataError):
        return None


def approx(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


PRICES: dict[str, Relation] = {"M11 prices": dearer}
