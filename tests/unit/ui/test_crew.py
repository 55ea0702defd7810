"""The processes behind the page: ended when they take too long, too much, or for nobody, and replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from sim.config.errors import ConfigError
from sim.ui.crew.crew import Call, Crew, TooLongError
from sim.ui.crew.worker import Setup
from sim.ui.desk.source import Files
from sim.ui.wire.asked import Source, State
from sim.ui.wire.limits import Limits

TINY = """
name: tiny
horizon: 30s
workload: {arrivals: {kind: poisson, rate: 2/s}, service: {kind: exponential, mean: 1s}}
pools: {desk: {replica: {kind: slots}, queue: {kind: central}, autoscaler: {kind: fixed, replicas: 4}}}
"""


def state(*changes: tuple[str, str]) -> State:
    text = TINY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return State(source=Source(kind="text", value=text))


SHORT, LONG, LARGE = state(), state(("30s", "2d")), state(("30s", "2h"), ("2/s", "500/s"))


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        made = Crew(1, Setup(Files(), Limits(worker_bytes=400_000_000)))
        yield made
        made.close()


def answers(crew: Crew) -> bool:
    """Whether it still works."""
    found: dict[str, Any] = crew.give("present", SHORT, most_s=60).future.result(120)
    return found["point"]["replicas"] == 4


def begun(call: Call) -> None:
    """Wait until somebody works at it."""
    for _ in range(2000):
        if call.future.running():
            return
        time.sleep(0.01)
    raise AssertionError("nobody works at it")


def test_what_takes_too_long_is_ended(crew: Crew) -> None:
    assert answers(crew)
    before = crew.processes()
    with pytest.raises(TooLongError, match=r"took longer than 0\.3 s"):
        crew.give("present", LONG, most_s=0.3).future.result(60)
    assert answers(crew)
    assert crew.processes() != before


def test_what_takes_too_much_memory_is_told_so(crew: Crew) -> None:
    with pytest.raises(ConfigError, match="more memory than this page gives"):
        crew.give("present", LARGE, most_s=60).future.result(120)
    assert answers(crew)


def test_what_nobody_wants_any_more_is_ended(crew: Crew) -> None:
    assert answers(crew)
    working, waiting = (crew.give("present", LONG, most_s=60) for _ in range(2))
    begun(working)
    waiting.cancel()
    working.cancel()
    for call in (working, waiting):
        with pytest.raises(CancelledError):
            call.future.result(60)
    assert answers(crew)


def test_a_process_that_dies_is_replaced(crew: Crew) -> None:
    assert answers(crew)
    call = crew.give("present", LONG, most_s=60)
    begun(call)
    time.sleep(0.2)
    os.kill(crew.processes()[0], signal.SIGKILL)
    with pytest.raises(ConfigError, match="ended the process"):
        call.future.result(60)
    assert answers(crew)


def test_what_is_wrong_comes_back_as_it_was_raised(crew: Crew) -> None:
    with pytest.raises(ConfigError, match="no such key; did you mean 'replicas'") as raised:
        crew.give("open", state(("replicas: 4", "replica: 4")).source, most_s=60).future.result(60)
    assert any(problem.line == 5 for problem in raised.value.problems)


def test_a_process_that_ended_while_idle_is_replaced_before_it_is_given_work(crew: Crew) -> None:
    """As when the system wants its memory: the next question must not be the one that finds out."""
    assert answers(crew)
    for pid in crew.processes():
        os.kill(pid, signal.SIGKILL)
    for _ in range(500):
        if not crew.processes():
            break
        time.sleep(0.01)
    assert answers(crew)
