"""What holds for the results of any run: exact quantiles, pools that add up, sums that are those of their pieces."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.result import Result, occupancy
from sim.result.latency import METRICS, metric_s, statistics
from sim.result.log import RunLog
from sim.result.timeline import timeline_columns
from tests.made_logs import queue_log, scenario, target

NAMES = ("a", "b", "c")
POOLS = {name: {"gpus_per_replica": place + 1, "usd_per_replica_hour": 1.5} for place, name in enumerate(NAMES)}


def spread_log(seed: int, count: int) -> RunLog:
    """A run over three pools with some requests rejected and some never finished."""
    made = queue_log(count, 100.0, 17, servers=4, seed=seed, rejected=0.1)
    rng = np.random.default_rng(seed)
    made.requests["pool"] = rng.integers(0, 3, count)
    never = (rng.random(count) < 0.05) & np.isfinite(made.requests["start_s"])
    made.requests["finish_s"][never] = math.nan
    made.requests["outcome"][never] = 0
    samples = np.concatenate([made.samples] * 3)
    samples["pool"] = np.repeat(np.arange(3), len(made.samples))
    spans = np.concatenate([made.spans] * 3)
    spans["pool"] = np.repeat(np.arange(3), len(made.spans))
    spans["gone_s"][rng.random(len(spans)) < 0.3] = 60.0
    values = {name: getattr(made, name) for name in RunLog.__dataclass_fields__}
    more = {"pools": NAMES, "rooms": (4, 4, 4), "work": made.work * 3}
    return RunLog(**values | {"samples": samples, "spans": spans} | more)


@given(st.lists(st.floats(0, 1e6) | st.just(math.nan), max_size=200))
def test_quantiles_are_numpys(values: list[float]) -> None:
    told = statistics(np.array(values))
    there = np.array([value for value in values if not math.isnan(value)])
    if not len(there):
        assert set(told.values()) == {None}
        return
    assert told["max"] == there.max()
    assert told["mean"] == pytest.approx(there.mean(), rel=1e-12)
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        assert told[name] == np.quantile(there, share)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 400), warmup_s=st.sampled_from([0.0, 33.3]))
def test_pools_add_up_to_the_whole_and_shares_are_shares(seed: int, count: int, warmup_s: float) -> None:
    log = spread_log(seed, count)
    slo = tuple(target(metric, 1.0, 0.9) for metric in METRICS)
    result = Result(scenario(POOLS, horizon_s=100.0, warmup_s=warmup_s, slo=slo), log)
    whole = result.summary()
    pools = list(whole["pools"].values())
    for outcome, number in whole["requests"].items():
        assert sum(pool["requests"][outcome] for pool in pools) == number
    assert whole["requests"]["arrived"] == sum(whole["requests"].values()) - whole["requests"]["arrived"]
    for block, key in (
        ("time_average", "waiting"),
        ("time_average", "running"),
        ("throughput", "output_tokens_per_s"),
        ("replicas", "gpu_hours"),
        ("cost", "total_usd"),
    ):
        assert sum(pool[block][key] for pool in pools) == pytest.approx(whole[block][key], rel=1e-9, abs=1e-12)
    for place, entry in enumerate(whole["slo"]):
        if entry["attained"] is None:
            continue
        assert 0 <= entry["attained"] <= 1
        assert entry["met"] == (entry["attained"] >= 0.9)
        met = [pool["slo"][place]["attained"] or 0.0 for pool in pools]
        arrived = [pool["requests"]["arrived"] for pool in pools]
        assert np.dot(met, arrived) == pytest.approx(entry["attained"] * sum(arrived), abs=1e-9)
    bins = [timeline_columns(result.scenario, log, place) for place in range(3)]
    for name in ("arrivals", "waiting", "running", "replicas", "usd_per_hour"):
        np.testing.assert_allclose(sum(part[name] for part in bins), result.columns[name], rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 200), chunk=st.integers(1, 50))
def test_sums_over_time_are_those_of_each_request_alone(seed: int, count: int, chunk: int) -> None:
    log = spread_log(seed, count)
    edges_s = log.edges_s
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occupancy, "CHUNK_ROWS", chunk)
        told = occupancy.occupancy(log.requests, edges_s)
    waiting_s, running_s = np.zeros(len(edges_s) - 1), np.zeros(len(edges_s) - 1)
    for row in log.requests:
        finish_s = math.inf if math.isnan(row["finish_s"]) else row["finish_s"]
        if math.isnan(row["start_s"]):
            continue  # turned away: it never waited
        for place, (from_s, to_s) in enumerate(pairwise(edges_s)):
            waiting_s[place] += max(0.0, min(row["start_s"], to_s) - max(row["arrival_s"], from_s))
            running_s[place] += max(0.0, min(finish_s, to_s) - max(row["start_s"], from_s))
    np.testing.assert_allclose(told.waiting_s, waiting_s, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(told.running_s, running_s, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 200))
def test_a_latency_is_there_exactly_for_those_who_have_it(seed: int, count: int) -> None:
    rows = spread_log(seed, count).requests
    completed = rows["outcome"] == 1
    for metric in METRICS:
        has = {"queue_wait": np.isfinite(rows["start_s"]), "tpot": completed & (rows["output_tokens"] > 1)}
        value_s = metric_s(rows, metric)
        np.testing.assert_array_equal(np.isfinite(value_s), has.get(metric, completed), err_msg=metric)
        assert (value_s[np.isfinite(value_s)] >= 0).all()
