"""For every test: the helpers of this folder under their own names, and the invariants checked after every run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings


@contextmanager
def checked_runs() -> Iterator[None]:
    """Check the invariants of every run that `simulate` makes in here."""
    import sim.engine
    from sim.model import state
    from tests.invariants import check

    tables: list[Any] = []

    def build(*args: Any) -> Any:
        tables[:] = [state.build(*args)]
        return tables[0]

    class Remembering:
        """The module `sim.model.state`, as the engine sees it: whatever it builds is looked at after the run."""

        def __getattr__(self, name: str) -> Any:
            return build if name == "build" else getattr(state, name)

    result = sim.engine.Result

    def checked(scenario: Any, log: Any) -> Any:
        # Without rows, or bare, there is less to check: that it is as of a whole run is a test of its own.
        if log.tally is None and log.work:
            check(scenario, log, *tables)
        return result(scenario, log)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sim.engine, "Result", checked)
        patch.setattr(sim.engine, "state", Remembering())
        yield


def pytest_configure(config: pytest.Config) -> None:
    # The same cases in every run of the suite; `make validate` looks for others. How long drawing one takes is no
    # finding: a machine may be busy.
    slow = [HealthCheck.too_slow]
    settings.register_profile("fixed", derandomize=True, suppress_health_check=slow)
    settings.register_profile("random", derandomize=False, suppress_health_check=slow)
    settings.load_profile(config.getoption("--hypothesis-profile") or "fixed")
    # A shell starts what goes on in the background with Ctrl-C ignored, and the commands under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = ("test_every_page_says_what_its_runs_give",)
"""Tests of minutes: begun first, so that no core waits for the other at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: getattr(item, "originalname", item.name) not in LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    # Around the whole test, so that runs made by fixtures are checked too; measurements of speed are left alone.
    if item.get_closest_marker("bench") is not None:
        return (yield)
    with checked_runs():
        return (yield)
