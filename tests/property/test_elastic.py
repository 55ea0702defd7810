"""Elastic fleets: the two calendars agree bit for bit with every policy and every fault on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import Result, load, simulate
from sim.result.log import WHY
from tests import elastic


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    """Fleets that never serve somebody, because their policy never wants a replica, are given up after an hour."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.fleet.deployment.PATIENCE_S", 3600.0)
        yield


def left(result: Result) -> dict[str, bytes]:
    """Everything that a run leaves behind, as bytes."""
    log = result.log
    return {
        "requests": log.requests.tobytes(),
        "samples": log.samples.tobytes(),
        "spans": log.spans.tobytes(),
        "down": log.down.tobytes(),
        "decisions": repr(log.decisions).encode(),
    }


def compare(seed: int, ties: bool) -> Result:
    keys = elastic.scenario(seed, ties=ties)
    one = simulate(load(keys | {"calendar": "simpy"}))
    other = simulate(load(keys | {"calendar": "compiled"}))
    first, second = left(one), left(other)
    differing = [name for name in first if first[name] != second[name]]
    assert not differing, f"the calendars differ in {differing} (seed {seed}, ties {ties})"
    return one


@pytest.mark.parametrize("block", range(12))
def test_bit_identical_on_300_random_elastic_fleets(block: int) -> None:
    for seed in range(25 * block, 25 * block + 25):
        compare(seed, ties=seed % 3 == 0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_bit_identical_wherever_hypothesis_looks(seed: int, ties: bool) -> None:
    compare(seed, ties)


def test_the_fleets_above_have_it_all() -> None:
    """Every policy, and every way for a replica to end, many times."""
    kinds: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for seed in range(300):
        keys = elastic.scenario(seed, ties=seed % 3 == 0)
        kinds.update(pool["autoscaler"]["kind"].split(":")[0] for pool in keys["pools"].values())
        if seed % 4 == 0:
            result = simulate(load(keys | {"calendar": "compiled"}))
            ends.update(WHY[why] for why in result.log.spans["why"].tolist())
            outcomes.update(result.summary()["requests"])
            outcomes["retried"] += result.summary()["faults"]["retried"]
            outcomes["down"] += len(result.log.down)
    assert len(kinds) >= len({kind for kind, _ in elastic.POLICIES})
    assert min(ends[name] for name in WHY) > 5, ends
    assert min(outcomes[name] for name in ("completed", "rejected", "failed", "retried", "down")) > 20, outcomes
