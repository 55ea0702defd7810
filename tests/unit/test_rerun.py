"""A measured point, run again: the same load, each block by itself, and figures that mean what measured ones do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.config.errors import ConfigError, DataError
from sim.engine import simulate
from sim.result.latency import metric_s
from sim.scenario import load
from sim.study.fidelity.measured import OperatingPoint, Requests
from sim.study.fidelity.rerun import FEW, MANY, ONE, Effort, Rerun
from sim.study.fidelity.setting import Setting
from sim.workload.distributions import Lognormal
from sim.workload.rows import MOST_TOKENS
from tests.sheets import engine, gpu, model

SETTING = Setting(model("llama-3-8b"), gpu("h100-sxm"), 1, engine("vllm-0.15"))
POINT = OperatingPoint(
    name="p", file="p.json", format="vllm", prompt_tokens=300.0, output_tokens=40.0, requests=200, rate_per_s=20.0
)
EVEN = replace(POINT, gap_cv=0.0)


def test_a_point_is_the_scenario_that_it_describes() -> None:
    figures = Rerun(EVEN).run(SETTING).figures
    tokens = {"prompt_tokens": {"kind": "constant", "value": 300}, "output_tokens": {"kind": "constant", "value": 40}}
    gap = {"kind": "renewal", "gap": {"kind": "constant", "value": 0.05}}
    pool = {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"kind": "fixed", "replicas": 1}}
    scenario = {"name": "x", "horizon": 10.02, "workload": {"arrivals": gap, **tokens}, "pools": {"chat": pool}}
    rows = simulate(load(scenario)).log.requests
    assert len(rows) == 200
    for metric in ("ttft", "tpot", "e2e"):
        seconds = metric_s(rows, metric)
        assert figures[f"{metric}_s_mean"] == pytest.approx(seconds.mean(), rel=1e-9)
        assert figures[f"{metric}_s_p90"] == pytest.approx(np.quantile(seconds, 0.9), rel=1e-9)
    span_s = rows["finish_s"].max() - rows["arrival_s"].min()
    assert figures["achieved_per_s"] == pytest.approx(200 / span_s)
    assert figures["sent_per_s"] == pytest.approx(200 / (199 * 0.05))


def test_as_many_blocks_as_steady_means_need() -> None:
    assert len(Rerun(POINT, effort=ONE).blocks) == 1
    assert len(Rerun(POINT, effort=FEW).blocks) == 8
    assert len(Rerun(POINT, effort=MANY).blocks) == 32
    assert len(Rerun(POINT, effort=Effort(500, 32)).blocks) == 3
    # nothing is left to chance: once is enough
    assert len(Rerun(EVEN, effort=MANY).blocks) == 1
    assert len(Rerun(replace(POINT, rate_per_s=None, max_in_flight=4), effort=MANY).blocks) == 1


def test_blocks_do_not_know_each_other() -> None:
    many = Rerun(POINT, effort=Effort(600, 3))
    apart = []
    for block in many.blocks:
        one = Rerun(POINT, effort=ONE)
        one.blocks = [block]
        apart.append(one.run(SETTING).figures)
    together = many.run(SETTING).figures
    assert together.keys() == apart[0].keys()
    for name, value in together.items():
        assert value == pytest.approx(np.mean([figures[name] for figures in apart]), rel=1e-12), name


def test_laws_are_compared_on_the_same_requests() -> None:
    one, other = Rerun(POINT, 3, "a"), Rerun(POINT, 3, "a")
    assert [block.arrival_s.tolist() for block in one.blocks] == [block.arrival_s.tolist() for block in other.blocks]
    assert Rerun(POINT, 3, "b").blocks[0].arrival_s.tolist() != one.blocks[0].arrival_s.tolist()
    assert Rerun(POINT, 4, "a").blocks[0].arrival_s.tolist() != one.blocks[0].arrival_s.tolist()


def test_random_gaps_have_the_rate_and_spread_that_were_asked_for() -> None:
    for cv in (0.5, 1.0, 2.0):
        (block,) = Rerun(replace(POINT, gap_cv=cv, requests=20_000), effort=ONE).blocks
        gaps = np.diff(block.arrival_s)
        assert gaps.mean() == pytest.approx(0.05, rel=0.001)
        assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.05)


def test_lengths_come_from_rows_laws_or_means() -> None:
    (block,) = Rerun(replace(POINT, prompt_tokens=300.4, output_tokens=0.2), effort=ONE).blocks
    assert set(block.prompt_tokens.tolist()) == {300, 301}
    assert block.prompt_tokens.mean() == pytest.approx(300.4)
    assert block.output_tokens.min() == 1
    spread = replace(EVEN, prompt_law=Lognormal[float](mean=300.0, cv=0.5))
    assert len(Rerun(spread).blocks) > 1
    lengths = np.concatenate([block.prompt_tokens for block in Rerun(spread, effort=MANY).blocks])
    assert lengths.mean() == pytest.approx(300, rel=0.03)
    assert lengths.std() / lengths.mean() == pytest.approx(0.5, rel=0.1)
    rows = Requests(np.array([10.0, 30.0]), np.array([5.0, 7.0]), np.array([0.0, 2.5]))
    (block,) = Rerun(replace(POINT, rows=rows, rate_per_s=None)).blocks
    assert block.arrival_s.tolist() == [0.0, 2.5]
    assert block.prompt_tokens.tolist() == [10, 30]


def test_a_cap_holds_requests_back() -> None:
    capped = Rerun(replace(EVEN, rate_per_s=200.0, max_in_flight=2)).run(SETTING)
    free = Rerun(replace(EVEN, rate_per_s=200.0)).run(SETTING)
    assert capped.running <= 2.0
    assert capped.figures["sent_per_s"] < 20 < free.figures["sent_per_s"]
    assert capped.e2e_s < 0.5 * free.e2e_s


def test_cached_prompts_are_those_of_the_file_then_those_said() -> None:
    def ttft_s(said: float, cached: float | None = None) -> float:
        point = replace(EVEN, prompt_tokens=4000.0, cached_share=cached, rate_per_s=1.0, requests=20)
        return Rerun(point).run(replace(SETTING, cached_share=said)).ttft_s

    assert ttft_s(0.9) < 0.5 * ttft_s(0.0)
    assert ttft_s(0.9, cached=0.0) == ttft_s(0.0)


def test_one_token_has_no_time_per_token() -> None:
    figures = Rerun(replace(EVEN, output_tokens=1.0)).run(SETTING).figures
    assert np.isnan(figures["tpot_s_mean"])
    assert np.isnan(figures["tpot_s_of_means"])
    assert figures["e2e_s_mean"] > 0


def test_what_cannot_run_is_told() -> None:
    with pytest.raises(DataError, match=r"^p\.json: p: request 0 has 9999999 prompt .* can never be served"):
        Rerun(replace(EVEN, prompt_tokens=9_999_999.0)).run(SETTING)
    with pytest.raises(ConfigError, match=r"^gpus_per_replica: must divide the 32 attention heads"):
        replace(SETTING, gpus_per_replica=3).check()
    with pytest.raises(ConfigError, match=r"^'llama-3-70b' does not fit on 1 x h100-sxm"):
        replace(SETTING, model=model("llama-3-70b")).check()


def test_gaps_beyond_what_a_float_holds_are_one_burst() -> None:
    (block, *_) = Rerun(replace(POINT, gap_cv=1e5)).blocks
    assert (block.arrival_s == 0.0).all()


def test_drawn_lengths_stay_within_what_a_request_may_have() -> None:
    point = replace(POINT, prompt_law=Lognormal(kind="lognormal", mean=1e12, cv=1.0))
    assert Rerun(point, effort=ONE).blocks[0].prompt_tokens.max() == MOST_TOKENS
    with pytest.raises(DataError, match="can never be served"):
        Rerun(point, effort=ONE).run(SETTING)
