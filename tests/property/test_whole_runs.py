"""Relations between two whole runs of `simulate`: what must not change a result, and what must change it just so."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import Result, load, simulate
from tests.digest import SCENARIOS, of_log

TIMES = ("arrival_s", "start_s", "first_token_s", "finish_s", "outcome")


def run(keys: dict[str, Any], *, seed: int = 11, name: str = "run") -> Result:
    return simulate(load({"name": name, "seed": seed, **keys}))


def same_rows(one: Any, other: Any) -> None:
    for name in TIMES:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture(scope="module")
def runs() -> dict[str, Result]:
    return {name: run(keys) for name, keys in SCENARIOS.items()}


def changed(name: str, **changes: Any) -> dict[str, Any]:
    return SCENARIOS[name] | changes


# -- M8: looking does not change what is seen ---------------------------------------------------------------------


@pytest.mark.parametrize("name", list(SCENARIOS))
@pytest.mark.parametrize(
    "more",
    [
        {"warmup": 33.3},
        {"slo": [{"metric": "e2e", "under": "2s", "share": "90%"}]},
        {"description": "the same"},
        {"calendar": "compiled"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_m8_what_is_asked_does_not_change_what_happens(
    runs: dict[str, Result], name: str, more: dict[str, Any]
) -> None:
    other = run(changed(name, **more))
    same_rows(runs[name].log.requests, other.log.requests)


def test_m8_traffic_elsewhere_changes_nothing(runs: dict[str, Result]) -> None:
    """Another pool with a stream of its own: random numbers belong to streams, so nobody else's change."""
    line = SCENARIOS["line"]
    more = {"arrivals": {"kind": "poisson", "rate": 2}, "service": {"kind": "constant", "value": 0.3}}
    streams = {"requests": {**line["workload"], "pool": "one"}, "more": {**more, "pool": "two"}}
    other = run(line | {"workload": {"streams": streams}, "pools": {**line["pools"], "two": line["pools"]["one"]}})
    rows = other.log.requests
    same_rows(runs["line"].log.requests, rows[rows["stream"] == 0])
    assert (rows["stream"] == 1).sum() > 500


# -- M7: names and order mean nothing -----------------------------------------------------------------------------


def test_m7_pools_and_streams_in_another_order(runs: dict[str, Result]) -> None:
    keys = SCENARIOS["chat"]
    streams = dict(reversed(keys["workload"]["streams"].items()))
    other = run(keys | {"workload": {"streams": streams}, "pools": dict(reversed(keys["pools"].items()))})
    for name in streams:
        of = [
            result.log.requests[result.log.requests["stream"] == result.log.streams.index(name)]
            for result in (runs["chat"], other)
        ]
        same_rows(*of)


# -- M11: money only counts what happened -------------------------------------------------------------------------


def test_m11_three_times_the_price_is_three_times_the_cost_and_nothing_else(runs: dict[str, Result]) -> None:
    keys = SCENARIOS["chat"]
    pools = {name: {**pool, "price": {"on_demand": 7.5}} for name, pool in keys["pools"].items()}
    dear, cheap = run(keys | {"pools": pools}), runs["chat"]
    assert of_log(dear.log) == of_log(cheap.log)
    one, three = cheap.summary(), dear.summary()
    for here, there in [(one, three), *((one["pools"][name], three["pools"][name]) for name in pools)]:
        for key, value in here["cost"].items():
            assert there["cost"][key] == pytest.approx(3 * value, rel=1e-12), key
        for block in ("requests", "latency", "throughput", "utilization", "replicas", "time_average", "slo"):
            assert here[block] == there[block], block


def test_m11_pools_add_up(runs: dict[str, Result]) -> None:
    told = runs["chat"].summary()
    pools = told["pools"].values()
    assert sum(pool["cost"]["total_usd"] for pool in pools) == pytest.approx(told["cost"]["total_usd"], rel=1e-12)
    assert sum(pool["requests"]["arrived"] for pool in pools) == told["requests"]["arrived"]
    assert sum(pool["replicas"]["gpu_hours"] for pool in pools) == pytest.approx(told["replicas"]["gpu_hours"])


# -- M10: the same thing said in another way ----------------------------------------------------------------------


def test_m10_a_run_replayed_from_its_own_requests(runs: dict[str, Result], tmp_path: Path) -> None:
    line = SCENARIOS["line"]
    rows = runs["line"].log.requests
    trace = tmp_path / "own.csv"
    lines = (
        f"{at!r},{service!r}"
        for at, service in zip(rows["arrival_s"].tolist(), rows["service_s"].tolist(), strict=True)
    )
    trace.write_text("arrival_s,service_s\n" + "\n".join(lines) + "\n")
    same_rows(rows, run(line | {"workload": {"trace": str(trace)}}).log.requests)


def test_m10_a_longer_day_begins_the_same(runs: dict[str, Result]) -> None:
    """Who comes later cannot change who was there first, in a line."""
    longer = run(changed("line", horizon=800)).log.requests
    rows = runs["line"].log.requests
    assert len(longer) > len(rows)
    same_rows(rows, longer[: len(rows)])


# -- true in the mean: of many requests, by a margin that chance does not bridge ------------------------------------


def mean_wait_s(queue: dict[str, Any], replicas: int = 4, rate: float = 3.4) -> float:
    keys = {
        "horizon": 30_000,
        "calendar": "compiled",
        "workload": {"arrivals": {"kind": "poisson", "rate": rate}, "service": {"kind": "exponential", "mean": 1}},
        "pools": {
            "pool": {
                "replica": {"kind": "slots"},
                "queue": queue,
                "autoscaler": {"kind": "fixed", "replicas": replicas},
            }
        },
    }
    mean: float = run(keys).summary()["latency"]["queue_wait_s"]["mean"]
    return mean


def test_m17_knowing_more_helps() -> None:
    """One line is best, then the shortest line, then the shorter of two, then turns, then chance."""
    routers = ("least_outstanding", "power_of_two", "round_robin", "random")
    waits = [
        mean_wait_s({"kind": "central"}),
        *(mean_wait_s({"kind": "per_replica", "router": name}) for name in routers),
    ]
    for better, worse in pairwise(waits):
        assert better < 0.95 * worse, waits


def test_m18_two_lines_are_worse_than_one() -> None:
    apart = mean_wait_s({"kind": "central"}, replicas=2, rate=1.7)
    together = mean_wait_s({"kind": "central"}, replicas=4, rate=3.4)
    assert together < 0.7 * apart
