"""The naive model does what a whole run did: the same requests, and replicas come and go as control had it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.fleet import callers, setup
from sim.model import prefix
from sim.model.tables import NONE
from sim.scenario import Scenario
from tests.oracle import Job
from tests.oracle.clients import first_of
from tests.oracle.remembering import Remembering
from tests.property.test_oracle import agree
from tests.swarm.ran import Kept

MOST_TOKENS, MOST_REPLICAS = 20_000, 60
"""The naive model makes one token at a time, and looks at every replica whatever happens."""


def beyond(scenario: Scenario) -> str:
    """Why the naive model cannot do a scenario's run; empty if it can."""
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    if demand.more is not None:
        return "closed population"
    if not np.array_equal(demand.service_s, demand.first_service_s):
        return "first token before the end of a service"
    if int(demand.output_tokens.sum()) > MOST_TOKENS or len(demand) > 1000:
        return "too long"
    if sum(spec.replicas for spec in setup.pool_specs(scenario)[0]) > MOST_REPLICAS:
        return "too long"
    return ""


def compare(scenario: Scenario, kept: Kept) -> bool:
    """Everything must agree; False when rounding decides who is first."""
    assert kept.tables is not None
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    requests = setup.request_table(scenario, demand)
    calls = callers.call_table(scenario, demand, requests)
    jobs = jobs_of(requests, calls, demand.prefixes, demand.prefix_sizes)
    specs, _ = setup.pool_specs(scenario)
    ends_s = math.inf if scenario.horizon_s is None else scenario.horizon_s
    naive = Remembering(specs, jobs, callers.senders(scenario), callers.tenants(scenario), ends_s)
    naive.run(kept.steps, lets_go=False)
    if naive.close_together:
        return False
    used = int(kept.tables.run["rows"][0])
    assert used == len(naive.jobs), f"{used} attempts, by the naive model {len(naive.jobs)}"
    agree(kept.tables.requests[:used], kept.tables, naive)
    if calls is not None:
        rows = kept.tables.calls[:used]
        for name in ("attempt", "copy", "left_s"):
            expected = [getattr(job, name) for job in naive.jobs]
            np.testing.assert_allclose(rows[name], expected, rtol=1e-9, atol=1e-9, err_msg=name)
        assert rows["first"].tolist() == [first_of(job).row for job in naive.jobs]
    return True


def jobs_of(requests: Any, calls: Any, named: Any, sizes: Any) -> list[Job]:
    """The naive model's requests."""
    jobs = []
    for row in requests:
        job = Job(
            arrival_s=float(row["arrival_s"]),
            prompt=int(row["prompt_tokens"]),
            cached=int(row["cached_tokens"]),
            output=int(row["output_tokens"]),
            service_s=float(row["service_s"]),
            ticket=float(row["ticket"]),
            pool=int(row["pool"]),
            stream=int(row["stream"]),
        )
        if row["prefix0"] != NONE:
            _name(job, int(row["prefix0"]), named, sizes)
        jobs.append(job)
    if calls is None:
        return jobs
    for job, row in zip(jobs, calls, strict=True):
        for name in ("patience_s", "first_token_timeout_s", "token_timeout_s", "total_timeout_s", "pause_s"):
            setattr(job, name, float(row[name]))
        job.waits = job.joins = int(row["waits"])
        if row["thens"] > 0:
            job.then = jobs[int(row["then"]) : int(row["then"] + row["thens"])]
    return jobs


def _name(job: Job, first: int, named: Any, sizes: Any) -> None:
    """The blocks of a prompt, from its list."""
    last = first
    while named[last] >= 0:
        last += 1
    job.prefix = tuple(int(name) for name in named[first:last])
    job.sizes = tuple(int(sizes[name]) for name in job.prefix)
    if named[last] != NONE:
        job.answer = next(name for name in range(len(sizes)) if prefix.closing(name) == named[last])
        job.answer_tokens = int(sizes[job.answer])
