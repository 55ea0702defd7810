"""Time has no natural unit and no natural beginning, and what comes later changes nothing that was before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sim import Result
from sim.config.errors import ConfigError, DataError
from sim.fleet import feed
from sim.scenario import Scenario, load
from sim.workload.demand import Demand
from tests.swarm.ran import run
from tests.swarm.relations.changes import Relation, Told, changed, keys_of, some_of
from tests.swarm.scaling import multiplied, with_numbers

COLUMNS = ("arrival_s", "service_s", "first_service_s")
LIMITS = ("patience_s", "first_token_timeout_s", "token_timeout_s", "total_timeout_s")
SECONDS = ("arrival_s", "start_s", "first_token_s", "finish_s")
GRID_S = 2.0**-24
"""Sums of its multiples are exact up to years."""
REQUESTS_MAX = 1_000_000
"""At the pace of the scenario, in the time that a run is moved by."""


def with_times(demand: Demand, change: Any) -> Demand:
    """Demand with each of its times changed."""
    given = {name: getattr(demand, name) for name in (*COLUMNS, *LIMITS)}
    found = replace(demand, **{name: change(column) for name, column in given.items() if column is not None})
    if found.links is None:
        return found
    return replace(found, links=replace(found.links, pause_s=change(found.links.pause_s)))


def has_no_day(scenario: Scenario) -> bool:
    """Whether nothing in it goes by a time of its own: a day's hours, another system's period, a law of sheets."""
    for pool in scenario.pools.values():
        if pool.supply or pool.rollouts or pool.faults or pool.autoscaler.kind != "fixed" or pool.model is not None:
            return False
    return not any(tenant.quota is not None for tenant in scenario.tenants.values())


def same_history(rows: Any, other: Any, scale: float, shift_s: float, what: str) -> None:
    """The same attempts, every time scaled and shifted, to the last bit."""
    assert len(rows) == len(other), f"another number of attempts {what}"
    for name in SECONDS:
        np.testing.assert_array_equal(scale * rows[name] + shift_s, other[name], err_msg=f"{what}: {name}")
    for name in ("outcome", "replica", "lost", "preempted"):
        np.testing.assert_array_equal(rows[name], other[name], err_msg=f"{what}: {name}")


def doubled(scenario: Scenario, result: Result, told: Told) -> bool:
    """M5: all times doubled: the same history, twice as slow. Demand is drawn before, and its columns doubled."""
    if not has_no_day(scenario):
        return False
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    if demand.more is not None or scenario.horizon_s is None:
        return False
    try:
        slower = load(multiplied(keys_of(scenario), {"DURATION": 2.0, "RATE": 0.5, "BANDWIDTH": 0.5}))
    except (ConfigError, DataError):
        return False
    other = run(slower, "compiled", demand=with_times(demand, lambda column: 2 * column))
    same_history(result.log.requests, other.log.requests, 2.0, 0.0, "twice the times")
    return True


def shifted(scenario: Scenario, result: Result, told: Told) -> bool:
    """M6: who comes to an empty fleet later is served so much later, and not otherwise.

    All times are moved to a grid on which sums are exact; with speculation, parts of tokens of context are not on it.
    A router that looks at times of its own has looked as often.
    """
    if not has_no_day(scenario) or scenario.horizon_s is None:
        return False
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    if demand.more is not None or any(pool.kv_transfer for pool in scenario.pools.values()):
        return False
    if any(getattr(pool.replica, "speculation", None) for pool in scenario.pools.values()):
        return False

    def near(measured: str, value: float) -> float:
        return max(round(value / GRID_S), 1) * GRID_S if measured == "DURATION" and value > 0 else value

    keys = with_numbers(keys_of(scenario), near)
    without_lots(keys)
    try:
        first = load(keys)
        periods = {
            getattr(pool.queue, "routing", None) and pool.queue.routing.refresh_s for pool in first.pools.values()
        }
        shift_s = 1024 * max((period_s for period_s in periods if period_s), default=2.0)
        if any(shift_s % period_s for period_s in periods if period_s):
            return False
        if scenario.workload.expected_requests(shift_s) > REQUESTS_MAX:
            return False  # time is fed in pieces of about as many requests, and the shift would be billions of them
        last = load({**keys, "horizon": keys["horizon"] + shift_s})
        demand = with_times(demand, lambda column: np.round(column / GRID_S) * GRID_S)
        early = run(first, "compiled", demand=demand)
    except (ConfigError, DataError):
        return False
    late = run(last, "compiled", demand=replace(demand, arrival_s=demand.arrival_s + shift_s))
    same_history(early.log.requests, late.log.requests, 1.0, shift_s, "later")
    return True


def without_lots(value: Any) -> None:
    """No jitter: what is drawn stands on no grid."""
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key == "jitter":
            value[key] = "none"
        without_lots(below)


def halved(scenario: Scenario, result: Result, told: Told) -> bool:
    """M9: a run that ends at half the time is the first half of the whole one, decisions and replicas included."""
    if scenario.horizon_s is None or feed.why_kept(scenario):
        return False
    demand = scenario.workload.demand(scenario.seed, 0, scenario.horizon_s)
    if demand.more is not None:
        return False
    until_s = scenario.horizon_s / 2

    def end(keys: Told) -> None:
        keys["horizon"] = until_s
        keys["warmup"] = min(scenario.warmup_s, until_s / 2)

    other = changed(scenario, end)
    if other is None:
        return False
    try:
        half = run(other, "compiled", demand=before(demand, until_s))
    except (ConfigError, DataError):  # nothing comes in it, and the like
        return False
    rows, less = (each.log.requests[each.log.requests["arrival_s"] < until_s] for each in (result, half))
    assert len(rows) == len(less), "another number of attempts in half the time"
    for name in SECONDS:
        seen = (rows[name] < until_s) | (less[name] < until_s)
        np.testing.assert_array_equal(rows[name][seen], less[name][seen], err_msg=f"half the time: {name}")
    over = rows["finish_s"] < until_s
    np.testing.assert_array_equal(rows["outcome"][over], less["outcome"][over], err_msg="half the time: outcome")
    decided = [[row[:5] for row in each.log.decisions if row.at_s < until_s] for each in (result, half)]
    assert decided[0] == decided[1], "half the time: decisions"
    lives = [np.sort(each.log.spans["launched_s"][each.log.spans["launched_s"] < until_s]) for each in (result, half)]
    np.testing.assert_array_equal(*lives, err_msg="half the time: replicas")
    return True


def before(demand: Demand, until_s: float) -> Demand:
    """Demand without what arrives later; those that follow others stay as they are."""
    return demand if demand.links is not None else some_of(demand, demand.arrival_s < until_s)


TIMING: dict[str, Relation] = {"M5 time": doubled, "M6 shift": shifted, "M9 half": halved}
