"""The certificates of a plan, from made-up runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from sim.statistics.intervals import Interval
from sim.study.planned.certificate import Certificate, Line, Promise, SequentialTest
from sim.study.planned.certify import Certifying
from sim.study.planned.runs import Tried
from sim.study.replicated.assertions import LOOKS

REQUESTS = 1000.0
NO_PRICE = {"cost": {"usd_per_hour": None}}
PROMISE = Promise("TTFT under 1 s", 0.95, 0.002)


def drawn(attained: tuple[float, ...], seed: int = 0, cv: float = 0.2) -> Callable[[int], Tried]:
    """Runs whose misses are gamma-distributed around what these attainments miss; more of them begin alike."""
    random = np.random.default_rng(seed)
    missed = [random.gamma(1 / cv**2, cv**2 * (1 - share), 160) for share in attained]

    def runs_of(count: int) -> Tried:
        within = tuple(tuple(REQUESTS * (1 - line[:count])) for line in missed)
        return Tried(within, ((REQUESTS,) * count,) * len(missed), (1000,) * count, (0.0,) * count, NO_PRICE)

    return runs_of


def judge(
    *attained: float, most: int = 160, exact: tuple[float, ...] | None = None, seed: int = 0, cv: float = 0.2
) -> Certificate:
    rule = SequentialTest((PROMISE,) * len(attained), 0.975)
    return rule.certificate({"chat": 3}, drawn(attained, seed, cv), most, 1, exact)


def test_what_is_clear_is_decided_at_the_first_look() -> None:
    good, bad = judge(0.99), judge(0.85)
    assert (good.meets, bad.meets) == (True, False)
    assert good.runs == bad.runs == LOOKS[0]
    assert good.decided_by == bad.decided_by == "simulation"
    low, high = good.as_document()["interval"]
    assert 0.95 <= low < good.as_document()["attained"] < high <= 1


def test_what_is_nearer_takes_more_runs() -> None:
    found = judge(0.953)
    assert found.meets is True
    assert found.runs > LOOKS[0]
    assert found.requests == 1000 * found.runs


def test_one_objective_missed_is_enough() -> None:
    found = judge(0.99, 0.85)
    assert found.meets is False
    assert found.worst.attained == pytest.approx(0.85, abs=0.02)
    assert [line.meets for line in found.lines] == [True, False]


def test_what_is_too_near_to_matter_is_left() -> None:
    found = judge(0.9502, cv=0.05)
    assert found.meets is None
    assert found.decided_by is None
    assert found.runs < 160, "its interval is within the tolerance before the budget is spent"
    assert "tolerance" in found.why


def test_the_budget_ends_it() -> None:
    found = judge(0.953, most=12)
    assert (found.meets, found.runs) == (None, 12)
    assert "--budget" in found.why


def test_theory_decides_where_it_is_exact_and_runs_do_not_agree() -> None:
    assert judge(0.9502, exact=(0.9502,)).meets is True
    below = judge(0.9502, exact=(0.9499,))
    assert (below.meets, below.decided_by) == (False, "theory")
    agreed = judge(0.99, exact=(0.989,))
    assert (agreed.meets, agreed.decided_by, agreed.why) == (True, "simulation", "")
    unlucky = judge(0.99, exact=(0.94,))
    assert (unlucky.meets, unlucky.decided_by) == (False, "theory")
    assert "the runs say otherwise" in unlucky.why


def test_without_a_miss_it_takes_enough_requests() -> None:
    """Nothing missed in n requests leaves about ln(1/error) / n possible; it is not taken for perfect."""

    def perfect(each: float) -> Certificate:
        def runs_of(count: int) -> Tried:
            return Tried(((each,) * count,), ((each,) * count,), (int(each),) * count, (0.0,) * count, NO_PRICE)

        return SequentialTest((PROMISE,), 0.975).certificate({"chat": 3}, runs_of, 10, 1, None)

    assert perfect(100).meets is True
    assert perfect(2).meets is None


@pytest.mark.parametrize("true", [0.95, 0.9499])
def test_wrong_verdicts_are_as_rare_as_asked_for(true: float) -> None:
    """At the limit, where they are most likely: at most 2.5 % of a kind, of runs with skewed numbers."""
    verdicts = [judge(true, seed=seed).meets for seed in range(400)]
    assert verdicts.count(True) <= 400 * 0.025 + 3 * 3.1
    assert verdicts.count(None) > 200


def bursts(share: float, seed: int) -> Callable[[int], Tried]:
    """Runs of which one in twelve is hit by a burst, in which so many of its requests miss; the others miss none."""
    random = np.random.default_rng(seed)
    missed = np.where(random.random(160) < 1 / 12, np.floor(12 * (1 - share) * REQUESTS * random.random(160) * 2), 0)

    def runs_of(count: int) -> Tried:
        within = tuple(REQUESTS - missed[:count])
        return Tried((within,), ((REQUESTS,) * count,), (1000,) * count, (0.0,) * count, NO_PRICE)

    return runs_of


def test_ten_runs_without_a_burst_do_not_prove_that_there_is_none() -> None:
    """Half of all tens of runs have no miss. The search's runs know of one, and so it takes more."""
    promise = Promise("TTFT under 1 s", 0.99, 0.002)
    rule = SequentialTest((promise,), 0.975)
    # 98.9 % attain it, which is too few
    found = [rule.certificate({}, bursts(0.989, seed), 160, 1, None, (150.0,)).meets for seed in range(200)]
    assert found.count(True) <= 200 * 0.025 + 3 * 2.2
    naive = [rule.certificate({}, bursts(0.989, seed), 160, 1, None).meets for seed in range(200)]
    assert naive.count(True) > 50, "what is not known of is not feared"


def test_clusters_do_not_keep_a_good_fleet_from_its_certificate() -> None:
    rule = SequentialTest((Promise("TTFT under 1 s", 0.99, 0.002),), 0.975)
    found = [rule.certificate({}, bursts(0.998, seed), 160, 1, None, (30.0,)).meets for seed in range(50)]
    assert found.count(True) > 40
    assert found.count(False) == 0


def test_clusters_do_not_keep_a_bad_fleet_from_its_verdict() -> None:
    """Far below the promise, misses as uneven as can be: their clusters are about "meets" alone."""
    promise = Promise("TTFT under 1 s", 0.99, 0.002)
    rule = SequentialTest((promise,), 0.975)
    for seed in range(20):
        found = rule.certificate({}, drawn((0.91,), seed, cv=1.0), 160, 1, None, (800.0,))
        assert found.meets is False
        assert found.runs <= LOOKS[1]


# -- from fleet to fleet ----------------------------------------------------------------------------------------------


def certifying(true: Callable[[Mapping[str, int]], float], most: int = 40) -> Certifying:
    """Fleets whose attainment is a function, measured with next to no error; within 0.0005 nothing is decided."""

    def made(fleet: Mapping[str, int]) -> Certificate:
        share = true(fleet)
        return SequentialTest((PROMISE,), 0.975).certificate(fleet, drawn((share,), cv=0.02), 160, 1, None)

    names = ("chat", "code")
    return Certifying(made, dict.fromkeys(names, 1), dict.fromkeys(names, most))


def logistic(fleet: Mapping[str, int]) -> float:
    return 0.90 + 0.005 * fleet["chat"]  # 11 and more attain 95.5 %; 10 attain 95.0 %, which nobody can tell


def one(start: int, true: Callable[[Mapping[str, int]], float], most: int = 40) -> tuple[int, list[bool | None]]:
    made = certifying(true, most)
    made.least, made.most = {"chat": 1}, {"chat": most}
    found = made.around({"chat": start})
    beside = [each.meets for each in found.certificates if each.lowered == "chat"]
    return found.fleet["chat"], [found.certificates[0].meets, *beside]


@pytest.mark.parametrize("start", [6, 11, 15])
def test_the_pair_is_found_from_above_and_below(start: int) -> None:
    assert one(start, lambda fleet: 0.98 if fleet["chat"] >= 11 else 0.90) == (11, [True, False])


@pytest.mark.parametrize("start", [10, 11, 13])
def test_what_is_not_decided_is_on_the_safe_side(start: int) -> None:
    assert one(start, logistic) == (11, [True, None])


def test_below_what_is_not_decided_one_is_known_to_miss() -> None:
    made = certifying(logistic)
    made.least, made.most = {"chat": 1}, {"chat": 40}
    verdicts = {each.fleet["chat"]: each.meets for each in made.around({"chat": 11}).certificates}
    assert verdicts == {11: True, 10: None, 9: False}


def test_the_most_that_may_be_is_not_enough() -> None:
    assert one(3, lambda _: 0.5, most=5) == (5, [False])


def test_the_least_has_no_smaller_one() -> None:
    assert one(2, lambda _: 0.99) == (1, [True])


def test_several_pools_are_lowered_one_at_a_time() -> None:
    found = certifying(lambda fleet: 0.98 if fleet["chat"] >= 4 and fleet["code"] >= 7 else 0.9).around(
        {"chat": 6, "code": 6}
    )
    assert found.fleet == {"chat": 4, "code": 7}
    assert {each.lowered: each.meets for each in found.certificates[:3]} == {None: True, "chat": False, "code": False}


def test_a_number_that_works_by_itself_is_no_plan_for_less() -> None:
    """Three attain it, four do not, from five on all do: from above, four are certified not to, and five it is."""
    assert one(7, lambda fleet: 0.98 if fleet["chat"] >= 5 or fleet["chat"] == 3 else 0.9) == (5, [True, False])


def test_of_what_is_not_decided_the_open_objective_is_told() -> None:
    """TPOT is certainly met, by less than TTFT seems to be."""
    line = Line(PROMISE, 0.97, Interval(0.97, 0.01, 0.04), None, False)
    met = Line(Promise("TPOT under 50 ms", 0.99, 0.002), 0.995, Interval(0.995, 0.001), True, False)
    found = Certificate({"chat": 8}, None, (met, line), 10, 10_000, 1, 0.975, None)
    assert found.worst is line
