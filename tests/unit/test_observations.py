"""Recorded observations: JSON lines there and back, Prometheus's series, and files that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.autoscaling.histograms import observed
from sim.autoscaling.observation import KV_USAGE, REQUESTS, RUNNING, TTFT, WAITING, Observation, Pod, Query
from sim.autoscaling.replay import Decided
from sim.config import latency_buckets
from sim.config.errors import DataError
from sim.exchange.observations import from_json, to_json
from sim.exchange.recorded import replay
from tests.replayed_policy import PerReplica

UNIX_S = 1_764_000_000.25


def decided(policy: Any, path: Path, replicas: int | None = None) -> list[Decided]:
    return list(replay(policy, [str(path)], replicas).decisions)


def lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def series(metric: str, values: list[Any], step_s: float = 15.0, **labels: str) -> dict[str, Any]:
    """One series with a sample each step; None where there is no sample."""
    samples = [[UNIX_S + step_s * i, str(value)] for i, value in enumerate(values) if value is not None]
    return {"metric": {"__name__": metric, **labels}, "values": samples}


def matrix(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(found)}}


queries = st.builds(
    Query,
    st.sampled_from([WAITING, KV_USAGE, TTFT, "custom_total"]),
    st.sampled_from(["last", "mean", "rate", "p99"]),
    st.sampled_from([0.0, 0.1, 60.0]),
    st.sampled_from(["sum", "mean", "each"]),
)
values = st.dictionaries(queries, st.floats(-1e15, 1e15), max_size=3)


@given(
    st.floats(0, 1e9),
    *[st.integers(0, 1000)] * 3,
    values,
    st.lists(
        st.builds(Pod, st.integers(0, 99), st.sampled_from(["ready", "starting"]), values), unique_by=lambda p: p.name
    ),
)
def test_json_there_and_back(at_s: float, current: int, ready: int, unready: int, told: Any, pods: list[Pod]) -> None:
    seen = Observation(at_s, current, ready, unready, told, tuple(pods))
    assert from_json(json.loads(json.dumps(to_json(seen), allow_nan=False))) == seen


def test_a_short_value_answers_what_is_asked() -> None:
    pool, each = Query(KV_USAGE, "mean", 60.0, "mean"), Query(KV_USAGE, across="each")
    short = {
        "at_s": 5,
        "current": 4,
        "unready": 1,
        "values": {"kv_cache_usage_perc": 0.5, "num_requests_waiting": 3, "other": None},
        "pods": [{"name": 1, "values": {"kv_cache_usage_perc": 0.7}}],
    }
    pods = (Pod(1, "ready", {each: 0.7}),)
    wanted = Observation(5.0, 4, 3, 1, {pool: 0.5, Query(WAITING): 3.0}, pods)
    assert from_json(short, [pool, each]) == wanted


def test_every_line_is_a_decision(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "seen.jsonl",
        {"at_s": 0, "current": 2, "values": {"num_requests_waiting": 12}},
        {"at_s": 15, "current": 3, "values": {}},
        {"at_s": 15, "current": 3, "values": {"vllm:num_requests_waiting": 26}},
    )
    assert decided(PerReplica(), path) == [
        Decided(0.0, 2, 3, "turn 1: 12 / 5"),
        Decided(15.0, 3, 3, f"turn 2: no {WAITING}"),
        Decided(15.0, 3, 6, "turn 3: 26 / 5"),
    ]
    # from a size of its own, each decision is the next size
    assert [(each.current, each.wanted) for each in decided(PerReplica(), path, 9)] == [(9, 3), (3, 3), (3, 6)]


BAD_LINES = [
    ('{"at_s": 0, "current": 1}\n{"at_s": 1, "current": ', "ends in the middle"),
    ('{"at_s": 0, "current": 1}\n[3]', ":2: must be an object"),
    ('{"at_s": 5, "current": 1}\n{"at_s": 4, "current": 1}', ":2: at_s: must not be before the last (5)"),
    ('{"at_s": 0, "current": 1}\n{"current": 1}', ":2: at_s: is missing"),
    ('{"at_s": 0, "current": 1}\n{"at_s": 1, "current": 1.5}', ":2: current: must be a whole number"),
    ('{"at_s": 0, "current": 1}\n{"at_s": 1, "current": 1e300}', ":2: current: must be at most 100000"),
    ('{"at_s": 1e300, "current": 1}', "at_s: must be at most 1e+11"),
    ('{"at_s": 0, "current": 1}\n{"at_s": NaN, "current": 1}', ":2: at_s: must be a finite number"),
    ('{"at_s": 0, "current": 1}\n{"at_s": 1, "curent": 1}', ":2: curent: no such key; did you mean 'current'?"),
    ('{"at_s": 0, "current": 1}\n{"at_s": 1, "current": 1, "values": {"a": "7"}}', ":2: values.a: must be a number"),
    ('{"at_s": 0, "current": 1}\n{"at_s": 1, "current": 1, "values": {"a": 1e16}}', "values.a: must be at most"),
    ('{"at_s": 0, "current": 1}\n{"at_s": 1, "current": 1, "values": 7}', ":2: values: must be a list"),
    ('{"at_s": 0, "current": 1, "values": [{"metric": "a", "how": "sum"}]}', "values.0.how: must be one of last"),
    ('{"at_s": 0, "current": 1, "values": [{"value": 3}]}', "values.0.metric: is missing"),
    ('{"at_s": 0, "current": 1, "values": [{"metric": "a", "how": []}]}', "values.0.how: must be one of last"),
    ('{"at_s": 0, "current": 1, "pods": [{"name": 1}, {"name": 1}]}', "pods: must not hold two pods of one name"),
    ('{"at_s": 0, "current": 1, "pods": [{"name": 1, "phase": "up"}]}', "pods.0.phase: must be one of pending"),
    ("[" * 5000, "not JSON"),
    ("", "is empty"),
    ("a,b\n1,2\n", "holds neither observations"),
    ('{"when": 3}', "holds neither observations"),
]


@pytest.mark.parametrize(("text", "message"), BAD_LINES)
def test_wrong_lines_are_told_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        decided(PerReplica(), path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_series_of_pods_add_up_as_the_policy_would_see_them(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "range.json",
        matrix(
            series(WAITING, [2, 8, "NaN", 20], pod="a", engine="0"),
            series(WAITING, [1, 1, 1, 1], pod="a", engine="1"),
            series(WAITING, [None, 3, 3, None], pod="b", engine="0"),
            series("up", [1, 1, 1, 1], pod="a"),
        ),
    )
    found = decided(PerReplica(delay_s=30.0), path)
    # a sample is seen 30 s later; replicas are as they are by then: one pod at first, two, two, one
    assert [(each.at_s, each.current, each.reason) for each in found] == [
        (30.0, 2, "turn 1: 3 / 5"),
        (45.0, 1, "turn 2: 12 / 5"),
        (60.0, 1, "turn 3: 4 / 5"),
        (75.0, 1, "turn 4: 21 / 5"),
    ]
    assert [(each.current, each.wanted) for each in decided(PerReplica(), path, 7)] == [(7, 1), (1, 3), (3, 1), (1, 5)]


def test_replicas_as_kube_state_metrics_counts_them(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "range.json",
        matrix(
            series(WAITING, [10, 10], pod="a", namespace="prod"),
            series("kube_deployment_spec_replicas", [4, 6], deployment="llama", namespace="kube"),
            series("kube_deployment_status_replicas", [4, 5], deployment="llama", namespace="kube"),
            series("kube_deployment_status_replicas_ready", [3, 3], deployment="llama", namespace="kube"),
        ),
    )
    seen = []

    class Watching(PerReplica):
        def decide(self, observation: Observation, memory: int | None) -> Any:
            seen.append((observation.current, observation.ready, observation.unready, len(observation.pods)))
            return super().decide(observation, memory)

    decided(Watching(across="each"), path)
    assert seen == [(4, 3, 1, 2), (6, 3, 2, 3)]


def test_rates_and_quantiles_of_recorded_series(tmp_path: Path) -> None:
    early, late = [0.03] * 10, [0.3, 0.4, 0.8, 0.9]
    first, second = observed(early, latency_buckets.TTFT_S), observed(early + late, latency_buckets.TTFT_S)
    bounds = [*map(str, latency_buckets.TTFT_S), "+Inf"]
    buckets = [series(f"{TTFT}_bucket", [first[i], second[i]], pod="a", le=bound) for i, bound in enumerate(bounds)]
    sums = series(f"{TTFT}_sum", [first[-1], second[-1]], pod="a")
    path = lines(tmp_path / "range.json", matrix(*buckets, sums))
    query = PerReplica(metric=TTFT, how="p50", over_s=60.0, target=0.1)
    assert decided(query, path)[1].reason == "turn 2: 0.5 / 0.1"
    assert decided(PerReplica(metric=TTFT, how="mean", over_s=60.0), path)[1].reason == "turn 2: 0.6 / 5"
    path = lines(tmp_path / "rate.json", matrix(series(REQUESTS, [100, 130, 190], instance="x")))
    assert decided(PerReplica(metric=REQUESTS, how="rate", over_s=60.0), path)[2].reason == "turn 3: 3 / 5"


def test_concurrency_is_waiting_and_running_where_it_was_not_recorded(tmp_path: Path) -> None:
    path = lines(tmp_path / "range.json", matrix(series(WAITING, [4, 6]), series(RUNNING, [8, 9])))
    found = decided(PerReplica(metric="concurrency"), path)
    assert [each.reason for each in found] == ["turn 1: 12 / 5", "turn 2: 15 / 5"]
    # no pods and no counts: the size is the policy's own, from its first
    assert [(each.current, each.wanted) for each in found] == [(2, 3), (3, 3)]


def test_a_long_recording_in_parts_that_overlap(tmp_path: Path) -> None:
    def part(first: int, last: int) -> dict[str, Any]:
        values = [[UNIX_S + 15 * i, str(i)] for i in range(first, last)]
        return matrix({"metric": {"__name__": WAITING}, "values": values})

    path = lines(tmp_path / "range.jsonl", part(0, 401), part(400, 1000))
    found = decided(PerReplica(how="max", over_s=60.0, delay_s=40.0, target=1.0), path, 1)
    assert len(found) == 1000
    assert [each.wanted for each in found[1:]] == list(range(1, 1000))


def test_former_names_and_a_series_without_a_pod(tmp_path: Path) -> None:
    path = lines(tmp_path / "range.json", matrix(series("vllm:gpu_cache_usage_perc", [0.5, 0.75])))
    found = decided(PerReplica(metric=KV_USAGE, across="mean", target=0.25), path)
    assert [each.wanted for each in found] == [2, 3]


def test_several_files_are_one_recording_and_silence_is_told(tmp_path: Path) -> None:
    one = lines(tmp_path / "one.json", matrix(series(WAITING, [4, 6])))
    two = lines(tmp_path / "two.json", matrix(series(RUNNING, [8, 9], step_s=10.0)))
    found = replay(PerReplica(metric="concurrency"), [str(one), str(two)])
    assert [each.at_s for each in found.decisions] == [0.0, 15.0]
    found = replay(PerReplica(metric=WAITING), [str(one), str(two)])
    assert not found.silent
    assert found.began is not None
    assert found.began.isoformat(timespec="seconds") == "2025-11-24T16:00:00+00:00"
    counts = lines(tmp_path / "counts.json", matrix(series("kube_deployment_spec_replicas", [3, 3])))
    found = replay(PerReplica(metric=WAITING), [str(counts)])
    assert found.silent == {WAITING}
    assert [each.wanted for each in found.decisions] == [3, 3]


BAD_MATRICES = [
    ({"status": "error", "errorType": "execution", "error": "too many"}, "status: is an error of the server"),
    ({"status": "success", "data": {"resultType": "vector", "result": []}}, "must be 'matrix'"),
    ({"data": {"resultType": "matrix", "result": [{"metric": {}, "values": []}]}}, "has no __name__"),
    (matrix({"metric": {"__name__": WAITING}}), "data.result.0.values: is missing"),
    (matrix({"metric": {"__name__": 3}, "values": []}), "metric.__name__: must be a text"),
    (matrix({"metric": {"__name__": WAITING}, "values": [[1, "x"]]}), "values.0: must be a number, got 'x'"),
    (matrix({"metric": {"__name__": WAITING}, "values": [[1, "+Inf"]]}), "values.0: must be between"),
    (matrix({"metric": {"__name__": WAITING}, "values": [[1, True]]}), "values.0: must be a number"),
    (matrix({"metric": {"__name__": WAITING}, "values": [[1]]}), "values.0: must be a time and a value"),
    (matrix({"metric": {"__name__": WAITING}, "values": [[2, "1"], [2, "1"]]}), "values.1: must be after"),
    (matrix({"metric": {"__name__": WAITING}, "values": [["2", "1"]]}), "values.0: must be a number"),
    (matrix(series(WAITING, [1], pod="a"), series(WAITING, [2], pod="a")), "values.0: is recorded twice, as 1.0 and 2"),
    (matrix(series(WAITING, [1], model_name="a"), series(WAITING, [1], model_name="b")), "is of another model_name"),
    (matrix(series(WAITING, [1, 2], step_s=1e9)), "spans more than a year"),
    (matrix(series("up", [1])), "holds nothing that this policy asks for (vllm:num_requests_waiting); it holds: up"),
]


@pytest.mark.parametrize(("document", "message"), BAD_MATRICES)
def test_wrong_series_are_told_with_their_place(tmp_path: Path, document: Any, message: str) -> None:
    path = lines(tmp_path / "bad.json", document)
    with pytest.raises(DataError) as caught:
        decided(PerReplica(), path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_wrong_histograms(tmp_path: Path) -> None:
    asked = PerReplica(metric=TTFT, how="mean", over_s=60.0)
    for found, message in (
        ([series(f"{TTFT}_sum", [1])], "holds no vllm:time_to_first_token_seconds_bucket"),
        ([series(f"{TTFT}_bucket", [1], le="+Inf")], "holds no vllm:time_to_first_token_seconds_sum"),
        ([series(f"{TTFT}_bucket", [1], le="much"), series(f"{TTFT}_sum", [1])], "'le' must be a number"),
        ([series(f"{TTFT}_bucket", [1], le="1"), series(f"{TTFT}_sum", [1])], 'le="+Inf" too'),
        ([series(f"{TTFT}_bucket", [1], le="+Inf"), series(f"{TTFT}_sum", [1])], "buckets are missing"),
    ):
        with pytest.raises(DataError) as caught:
            decided(asked, lines(tmp_path / "bad.json", matrix(*found)))
        assert message in str(caught.value)
