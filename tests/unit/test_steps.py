"""The way from one scenario to another: what differs, and scenarios on the way that can be."""

from __future__ import annotations

import pytest

from sim import load
from sim.config.errors import ConfigError
from sim.scenario import Scenario
from sim.study.compared.steps import changes, steps

CHAT = "chat-h100"


def keys(before: Scenario, after: Scenario, order: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return [step.keys for step in steps(before, after, order)]


def test_what_changes_nothing_is_no_change() -> None:
    other = load(CHAT, ["name=other", "seed=7", "calendar=simpy", "description=x"])
    assert changes(load(CHAT), other) == []
    assert steps(load(CHAT), other) == []


def test_a_change_is_a_key() -> None:
    (change,) = changes(load(CHAT), load(CHAT, ["pools.chat.autoscaler.replicas=7"]))
    assert (change.key, change.before, change.after) == ("pools.chat.autoscaler.replicas", 8, 7)
    assert change.text == "pools.chat.autoscaler.replicas: 8 → 7"


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        (
            "pools.chat.autoscaler={kind: queue_length, target: 20, min_replicas: 2, max_replicas: 9}",
            "pools.chat.autoscaler",
        ),
        ("pools.chat.gpu=h200", "pools.chat.gpu"),  # a dozen figures of its sheet differ
        ("workload.output_tokens={kind: constant, value: 100}", "workload.output_tokens"),
        ("workload.prompt_tokens={kind: quantiles, at: {0: 1, 0.5: 20, 1: 30}}", "workload.prompt_tokens.at"),
        ("slo=[{metric: ttft, under: 2s, share: 99%}]", "slo"),
    ],
)
def test_what_makes_sense_as_a_whole_is_one_change(setting: str, key: str) -> None:
    assert keys(load(CHAT), load(CHAT, [setting])) == [(key,)]


def test_every_scenario_on_the_way_is_the_one_before_with_one_change() -> None:
    before, sets = load(CHAT), ["pools.chat.gpu=h200", "pools.chat.autoscaler.replicas=6", "horizon=30m"]
    way = steps(before, load(CHAT, sets))
    assert [step.keys for step in way] == [("horizon",), ("pools.chat.gpu",), ("pools.chat.autoscaler.replicas",)]
    assert way[0].scenario == load(CHAT, sets[2:])
    assert way[1].scenario == load(CHAT, [sets[0], sets[2]])
    assert way[2].scenario == load(CHAT, sets)


def test_what_cannot_be_alone_goes_with_the_next_change() -> None:
    long, short = load("mmc", ["horizon=1000s", "warmup=500s"]), load("mmc", ["horizon=300s", "warmup=100s"])
    assert keys(short, long) == [("horizon",), ("warmup",)]
    assert keys(long, short) == [("horizon", "warmup")], "a horizon below the warm-up cannot be"
    assert keys(long, short, ("warmup",)) == [("warmup",), ("horizon",)]


def test_another_pool_comes_with_the_traffic_that_it_serves() -> None:
    way = steps(load("mmc"), load(CHAT))
    whole = next(step for step in way if "pools.servers" in step.keys)
    assert set(whole.keys) == {"pools.servers", "pools.chat", "workload.service"}
    assert [change.text for change in whole.changes][-2:] == ["pools.servers: removed", "pools.chat: added"]
    assert way[-1].scenario == load(CHAT, ["name=mmc", f"description={load('mmc').description}"])


def test_an_order_may_be_asked_for() -> None:
    before, after = load(CHAT), load(CHAT, ["pools.chat.gpu=h200", "pools.chat.autoscaler.replicas=6", "horizon=30m"])
    first = keys(before, after, ("pools.chat.autoscaler", "pools"))
    assert first == [("pools.chat.autoscaler.replicas",), ("pools.chat.gpu",), ("horizon",)]
    with pytest.raises(
        ConfigError, match=r"--order: the scenarios do not differ in 'horizons'; did you mean 'horizon'"
    ):
        steps(before, after, ("horizons",))
