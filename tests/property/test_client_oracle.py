"""Clients that give up, retry, send copies and come back, against the naive oracle: the same times to 1e-9."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model import meters
from sim.model.tables import State
from tests import runs
from tests.oracle import Job, Naive
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


CAUGHT = [
    ("a copy that its client holds back is called off when a twin is first", 1, True),
    ("it is called off then, not when it was first wanted", 3, True),
    ("the gap after the last token of a replica that was lost", 2, False),
    ("a first token that was foreseen, and lost with its replica", 58, False),
    ("the place of a preempted request that nobody wants", 161, True),
    ("what a router sees of a replica that a preempted request has left for good", 37543, True),
]


@pytest.mark.parametrize(("what", "seed", "ties"), CAUGHT, ids=[what for what, _, _ in CAUGHT])
def test_what_this_comparison_has_found(what: str, seed: int, ties: bool) -> None:
    """Each of these cases fails when that is got wrong."""
    assert compare(seed, ties)


@pytest.mark.parametrize("block", range(10))
def test_300_seeds_that_never_change(block: int) -> None:
    compared = [compare(seed, ties=seed % 2 == 1) for seed in range(30 * block, 30 * block + 30)]
    assert sum(compared) >= 25, "rounding decides too often for this to prove much"


def test_the_comparison_covers_what_is_rare() -> None:
    """Each thing that clients can run into happens in at least three of these cases."""
    cases: Counter[str] = Counter(dict.fromkeys(RARE, 0))
    for seed in range(200):
        case = client_case(seed, ties=seed % 2 == 1)
        naive = Naive(case.specs, case.jobs, senders=case.senders, horizon_s=case.horizon_s)
        naive.run(case.steps, case.lets_go)
        cases.update({what for what, has in RARE.items() if any(has(naive, job) for job in naive.jobs)})
    assert min(cases.values()) >= 3, cases


RARE: dict[str, Callable[[Naive, Job], bool]] = {
    "abandoned in a line": lambda _, job: job.outcome == "abandoned" and math.isnan(job.start_s) and not job.beaten,
    "timed out in a line": lambda _, job: job.outcome == "timed_out" and math.isnan(job.start_s),
    "left a batch or slot later": lambda _, job: job.left_s > job.finish_s,
    "done for nothing": lambda naive, job: job.given_up and not naive.specs[naive.pool_of(job)].cancels,
    "given up on a link": lambda _, job: job.given_up and job.arrived,
    "too late on the way to its client": lambda _, job: job.left_s < job.finish_s,
    "a gap between tokens": lambda _, job: (
        job.outcome == "timed_out" and job.finish_s == job.token_s + job.token_timeout_s
    ),
    "preempted, then given up": lambda _, job: job.outcome == "timed_out" and job.recompute > 0,
    "lost, then given up": lambda _, job: job.outcome == "timed_out" and job.lost > 0,
    "saw a token of a replica that was lost": lambda _, job: job.answering,
    "a copy wins": lambda _, job: job.copy > 0 and job.outcome == "completed",
    "a copy loses": lambda _, job: job.copy > 0 and job.beaten and job.asked,
    "an original loses": lambda _, job: job.copy == 0 and job.beaten,
    "a copy is never sent": lambda _, job: job.beaten and not job.asked,
    "a copy of a retry": lambda _, job: job.copy > 0 and job.attempt > 1,
    "a copy fails, and the other goes on": lambda _, job: job.copy > 0 and job.outcome == "rejected" and not job.beaten,
    "a fourth attempt": lambda _, job: job.attempt > 3 and job.asked,
    "a retry completes": lambda _, job: job.attempt > 1 and job.outcome == "completed",
    "a retry of what failed": lambda _, job: job.outcome == "failed" and job.backoff_s > 0,
    "a retry held back": lambda naive, job: job.attempt > 1 and naive.senders[job.stream].max_in_flight == 1,
    "no credit": lambda naive, job: (
        job.outcome != "completed" and naive.senders[job.stream].budget < 1 and naive.credit[job.stream] < 1
    ),
    "a turn after others": lambda _, job: job.first is None and bool(job.then) and job.then[0].asked,
    "several turns after one": lambda _, job: len(job.then) > 1 and job.then[0].asked,
    "a turn after several": lambda _, job: job.joins > 1 and job.asked,
    "a session that ends": lambda _, job: bool(job.then) and not job.then[0].asked,
}
"""What a job, after a run, shows to have happened."""
