"""Each trap is told where it is, and not where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.study.fidelity import traps
from sim.study.fidelity.measured import OperatingPoint, Requests, Spread
from sim.study.fidelity.setting import Setting
from sim.workload.distributions import Constant
from tests.sheets import engine, gpu, model

SETTING = Setting(model("llama-3-8b"), gpu("h100-sxm"), 1, engine("vllm-0.15"))
LAW = SETTING.from_sheets().law()
FINE = OperatingPoint(
    name="fine",
    file="fine.json",
    format="inference-perf",
    prompt_tokens=1024.0,
    output_tokens=101.0,
    requests=500,
    rate_per_s=4.0,
    sent_per_s=3.99,
    achieved_per_s=3.9,
    ttft=Spread(0.060, 0.058, 0.090),
    itl=Spread(0.0101),
    e2e=Spread(1.060),
)


def said(*points: OperatingPoint, cached_share: float = 0.0) -> list[str]:
    return traps.all_said(points, replace(SETTING, cached_share=cached_share), LAW)


def test_nothing_is_said_of_a_fine_point() -> None:
    assert said(FINE) == []


def test_halved_token_latencies() -> None:
    (one,) = said(replace(FINE, itl=Spread(0.0051)))
    assert one.startswith("fine: the inter-token latency (5.10 ms) is half of (E2E - TTFT) / (output - 1) (10.00 ms)")
    (one,) = said(replace(FINE, itl=Spread(0.0130)))
    assert "1.30 times" in one
    # without end-to-end times, the tool's own time per token is what there is to compare with
    (one,) = said(replace(FINE, e2e=Spread(), tpot=Spread(0.010), itl=Spread(0.005)))
    assert "is half of TPOT" in one


def test_a_halved_time_per_token() -> None:
    (one,) = said(replace(FINE, itl=Spread(), tpot=Spread(0.0051)))
    assert one.startswith("fine: TPOT (5.10 ms) is half of (E2E - TTFT) / (output - 1) (10.00 ms)")
    assert said(replace(FINE, tpot=Spread(0.0097))) == []


def test_like_points_are_told_once() -> None:
    halved = replace(FINE, itl=Spread(0.005))
    (one,) = said(halved, replace(halved, name="b"), replace(halved, name="c"))
    assert one.endswith("(so at 2 more points)")


def test_a_client_that_is_held_back() -> None:
    capped = replace(FINE, rate_per_s=8.0, sent_per_s=5.0, achieved_per_s=4.9)
    (one,) = said(capped)
    assert "sent 5/s of the 8/s asked for" in one
    assert "(about 5 by Little's law)" in one
    assert said(replace(capped, max_in_flight=5)) == []  # the cap is known: it is simulated


def test_a_few_requests_that_took_longer_by_chance() -> None:
    late = replace(FINE, requests=100, sent_per_s=3.4)  # 15 % short; 100 Poisson arrivals scatter by 10 %
    assert said(late) == []
    assert len(said(replace(late, requests=1000))) == 1
    assert len(said(replace(late, sent_per_s=3.1))) == 1


def test_gaps_that_the_files_do_not_tell() -> None:
    known = replace(FINE, prompt_law=Constant(kind="constant", value=1024))
    assert traps.assumed([known]) == []
    (one,) = traps.assumed([replace(known, gaps_known=False)])
    assert "evenly spaced" in one
    assert traps.assumed([replace(known, gaps_known=False, rate_per_s=None)]) == []


def test_a_cold_start_counts_at_the_lightest_load_only() -> None:
    cold = replace(FINE, ttft=Spread(0.060, 0.055, 0.400))
    (one,) = said(cold, replace(FINE, name="heavier", rate_per_s=9.0, sent_per_s=9.0))
    assert one.endswith("a cold start is in it; its median says more")
    assert said(replace(cold, rate_per_s=9.0, sent_per_s=9.0), FINE) == []
    assert said(replace(cold, requests=20)) == []


def test_a_warm_prefix_cache_shows_in_the_rows() -> None:
    rng = np.random.default_rng(1)
    prompt = np.rint(rng.uniform(200, 4000, 400))
    flat = 0.030 + rng.normal(0, 0.002, 400)
    growing = flat + np.array([traps.prefill_s(LAW, tokens) for tokens in prompt])
    for ttft, warm in ((flat, True), (growing, False)):
        rows = Requests(prompt, np.full(400, 100.0), None, ttft, ttft + 1.0)
        point = replace(FINE, prompt_tokens=2100.0, ttft=Spread(0.3), e2e=Spread(), itl=Spread(), rows=rows)
        told = said(point)
        assert bool(told) == warm
        assert all("warm prefix cache" in one for one in told)
        assert said(point, cached_share=0.9) == []


def test_a_warm_prefix_cache_shows_between_points() -> None:
    short = replace(FINE, prompt_tokens=256.0, ttft=Spread(0.150), e2e=Spread(1.150))
    long = replace(short, name="long", prompt_tokens=8000.0, ttft=Spread(0.155), e2e=Spread(1.155))
    (one,) = said(short, replace(long, ttft=Spread(0.160), e2e=Spread(1.160)))
    assert "warm prefix cache" in one
    grown = 0.150 + traps.prefill_s(LAW, 8000.0)
    assert said(short, replace(long, ttft=Spread(grown), e2e=Spread(grown + 1.0))) == []


def test_a_ttft_below_the_prefill_alone() -> None:
    alone = traps.prefill_s(LAW, 8000.0)
    (one,) = said(replace(FINE, prompt_tokens=8000.0, ttft=Spread(0.3 * alone), e2e=Spread(0.3 * alone + 1.0)))
    assert "is below the prefill of 8000 tokens" in one


def test_prefill_is_done_in_chunks() -> None:
    chunk = len(LAW.tokens_s) - 1
    whole = LAW.iteration_s(chunk, 0, 0.0, float(chunk) ** 2)
    assert traps.prefill_s(LAW, chunk) == pytest.approx(whole)
    rest = LAW.iteration_s(100, 0, 0.0, 100.0 * (2 * chunk + 100))
    assert traps.prefill_s(LAW, chunk + 100) == pytest.approx(whole + rest)


def test_contradictions_and_failures() -> None:
    one = replace(FINE, model="a", gpus_per_replica=2, failed=3)
    other = replace(FINE, name="b", model="b")
    assert said(one, other) == [
        "the files measure different models: a, b",
        "the files say 2 GPUs a replica; 1 was named",
        "3 requests failed: they loaded the engine, and are left out",
    ]
