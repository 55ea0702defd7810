"""Failure drills: what is changed in a scenario, what cannot be tried on it, and what is told of what came of it."""

from __future__ import annotations

from typing import Any

import pytest

from sim.config.errors import ConfigError
from sim.scenario import Scenario, load
from sim.scenario.faults import ZoneOutage
from sim.study.executors import Here
from sim.study.rehearsed.altered import busy_s
from sim.study.rehearsed.drill import Drill, Objective, Rehearsal
from sim.study.rehearsed.losses import BOOT_S, SPOT_REGION, cold_start, node_lost, spot_reclaimed, zone_lost
from sim.study.rehearsed.rehearse import rehearse
from sim.study.rehearsed.storms import retry_storm
from sim.study.replicated.fresh import fresh_seed

LINE: dict[str, Any] = {
    "name": "line",
    "seed": 3,
    "warmup": 20,
    "horizon": 320,
    "workload": {"arrivals": {"kind": "poisson", "rate": 0.5}, "service": {"kind": "exponential", "mean": 2}},
    "pools": {
        "main": {
            "gpu": "l4",
            "boot": 40,
            "replica": {"kind": "slots"},
            "queue": {"kind": "central"},
            "autoscaler": {"kind": "fixed", "replicas": 6},
        }
    },
    "slo": [{"metric": "queue_wait", "under": 1, "share": 0.9}],
}


def line(plan: dict[str, Any] | None = None, **pool: Any) -> Scenario:
    document = {**LINE, "pools": {"main": LINE["pools"]["main"] | pool}}
    return load(document if plan is None else document | {"plan": plan})


def test_a_lost_node_takes_the_replicas_that_share_it() -> None:
    drill = node_lost(line({"survive": {"nodes": 1, "gpus_per_node": 2}}))
    assert drill.scenario is not None
    pool = drill.scenario.pools["main"]
    assert [offer.zones for offer in pool.offers] == [3]  # six replicas, two to a node
    (fault,) = pool.faults
    assert isinstance(fault, ZoneOutage)
    assert fault.at_s == drill.at_s
    assert "2 replicas of main" in drill.what
    assert pool.boot == 40


def test_a_boot_time_that_nobody_gave_is_assumed_and_said() -> None:
    drill = cold_start(line(boot=0))
    assert drill.scenario is not None
    assert drill.scenario.pools["main"].boot == BOOT_S
    assert "assumed" in drill.what


@pytest.mark.parametrize("make", [zone_lost, spot_reclaimed])
def test_what_the_scenario_has_not_is_not_tried_and_said(make: Any) -> None:
    drill = make(line())
    assert drill.scenario is None
    assert Rehearsal(drill).state == "cannot"
    assert drill.why_not in Rehearsal(drill).verdict


def test_zones_are_those_that_the_fleet_is_to_survive_the_loss_of() -> None:
    drill = zone_lost(line({"survive": {"zones": 1, "of": 3}}))
    assert drill.scenario is not None
    assert drill.scenario.pools["main"].offers[0].zones == 3


def test_spot_goes_and_the_rest_stays() -> None:
    supply = [
        {"name": "base", "most": 3},
        {"name": "spot", "market": "spot", "price": {"on_demand": 1, "spot": 0.3}, "spot": {"hazard": "0.01/h"}},
    ]
    drill = spot_reclaimed(line(supply=supply))
    assert drill.scenario is not None
    base, spot = drill.scenario.pools["main"].offers
    assert (base.region, spot.region) == ("", SPOT_REGION)
    assert [getattr(fault, "region", None) for fault in drill.scenario.pools["main"].faults] == [SPOT_REGION]


def test_clients_of_a_retry_storm_give_up_and_try_again() -> None:
    drill = retry_storm(line())
    assert drill.scenario is not None
    (stream,) = drill.scenario.workload.by_name().values()
    assert stream.clients is not None
    assert stream.clients.patience_s == 5.0  # five times what is promised
    assert stream.clients.retry is not None
    assert stream.arrivals.kind == "spike"  # type: ignore[attr-defined]
    assert stream.arrivals.factor == 2  # type: ignore[attr-defined]


def test_clients_who_are_impatient_already_stay_as_they_are() -> None:
    workload = LINE["workload"] | {"clients": {"total_timeout": 7, "retry": {"kind": "fixed", "attempts": 2}}}
    drill = retry_storm(load(LINE | {"workload": workload}))
    assert drill.scenario is not None
    clients = drill.scenario.workload.by_name()["requests"].clients
    assert clients is not None
    assert (clients.total_timeout_s, clients.patience_s) == (7, None)
    assert clients.retry is not None
    assert clients.retry.attempts == 2


def test_users_in_a_closed_loop_make_no_burst() -> None:
    workload = LINE["workload"] | {"arrivals": {"kind": "closed", "users": 4, "think": 1}}
    try:
        scenario = load(LINE | {"workload": workload})
    except ConfigError as error:  # pragma: no cover - the test's own mistake
        pytest.fail(str(error))
    assert "no burst" in retry_storm(scenario).why_not


def test_a_fault_comes_where_the_rate_is_highest_and_time_is_left() -> None:
    arrivals = {"kind": "curve", "points": [[0, 1], [100, 1], [150, 3], [200, 1], [310, 9]]}
    scenario = load(LINE | {"workload": LINE["workload"] | {"arrivals": arrivals}})
    assert busy_s(scenario) == pytest.approx(150, abs=1)
    assert busy_s(line()) == pytest.approx(120)  # a third into what is measured


def objective(during: float) -> Objective:
    return Objective("TTFT under 1 s", 0.99, during, 1.0)


def test_the_verdict_says_which_way_it_went() -> None:
    drill = Drill("a node lost", "...", line(), 100.0, 300.0)
    kept = Rehearsal(drill, (objective(0.995),), 0.0, 1, 2)
    back = Rehearsal(drill, (objective(0.999), objective(0.5)), 90.0, 1, 2)
    gone = Rehearsal(drill, (objective(0.5),), None, 1, 2)
    assert [each.state for each in (kept, back, gone)] == ["kept", "recovered", "open"]
    assert back.verdict == (
        "Missed for a while: 50.0% of TTFT under 1 s in the 5 min from then on (99% promised); as usual again after "
        "1 min 30 s."
    )
    assert "not back" in gone.verdict


def test_drills_that_are_run() -> None:
    """A fleet of six that is two thirds idle carries the loss of a node, and not that of everything."""
    scenario = line({"survive": {"nodes": 1, "gpus_per_node": 2}})
    found = {each.drill.name: each for each in rehearse(scenario, Here())}
    assert list(found) == ["a node lost", "a zone lost", "spot reclaimed", "cold start", "retry storm"]
    assert found["a node lost"].state == "kept"
    cold = found["cold start"]
    assert cold.state == "recovered"
    assert cold.recovered_after_s is not None
    assert 40 <= cold.recovered_after_s < 300  # not before replicas have booted
    assert cold.objectives[0].during is not None
    assert cold.objectives[0].during < 0.9 < (cold.objectives[0].without or 0)
    assert cold.seed == fresh_seed(3, 2)
    assert [each.as_document() for each in found.values()] == [
        each.as_document() for each in rehearse(scenario, Here())
    ]
