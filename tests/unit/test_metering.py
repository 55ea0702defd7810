"""What scrapes say of replicas, by hand."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sim import load, simulate
from sim.autoscaling import Decision, Observation
from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import BUSY_SHARE, CONCURRENCY, RUNNING, Pipeline, Query

BUSY = Query(BUSY_SHARE, across="each")
PRESENT = Query(CONCURRENCY)
SERVED = Query(RUNNING)


class Two(Elastic):
    """Two replicas from 10 s on; remembers all it saw, in its reasons."""

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=15.0)
    period_s: ClassVar[float] = 5.0  # type: ignore[misc]
    queries: ClassVar[tuple[Query, ...]] = (BUSY, PRESENT, SERVED)  # type: ignore[misc]

    def decide(self, seen: Observation, memory: None) -> tuple[Decision, None]:
        pods = [pod.values.get(BUSY) for pod in seen.pods]
        return Decision(1 + (seen.at_s >= 10), repr((pods, seen.value(PRESENT), seen.value(SERVED)))), None


class Watches(Elastic):
    """Two replicas all the time; tells how busy they were together."""

    fresh: ClassVar[Pipeline] = Pipeline(scrape_s=15.0)
    period_s: ClassVar[float] = 15.0  # type: ignore[misc]
    queries: ClassVar[tuple[Query, ...]] = (Query(BUSY_SHARE),)  # type: ignore[misc]

    def decide(self, seen: Observation, memory: None) -> tuple[Decision, None]:
        return Decision(2, repr(seen.value(Query(BUSY_SHARE)))), None


def test_a_pool_is_as_busy_as_its_replicas_were_since_the_last_scrape(tmp_path: Path) -> None:
    """One is busy from 3 s on, the other from 20 s to 29 s; they are scraped at 15, 30 and 45 s."""
    (tmp_path / "trace.csv").write_text("arrival_s,service_s\n3,200\n20,9\n")
    keys: dict[str, Any] = {
        "name": "metering",
        "horizon": 60,
        "workload": {"trace": str(tmp_path / "trace.csv"), "format": "plain"},
        "pools": {"p": {"replica": {"kind": "slots"}, "autoscaler": Watches()}},
    }
    told = {row.at_s: ast.literal_eval(row.reason) for row in simulate(load(keys)).log.decisions if row.at_s}
    assert [told[at_s] for at_s in (15.0, 30.0, 45.0)] == pytest.approx([12 / 15, (15 + 9) / 15, 1.0])


@pytest.mark.parametrize("calendar", ["simpy", "compiled"])
def test_a_replica_is_as_busy_as_it_was_since_it_came(tmp_path: Path, calendar: str) -> None:
    """One is busy all the time; one comes at 10 s, idles until 12, serves until 27, and is scraped at 15, 30, 45 s."""
    (tmp_path / "trace.csv").write_text("arrival_s,service_s\n0,200\n12,15\n")
    keys: dict[str, Any] = {
        "name": "metering",
        "horizon": 60,
        "calendar": calendar,
        "workload": {"trace": str(tmp_path / "trace.csv"), "format": "plain"},
        "pools": {"p": {"replica": {"kind": "slots"}, "autoscaler": Two()}},
    }
    told = {row.at_s: ast.literal_eval(row.reason) for row in simulate(load(keys)).log.decisions}
    assert told[15.0] == ([1.0, 3 / 5], pytest.approx((15 + 3) / 15), 2.0)
    assert told[30.0] == ([1.0, 12 / 15], pytest.approx((15 + 12) / 15), 1.0)
    assert told[45.0] == ([1.0, 0.0], 1.0, 1.0)
    assert told[40.0] == told[30.0], "until the next scrape nothing is new"
