"""The search for the value at which a service turns, on services that turn where we say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sim.config.errors import ConfigError
from sim.study.swept import turning
from sim.study.swept.sweep import Point, Run, axis_of, grid
from sim.study.swept.turning import Found, What, find, range_of

SCENARIO = """
name: turn
horizon: 10m
workload: {arrivals: {kind: poisson, rate: 1/s}, service: {kind: constant, value: 1s}}
pools: {main: {replica: {kind: slots}, queue: {kind: central}, autoscaler: {kind: fixed, replicas: 2}}}
"""

RATE, REPLICAS = "workload.arrivals.rate", "pools.main.autoscaler.replicas"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "turn.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def searched(file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Found]:
    def search(along: str, state: Callable[[float], str | None], what: What = "trigger") -> Found:
        made: list[float] = []

        def run(of: Point, watch: object) -> Run:
            ((_, text),) = of.values.items()
            made.append(float(text.removesuffix("/s")))
            told = state(made[-1])
            recovery = None if told is None else {"state": told}
            return Run(of.values, {"recovery": recovery, "requests": {"arrived": 2, "completed": 1}, "slo": []})

        monkeypatch.setattr(turning, "run", run)
        found = find(file, [], what, range_of(along))
        assert len(made) == len(set(made)) == len(found.runs)
        return found

    return search


def collapses_from(limit: float) -> Callable[[float], str]:
    return lambda value: "metastable" if value >= limit else "recovered"


@pytest.mark.parametrize("limit", [10.5, 23.4, 41.0, 79.9])
def test_the_trigger_is_bracketed_to_two_percent_of_the_range(searched: Callable[..., Found], limit: float) -> None:
    found = searched(f"{RATE}=10/s..80/s", collapses_from(limit))
    assert found.bracket is not None
    low, high = found.bracket
    assert low < limit <= high
    assert high - low <= 0.02 * 70
    assert found.against == ()
    assert len(found.runs) <= 2 + 6 + 2
    assert found.plain()["answer"] == f"{high:.6g}/s"


def test_a_remedy_may_get_stronger_downwards(searched: Callable[..., Found]) -> None:
    found = searched(f"{RATE}=80/s..10/s", lambda value: "recovered" if value <= 33 else "metastable", "escape")
    assert found.bracket is not None
    without, answer = found.bracket
    assert answer <= 33 < without
    assert without - answer <= 0.02 * 70
    assert next(run.values[RATE] for run in found.in_order()) == "80/s"


def test_whole_numbers_stay_whole(searched: Callable[..., Found]) -> None:
    found = searched(f"{REPLICAS}=2..20", lambda value: "recovered" if value >= 13 else "slow", "escape")
    assert found.bracket == (12.0, 13.0)
    down = searched(f"{REPLICAS}=20..2", lambda value: "recovered" if value <= 7 else "slow", "escape")
    assert down.bracket == (8.0, 7.0)


def test_the_mild_end_may_be_the_answer(searched: Callable[..., Found]) -> None:
    found = searched(f"{RATE}=10/s..80/s", collapses_from(5.0))
    assert found.bracket == (10.0, 10.0)
    assert found.against == ()


def test_nothing_may_be_found(searched: Callable[..., Found]) -> None:
    found = searched(f"{RATE}=10/s..80/s", collapses_from(100.0))
    assert found.bracket is None
    assert found.plain()["answer"] is None
    assert len(found.runs) == 5  # the ends, and three inside


def test_what_contradicts_the_answer_is_told(searched: Callable[..., Found]) -> None:
    """It collapses between 30 and 50 only: the severe end does not."""
    found = searched(f"{RATE}=10/s..80/s", lambda value: "metastable" if 30 <= value <= 50 else "recovered")
    assert found.bracket is not None
    assert found.bracket[0] < 30 <= found.bracket[1]
    assert 80.0 in found.against
    island = searched(f"{RATE}=10/s..80/s", lambda value: "metastable" if value >= 60 or 20 < value < 40 else "slow")
    assert island.bracket is not None
    assert island.against != ()


def test_an_overload_or_a_slow_recovery_is_no_collapse(searched: Callable[..., Found]) -> None:
    assert searched(f"{RATE}=10/s..80/s", lambda value: "slow" if value > 20 else "recovered").bracket is None
    assert searched(f"{RATE}=10/s..80/s", lambda _: "overloaded").bracket is None


def test_a_collapse_after_a_burst_too_small_to_see_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(of: Point, watch: object) -> Run:
        ((_, text),) = of.values.items()
        share = 0.2 if float(text) >= 1.1 else 0.95
        return Run(of.values, {"recovery": None}, in_time_at_end_share=share)

    monkeypatch.setattr(turning, "run", run)
    found = find(file, [], "trigger", range_of("workload.arrivals.rate=1.0..2.0"))
    assert found.bracket is not None
    assert found.bracket[0] < 1.1 <= found.bracket[1]


def test_without_a_burst_there_is_nothing_to_find(searched: Callable[..., Found]) -> None:
    with pytest.raises(ConfigError, match="no run has a burst"):
        searched(f"{RATE}=10/s..80/s", lambda _: None)


@pytest.mark.parametrize(
    "text",
    ["", "rate", "rate=", "rate=1", "rate=1..", "rate=1/s..2/min", "rate=1..2/s", "=1..2", "rate=3..3", "rate=a..b"],
)
def test_a_range_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--along: must"):
        range_of(text)


@pytest.mark.parametrize("ends", ["1.5..4.0", "5%..50%", ".5s..2s", "1.0..10", "90 s..120 s"])
def test_a_range_of_what_can_be_divided(ends: str) -> None:
    assert not range_of(f"key={ends}").whole


def test_a_value_that_cannot_be_is_told_before_anything_is_run(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(turning, "run")
    with pytest.raises(ConfigError) as caught:
        find(file, [], "escape", range_of(f"{REPLICAS}=4..0.5"))
    assert f"(with {REPLICAS}=0.5)" in str(caught.value)


def test_axes() -> None:
    assert axis_of("a.b=1, 2,3").values == ("1", "2", "3")
    assert axis_of("q={kind: central, n: 1},{kind: per_replica},[1,2]").values == (
        "{kind: central, n: 1}",
        "{kind: per_replica}",
        "[1,2]",
    )
    assert axis_of("name='a,b',c").values == ("'a,b'", "c")
    for wrong in ("a", "a=", "=1", "a=1,,2"):
        with pytest.raises(ConfigError, match="must be KEY=V1,V2"):
            axis_of(wrong)
    with pytest.raises(ConfigError, match="'1' stands there twice"):
        axis_of("a=1,2,1")


def test_a_grid_is_every_combination_and_all_of_it_is_checked_first(file: Path) -> None:
    points = grid(file, ["seed=7"], [axis_of(f"{RATE}=1/s,2/s"), axis_of(f"{REPLICAS}=3,4,5")])
    assert [(p.values[RATE], p.values[REPLICAS]) for p in points] == [
        (rate, replicas) for rate in ("1/s", "2/s") for replicas in ("3", "4", "5")
    ]
    assert {p.scenario.seed for p in points} == {7}
    assert points[-1].scenario.pools["main"].autoscaler.floor_replicas == 5
    with pytest.raises(ConfigError) as caught:
        grid(file, [], [axis_of(f"{REPLICAS}=3,x")])
    assert "(with pools.main.autoscaler.replicas=x)" in str(caught.value)
    with pytest.raises(ConfigError, match="is given twice"):
        grid(file, [], [axis_of(f"{RATE}=1/s"), axis_of(f"{RATE}=2/s")])
