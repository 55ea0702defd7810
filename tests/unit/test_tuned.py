"""Tuning, part by part: what may be tuned, who goes on in a race, what is needed, who is on the front."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.config.errors import ConfigError
from sim.config.tunable import tunables
from sim.scenario import Scenario, load
from sim.scenario.tune import budget_of
from sim.study.executors import Here
from sim.study.store.kept import Kept
from sim.study.store.search import KeptRuns
from sim.study.tuned import sampler
from sim.study.tuned.figures import Measured, tail_of
from sim.study.tuned.finalists import front_of
from sim.study.tuned.front import memberships
from sim.study.tuned.goal import Goal
from sim.study.tuned.race import Standing, race, runs_of, stages
from sim.study.tuned.runs import Runs, kept_runs
from sim.study.tuned.sampler import Sampler
from sim.study.tuned.search import IDLE, search
from sim.study.tuned.space import Candidate, candidate, space_of, untouched
from sim.study.tuned.tune import candidate_of, tune
from tests.contract.test_policies import ADAPTER, EXAMPLES_OF

TARGET = "pools.main.autoscaler.target"
SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 3,
    "horizon": "3m",
    "workload": {"arrivals": {"kind": "poisson", "rate": "1/s"}, "service": {"kind": "exponential", "mean": "4s"}},
    "pools": {
        "main": {
            "replica": {"kind": "slots"},
            "queue": {"kind": "central"},
            "boot": "10s",
            "price": {"on_demand": 2},
            "autoscaler": {"kind": "queue_length", "target": 0.5, "min_replicas": 4, "max_replicas": 20},
        }
    },
    "slo": [{"metric": "queue_wait", "under": "2s", "share": "90%"}],
    "tune": {"budget": "40 runs", "search_runs": 3, "fresh_runs": 3, "finalists": 4},
}


def small(**tuning: Any) -> Scenario:
    return load({**SMALL, "tune": {**SMALL["tune"], **tuning}})


def run(cost: float, attained: float = 1.0, p99_s: float = 1.0) -> Measured:
    return Measured(cost, (attained,), p99_s, 0.0, 1.0)


ELASTIC_KINDS = sorted(set(EXAMPLES_OF) - {"clairvoyant", "scheduled", "fixed", "package.module:Class"})


@pytest.mark.parametrize("kind", ELASTIC_KINDS)
def test_policies_say_what_of_them_may_be_tuned(kind: str) -> None:
    """Every elastic policy has more than its bounds, and an end of each range is a value that it takes."""
    named: set[str] = set()
    for example in EXAMPLES_OF[kind]:
        policy = ADAPTER.validate_python({"kind": kind, **example})
        plain = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
        for one in tunables(policy):
            named.add(one.path[-1])
            assert one.low < one.high
            assert any(_valid(plain, one.path, end) for end in (one.low, one.high)), one
    assert named - {"min_replicas", "max_replicas"}


def _valid(plain: dict[str, Any], path: tuple[str, ...], value: float) -> bool:
    changed: Any = ADAPTER.validate_python(plain).model_dump(mode="json", by_alias=True, exclude_none=True)
    at = changed
    for step in path[:-1]:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[path[-1]] = value
    try:
        ADAPTER.validate_python(changed)
    except ValueError:
        return False
    return True


def test_flags_of_the_controller_are_left_alone_beside_a_behavior() -> None:
    hpa = {"kind": "hpa", "metrics": [{"metric": "num_requests_running", "target": 2}]}
    plain = {".".join(one.path) for one in tunables(ADAPTER.validate_python(hpa))}
    told = {".".join(one.path) for one in tunables(ADAPTER.validate_python({**hpa, "behavior": {}}))}
    assert {"tolerance", "downscale_stabilization"} <= plain
    assert not {"tolerance", "downscale_stabilization"} & told
    assert {"behavior.scale_up.tolerance", "behavior.scale_down.stabilization_window"} <= told


def test_a_value_that_leaving_the_key_out_says_as_well_is_left_out() -> None:
    """100m is what an HPA's tolerance is anyway, unless its controller's flag says another."""
    tolerance = "pools.main.autoscaler.behavior.scale_up.tolerance"
    for flag, written in ((0.1, False), (0.05, True)):
        metric = {"metric": "num_requests_running", "target": 2}
        hpa = {"kind": "hpa", "tolerance": flag, "behavior": {}, "metrics": [metric]}
        pool = {**SMALL["pools"]["main"], "autoscaler": hpa}
        space = space_of(load({**SMALL, "pools": {"main": pool}}))
        points = [values for _, values in sampler.Sampler(space, 1).ask(12)]
        assert any(values.get(tolerance) == "0.1" for values in points) is written
        (parameter,) = (each for each in space if each.key == tolerance)
        assert parameter.text_in({}) == parameter.text(parameter.own or 0), "what is left out can be told all the same"
        assert (parameter.says(0.1), parameter.says(0.2)) == (written, True)


def test_rays_look_back_is_searched_above_the_interval_of_its_metrics() -> None:
    ray = ADAPTER.validate_python({"kind": "ray_serve"})
    (found,) = (one for one in tunables(ray) if one.path == ("look_back_period",))
    assert found.low > ray.metrics_interval_s


def test_ranges_of_the_scenario_come_first() -> None:
    ranges = {
        TARGET: {"from": 0.2, "to": 2, "log": True},
        "pools.main.autoscaler.scale_down_delay": {"from": "1m", "to": "10m"},
        "pools.main.boot": ["5s", "10s"],
    }
    found = {one.key: one for one in space_of(small(ranges=ranges))}
    assert (found[TARGET].low, found[TARGET].high, found[TARGET].log, found[TARGET].own) == (0.2, 2, True, 0.5)
    delay = found["pools.main.autoscaler.scale_down_delay"]
    assert (delay.text(3.04), delay.own) == ("3.04m", 5.0)
    assert found["pools.main.boot"].choices == ("5s", "10s")
    assert "pools.main.autoscaler.min_replicas" in found
    assert {one.key for one in space_of(small(ranges=ranges, only=True))} == set(ranges)


def test_values_are_written_as_people_would() -> None:
    found = {one.key: one for one in space_of(small())}
    assert found["pools.main.autoscaler.min_replicas"].text(5.4) == "5"
    assert found[TARGET].text(0.71234) == "0.712"
    assert found["pools.main.autoscaler.scale_down_delay"].text(77.7) == "78s"
    # towards what is cheaper, by ratio: half way from 0.5 to 1.25
    assert found[TARGET].moved(0.5) == pytest.approx((0.5 * 1.25) ** 0.5)
    assert found["pools.main.autoscaler.min_replicas"].moved(1.0) == 1.0


@pytest.mark.parametrize(
    ("tuning", "told"),
    [
        ({"ranges": {"pools.main.autoscaler.tarqet": {"from": 1, "to": 2}}}, "did you mean 'target'"),
        ({"ranges": {TARGET: {"from": 2, "to": 1}}}, "must be above `from`"),
        ({"ranges": {TARGET: {"from": "1x", "to": 2}}}, "must have the unit of `from`"),
        ({"ranges": {TARGET: [1]}}, "two or more"),
        ({"ranges": {TARGET: {"from": 0, "to": 1, "log": True}}}, "above 0"),
        ({"budget": "ten"}, "such as 200 runs"),
        ({"only": True}, "name some"),
    ],
)
def test_wrong_tunings_are_told(tuning: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        space_of(small(**tuning))
    assert all(problem.path.startswith("tune") for problem in error.value.problems)


def test_budgets_are_runs_requests_or_times() -> None:
    found = [budget_of(text) for text in ("200 runs", "1 evaluation", "50M requests", "10m")]
    assert [(one.amount, one.kind) for one in found] == [
        (200, "runs"),
        (1, "runs"),
        (50e6, "requests"),
        (600, "seconds"),
    ]


def test_stages_of_a_race() -> None:
    assert stages(9) == (1, 3, 9)
    assert stages(5) == (1, 3, 5)
    assert stages(1) == (1,)
    # 9 points once, 3 of them twice more, 1 of them six times more
    assert runs_of(9, 9) == 9 + 3 * 2 + 6


@dataclass
class Given(Runs):
    """Runs whose figures are given, by the value of the target; how often each was made is counted."""

    def __init__(self, costs: dict[str, Sequence[float]], attained: dict[str, float]) -> None:
        super().__init__(Here(), tail="")
        self.costs, self.attained, self.times = costs, attained, dict[str, int]()

    def make(self, candidates: Sequence[Candidate], replications: int) -> None:
        for one in candidates:
            self.times[one.values[TARGET]] = replications

    def of(self, one: Candidate, replications: int) -> list[Measured] | None:
        target = one.values[TARGET]
        return [run(cost, self.attained[target]) for cost in self.costs[target][:replications]]


def test_a_race_spends_its_runs_on_the_best() -> None:
    base = untouched(small())
    targets = [f"0.{place}" for place in range(1, 10)]
    points = [candidate(base, {TARGET: target}) for target in targets]
    costs = {target: [float(place)] * 9 for place, target in enumerate(targets, start=1)}
    attained = dict.fromkeys(targets, 0.95) | {"0.1": 0.5}  # the cheapest misses what is promised
    given = Given(costs, attained)
    found = race(given, Goal("cost", "promised", (0.9,)), [run(10.0, 0.95)] * 9, [one for one in points if one], 9)
    assert given.times == dict.fromkeys(targets, 1) | {"0.2": 9, "0.3": 3, "0.4": 3}
    best = min(found.values(), key=lambda one: one.order)
    assert (best.candidate.values[TARGET], best.value) == ("0.2", pytest.approx(0.2))


def test_what_is_surely_worse_leaves_a_race() -> None:
    base = untouched(small())
    targets = [f"0.{place}" for place in range(1, 10)] + ["1", "1.1", "1.2"]
    points = [candidate(base, {TARGET: target}) for target in targets]
    # four go on after one run; then the second and third are clearly dearer, the fourth by chance
    costs = {target: [50.0] * 9 for target in targets} | {
        "0.1": [1.0, 1.1, 0.9] + [1.0] * 6,
        "0.2": [1.5, 1.61, 1.42] + [1.5] * 6,
        "0.3": [1.9, 0.9, 0.5] + [1.0] * 6,
        "0.4": [2.0, 2.1, 1.9] + [2.0] * 6,
    }
    given = Given(costs, dict.fromkeys(targets, 1.0))
    race(given, Goal("cost", "promised", (0.9,)), [run(10.0)] * 9, [one for one in points if one], 9)
    assert [given.times[target] for target in ("0.1", "0.2", "0.3", "0.4")] == [9, 3, 9, 3]


def test_what_is_needed() -> None:
    promised, attained = Goal("cost", "promised", (0.9,)), Goal("cost", "attained", (0.9,))
    assert promised.needed([0.97]) == (0.9,)
    assert promised.needed([0.8]) == (0.8,)  # who misses it now has to get as much, not more
    assert attained.needed([0.97]) == (0.97,)
    base = [run(2.0, 0.97), run(2.0, 0.95)]
    point = [run(1.0, 0.94), run(1.0, 0.88)]
    assert promised.value(point, base) == 0.5
    assert promised.missed(point, base) == pytest.approx(-0.01)
    # two standard errors (0.03 each) on the safe side
    assert promised.missed(point, base, margin=2.0, guess=(0.0,)) == pytest.approx(0.05)
    # as much as now: by differences run by run (0.03 and 0.07 less, so 0.02 is their standard error)
    assert attained.missed(point, base, margin=1.0, guess=(0.1,)) == pytest.approx(0.07)
    assert attained.missed(base, base, margin=1.0, guess=(0.1,)) == 0.0


def test_other_objectives_may_not_cost_more() -> None:
    goal = Goal("p99", "promised", (0.9,))
    base = [run(2.0, p99_s=4.0)]
    assert goal.value([run(2.0, p99_s=1.0)], base) == 0.25
    assert goal.missed([run(2.0, p99_s=1.0)], base) <= 0
    assert goal.missed([run(2.2, p99_s=1.0)], base) == pytest.approx(0.1)


@dataclass(frozen=True)
class Figures:
    """As much of a measured point as the front looks at."""

    figures: tuple[Measured, ...]


def test_membership_of_the_front_is_as_sure_as_the_runs_are() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.3, (2, 20))
    cheap = Figures(tuple(run(1.0, p99_s=9.0) for _ in range(20)))
    fast = Figures(tuple(run(9.0, p99_s=1.0) for _ in range(20)))
    dominated = Figures(tuple(run(9.5, p99_s=2.0) for _ in range(20)))
    close = [Figures(tuple(run(4.0 + step, p99_s=4.0 + step) for step in row)) for row in noise]
    found = memberships([cheap, fast, dominated, *close], seed=1)  # type: ignore[list-item]
    assert [on for on, _ in found[:3]] == [True, True, False]
    assert [share for _, share in found[:3]] == [1.0, 1.0, 0.0]
    shares = [share for _, share in found[3:]]
    assert sum(on for on, _ in found[3:]) == 1
    assert sum(shares) == pytest.approx(1.0)  # in each draw one of the two is better in both
    assert all(0.02 < share < 0.98 for share in shares)


def test_front_of_the_search() -> None:
    base = untouched(small())
    points = [(1.0, 5.0), (2.0, 6.0), (3.0, 2.0), (4.0, 2.0), (5.0, 1.0)]
    standings = [Standing(base, 1, cost, 0.0, (run(cost, p99_s=tail),)) for cost, tail in points]
    assert [one.value for one in front_of(standings)] == [1.0, 3.0, 5.0]


def test_the_sampler_proposes_the_same_and_begins_by_hand() -> None:
    space = space_of(small())

    def batches() -> list[dict[str, str]]:
        made = sampler.Sampler(space, 7)
        found = []
        for _ in range(4):
            asked = made.ask(9)
            for trial, values in asked:
                made.tell(trial, float(values[TARGET]), 0.0)
            found += [values for _, values in asked]
        return found

    first, again = batches(), batches()
    assert first == again
    own = {one.key: one.text(one.own) for one in space if one.own is not None}
    assert first[0] == own
    assert len(sampler.hand_made(space)) > len(sampler.TOWARDS)


class StoppedError(Exception):
    """The process has ended here."""


def test_a_tuning_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    scenario = small(search_runs=1, budget="20 runs", fresh_runs=2, finalists=2)
    whole = tune(scenario).as_document()
    count = itertools.count()
    with kept_runs(tmp_path / "study", untouched(scenario)) as runs:
        keep = runs.keep

        def until_12(kept: Kept) -> None:
            if next(count) == 12:
                raise StoppedError
            keep(kept)

        runs.keep = until_12  # type: ignore[method-assign]
        with pytest.raises(StoppedError):
            tune(scenario, kept=runs)
    with kept_runs(tmp_path / "study", untouched(scenario)) as runs:
        assert len(runs.known) == 12
        assert tune(scenario, kept=runs).as_document() == whole
    other = load({**SMALL, "seed": 4})
    with pytest.raises(ConfigError, match="another scenario"), kept_runs(tmp_path / "study", untouched(other)):
        pass


def test_a_space_that_has_no_more_to_give_ends_a_search_before_its_budget() -> None:
    scenario = small(only=True, ranges={"pools.main.autoscaler.max_replicas": {"choices": [10, 20]}})
    runs = Runs(Here(), KeptRuns(), tail=tail_of(scenario))
    goal, proposed = Goal("cost", "promised", (0.9,)), Sampler(space_of(scenario), 3)
    found = search(runs, goal, untouched(scenario), proposed, 1, budget_of("1000 runs"), 0)
    assert len(found.standings) == 2
    assert found.batches == 1 + IDLE


def test_where_no_point_can_be_run_it_is_said_why() -> None:
    keys = {"max_replicas": [4, 5], "min_replicas": [6, 7]}  # each is well alone
    ranges = {f"pools.main.autoscaler.{key}": {"choices": choices} for key, choices in keys.items()}
    told = r"^none of the \d+ points that were tried can be run: --set: pools\.main\..*must be at most max_replicas"
    with pytest.raises(ConfigError, match=told):
        tune(small(only=True, ranges=ranges, search_runs=1, fresh_runs=2))


def test_a_scenario_with_a_first_day_is_tuned(tmp_path: Path) -> None:
    scenario = load({**SMALL, "starts": date(2026, 1, 1)})
    assert load(scenario) == scenario
    assert candidate(untouched(scenario), {TARGET: "0.7"}) is not None


def test_the_best_point_is_cheaper_and_keeps_what_is_needed() -> None:
    found = tune(load({**SMALL, "horizon": "8m", "tune": {**SMALL["tune"], "fresh_runs": 8}}))
    assert found.found_better
    best, base = found.best, found.baseline
    assert best.keeps
    assert best.fresh.cost < base.fresh.cost
    assert best.saving is not None
    assert best.saving.low > 0.15
    assert best.fresh.attained[0] >= found.needed[0]
    assert found.spent["search_runs"] <= 40
    # the scenario that is handed over, with the fresh seed, has the numbers that are shown
    again = candidate_of(found).with_seed(found.fresh_seed)
    assert (
        again.scenario.model_copy(update={"tune": None}).digest == best.fresh.records[0].summary["run"]["config_sha256"]
    )
    assert found.clairvoyant is not None
    assert found.fixed is not None
    assert sum(found.importance.values()) == pytest.approx(1.0)
