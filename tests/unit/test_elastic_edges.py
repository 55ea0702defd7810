"""Fleets at their extremes: they end, both calendars agree, and what cannot be is said with place and remedy."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from sim import Result, load, simulate
from sim.autoscaling import Decision, Observation, answers
from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import Query
from sim.cli import main
from sim.config.errors import ConfigError
from sim.scenario.times import event_s
from tests import elastic
from tests.property.test_elastic import left

HPA = {
    "kind": "hpa",
    "max_replicas": 8,
    "metrics": [{"metric": "num_requests_waiting", "type": "AverageValue", "target": 1}],
}
REFUSED = [{"name": "x", "stock_out": {"refused": "100%"}}]


def keys(horizon: str = "3m", **pool: Any) -> dict[str, Any]:
    stream = {
        "arrivals": {"kind": "poisson", "rate": "0.2/s"},
        "prompt_tokens": {"kind": "constant", "value": 200},
        "output_tokens": {"kind": "constant", "value": 60},
    }
    replica = {"kind": "batching", "max_num_seqs": 4, "max_batched_tokens": 512}
    base = {"replica": replica, **elastic.BATCHING, "autoscaler": {"replicas": 2}, "boot": "5s"}
    price = {"price": {"on_demand": 3, "spot": 1}}
    return {"name": "edge", "horizon": horizon, "workload": stream, "pools": {"p": {**base, **price, **pool}}}


def both(scenario: dict[str, Any]) -> Result:
    """The run, the same in both calendars."""
    one = simulate(load(scenario | {"calendar": "simpy"}))
    other = simulate(load(scenario | {"calendar": "compiled"}))
    assert left(one) == left(other)
    return one


def requests(scenario: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in both(scenario).summary()["requests"].items() if count}


def wrong(**pool: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        simulate(load(keys(**pool)))
    return str(caught.value)


@pytest.mark.parametrize(
    "pool",
    [
        {"supply": REFUSED, "autoscaler": {**HPA, "start_replicas": 0}},
        {"supply": REFUSED, "faults": [{"kind": "crash", "mtbf": "20s"}]},
        {"faults": [{"kind": "zone_outage", "at": "30s", "lasts": "10000d"}]},
        {"boot": "10000d", "autoscaler": {**HPA, "start_replicas": 0}, "drain": {"grace": "10000d"}},
    ],
    ids=["refused", "refused after crashes", "zone out for ever", "boot for ever"],
)
def test_a_fleet_that_never_comes_ends_its_run(pool: dict[str, Any]) -> None:
    found = requests(keys(**pool))
    assert found["arrived"] == sum(found.values()) - found["arrived"]


def test_orders_that_are_refused_are_not_tried_for_ever() -> None:
    found = requests(keys(supply=REFUSED, faults=[{"kind": "crash", "mtbf": "20s"}]))
    assert found["unfinished"] > 0


@pytest.mark.parametrize("lost", ["retry", "resume", "fail"])
@pytest.mark.parametrize("repair", [None, "0s", "1d"])
def test_crash_loops_end(lost: str, repair: str | None) -> None:
    crash = {"kind": "crash", "mtbf": "2s"} | ({"repair": repair} if repair else {})
    found = requests(keys("1m", faults=[crash], drain={"lost": lost}, boot="1s"))
    assert found["arrived"] == found.get("completed", 0) + found.get("failed", 0)


def test_outages_of_one_zone_may_overlap() -> None:
    faults = [
        {"kind": "zone_outage", "at": "10s", "lasts": "30s"},
        {"kind": "zone_outage", "at": "20s", "lasts": "90s"},
    ]
    spans = both(keys(faults=faults, boot="0s", supply=[{"name": "x", "retry": "5s"}])).log.spans
    assert (spans["launched_s"][2:] >= 110).all(), "a replica in a zone that the second outage keeps down"


def test_a_rollout_needs_no_more_room_than_replicas() -> None:
    assert both(keys(rollouts=[{"at": 0, "max_surge": 10**9, "max_unavailable": 10**9}])).log.rooms == (6,)


def test_a_hazard_that_is_next_to_nothing_is_never() -> None:
    assert event_s([1e-300] + [0.0] * 23, 0.0, 1.0) == float("inf")


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ({"faults": [{"kind": "crash", "mtbf": "1us"}]}, "faults.0.mtbf: must be at least 1, got '1us'"),
        ({"supply": [{"name": "x", "retry": "1ms"}]}, "supply.0.retry: must be at least 1, got '1ms'"),
        ({"supply": [{"name": "x", "zones": 10**9}]}, "supply.0.zones: must be between 1 and 1000"),
        (
            {"supply": [{"name": "x", "market": "spot", "spot": {"hazard": "1k/s"}}]},
            "supply.0.spot.hazard: must be between 0 and 1, got '1k/s'",
        ),
        (
            {"autoscaler": {**HPA, "sync_period": "1ns"}},
            "autoscaler: decides every 1e-09 s; its period must be",
        ),
        (
            {"autoscaler": HPA, "metrics": {"scrape_interval": "1ns"}},
            "metrics.scrape_interval: must be at least 0.01",
        ),
    ],
)
def test_times_so_short_that_no_run_would_end_are_refused(pool: dict[str, Any], told: str) -> None:
    assert f"pools.p.{told}" in wrong(**pool)


class Wayward(Elastic):
    """A policy that does what it is told not to."""

    kind: Literal["wayward"] = "wayward"
    does: str

    @property
    def period_s(self) -> float:
        return 1 / 0 if self.does == "period" else 15.0

    @property
    def queries(self) -> tuple[Query, ...]:
        return ("x",) if self.does == "queries" else ()  # type: ignore[return-value]

    @property
    def most_replicas(self) -> int:
        return 10**9 if self.does == "most" else 10

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        if self.does == "raise" and seen.at_s > 20:
            raise KeyError("gone")
        if self.does == "exit":
            raise SystemExit(7)
        while self.does == "loop":
            pass
        if self.does == "sleep":
            time.sleep(60)
        while self.does == "stubborn":
            with contextlib.suppress(Exception):
                time.sleep(60)
        if self.does == "nothing":
            return None  # type: ignore[return-value]
        wanted: dict[str, Any] = {
            "huge": 10**30,
            "text": "3",
            "none": None,
            "inf": float("inf"),
            "many": 11,
            "below": -1,
            "float": 2.5,
            "nan": float("nan"),
            "numpy": np.int64(3),
        }
        next_s = {"past": seen.at_s - 1, "now": seen.at_s + 1e-9}
        return Decision(wanted.get(self.does, 2), "as I like", next_s=next_s.get(self.does)), memory


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("raise", "decide raised KeyError at 30 s (line "),
        ("nothing", "at 0 s, decide must return (Decision, memory), got nothing"),
        ("many", "Wayward' wants 11 replicas at 0 s, and may want 0 to 10 (its most_replicas)"),
        ("huge", "Wayward' wants a number of more than 20 digits replicas at 0 s, and may want 0 to 10"),
        ("text", "decide must want a whole number of replicas, 0 or more; got '3'"),
        ("none", "decide must want a whole number of replicas, 0 or more; got nothing"),
        ("inf", "decide must want a whole number of replicas, 0 or more; got inf"),
        ("exit", "Wayward': decide raised SystemExit at 0 s (line "),
        ("below", "decide must want a whole number of replicas, 0 or more; got -1"),
        ("float", "decide must want a whole number of replicas, 0 or more; got 2.5"),
        ("nan", "decide must want a whole number of replicas, 0 or more; got nan"),
        ("past", "decide must ask to be asked again at least 1 ms later"),
        ("now", "decide must ask to be asked again at least 1 ms later"),
        ("period", "cannot be read: ZeroDivisionError (line "),
        ("queries", "must have queries as a tuple of Query"),
        ("most", "must have most_replicas of 0 to 100000, a whole number; got 1000000000"),
    ],
)
def test_a_policy_of_ones_own_that_goes_wrong_is_told_with_its_pool(does: str, told: str) -> None:
    found = wrong(autoscaler={"kind": f"{__name__}:Wayward", "does": does})
    assert found.startswith("pools.p.autoscaler: ")
    assert told in found


@pytest.mark.parametrize("does", ["loop", "sleep", "stubborn"])
def test_a_policy_that_never_answers_is_ended(does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "ANSWERS_S", 0.05)
    before = signal.getsignal(signal.SIGALRM)
    found = wrong(autoscaler={"kind": f"{__name__}:Wayward", "does": does})
    assert "Wayward': decide has not answered within 0.05 s, asked at 0 s (line " in found
    assert found.endswith(" of test_elastic_edges.py); let it do less, or end its loop")
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_numpys_whole_numbers_are_whole_numbers() -> None:
    run = both(keys(autoscaler={"kind": f"{__name__}:Wayward", "does": "numpy"}))
    assert {type(row.wanted) for row in run.log.decisions} == {int}


def invoke(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    return result.exit_code, result.stderr


@pytest.mark.parametrize("notes", [["x"], "x", 5, True])
@pytest.mark.parametrize("api", ["keda.sh/v1alpha1/ScaledObject", "autoscaling/v2/HorizontalPodAutoscaler"])
def test_annotations_must_be_a_mapping(tmp_path: Path, notes: Any, api: str) -> None:
    version, _, kind = api.rpartition("/")
    spec = {"scaleTargetRef": {"name": "x"}, "maxReplicas": 3}
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "annotations": notes}, "spec": spec}
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "o.jsonl").write_text(json.dumps({"at_s": 0, "current": 1}))
    code, told = invoke("decide", tmp_path / "m.yaml", "--observations", tmp_path / "o.jsonl")
    assert code == 2
    assert "metadata.annotations: must be a mapping" in told


def test_an_original_of_another_kind_is_refused_where_it_stands(tmp_path: Path) -> None:
    hpa = tmp_path / "hpa.yaml"
    assert invoke("export", "autoscaler", "autoscale-hpa", "--no-run", "--out", hpa) == (0, "")
    code, told = invoke("export", "autoscaler", "autoscale-keda-zero", "--no-run", "--like", hpa)
    assert code == 2
    assert "hpa.yaml" in told
    assert "is the manifest of kind 'hpa', and the scenario's autoscaler is of kind 'keda'" in told
