"""Random scenarios over the whole schema: a few of them here, in `make soak` as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.scenario import load
from tests.swarm import grammar, soak
from tests.swarm.check import examine
from tests.swarm.generate import made
from tests.swarm.shrink import branches, shrunk, told, without


@pytest.mark.parametrize("seed", range(14))
def test_a_random_scenario_holds(seed: int, tmp_path: Path) -> None:
    """Both calendars, the invariants, the naive model, and some relations."""
    seen = examine(made(seed, tmp_path).scenario, seed, tmp_path)
    assert seen.refused or seen.counts["runs"] == 1


def test_the_same_seed_is_the_same_scenario(tmp_path: Path) -> None:
    for seed in (3, 7):
        assert made(seed, tmp_path).keys == made(seed, tmp_path).keys


UNDRAWN = {
    "PlanSpec": "changes no run: what `fleetcast plan` reads, which has tests of its own",
    "Tune": "changes no run: what `fleetcast tune` reads, which has tests of its own",
    "PriceBook": "stands in files of the catalogue, which are named",
    "ModelSheet": "the same",
    "GpuSheet": "the same",
    "EngineSheet": "the same",
}
"""Models whose keys need not all be drawn, and what is in them."""
RARE = {
    "ByBytes",
    "Keda.run_starts",
    "Pool.latency_source=calibrated",
    "Pool.latency_source=operators",
}
"""Keys that go only with few others."""


def asked(names: frozenset[str]) -> set[str]:
    """Of keys and members those that must all be met: models, keys, members of unions; not what a metric's key says."""
    below = {name for top in UNDRAWN for name in grammar.definitions_below({"$ref": f"#/$defs/{top}"}) | {top}}
    kept = {name for name in names if name.partition(".")[0] not in below and "=" not in name}
    return {name for name in kept if not name.startswith("Bandwidth") and name not in RARE}


def test_every_member_of_every_union_is_drawn(tmp_path: Path) -> None:
    """What is new in the schema is drawn from the day it is there; every policy, law, contract and the like is met."""
    seen: set[str] = set()
    kinds = {name for name in asked(grammar.members()) if name.endswith(".kind")}
    for seed in range(160):
        missing = frozenset(kinds - seen) | frozenset(name.replace(".kind", "") for name in kinds - seen)
        seen |= set(grammar.used(made(seed, tmp_path, missing).scenario))
        if kinds <= seen:
            break
    assert kinds <= seen, f"never drawn: {sorted(kinds - seen)}"


@pytest.mark.slow
def test_every_key_is_drawn(tmp_path: Path) -> None:
    """Of every model that a run reads."""
    seen: set[str] = set()
    for seed in range(6000):
        wanted = frozenset(grammar.members() - seen) if seed % 2 else frozenset()
        seen |= set(grammar.used(made(seed, tmp_path, wanted).scenario))
        if asked(grammar.members()) <= seen:
            break
    assert asked(grammar.members()) <= seen, f"never drawn: {sorted(asked(grammar.members()) - seen)}"


def test_a_finding_is_written_so_that_it_can_be_seen_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("5 is not 4")

    monkeypatch.setattr(soak, "examine", broken)
    seen, used, keys, error = soak.one(12, tmp_path)
    assert not seen.counts
    assert not used
    assert keys
    assert error is not None
    told = soak.written(keys, 12, error, tmp_path, tmp_path / "out")
    file = tmp_path / "out" / "seed-12.yaml"
    assert "AssertionError: # is not #" in told
    assert f"python -m tests.swarm.soak --file {file}" in told
    assert load(str(file)).pools
    tally = soak.Tally(scenarios=1, found=[told])
    assert "seeds 12 to 12" in soak.summed_up(tally, 12)
    assert "1 findings" in tally.line()


def test_a_finding_is_made_small(tmp_path: Path) -> None:
    """Everything that a failure does not need goes."""
    keys = made(5, tmp_path).keys

    def fails(less: dict[str, object]) -> str:
        try:
            scenario = load(less)
        except ValueError:
            return ""
        return "it has a pool" if scenario.pools else ""

    small = shrunk(keys, fails)
    assert len(list(branches(small))) < len(list(branches(keys)))
    assert all(not fails(without(small, path)) for path in branches(small))
    assert told(ValueError("3 of 4.5")) == "ValueError: # of #"
    assert len(small["pools"]) == 1
