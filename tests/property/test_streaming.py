"""A streamed run is the run that keeps its rows: the same rows bit for bit, whatever happens to requests and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sim import load, simulate
from sim.fleet import feed
from sim.result.tally import NOTE
from sim.scenario import Scenario
from tests import elastic, overload

CHUNKS = st.sampled_from([1, 7, 50, 1000])
SEEDS = st.integers(0, 10**6)


def compare(scenario: Scenario, calendar: str, chunk_rows: int) -> np.ndarray[Any, Any]:
    """Both runs, checked against one another; the rows."""
    scenario = scenario.model_copy(update={"calendar": calendar})
    rows: list[Any] = []
    kept = simulate(scenario, stream=False).log
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(feed, "CHUNK_ROWS", chunk_rows)
        told = simulate(scenario, stream=True, retired=lambda _: lambda some, _: rows.append(some.copy())).log
    streamed = np.concatenate(rows)
    for name in kept.requests.dtype.names or ():
        if name != "next":  # a link of lines that nobody stands in any more
            assert streamed[name].tobytes() == kept.requests[name].tobytes(), name
    for name in ("samples", "spans", "down"):
        assert getattr(told, name).tobytes() == getattr(kept, name).tobytes(), name
    for name in ("decisions", "events", "preemptions", "end_s", "streams"):
        assert getattr(told, name) == getattr(kept, name), name
    assert told.notes == (*kept.notes, NOTE)
    assert told.tally is not None
    assert told.tally.count == len(streamed)
    assert not len(told.requests)
    return streamed


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, ties=st.booleans(), chunk_rows=CHUNKS)
def test_elastic_fleets(calendar: str, seed: int, ties: bool, chunk_rows: int) -> None:
    """Policies, boots, drains, faults, spot, slots and batching, central queues and queues at replicas."""
    scenario = load(elastic.scenario(seed, ties=ties))
    assume(not feed.why_kept(scenario))
    compare(scenario, calendar, chunk_rows)


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
@settings(max_examples=40, deadline=None)
@example(seed=43867, ties=False, chunk_rows=1)  # who is preempted goes back to a full line
@given(seed=SEEDS, ties=st.booleans(), chunk_rows=CHUNKS)
def test_overloaded_pools(calendar: str, seed: int, ties: bool, chunk_rows: int) -> None:
    """Classes, tenants, quotas, priorities, preemption, spilling, shedding, rejections; clients that just wait."""
    keys = overload.scenario(seed, ties=ties)
    for stream in keys["workload"]["streams"].values():
        stream.pop("clients", None)
        stream.pop("session", None)
    for pool in keys["pools"].values():
        pool["queue"].pop("reject", None)  # to reject in silence takes clients with a deadline
    scenario = load(keys)
    assume(not feed.why_kept(scenario))
    compare(scenario, calendar, chunk_rows)


ENGINE = {"model": "llama-3-8b", "gpu": "h100-sxm"}
DISAGGREGATED: dict[str, Any] = {
    "name": "handing over",
    "horizon": "1m",
    "workload": {
        "arrivals": {"kind": "mmpp", "rates": [1, 30], "leave": [0.1, 0.1]},
        "prompt_tokens": {"kind": "lognormal", "mean": 300, "cv": 1, "max": 1200},
        "output_tokens": {"kind": "uniform", "low": 1, "high": 150},
    },
    "pools": {
        "prefill": {
            **ENGINE,
            "kv_transfer": {"to": "decode", "bandwidth": "1GB/s", "latency": "20ms"},
            "autoscaler": {"kind": "fixed", "replicas": 2},
        },
        "decode": {
            **ENGINE,
            "replica": {"kind": "batching", "max_num_seqs": 8},
            "autoscaler": {"kind": "fixed", "replicas": 1},
            "queue": {"kind": "central", "max_waiting": 3},
        },
    },
}


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
@pytest.mark.parametrize("chunk_rows", [1, 7, 60])
def test_pools_that_hand_over(calendar: str, chunk_rows: int) -> None:
    """Requests on links have timers, which are kept by rows too."""
    scenario = load(DISAGGREGATED)
    rows = compare(scenario, calendar, chunk_rows)
    assert (rows["handed"] > 0).sum() > 100
    assert len(np.unique(rows["outcome"])) == 2


@pytest.mark.parametrize("chunk_rows", [7, 1000])
def test_what_is_told_does_not_depend_on_the_calendar(chunk_rows: int) -> None:
    """Numbers of an elastic fleet that was told of its requests in parts, to the last bit."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(feed, "CHUNK_ROWS", chunk_rows)
        for seed in (0, 3, 5):
            scenario = load(elastic.scenario(seed))
            told = [
                simulate(scenario.model_copy(update={"calendar": calendar}), stream=True).summary()
                for calendar in ("simpy", "compiled")
            ]
            for summary in told:
                del summary["run"], summary["calendar"]
            assert told[0] == told[1]
