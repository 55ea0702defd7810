"""Saved answers of Prometheus as traffic: counters that restart, pods that come, holes, histograms, several models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.config.errors import DataError
from sim.exchange.documents import open_document
from sim.exchange.traffic.counters import grown, read_counters
from sim.exchange.traffic.fit import fitted
from sim.exchange.traffic.lengths import length_law, of_buckets
from sim.exchange.traffic.measured import Bucketed, Traffic
from sim.exchange.traffic.server import Server, parts
from sim.exchange.traffic.written import imported
from sim.workload.distributions import Quantiles

UNIX_S, STEP_S = 1_764_000_000.0, 60.0
ENDED, RUNNING = "vllm:request_success_total", "vllm:num_requests_running"


def series(metric: str, values: list[Any], first: int = 0, **labels: str) -> dict[str, Any]:
    """A series with a sample each step from the `first` on; None where there is none."""
    samples = [[UNIX_S + STEP_S * (first + i), str(value)] for i, value in enumerate(values) if value is not None]
    return {"metric": {"__name__": metric, **labels}, "values": samples}


def lengths(count: int) -> list[dict[str, Any]]:
    """Histograms of prompts and answers that grow by `count` in 100 steps."""
    found = []
    for name, mean in (("vllm:request_prompt_tokens", 140.0), ("vllm:request_generation_tokens", 140.0)):
        for bound, share in (("100.0", 0.5), ("200.0", 0.8), ("+Inf", 1.0)):
            found.append(series(f"{name}_bucket", [0, *[None] * 99, share * count], le=bound))
        found.append(series(f"{name}_sum", [0, *[None] * 99, mean * count]))
    return found


def read(folder: Path, *found: dict[str, Any]) -> list[Traffic]:
    path = folder / "answer.json"
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": list(found)}}))
    return read_counters([open_document(str(path))])


def test_a_counter_goes_on_after_a_restart() -> None:
    assert grown(np.array([5.0, 9.0, 2.0, 2.0, 1.0])).tolist() == [5, 9, 11, 11, 12]


def test_restarts_new_pods_and_single_missing_samples_lose_nothing(tmp_path: Path) -> None:
    old = [100 + 6 * i for i in range(50)] + [6 * i for i in range(1, 52)]  # begins again after 50 steps
    old[20] = None  # type: ignore[call-overload]
    new = [6 * (i + 1) for i in range(41)]  # a pod that comes at step 60
    (found,) = read(tmp_path, series(ENDED, old, pod="a"), series(ENDED, new, 60, pod="b"), *lengths(600))
    per_step = found.counts.rate_per_s * STEP_S
    np.testing.assert_allclose(per_step[:59], 6)
    np.testing.assert_allclose(per_step[60:], 12)
    assert found.requests == 600 + 41 * 6


def test_a_hole_in_the_scraping_is_no_lull(tmp_path: Path) -> None:
    values: list[Any] = [6 * i for i in range(101)]
    values[30:40] = [None] * 10
    (found,) = read(tmp_path, series(ENDED, values), *lengths(600))
    assert np.isnan(found.counts.rate_per_s[29:40]).all()
    np.testing.assert_allclose(found.counts.rate_per_s[[28, 40]], 0.1)
    assert np.isfinite(found.counts.filled).all()
    assert found.counts.filled.min() == pytest.approx(0.1)


def test_requests_count_when_they_come_not_when_they_end(tmp_path: Path) -> None:
    """A burst of 50 that is worked off over ten steps."""
    ended = [0, *[0] * 20, *[5 * (i + 1) for i in range(10)], *[50] * 70]
    running = [0, *[0] * 19, 50, *[50 - 5 * (i + 1) for i in range(10)], *[0] * 70]
    (found,) = read(tmp_path, series(ENDED, ended), series(RUNNING, running), *lengths(50))
    assert np.flatnonzero(found.counts.rate_per_s).tolist() == [19]
    assert found.counts.rate_per_s[19] * STEP_S == pytest.approx(50)


def test_each_model_is_a_stream_the_busiest_first(tmp_path: Path) -> None:
    answer = [series(ENDED, [rate * i for i in range(101)], model_name=name) for name, rate in (("a", 1), ("b", 9))]
    for name, count in (("a", 100), ("b", 900)):
        answer += [each | {"metric": each["metric"] | {"model_name": name}} for each in lengths(count)]
    assert [(each.name, each.requests) for each in read(tmp_path, *answer)] == [("b", 900), ("a", 100)]


def test_lengths_keep_the_measured_mean(tmp_path: Path) -> None:
    (found,) = read(tmp_path, series(ENDED, [6 * i for i in range(101)]), *lengths(600))
    law = Quantiles[float].model_validate(length_law(found.prompt, 1.0))
    assert law.mean_value == pytest.approx(140, rel=0.01)
    assert float((law.sample() <= 100).mean()) == pytest.approx(0.5, abs=0.01)


def test_sglang_tells_its_traffic_too(tmp_path: Path) -> None:
    growth = {
        "num_requests_total": 6,
        "num_aborted_requests_total": 1,
        "e2e_request_latency_seconds_sum": 30,
        "prompt_tokens_total": 600,
        "cached_tokens_total": 150,
        "generation_tokens_total": 60,
    }
    answer = [series(f"sglang:{name}", [each * i for i in range(101)]) for name, each in growth.items()]
    (found,) = read(tmp_path, *answer)
    fit = fitted(found)
    assert (found.prompt.mean, found.output.mean, found.cached_share) == (100, 10, 0.25)
    assert fit.document["clients"]["total_timeout"] == {"kind": "exponential", "mean": 30}
    assert any("only the mean was recorded" in note for note in fit.notes)
    told = imported("answer.json", [fit])
    assert json.loads(json.dumps(told.as_document(), allow_nan=False))["streams"][0]["prompt_tokens"]["ks"] is None


@pytest.mark.parametrize("mean", [260.0, 300.0, 350.0, float("nan")])
def test_a_table_of_buckets_has_their_shares_and_at_best_their_mean(mean: float) -> None:
    buckets = Bucketed(np.array([100.0, 200.0, 500.0, 1000.0]), np.array([20.0, 0.0, 70.0, 10.0]), mean)
    shares, values = of_buckets(buckets, 1.0)
    law = Quantiles[float].model_validate({"at": dict(zip(shares, values, strict=True))})
    drawn = law.sample()
    for bound, share in ((100, 0.2), (200, 0.2), (500, 0.9), (1000, 1.0)):
        assert (drawn <= bound).mean() == pytest.approx(share, abs=0.01)
    if mean == mean:
        assert law.mean_value == pytest.approx(mean, rel=0.02)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "holds no counter of requests (vllm:request_success_total or sglang:num_requests_total); it holds: no"),
        ([series("vllm:num_requests_waiting", [1] * 9)], "it holds: vllm:num_requests_waiting"),
        ([series("up", [1] * 9)], "it holds: up"),
        ([series(ENDED, [1, 2])], "needs samples at three times or more"),
        ([series(ENDED, [5] * 9)], "no request ended in this time"),
        ([series(ENDED, list(range(9)))], "holds neither the histogram vllm:request_prompt_tokens nor"),
        ([series(ENDED, ["x"] * 9)], "must be a number, got 'x'"),
    ],
)
def test_an_answer_without_traffic_says_what_it_holds(tmp_path: Path, found: list[Any], told: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, *found)
    assert told in str(error.value)


def test_long_times_are_asked_for_in_parts_without_gap_or_overlap() -> None:
    asked = parts(1000.0, 1000.0 + 60 * 25_000, 60.0)
    times = [at for first, last in asked for at in np.arange(first, last + 1, 60.0)]
    assert times == [1000.0 + 60 * i for i in range(25_001)]
    assert max((last - first) / 60 + 1 for first, last in asked) <= 11_000


def test_a_server_that_is_not_there_is_told_without_its_secrets() -> None:
    with pytest.raises(DataError, match=r"^127\.0\.0\.1:9: cannot be reached: ") as error:
        list(Server("http://user:secret@127.0.0.1:9/", timeout_s=5).series(0.0, 600.0, 60.0))
    assert "secret" not in str(error.value)
