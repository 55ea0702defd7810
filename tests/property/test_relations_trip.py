"""A relation that holds whatever a run does is none: each trips over a run in which one request is served otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import Result
from sim.model.tables import COMPLETED, REJECTED
from tests.swarm.generate import made
from tests.swarm.ran import run, watched
from tests.swarm.relations import (
    FOR_FEW,
    RELATIONS,
    changes,
    degenerate,
    one_server,
    prices,
    renamed,
    same_run,
    theorems,
    timing,
)
from tests.swarm.relations.one_server import shortest_remaining

MODULES = (changes, degenerate, one_server, prices, renamed, same_run, theorems, timing)
SCENARIOS = 120
"""In which each must have been tried."""


class Runs:
    """Runs scenarios; the one of this number comes out with a request later, and turned away if it was served."""

    def __init__(self, spoilt: int = 0) -> None:
        self.count = 0
        self.spoilt = spoilt

    def __call__(self, *args: Any, **more: Any) -> Result:
        self.count += 1
        result = run(*args, **more)
        if self.count != self.spoilt:
            return result
        rows = result.log.requests.copy()
        place = int(np.flatnonzero(rows["outcome"] == COMPLETED)[0])
        for name in ("start_s", "first_token_s", "finish_s"):
            rows[name][place] += 1e6
        rows["outcome"][place] = REJECTED
        return replace(result, log=replace(result.log, requests=rows))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """By relation, the scenario that it was first tried on, and what it said of a spoilt run."""
    folder: Path = tmp_path_factory.mktemp("data")
    found: dict[str, tuple[int, str]] = {}
    relations = RELATIONS | FOR_FEW
    with watched(), pytest.MonkeyPatch.context() as patch:

        def by(runs: Runs) -> Runs:
            for module in MODULES:
                patch.setattr(module, "run", runs)
            return runs

        for seed in range(SCENARIOS):
            scenario = made(seed, folder).scenario
            result = run(scenario, "compiled")
            if not (result.log.requests["outcome"] == COMPLETED).any():
                continue
            told = result.summary()
            for name in relations.keys() - found.keys():
                calm = by(Runs())
                if not relations[name](scenario, result, told):
                    continue
                by(Runs(spoilt=calm.count))
                try:
                    relations[name](scenario, result, told)
                except AssertionError as error:
                    found[name] = seed, str(error)
                except IndexError:  # nobody was served in that run
                    continue
                else:
                    found[name] = seed, ""
            if len(found) == len(relations):
                break
    return found


@pytest.mark.parametrize("name", list(RELATIONS | FOR_FEW))
def test_each_is_tried_and_trips(name: str, seen: dict[str, tuple[int, str]]) -> None:
    assert name in seen, f"never tried in {SCENARIOS} scenarios"
    seed, said = seen[name]
    assert said, f"seed {seed}: it holds of a spoilt run"


def test_prices_trip_over_a_bill_that_is_not_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "multiplied", lambda keys, _: keys)
    with watched():
        for seed in range(SCENARIOS):
            scenario = made(seed, tmp_path).scenario
            result = run(scenario, "compiled")
            told = result.summary()
            if told["cost"]["total_usd"] and prices.load_doubled(scenario) is not None:
                with pytest.raises(AssertionError, match="twice"):
                    prices.dearer(scenario, result, told)
                return
    pytest.fail("no scenario has a price")


def test_shortest_remaining_is_served_so() -> None:
    """By hand: 4 s of work break off for 1 s and for 2 s; another of 5 s comes while nobody is there."""
    gone_s = shortest_remaining(np.array([0.0, 1.0, 1.5, 20.0]), np.array([4.0, 1.0, 2.0, 5.0]))
    assert gone_s.tolist() == [2.0, 4.0, 7.0, 25.0]


@pytest.mark.parametrize(
    ("spoilt", "told"), [("busy_s", "work left"), ("finish_s", "fewer in the system")], ids=["work", "number"]
)
def test_one_server_trips_over_work_and_number(
    spoilt: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has done more than there was; one that is done sooner with somebody within a busy period."""

    def served(*args: Any) -> Result:
        result = one_server_served(*args)
        if args[-1] == one_server.ORDERS[0]:
            return result
        rows, samples = result.log.requests.copy(), result.log.samples.copy()
        if spoilt == "busy_s":
            samples["busy_s"][-1] += 1.0
        else:
            demand = args[0]
            rows["finish_s"] = shortest_remaining(demand.arrival_s, demand.service_s)
            busiest = int(np.flatnonzero(rows["finish_s"][1:] > rows["arrival_s"][1:] + 1e-3)[0])
            rows["finish_s"][busiest] -= 1e-4
        return replace(result, log=replace(result.log, requests=rows, samples=samples))

    one_server_served = one_server.served
    monkeypatch.setattr(one_server, "served", served)
    with watched():
        for seed in range(SCENARIOS):
            scenario = made(seed, tmp_path).scenario
            if one_server.asked(scenario, 1) is None:
                continue
            result = run(scenario, "compiled")
            with pytest.raises(AssertionError, match=told):
                one_server.any_order(scenario, result, {})
            return
    pytest.fail("no scenario asks for services")
