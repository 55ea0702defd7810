"""The search of a plan, on goals that are functions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.study.planned.search import Search


def counted(met: Callable[[int], bool]) -> tuple[Callable[[int], bool], list[int]]:
    """The same goal, and the numbers that it is asked of."""
    asked: list[int] = []

    def goal(number: int) -> bool:
        asked.append(number)
        return met(number)

    return goal, asked


@given(answer=st.integers(1, 400), start=st.integers(1, 400), least=st.integers(0, 3))
def test_the_smallest_number_is_found_from_any_start(answer: int, start: int, least: int) -> None:
    search = Search(lambda number: number >= answer, least, 400)
    assert search.smallest(start) == max(answer, least)
    assert not search.notes


@given(answer=st.integers(20, 2000))
def test_near_the_answer_few_numbers_are_looked_at(answer: int) -> None:
    goal, asked = counted(lambda number: number >= answer)
    assert Search(goal, 1, 100_000).smallest(answer + 1) == answer
    assert len(asked) <= 6
    assert len(set(asked)) == len(asked), "no number is asked of twice"


def test_no_number_is_enough() -> None:
    assert Search(lambda _: False, 1, 50).smallest(7) is None


def test_it_gives_up_when_more_does_not_help() -> None:
    goal, asked = counted(lambda _: False)
    assert Search(goal, 1, 100_000).smallest(8, hopeless=lambda: len(asked) > 2) is None
    assert len(asked) == 3


@pytest.mark.parametrize("start", [4, 9, 12, 20])
def test_what_is_not_monotone_is_scanned_and_told(start: int) -> None:
    # nine are enough, ten and eleven are not, from twelve on all are: nobody wants nine, where one more breaks it
    search = Search(lambda number: number >= 12 or number == 9, 1, 100)
    assert search.smallest(start) == 12
    assert bool(search.notes) == bool(search.probes.get(9))


def test_a_lonely_number_that_meets_the_goal_is_not_the_answer() -> None:
    search = Search(lambda number: number >= 12 or number == 9, 1, 100)
    assert search.smallest(9) == 12
    assert search.probes[9]
    assert not search.probes[10]
    assert len(search.notes) == 1


def test_the_bounds_are_kept() -> None:
    goal, asked = counted(lambda number: number >= 1)
    assert Search(goal, 5, 9).smallest(2) == 5
    assert min(asked) >= 5
    assert max(asked) <= 9
