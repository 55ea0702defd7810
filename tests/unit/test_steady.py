"""The search for the warm-up: the bias of an empty start goes, runs that are too short are made longer."""

from __future__ import annotations

import numpy as np
import pytest

from sim import load
from sim.config.errors import ConfigError
from sim.report.run.welch_picture import of_settled
from sim.scenario import Scenario
from sim.statistics.warmup import drifts
from sim.study.executors import Here
from sim.study.replicated.record import Task
from sim.study.replicated.replications import replicate
from sim.study.replicated.steady import BINS, check, moving_average, runs_of, settled, traced

SCALER = "pools.p.autoscaler"


def queue(horizon: str, rate: float = 0.9, change: str | None = None) -> Scenario:
    """M/M/1, from empty; `change`: as with `--set`."""
    return load(
        {
            "name": "settling",
            "seed": 2,
            "horizon": horizon,
            "workload": {"arrivals": {"kind": "poisson", "rate": rate}, "service": {"kind": "exponential", "mean": 1}},
            "pools": {
                "p": {
                    "replica": {"kind": "slots", "concurrency": 1},
                    "queue": {"kind": "central"},
                    "autoscaler": {"kind": "fixed", "replicas": 1},
                }
            },
        },
        [] if change is None else [change],
    )


def batching(horizon: str, rate: float) -> Scenario:
    """One replica that batches; an answer takes half a minute, so it takes long until as many run as will."""
    return load(
        {
            "name": "batch",
            "seed": 4,
            "horizon": horizon,
            "workload": {
                "arrivals": {"kind": "poisson", "rate": rate},
                "prompt_tokens": {"kind": "constant", "value": 200},
                "output_tokens": {"kind": "constant", "value": 1500},
            },
            "pools": {
                "p": {
                    "latency": {"base_s": 0.02, "prefill_s_per_token": 5e-5, "decode_s_per_seq": 1e-5}
                    | {"attention_s_per_token": 0.0},
                    "kv_capacity_tokens": 400_000,
                    "autoscaler": {"kind": "fixed", "replicas": 1},
                }
            },
        }
    )


def test_the_bias_of_an_empty_start_goes() -> None:
    # rho = 0.9: Wq = 9; the first 300 s from empty have some 7
    found = settled(queue("300s"), Here())
    path = "latency.queue_wait_s.mean"
    from_empty = replicate(queue("300s"), 60).intervals[path]
    warm = replicate(found.scenario, 60).intervals[path]
    assert from_empty.high < 9, "the test is about a bias that is there"
    assert warm.low < 9 < warm.high
    assert 30 <= found.scenario.warmup_s <= found.block()["horizon_s"] / 2


def test_what_a_batching_replica_settles_to_is_all_that_is_measured() -> None:
    found = settled(batching("600s", 1.0), Here())
    assert found.block()["slowest"] in ("in_system", "kv_tokens")
    assert found.scenario.warmup_s >= 20, "no request is answered before half a minute"
    # by then as many run as come in the time that an answer takes: Little's law
    after = found.series["in_system"][int(found.scenario.warmup_s / found.block()["horizon_s"] * BINS) :]
    assert after.mean() == pytest.approx(1.0 * 1500 * 0.0203, rel=0.1)


def test_a_run_that_is_too_short_is_made_longer() -> None:
    short = settled(batching("20s", 1.0), Here())
    assert short.extended >= 2, "in 20 s nothing has been answered: the number in the system only grows"
    assert short.scenario.horizon_s == 20 * 2**short.extended
    assert short.block()["extended"] == short.extended


def test_what_never_settles_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.study.replicated.steady.EXTENSIONS", 1)
    with pytest.raises(ConfigError, match=r"has not settled by 3 min 20 s: .* add replicas, or lower the rate"):
        settled(queue("100s", rate=1.5), Here())


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("workload.arrivals={kind: spike, rate: 1, factor: 2, at: 10, duration: 5}", "workload.arrivals"),
        ("pools.p.rollouts=[{at: 5s}]", "pools.p.rollouts"),
        (
            "pools.p.autoscaler={kind: scheduled, replicas: 1, rows: [{from: '08:00', to: '20:00', replicas: 2}]}",
            SCALER,
        ),
    ],
)
def test_what_changes_by_the_clock_does_not_settle(change: str, path: str) -> None:
    with pytest.raises(ConfigError) as told:
        check(queue("100s", change=change))
    (problem,) = told.value.problems
    assert problem.path == path
    assert "--steady is for a constant rate; without it" in problem.message


def test_a_series_is_that_of_the_run() -> None:
    found = traced(Task(queue("100s")))
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(
        ("in_system", "waiting", "kv_tokens", "replicas"), BINS
    )
    assert (found["in_system"] >= found["waiting"]).all()
    assert found["replicas"] == pytest.approx(np.ones(BINS))


def test_small_runs_are_many() -> None:
    assert [runs_of(each) for each in (10, 4_000, 20_000, 500_000, 5e6)] == [100, 50, 10, 4, 1]


def test_the_moving_average_is_narrower_at_the_ends() -> None:
    values = np.arange(100.0)
    assert moving_average(values) == pytest.approx(values), "of a line it is the line"
    bent = moving_average(np.where(values == 50, 11.0, 0.0))
    assert bent[45:56] == pytest.approx(np.ones(11))
    assert bent[:45].max() == bent[56:].max() == 0


def test_a_drift_is_seen_in_runs_that_a_single_one_hides() -> None:
    noise = np.random.default_rng(1).normal(size=(50, 100))
    assert not drifts(noise, 0)
    rising = noise + np.linspace(0, 0.5, 100)
    assert drifts(rising, 0)
    assert not drifts(rising[:4], 0), "too few to say so"
    late = noise + np.where(np.arange(100) < 30, -3.0, 0.0)
    assert drifts(late, 0)
    assert not drifts(late, 30)


def test_the_picture_has_the_cut_and_is_the_same_each_time() -> None:
    found = settled(queue("300s"), Here())
    picture = of_settled(found)
    assert picture == of_settled(found)
    cut = found.scenario.warmup_s / 60
    assert [(shape["x0"], shape["x1"]) for shape in picture.plot["layout"]["shapes"]] == [(0, cut), (cut, cut)]
    assert picture.plot["layout"]["annotations"][0]["text"] == "measured from here"
    assert picture.title.startswith("Requests in the system, average of 100 runs: warm-up ")
    assert len(picture.plot["data"][0]["x"]) == len(picture.plot["data"][1]["y"]) == 500
