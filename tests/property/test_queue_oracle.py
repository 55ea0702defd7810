"""Orders, limits, quotas, shedding, spill-over and routers that remember: as the naive oracle has it, to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model import meters
from sim.model.tables import State
from tests import runs
from tests.oracle.clients import first_of
from tests.oracle.parts import Books
from tests.oracle.remembering import Remembering
from tests.property.queue_cases import QueueCase, queue_case
from tests.property.test_elastic_oracle import counted
from tests.property.test_oracle import agree


def naive_run(case: QueueCase) -> Remembering:
    naive = Remembering(case.specs, case.jobs, case.senders, case.tenants, case.horizon_s)
    naive.run(case.steps, case.lets_go)
    return naive


def play(case: QueueCase) -> tuple[Remembering, State, list[float]]:
    """Run both."""
    requests = runs.table(case.jobs)
    state, notices = runs.play(
        case.specs,
        requests,
        case.steps,
        named=runs.prefixes(case.jobs),
        lets_go=case.lets_go,
        senders=case.senders,
        calls=runs.call_table(case.jobs, requests),
        ends_s=case.horizon_s,
        tenants=case.tenants,
    )
    return naive_run(case), state, notices


def compare(seed: int, ties: bool, only: str = "") -> bool:
    """Everything must agree; False when rounding decides who is first."""
    naive, state, notices = play(queue_case(seed, ties, only))
    if naive.close_together and not ties:
        return False
    used = int(state.run["rows"][0])
    assert used == len(naive.jobs), "as many attempts"
    agree(state.requests[:used], state, naive)
    assert state.requests["pool"][:used].tolist() == [job.pool for job in naive.jobs]
    calls = state.calls[:used]
    for name in ("attempt", "copy", "left_s"):
        expected = [getattr(job, name) for job in naive.jobs]
        np.testing.assert_allclose(calls[name], expected, rtol=1e-9, atol=1e-9, err_msg=name)
    assert calls["first"].tolist() == [first_of(job).row for job in naive.jobs]
    assert calls["sent"].tolist() == [job.asked for job in naive.jobs]
    assert state.run["in_system"][0] == sum(job.asked and job.outcome == "unfinished" for job in naive.jobs)
    np.testing.assert_allclose(notices, naive.notices, rtol=1e-9)
    for row, spec in enumerate(naive.specs):
        counted(state, row, naive.books[row] if spec.metered or spec.hears != meters.HEARS_NOTHING else Books())
    return True


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_queues_agree_with_the_naive_oracle(seed: int, ties: bool) -> None:
    compare(seed, ties)


@pytest.mark.parametrize("block", range(5))
def test_150_seeds_that_never_change(block: int) -> None:
    compared = [compare(seed, ties=seed % 2 == 1) for seed in range(30 * block, 30 * block + 30)]
    assert sum(compared) >= 25, "rounding decides too often for this to prove much"
