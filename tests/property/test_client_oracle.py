"""Clients that give up, retry, send copies and come back, against the naive oracle: the same times to 1e-9."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model import meters
from sim.model.tables import State
from tests import runs
from tests.oracle import Naive
from tests.oracle.clients import first_of
from tests.oracle.parts import Books
from tests.property.client_cases import Case, client_case
from tests.property.test_elastic_oracle import counted
from tests.property.test_oracle import agree


def play(case: Case) -> tuple[Naive, State, list[float]]:
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
    )
    naive = Naive(case.specs, case.jobs, senders=case.senders, horizon_s=case.horizon_s)
    naive.run(case.steps, case.lets_go)
    return naive, state, notices


def compare(seed: int, ties: bool) -> bool:
    """Everything must agree; False when rounding decides who is first."""
    naive, state, notices = play(client_case(seed, ties))
    if naive.close_together and not ties:
        return False
    used = int(state.run["rows"][0])
    assert used == len(naive.jobs), "as many attempts"
    agree(state.requests[:used], state, naive)
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


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
def test_clients_agree_with_the_naive_oracle(seed: int, ties: bool) -> None:
    compare(seed, ties)


@pytest.mark.parametrize("block", range(10))
def test_300_seeds_that_never_change(block: int) -> None:
    compared = [compare(seed, ties=seed % 2 == 1) for seed in range(30 * block, 30 * block + 30)]
    assert sum(compared) >= 25, "rounding decides too often for this to prove much"


def test_the_comparison_covers_what_is_rare() -> None:
    """Each thing that clients can run into happens in at least three of these cases."""
    cases: Counter[str] = Counter()
    for seed in range(150):
        case = client_case(seed, ties=seed % 2 == 1)
        naive = Naive(case.specs, case.jobs, senders=case.senders, horizon_s=case.horizon_s)
        naive.run(case.steps, case.lets_go)
        cases.update(seen(naive, len(case.jobs)))
    assert min(cases.values()) >= 3, cases


def seen(naive: Naive, given_jobs: int) -> set[str]:
    """What has happened in a run."""
    found: Counter[str] = Counter({"copies sent while another was held back": 0})
    for job in naive.jobs:
        sender = naive.senders[job.stream]
        over_s = job.finish_s
        served = not math.isnan(job.start_s)
        found["abandoned in a line"] += job.outcome == "abandoned" and not served
        found["timed out in a line"] += job.outcome == "timed_out" and not served
        found["left a batch or slot"] += job.left_s > over_s
        found["done for nothing"] += job.given_up and not naive.specs[job.pool].cancels
        found["given up on a link"] += job.sent and job.outcome == "timed_out" and not job.arrived
        found["timed out on the way to its client"] += job.left_s == over_s and job.outcome == "timed_out"
        found["lost and still patient"] += job.lost > 0 and job.outcome == "timed_out"
        found["saw a first token of a replica that was lost"] += job.answering
        found["a copy won"] += job.copy > 0 and job.outcome == "completed"
        found["a copy lost"] += job.copy > 0 and job.beaten
        found["an original lost"] += job.copy == 0 and job.beaten
        found["never sent, for a twin was first"] += job.beaten and not job.asked
        found["a third attempt"] += job.attempt > 2 and job.asked
        found["a retry after a failure"] += job.outcome == "failed" and job.retry_s == math.inf and job.backoff_s > 0
        found["no credit left"] += sender.budget < math.inf and naive.credit[job.stream] < 1
        found["a follower"] += job.row < given_jobs and job.waits == 0 and job.due_s == math.inf and job.asked
        found["a session that ends early"] += job.row < given_jobs and not job.asked
    return {what for what, count in found.items() if count}
