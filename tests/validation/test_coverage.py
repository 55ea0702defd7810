"""Intervals of 95 % hold the true value as often as they say: studies of queues with known answers.

A quick sample runs always: it would notice intervals that are far too short. The proof, 200 studies of each queue, is
slow (`make validate`; `python -m tests.validation.coverage` prints it). Seeds are given, so its figures are the same
every time; what is accepted, 92 to 98 %, is two standard errors of a share of 200 about 95 %.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from sim.theory import MMc, batching
from tests.validation import coverage, known_answers
from tests.validation.coverage import MEAN, NAMES, PATHS
from tests.validation.reference import ABSENT, section
from tests.validation.sequential import wrong_verdicts

WORKERS = min(os.cpu_count() or 1, 4)
MMPP = "mmpp_mm10_4.0_16.0"


def test_known_answers_are_those_of_closed_forms() -> None:
    queue, exact = known_answers.mmc(10, 9.0), MMc(10, 9.0)
    assert queue.mean_s == pytest.approx(exact.mean_wait_s, rel=1e-10)
    assert queue.quantile_s(0.99) == pytest.approx(exact.wait_quantile_s(0.99), rel=1e-10)
    assert queue.exceeds(1.0) == pytest.approx(exact.wait_exceeds(1.0), rel=1e-10)
    engine = batching(4.571, 100, 0.02, 0.0005, 16)
    station = known_answers.station(engine)
    assert station.mean_s == pytest.approx(engine.mean_wait_s, rel=1e-10)
    assert station.exceeds(0.0) == pytest.approx(engine.wait_share, rel=1e-10)
    # arrivals whose rate does not switch are Poisson
    plain = known_answers.mmpp(10, (9.0, 9.0), (0.1, 0.2))
    assert plain.mean_s == pytest.approx(exact.mean_wait_s, rel=1e-9)
    assert plain.quantile_s(0.99) == pytest.approx(exact.wait_quantile_s(0.99), rel=1e-9)


def test_a_rate_that_switches_is_solved_as_in_the_reference() -> None:
    found = [vector for vector in section("cases") if vector["id"] == MMPP]
    if not found:
        pytest.skip(ABSENT)
    ((vector),) = found
    expected = vector["expected"]
    answer = coverage.systems()["MMPP/M/10 at 80%"].answer
    assert answer.mean_s == pytest.approx(expected["Wq"], rel=1e-9)
    assert answer.exceeds(0.0) == pytest.approx(expected["P_wait"], rel=1e-9)


def test_a_quick_sample() -> None:
    """Of 30 studies by honest intervals, 23 or fewer hold in one of ten thousand."""
    for one in coverage.measured(["M/M/10 at 90%"], 30, 10, workers=2, scale=0.5):
        print(coverage.table([one]))
        assert one.share > 23 / 30
        assert abs(one.bias) < 0.05
        assert one.width > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", list(coverage.systems()))
def test_intervals_hold_the_true_value_as_often_as_they_say(name: str) -> None:
    found = coverage.measured([name], workers=WORKERS)
    print(coverage.table(found))
    assert [one.path for one in found] == list(PATHS)
    wrong = [f"{NAMES[one.path]}: {one.share:.1%}" for one in found if not 0.92 <= one.share <= 0.98]
    assert not wrong, f"{name}: " + ", ".join(wrong)


@pytest.mark.slow
def test_stopping_when_precise_costs_little() -> None:
    """A run of luck looks precise, so studies stop too early rather than too late: 93.5 % hold, not 95.5 %."""
    mean, *_ = coverage.measured(["M/M/10 at 90%"], replications=None, workers=WORKERS, scale=0.5, precision=0.1)
    print(coverage.table([mean]))
    assert mean.path == MEAN
    assert mean.replications > 12, "the rule did go on"
    assert 0.88 <= mean.share <= 0.98


@pytest.mark.slow
def test_verdicts_of_skewed_numbers_are_seldom_wrong() -> None:
    """Numbers of runs that lean as those of a busy queue do (lognormal, standard deviation 0.3 of the mean)."""
    width = np.sqrt(np.log(1 + 0.3**2))

    def draw(random: np.random.Generator) -> np.ndarray:
        return np.asarray(10 * random.lognormal(-(width**2) / 2, width, 100))

    passes, failures = wrong_verdicts(draw, 1000)
    print(f"wrong passes {passes:.1%}, wrong failures {failures:.1%}")
    assert 0 < passes < 0.07
    assert failures < 0.05
