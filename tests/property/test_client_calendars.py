"""Clients with everything on: the two calendars agree bit for bit, and every attempt and request is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim import Result, load, simulate
from sim.model.tables import OUTCOMES
from tests import overload
from tests.invariants import check
from tests.property.test_elastic import left as left_of_fleet


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    """Fleets that never serve somebody, because their policy never wants a replica, are given up after an hour."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.fleet.deployment.PATIENCE_S", 3600.0)
        yield


def left(result: Result) -> dict[str, bytes]:
    """Everything that a run leaves behind, as bytes; tables column by column: what lies between columns is chance."""
    found = left_of_fleet(result)
    del found["requests"]
    tables = {"requests": result.log.requests}
    if result.log.calls is not None:
        tables["calls"] = result.log.calls
    for table, rows in tables.items():
        for name in rows.dtype.names or ():
            found[f"{table}.{name}"] = rows[name].tobytes()
    return found


def compare(seed: int, ties: bool) -> Result:
    keys = overload.scenario(seed, ties=ties)
    scenario = load(keys | {"calendar": "simpy"})
    one = simulate(scenario)
    if seed % 2 == 0:
        check(scenario, one.log)
    other = simulate(load(keys | {"calendar": "compiled"}))
    first, second = left(one), left(other)
    differing = [name for name in first if first[name] != second[name]]
    assert not differing, f"the calendars differ in {differing} (seed {seed}, ties {ties})"
    return one


@pytest.mark.parametrize("block", range(12))
def test_bit_identical_on_300_random_scenarios(block: int) -> None:
    """A third of them on grids where all times tie."""
    for seed in range(25 * block, 25 * block + 25):
        compare(seed, ties=seed % 3 == 0)


@settings(max_examples=30, deadline=None)
@example(seed=6508, ties=False)  # slots whose wasted work, told by rows, was more than they had been taken for
@example(seed=9, ties=False)  # sent again while nobody had told the client that a copy was turned away
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_bit_identical_wherever_hypothesis_looks(seed: int, ties: bool) -> None:
    compare(seed, ties)


def test_the_scenarios_above_have_it_all() -> None:
    """Every outcome, attempts and copies of them, turns and calls, preempted and cancelled requests, many times."""
    said: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for seed in range(300):
        keys = overload.scenario(seed, ties=seed % 3 == 0)
        for pool in keys["pools"].values():
            said.update(f"{key}: {pool['queue'][key]}" for key in ("order", "fair", "reject") if key in pool["queue"])
            said.update(key for key in ("shed", "spill", "retry_after", "classes") if key in pool["queue"])
            said["preemptive"] += pool["queue"].get("preemptive", False)
        for stream in keys["workload"]["streams"].values():
            said.update(key for key in ("session", "class", "tenant") if key in stream)
            said.update(list(stream.get("clients", {})))
            said[stream["arrivals"]["kind"]] += 1
        if seed % 4 == 0:
            log = simulate(load(keys | {"calendar": "compiled"})).log
            seen.update(OUTCOMES[outcome] for outcome in log.requests["outcome"].tolist())
            if log.calls is not None:
                seen["further attempts"] += int((log.calls["attempt"] > 1).sum())
                seen["copies"] += int((log.calls["copy"] > 0).sum())
                seen["turns"] += int((log.calls["turn"] > 0).sum())
                seen["left"] += int((log.calls["left_s"] > 0).sum())
    assert len(said) >= 23, said
    assert min(said.values()) >= 5, said
    assert min(seen.values()) >= 5, seen
    assert len(seen) >= 9, seen
