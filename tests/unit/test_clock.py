"""The clock says whether SimPy itself goes next, by the rank of what is due, however many events there have been."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import simpy

from sim.fleet.clock import ARRIVAL, COMPLETION, CONTROL, TIMER, Clock


def nothing() -> Generator[simpy.Event, None, None]:
    """A process that ends as soon as it starts."""
    yield from ()


def test_an_empty_clock_has_nothing_of_its_own() -> None:
    assert not Clock().next_is_internal()


@pytest.mark.parametrize("rank", [COMPLETION, COMPLETION + 7, CONTROL, TIMER, ARRIVAL])
def test_an_alarm_is_not_internal_though_it_is_the_first_event(rank: int) -> None:
    clock = Clock()
    clock.at(0.0, rank)
    assert not clock.next_is_internal()


@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_process_that_starts_goes_before_every_rank_though_others_were_made_before(before: int) -> None:
    clock = Clock()
    for row in range(before):
        clock.at(0.0, COMPLETION + row)
    clock.process(nothing())
    assert clock.next_is_internal()
    clock.step()  # it starts, and its end is an event of SimPy's own as well
    assert clock.next_is_internal()
    clock.step()
    assert not clock.next_is_internal()
