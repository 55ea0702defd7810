"""What every policy must do, read from the union: a new member is tested by being one, and needs an example here."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any, ClassVar, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sim.autoscaling import AnyPolicy, Decision, Observation, Policy
from sim.autoscaling.base import Elastic
from sim.autoscaling.observation import BUSY_SHARE, KV_USAGE, Pipeline, Pod, Query

MEMBERS = get_args(get_args(AnyPolicy)[0])
ADAPTER = TypeAdapter[Any](AnyPolicy)
TAGS = {get_args(member)[1].tag: get_args(member)[0] for member in MEMBERS}
ELASTIC = {"min_replicas": 2, "max_replicas": 9}
PREDICTIVE = {**ELASTIC, "per_replica": "5/s", "lead": "2m", "season": "20m", "bin": "1m", "period": "30s"}
EVERY_POD = Query("vllm:num_requests_waiting", across="each")


class Mine(Elastic):
    """A policy from outside, which looks at every pod and counts its decisions."""

    fresh: ClassVar[Pipeline] = Pipeline(5.0)
    period_s: ClassVar[float] = 15.0  # type: ignore[misc]
    queries: ClassVar[tuple[Query, ...]] = (EVERY_POD,)  # type: ignore[misc]

    def decide(self, seen: Observation, memory: Any) -> tuple[Decision, Any]:
        count = 1 + (memory or 0)
        waiting = sum(pod.values.get(EVERY_POD, 0.0) for pod in seen.pods)
        return Decision(self.bounded(int(waiting)), f"decision {count}"), count % 100


ON_RUNNING = {"metric": "num_requests_running", "type": "AverageValue", "target": 2}
EXAMPLES_OF: dict[str, Sequence[dict[str, Any]]] = {
    "fixed": [{"replicas": 3}],
    "hpa": [
        {**ELASTIC, "metrics": [ON_RUNNING]},
        {**ELASTIC, "metrics": [{**ON_RUNNING, "source": "pods"}], "behavior": {}},
        {
            **ELASTIC,
            "metrics": [
                {"metric": "busy_share", "type": "Utilization", "target": 60},
                {"metric": "num_requests_waiting", "type": "Value", "target": 3},
            ],
            "behavior": {"scale_down": {"policies": [{"type": "Percent", "value": 20, "period": "60s"}]}},
        },
    ],
    "keda": [
        {"max_replicas": 9, "triggers": [{"metric": "num_requests_running", "threshold": 2}], "cooldown_period": "60s"},
        {
            **ELASTIC,
            "idle_replicas": 0,
            "triggers": [
                {"metric": "num_requests_waiting", "threshold": 5, "activation_threshold": 1},
                {"cron": {"start": "2 * * * *", "end": "6 * * * *", "desired_replicas": 5}},
            ],
            "fallback": {"failure_threshold": 3, "replicas": 4},
        },
    ],
    "knative": [
        {"min_replicas": 0, "max_replicas": 9},
        {
            "min_replicas": 1,
            "max_replicas": 9,
            "metric": "rps",
            "scale_down_delay": "30s",
            "activation_scale": 2,
        },
        {
            "max_replicas": 9,
            "target": 3,
            "aggregation": "weighted_exponential",
            "target_burst_capacity": -1,
            "container_concurrency": 3,
        },
    ],
    "aibrix": [
        {**ELASTIC, "metric": "num_requests_running", "target": 5},
        {
            **ELASTIC,
            "algorithm": "kpa",
            "metric": "kv_cache_usage_perc",
            "target": 0.7,
            "scale_up_cooldown": "30s",
        },
    ],
    "ray_serve": [
        {**ELASTIC},
        {"min_replicas": 0, "max_replicas": 9, "upscaling_factor": 2, "downscaling_factor": 3, "downscale_delay": 5},
    ],
    "aws_target_tracking": [
        {**ELASTIC, "metrics": [{"metric": "num_requests_running", "target": 3}], "datapoint": "10s"},
        {**ELASTIC, "metrics": [{"metric": "busy_share", "target": "50%"}], "style": "asg", "instance_warmup": "30s"},
    ],
    "aws_step_scaling": [
        {
            **ELASTIC,
            "datapoint": "10s",
            "policies": [
                {
                    "metric": "num_requests_waiting",
                    "threshold": 3,
                    "comparison": "GreaterThanThreshold",
                    "steps": [{"lower": 0, "upper": 5, "adjustment": 1}, {"lower": 5, "adjustment": 3}],
                },
                {
                    "metric": "num_requests_running",
                    "threshold": 1,
                    "comparison": "LessThanThreshold",
                    "steps": [{"upper": 0, "adjustment": -1}],
                },
            ],
        }
    ],
    "gcp_mig": [
        {**ELASTIC, "signals": [{"metric": "busy_share", "target": "60%"}]},
        {
            **ELASTIC,
            "signals": [{"metric": "num_requests_running", "target": 3}],
            "stabilization_period": "1m",
            "scale_in_control": {"max_scaled_in_replicas": 1, "time_window": "2m"},
        },
    ],
    "wva": [ELASTIC, {**ELASTIC, "version": "v2", "kv_capacity_tokens": 3000}],
    "dynamo_planner": [
        {**ELASTIC, "requests_per_s_per_replica": "0.2/s", "load_predictor": "constant"},
        {
            **ELASTIC,
            "requests_per_s_per_replica": "0.2/s",
            "load_predictor": "kalman",
            "throughput_adjustment_interval": "30s",
            "enable_load_scaling": True,
        },
        {**ELASTIC, "optimization_target": "latency", "kv_capacity_tokens": 3000},
    ],
    "scheduled": [
        {
            "replicas": 2,
            "rows": [{"days": "mon-fri", "from": "08:00", "to": "18:30", "replicas": 9}],
            "start_at": "fri 17:00",
        },
        {"replicas": 4, "rows": []},
    ],
    "predictive": [
        PREDICTIVE,
        {**PREDICTIVE, "method": "holt_winters", "headroom_quantile": "90%", "gains": {"level": 0.5}},
        {**PREDICTIVE, "method": "ewma", "metric": "concurrency", "scale_in": False},
        {**PREDICTIVE, "method": "last", "reactive": False, "scale_down_delay": 0},
    ],
    "queue_length": [
        {**ELASTIC, "target": 5},
        {"min_replicas": 0, "target": 5, "count": "waiting", "step_up": 2, "step_down": 1, "window": "30s"},
    ],
    "slo_feedback": [{**ELASTIC, "target": "1s"}, {"target": "50ms", "metric": "itl", "quantile": "mean"}],
    "clairvoyant": [{**ELASTIC, "lead": "2m"}],
    "package.module:Class": [{"kind": f"{__name__}:Mine", **ELASTIC}],
}
"""Small examples of every member, as a scenario file has them but for `kind`."""


def policy(tag: str, keys: dict[str, Any]) -> Policy:
    found: Policy = ADAPTER.validate_python({"kind": tag, **keys})
    return found


CASES = [
    pytest.param(tag, keys, id=f"{tag} {index}") for tag in TAGS for index, keys in enumerate(EXAMPLES_OF.get(tag, ()))
]
each_policy = pytest.mark.parametrize(("tag", "keys"), CASES)


def test_every_member_has_an_example() -> None:
    assert set(EXAMPLES_OF) == set(TAGS)


# -- observations ---------------------------------------------------------------------------------------------------

SHARES = {KV_USAGE, BUSY_SHARE}
GAPS_S = st.sampled_from([1.0, 2.0, 15.0, 15.5, 30.0, 60.0, 601.0, 3600.0])


def values(query: Query) -> st.SearchStrategy[float | None]:
    if query.metric in SHARES:
        return st.none() | st.floats(0, 1)
    return st.none() | st.sampled_from([0.0, 1.0, 5.0]) | st.floats(0, 60)


def answers(queries: Sequence[Query]) -> st.SearchStrategy[dict[Query, float]]:
    told = st.fixed_dictionaries({query: values(query) for query in queries})
    return told.map(lambda found: {query: value for query, value in found.items() if value is not None})


@st.composite
def seen_by(draw: st.DrawFn, policy: Policy, missing: bool = False) -> Observation:
    """One observation; its time is a gap and its current size is the last decision's, which `walk` puts in."""
    each = [query for query in policy.queries if query.across == "each"]
    rest = [query for query in policy.queries if query.across != "each"]
    phases = draw(st.lists(st.sampled_from(["pending", "starting", "ready", "ready", "ready", "failed"]), max_size=6))
    pods = tuple(Pod(name, phase, {} if missing else draw(answers(each))) for name, phase in enumerate(phases))
    ready = sum(phase == "ready" for phase in phases)
    return Observation(
        at_s=draw(GAPS_S),
        current=0,
        ready=ready,
        unready=len(phases) - ready,
        values={} if missing else draw(answers(rest)),
        pods=pods if each else (),
    )


def walk(policy: Policy, drawn: Sequence[Observation]) -> list[tuple[Observation, Decision, Any]]:
    """What a control loop would see, decide and remember: time goes on, and the fleet is what was decided."""
    at_s, current, memory, rows = 0.0, policy.initial_replicas, None, []
    for raw in drawn:
        seen = Observation(at_s, current, raw.ready, raw.unready, raw.values, raw.pods)
        decision, memory = policy.decide(seen, memory)
        rows.append((seen, decision, memory))
        at_s, current = at_s + raw.at_s, decision.replicas
    return rows


def check(policy: Policy, seen: Observation, decision: Decision) -> None:
    assert type(decision.replicas) is int
    assert policy.floor_replicas <= decision.replicas <= policy.most_replicas
    assert decision.proposed is None or (type(decision.proposed) is int and decision.proposed >= 0)
    assert decision.reason.strip()
    assert "\n" not in decision.reason
    assert decision.next_s is None or decision.next_s > seen.at_s


# -- the laws -------------------------------------------------------------------------------------------------------


@each_policy
def test_its_own_account_holds_together(tag: str, keys: dict[str, Any]) -> None:
    one = policy(tag, keys)
    assert one.period_s > 0
    assert 0 <= one.floor_replicas <= one.most_replicas
    assert one.initial_replicas <= one.most_replicas
    assert one.pipeline.scrape_s > 0
    assert one.pipeline.delay_s >= 0
    assert one.hears in ("nothing", "first_arrival", "changes")
    assert len(set(one.queries)) == len(one.queries)


@each_policy
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_decisions_are_within_bounds_and_say_why(tag: str, keys: dict[str, Any], data: st.DataObject) -> None:
    one = policy(tag, keys)
    drawn = data.draw(st.lists(seen_by(one), min_size=1, max_size=12))
    for seen, decision, _ in walk(one, drawn):
        check(one, seen, decision)


@each_policy
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_missing_metrics_are_answered(tag: str, keys: dict[str, Any], data: st.DataObject) -> None:
    one = policy(tag, keys)
    drawn = [
        *data.draw(st.lists(seen_by(one), max_size=4)),
        *data.draw(st.lists(seen_by(one, missing=True), min_size=1, max_size=4)),
    ]
    for seen, decision, _ in walk(one, drawn):
        check(one, seen, decision)


@each_policy
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_decision_is_pure_and_can_be_replayed_from_any_cut(
    tag: str, keys: dict[str, Any], data: st.DataObject
) -> None:
    one, again = policy(tag, keys), policy(tag, keys)
    rows = walk(one, data.draw(st.lists(seen_by(one), min_size=2, max_size=12)))
    cut = data.draw(st.integers(0, len(rows) - 1))
    memory = pickle.loads(pickle.dumps(rows[cut - 1][2])) if cut else None
    for seen, decision, after in rows[cut:]:
        before = pickle.loads(pickle.dumps(memory))
        told = again.decide(seen, memory)
        assert told == (decision, after)
        assert memory == before, "what it was given is not changed"
        assert again.decide(pickle.loads(pickle.dumps(seen)), before) == told, "no memory but the one that is passed"
        memory = pickle.loads(pickle.dumps(told[1]))


@each_policy
def test_memory_stays_small(tag: str, keys: dict[str, Any]) -> None:
    one = policy(tag, keys)
    current, memory, sizes = one.initial_replicas, None, []
    for tick in range(3_000):
        answer = float(tick * 7919 % 61)
        told = dict.fromkeys(one.queries, answer)
        pods = tuple(Pod(tick // 50 + name, "ready", told) for name in range(current))
        decision, memory = one.decide(Observation(15.0 * tick, current, current, 0, told, pods), memory)
        current = decision.replicas
        sizes.append(len(pickle.dumps(memory)))
    assert max(sizes[1500:]) < 1.2 * max(sizes[:1500]) + 100


@each_policy
def test_it_survives_dumping_and_pickling(tag: str, keys: dict[str, Any]) -> None:
    one: Any = policy(tag, keys)
    dumped = ADAPTER.dump_python(one, mode="json", by_alias=True, exclude_none=True)
    assert ADAPTER.validate_python(dumped) == one
    assert ADAPTER.validate_json(ADAPTER.dump_json(one, by_alias=True, exclude_none=True)) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert dumped["kind"] == keys.get("kind", tag)


@pytest.mark.parametrize("member", [found for tag, found in TAGS.items() if ":" not in tag])
def test_every_member_says_what_it_is_and_is_frozen_and_closed(member: Any) -> None:
    assert member.__doc__.split("\n")[0].endswith(".")
    assert member.model_config["frozen"]
    assert member.model_config["extra"] == "forbid"
    assert TAGS[member.model_fields["kind"].default] is member
    silent = [name for name, info in member.model_fields.items() if name != "kind" and not info.description]
    assert not silent, silent


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"'fixed'.*package\.module:Class"):
        ADAPTER.validate_python({"kind": "hpb"})


def test_without_a_kind_it_is_fixed_and_the_schema_says_so() -> None:
    assert ADAPTER.validate_python({"replicas": 3}) == policy("fixed", {"replicas": 3})
    schema = ADAPTER.json_schema()
    needing = [
        name
        for name, part in schema["$defs"].items()
        if name in {member.__name__ for member in TAGS.values()} and "kind" in part["required"]
    ]
    assert "Fixed" not in needing
    assert len(needing) == len(TAGS) - 2  # External is no definition of its own
