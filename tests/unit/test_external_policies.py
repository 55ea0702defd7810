"""Policies from outside the project: named by the path of a class, or given as objects; written and read back."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from sim.autoscaling import Decision, External, Observation
from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import Pipeline, Query
from sim.config.errors import ConfigError
from sim.config.units import PositiveDuration
from sim.scenario import Scenario, load

WAIT = Query("vllm:num_requests_waiting")
PIPELINE = Pipeline(15.0)


class Steady(Elastic):
    """A model of the user's own, with an alias and a required key."""

    kind: Literal["steady"] = "steady"
    wanted: int
    every_s: Annotated[PositiveDuration, Field(alias="every")] = 15.0

    @property
    def period_s(self) -> float:
        return self.every_s

    @property
    def queries(self) -> tuple[Query, ...]:
        return (WAIT,)

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        return Decision(self.bounded(self.wanted), "as told"), memory


@dataclass(frozen=True)
class Plain:
    """A dataclass, nothing of the project's but the protocol."""

    size: int
    period_s: float = 30.0
    queries: tuple[Query, ...] = ()
    pipeline: Pipeline = PIPELINE
    hears: Literal["nothing"] = "nothing"

    @property
    def initial_replicas(self) -> int:
        return self.size

    floor_replicas = most_replicas = initial_replicas

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        return Decision(self.size, "plain"), memory


class Bare:
    """Neither a model nor a dataclass."""

    period_s, queries, pipeline, hears = 15.0, (), Pipeline(15.0), "nothing"
    initial_replicas = floor_replicas = most_replicas = 2

    def __init__(self, size: int = 2) -> None:
        self.size = size

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        return Decision(self.size, "bare"), memory


class Deadly:
    """What must never be made: it is no policy."""

    def __init__(self, **_: Any) -> None:
        raise SystemExit("made")


class Half:
    period_s = 15.0


def mapping(autoscaler: Any) -> dict[str, Any]:
    return {
        "name": "own",
        "horizon": "10s",
        "workload": {"arrivals": {"kind": "poisson", "rate": "1/s"}, "service": {"kind": "constant", "value": "1s"}},
        "pools": {"chat": {"replica": {"kind": "slots"}, "autoscaler": autoscaler}},
    }


def policy(scenario: Scenario) -> External:
    found = scenario.pools["chat"].autoscaler
    assert isinstance(found, External)
    return found


STEADY = f"{__name__}:Steady"
SEEN = Observation(at_s=0.0, current=1, ready=1)


@pytest.mark.parametrize(
    ("given", "replicas"),
    [
        ({"kind": STEADY, "wanted": 7, "every": "1m"}, 7),
        ({"kind": f"{__name__}:Bare", "size": 3}, 3),
        (Steady(wanted=12), 10),
        (Plain(4), 4),
    ],
)
def test_a_policy_of_ones_own_decides_and_comes_back_from_the_file(given: Any, replicas: int, tmp_path: Path) -> None:
    scenario = load(mapping(given))
    (tmp_path / "s.yaml").write_text(scenario.to_yaml())
    for read in (scenario, load(tmp_path / "s.yaml"), load(scenario), pickle.loads(pickle.dumps(scenario))):
        assert policy(read).decide(SEEN, None)[0].replicas == replicas
        assert read.to_yaml() == scenario.to_yaml()


def test_the_kind_is_kept_as_given_and_keys_are_those_of_the_class() -> None:
    scenario = load(mapping({"kind": STEADY, "wanted": 7, "every": "1m"}))
    assert policy(scenario).period_s == 60.0
    assert policy(scenario).queries == (WAIT,)
    assert scenario.model_dump(mode="json", by_alias=True, exclude_none=True)["pools"]["chat"]["autoscaler"] == {
        "kind": STEADY,
        "min_replicas": 1,
        "max_replicas": 10,
        "wanted": 7,
        "every": 60.0,
    }
    changed = load(scenario, ["pools.chat.autoscaler.wanted=2"])
    assert policy(changed).decide(SEEN, None)[0].replicas == 2


def test_a_class_inside_a_function_runs_though_no_file_can_name_it() -> None:
    @dataclass(frozen=True)
    class Inner(Plain):
        pass

    assert policy(load(mapping(Inner(3)))).decide(SEEN, None)[0].replicas == 3


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "no_such_pkg.policies:Mine"}, "kind: no module 'no_such_pkg' can be imported; install it, or add"),
        ({"kind": f"{__name__}:Mine"}, f"kind: module '{__name__}' has no 'Mine'"),
        ({"kind": "a b:C"}, "kind: must be the path of a class, such as my_pkg.policies:MyPolicy; got 'a b:C'"),
        ({"kind": f"{__name__}:SEEN"}, f"kind: '{__name__}:SEEN' is not a class"),
        (
            {"kind": "subprocess:Popen", "args": ["touch", "made"]},
            "kind: 'subprocess' is Python's own library, which has no policies",
        ),
        ({"kind": "antigravity:fly"}, "kind: 'antigravity' is Python's own library"),
        ({"kind": f"{__name__}:Deadly"}, "kind: '.*:Deadly' is not a policy: it lacks .*decide; a subclass"),
        ({"kind": f"{__name__}:Half"}, "is not a policy: it lacks queries, pipeline, initial_replicas"),
        ({"kind": STEADY, "wanted": "x"}, r"\.wanted: must be a whole number; got 'x'"),
        ({"kind": STEADY, "wanted": 1, "evry": 3}, r"\.evry: no such key"),
        ({"kind": STEADY}, r"\.wanted: is missing"),
        ({"kind": f"{__name__}:Plain"}, "does not take these keys: .* missing 1 required positional argument: 'size'"),
        (Bare(), "must be a pydantic model or a dataclass, so that the scenario can be written to a file"),
        (Plain(2, period_s=0.0), "must have a period of at least 1 ms, got 0.0"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said_at_its_place(given: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=rf"pools\.chat\.autoscaler.*{told}"):
        load(mapping(given))


def test_a_module_that_fails_is_the_scenarios_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_policies.py").write_text("import json\nraise RuntimeError('no GPU today')\n")
    (tmp_path / "needy_policies.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="'broken_policies' cannot be imported: RuntimeError: no GPU today"):
        load(mapping({"kind": "broken_policies:Mine"}))
    with pytest.raises(ConfigError, match="'needy_policies' cannot be imported: No module named 'no_such_dependency'"):
        load(mapping({"kind": "needy_policies:Mine"}))


def test_a_key_cannot_be_set_inside_an_object() -> None:
    with pytest.raises(ConfigError, match=r"'pools\.chat\.autoscaler' is a value, not a mapping"):
        load(mapping(Plain(3)), ["pools.chat.autoscaler.size=4"])
