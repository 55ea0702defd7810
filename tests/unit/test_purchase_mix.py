"""Mixes of GPU types: buckets, the assignment, the scenario that comes of it, and a small one end to end."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sim.config.errors import ConfigError
from sim.scenario import load
from sim.study.purchased.mixed.assign import assign
from sim.study.purchased.mixed.buckets import buckets_of, limits_of, merged_rules, most_per_s
from sim.study.purchased.mixed.fleet import with_mix
from sim.study.purchased.mixed.mix import mix
from sim.study.replicated.record import Task, measured
from tests.validation.mixes import chat_and_documents, make

USD = {"small": 1.0, "large": 3.0}
FULL = {"small": 1.0, "large": 1.0}


def test_each_bucket_goes_where_it_is_served_cheapest() -> None:
    loads = [{"small": 10.0, "large": 5.0}, {"small": 30.0, "large": 6.0}]  # $10 or $15; $30 or $18
    found = assign(loads, USD, FULL)
    assert found is not None
    assert found.choice == ("small", "large")
    assert found.replicas == {"small": 10, "large": 6}
    assert found.usd_per_hour == pytest.approx(28)


def test_whole_replicas_make_it_worth_to_share_one() -> None:
    loads = [{"small": 0.2, "large": 0.1}, {"small": 2.5, "large": 0.5}]  # the large one has room for all
    found = assign(loads, USD, FULL)
    assert found is not None
    assert (found.choice, found.usd_per_hour) == (("large", "large"), pytest.approx(3))


def test_a_load_share_makes_more_replicas_of_it() -> None:
    found = assign([{"small": 10.0}], USD, {"small": 0.8, "large": 1.0})
    assert found is not None
    assert found.replicas == {"small": 13}


def test_what_nobody_can_serve_has_no_assignment() -> None:
    assert assign([{"small": 1.0}, {}], USD, FULL) is None
    assert assign([{"large": 1.0}], USD, FULL, only=["small"]) is None


def test_buckets_hold_every_request_once_and_tell_chat_from_documents() -> None:
    scenario = chat_and_documents(0.1, "120s")
    found = buckets_of(scenario, "chat")
    assert sum(bucket.rate_per_s for bucket in found) == pytest.approx(71.6, rel=1e-6)
    assert (found[0].over, found[-1].at_most) == (None, None)
    assert [bucket.at_most for bucket in found[:-1]] == [bucket.over for bucket in found[1:]]
    assert found[0].classes == {"chat"}
    assert found[-1].classes == {"documents"}
    assert limits_of(scenario, found[0]) == {"ttft": 1.0, "tpot": 0.08}
    assert limits_of(scenario, found[-1]) == {"ttft": 4.0}


def test_a_replica_serves_fewer_of_longer_requests_and_none_that_take_too_long() -> None:
    scenario = chat_and_documents(0.1, "120s")
    found = buckets_of(scenario, "chat")
    pool = scenario.pools["chat"]
    rates = [most_per_s(pool, bucket, {}) for bucket in (found[0], found[-1])]
    assert rates[0] > 10 * rates[1] > 0
    assert most_per_s(pool, found[-1], {"ttft": 0.1}) == 0
    assert most_per_s(pool, found[0], {"tpot": 0.012}) < rates[0]


def test_neighbours_of_one_choice_are_one_rule() -> None:
    found = buckets_of(chat_and_documents(0.1, "120s"), "chat")
    choice = ["a", "a", *["b"] * (len(found) - 2)]
    assert merged_rules(choice, found) == [(None, found[1].at_most, "a"), (found[1].at_most, None, "b")]


def test_the_mix_is_a_scenario_that_loads_and_routes_by_length() -> None:
    scenario = chat_and_documents(0.02, "60s", "0s")
    buckets = buckets_of(scenario, "chat")
    makes = {name: make(name) for name in ("a100-80gb", "b200")}
    edge = len(buckets) - 1
    choice = ["a100-80gb"] * edge + ["b200"] * (len(buckets) - edge)
    found = with_mix(scenario, "chat", makes, buckets, choice, {"a100-80gb": 2, "b200": 1})
    assert load(found.model_dump(mode="json", by_alias=True, exclude_none=True)) == found
    summary = measured(Task(found)).summary
    assert set(summary["pools"]) == {"chat-a100-80gb", "chat-b200"}
    demand = scenario.workload.demand(scenario.seed, 0, 60.0)
    long = int(np.sum(demand.prompt_tokens > (buckets[edge].over or 0)))
    assert summary["pools"]["chat-b200"]["requests"]["arrived"] == long
    assert summary["requests"]["completed"] == len(demand.arrival_s)


def test_one_make_keeps_the_pool_as_it_is() -> None:
    scenario = chat_and_documents(0.02, "60s", "0s")
    buckets = buckets_of(scenario, "chat")
    found = with_mix(scenario, "chat", {"b200": make("b200")}, buckets, ["b200"] * len(buckets), {"b200": 2})
    assert set(found.pools) == {"chat"}
    assert found.routes is None
    assert found.pools["chat"].gpu == make("b200").gpu


def test_a_small_mix_is_sized_and_verified_by_runs() -> None:
    """So few requests that a single replica serves all of them: no mix is cheaper."""
    scenario = chat_and_documents(0.01, "30s", "5s")
    found = mix(scenario, "chat", [make("a100-80gb"), make("b200")], probe_runs=1, fresh_runs=2)
    assert found is not None
    assert found.meets
    assert found.replicas == {"a100-80gb": 1}
    assert found.usd_per_hour == found.best_single.usd_per_hour == pytest.approx(1.6)
    assert found.saved_share == 0
    json.dumps(found.as_document(), allow_nan=False)


def test_what_cannot_be_mixed_says_so() -> None:
    scenario = load(
        {
            "name": "queue",
            "horizon": "60s",
            "workload": {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "exponential", "mean": 1}},
            "pools": {"main": {"replica": {"kind": "slots"}, "autoscaler": {"kind": "fixed", "replicas": 2}}},
        }
    )
    with pytest.raises(ConfigError, match="batching"):
        mix(scenario, "main", [make("l4")])
