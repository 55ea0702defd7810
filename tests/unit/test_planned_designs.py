"""What a plan may choose among, what theory says of it, and what it adds for losses."""

from __future__ import annotations

from typing import Any

import pytest

from sim import load
from sim.config.errors import ConfigError
from sim.engine import simulate
from sim.scenario import Scenario
from sim.scenario.plan import Survive
from sim.study.planned.designs import fleets, mixed
from sim.study.planned.screen import bracket, exact_of
from sim.study.planned.survive import spares_of
from sim.theory import MMc


def served(plan: dict[str, Any], **pool: Any) -> Scenario:
    """A small model on batching replicas."""
    main = {"model": "llama-3-8b", "gpu": "h100-sxm", "autoscaler": {"kind": "fixed", "replicas": 2}, **pool}
    return load(
        {
            "name": "designs",
            "horizon": "20s",
            "workload": {
                "arrivals": {"kind": "poisson", "rate": 4},
                "prompt_tokens": {"kind": "constant", "value": 500},
                "output_tokens": {"kind": "constant", "value": 50},
            },
            "pools": {"main": main},
            "slo": [{"metric": "ttft", "under": "1s", "share": 0.99}],
            "plan": {"pools": {"main": plan}},
        }
    )


def line(queue: Any = "central", warmup_s: float = 60.0, **more: Any) -> Scenario:
    """Servers of which five are busy on average."""
    return load(
        {
            "name": "line",
            "warmup": warmup_s,
            "horizon": warmup_s + 300,
            "workload": {
                "arrivals": {"kind": "poisson", "rate": 5},
                "service": {"kind": "exponential", "mean": 1},
            },
            "pools": {
                "main": {
                    "replica": {"kind": "slots"},
                    "queue": {"kind": queue},
                    "autoscaler": {"kind": "fixed", "replicas": 1},
                }
            },
            "slo": [{"metric": "queue_wait", "under": 0.5, "share": 0.9}],
            **more,
        }
    )


def test_every_combination_is_a_design() -> None:
    found, unfit = fleets(served({"gpu": ["h100-sxm", "l40s"], "gpus_per_replica": [1, 2], "max_num_seqs": [64, 128]}))
    assert len(found) == 8
    assert not unfit
    told = {each.told for each in found}
    assert "2 x l40s, 64 seqs, 8192 tokens" in told
    dear = next(each for each in found if each.told.startswith("2 x h100"))
    one = dear.designs["main"]
    assert one.usd_per_hour(3) == pytest.approx(6 * one.pool.gpu.price.on_demand)  # type: ignore[union-attr]
    assert dear.scenario_with({"main": 3}, 9).pools["main"].autoscaler.initial_replicas == 3
    assert dear.scenario_with({"main": 3}, 9).seed == 9


def test_what_cannot_be_built_is_told_and_left_out() -> None:
    found, unfit = fleets(served({"gpus_per_replica": [1, 3], "max_num_seqs": [256, 9000]}))
    assert [each.told for each in found] == ["1 x h100-sxm, 256 seqs, 8192 tokens"]
    why = {each.told: each.why for each in unfit}
    assert "above max_batched_tokens" in why["9000 seqs, 8192 tokens"]
    assert "3 x h100-sxm, 256 seqs, 8192 tokens" in why


def test_a_model_that_fits_nowhere_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"plan\.pools\.main: none of its designs can be built"):
        fleets(served({"gpus_per_replica": [3]}))


def test_a_gpu_without_a_price_cannot_be_compared() -> None:
    sheet = load(served({})).pools["main"].gpu
    assert sheet is not None
    free = {**sheet.model_dump(mode="json", by_alias=True, exclude_none=True), "name": "mine"}
    free.pop("price")
    with pytest.raises(ConfigError, match=r"has no price, others have one"):
        fleets(served({"gpu": ["h100-sxm", free]}))


def test_of_a_mix_the_first_come_first_and_cost_their_own() -> None:
    scenario = served({"gpu": ["h100-sxm", "l40s"], "mix": True})
    (dear, cheap), _ = fleets(scenario)
    first, second = dear.designs["main"], cheap.designs["main"]
    both = mixed(first, second, 2)
    assert both.usd_per_hour(5) == pytest.approx(2 * first.usd_per_hour(1) + 3 * second.usd_per_hour(1))
    assert both.gpus(5) == 5
    pools = {"main": both.with_replicas(3)}
    bill = simulate(scenario.model_copy(update={"pools": pools, "plan": None})).summary()["cost"]
    assert bill["usd_per_hour"] == pytest.approx(both.usd_per_hour(3), rel=0.02)


def test_of_an_autoscaled_pool_the_least_is_set() -> None:
    policy = {"kind": "queue_length", "min_replicas": 0, "max_replicas": 6, "target": 1}
    (found,), _ = fleets(served({}, autoscaler=policy))
    design = found.designs["main"]
    assert (design.least, design.most, design.elastic) == (0, 6, True)
    assert design.with_replicas(3).autoscaler.floor_replicas == 3
    assert design.with_replicas(8).autoscaler.most_replicas == 8  # spares come on top
    (fixed,), _ = fleets(served({"fixed": True}, autoscaler=policy))
    assert fixed.designs["main"].with_replicas(3).autoscaler.kind == "fixed"


# -- theory -----------------------------------------------------------------------------------------------------------


def test_theory_says_where_to_look() -> None:
    (found,), _ = fleets(line())
    around = bracket(found, "main")
    assert (around.least, around.estimate) == (4, 8)
    assert around.each_per_s == pytest.approx(1.0)


def test_a_formula_decides_only_where_it_is_exact() -> None:
    def exact(scenario: Scenario) -> Any:
        return exact_of(fleets(scenario)[0][0])

    known = exact(line())
    assert known is not None
    assert known.attained(8) == (pytest.approx(1 - MMc(8, 5.0).wait_exceeds(0.5)),)
    assert known.attained(5) is None, "not stable"
    assert exact(line("per_replica")) is None
    assert exact(line(slo=[{"metric": "ttft", "under": 1, "share": 0.9}])) is None
    bursty = {
        "arrivals": {"kind": "mmpp", "rates": [1, 9], "leave": [1, 1]},
        "service": {"kind": "exponential", "mean": 1},
    }
    assert exact(line(workload=bursty)) is None
    cold = exact(line(warmup_s=0.0))
    assert cold is not None
    near = line(slo=[{"metric": "queue_wait", "under": 0.5, "share": 1 - MMc(8, 5.0).wait_exceeds(0.5) + 0.001}])
    assert exact(near).attained(8) is not None
    started_empty = line(warmup_s=0.0, slo=near.model_dump(mode="json", by_alias=True, exclude_none=True)["slo"])
    assert exact(started_empty).attained(8) is None, "the start from empty moves it by more than that"


# -- N + k ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("survive", "need", "total", "left"),
    [
        ({"replicas": 2}, 12, 14, 12),
        ({"nodes": 1}, 12, 16, 12),  # four replicas of two GPUs share a node of eight
        ({"nodes": 2, "gpus_per_node": 4}, 12, 16, 12),
        ({"nodes": 1, "gpus_per_node": 1}, 12, 13, 12),  # a replica over two nodes goes with either
        ({"zones": 1, "of": 3}, 100, 150, 100),
        ({"zones": 1, "of": 3}, 7, 12, 8),
        ({"availability": 0.999, "unit_availability": 0.99}, 20, 23, 20),
        ({"availability": 0.999, "unit_availability": 0.95}, 8, 12, 8),
    ],
)
def test_what_is_left_is_enough(survive: dict[str, Any], need: int, total: int, left: int) -> None:
    pool = served({}, gpus_per_replica=2).pools["main"]
    found = spares_of(need, pool, Survive.model_validate(survive))
    assert (found.total, found.spare, found.left) == (total, total - need, left)
    assert found.works_share is None or found.works_share >= 0.999
