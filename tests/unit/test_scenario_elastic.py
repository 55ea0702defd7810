"""What a scenario says of a pool's life: boot, drain, supply, faults, rollouts, billing, metrics; and what is wrong."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sim.autoscaling.observation import Pipeline
from sim.config import catalogue
from sim.config.errors import ConfigError
from sim.config.loader import read_file
from sim.scenario import Pool, Scenario, load
from sim.scenario.boot import Boot
from sim.scenario.rollout import Rollout
from sim.scenario.times import event_s

BASE: dict[str, Any] = {
    "name": "elastic",
    "horizon": "1h",
    "workload": {
        "arrivals": {"kind": "poisson", "rate": "5/s"},
        "prompt_tokens": {"kind": "constant", "value": 100},
        "output_tokens": {"kind": "constant", "value": 10},
    },
    "pools": {
        "p": {"model": "llama-3-70b", "gpu": "h100-sxm", "gpus_per_replica": 4, "autoscaler": {"replicas": 1}},
    },
}
BOOTS = catalogue.names(catalogue.BOOTS)
SMALL = ("pools.p.model=llama-3-8b", "pools.p.gpus_per_replica=1")


def of(*sets: str) -> Pool:
    return load(BASE, [f"pools.p.{text}" for text in sets]).pools["p"]


def wrong(*sets: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        of(*sets)
    return [str(problem).removeprefix("--set: pools.p.") for problem in caught.value.problems]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- boot --------------------------------------------------------------------------------------------------------------


def test_a_pool_that_says_nothing_boots_at_once_and_is_offered_without_limits() -> None:
    pool = of()
    assert pool.stages.is_instant
    assert pool.stages.stages(rng(), pool.weight_bytes) == (0, 0, 0, 0)
    assert [(offer.market, offer.most, offer.stock_out) for offer in pool.offers] == [("on_demand", None, None)]
    assert (pool.drain.queued, pool.drain.grace_s, pool.drain.lost) == ("redirect", None, "retry")
    assert (pool.faults, pool.rollouts) == ((), ())


def test_a_duration_or_a_law_is_all_engine() -> None:
    assert of("boot=90s").stages.stages(rng()) == (0, 0, 0, 90)
    law = of("boot={kind: lognormal, mean: 2m, cv: 0.3}").stages
    drawn = np.array([law.stages(one) for one in [rng()] for _ in range(4000)])
    assert not drawn[:, :3].any()
    assert drawn[:, 3].mean() == pytest.approx(120, rel=0.02)


def test_stages_are_drawn_in_one_go_and_weights_take_their_bytes_over_the_rate() -> None:
    told = "boot={node: 2m, image: {kind: uniform, low: 10s, high: 20s}, weights: {bytes_per_s: 2GB/s, overhead: 3s}}"
    pool = of(told)
    assert pool.weight_bytes == pytest.approx(2 * 70.55e9, rel=1e-3)
    node_s, image_s, weights_s, engine_s = pool.stages.stages(rng(7), pool.weight_bytes)
    assert (node_s, engine_s) == (120, 0)
    assert image_s == 10 + 10 * rng(7).random()
    assert weights_s == pool.weight_bytes / 2e9 + 3  # type: ignore[operator]
    half = of(told, "precision=fp8").weight_bytes
    assert half is not None
    assert half < 0.52 * pool.weight_bytes  # type: ignore[operator]
    assert of("boot={weights: {bytes_per_s: 2GB/s, size: 16GB}}").stages.stages(rng(), 9e99) == (0, 0, 8, 0)


@pytest.mark.parametrize("name", BOOTS)
def test_every_figure_of_a_preset_has_a_source_and_no_stage_is_exponential(name: str) -> None:
    path = catalogue.find(catalogue.BOOTS, name)
    assert path is not None
    preset = Boot.model_validate(read_file(path).plain())
    assert preset.name == name
    assert preset.description
    stages = {stage: getattr(preset, stage) for stage in ("node", "image", "weights", "engine")}
    assert set(preset.sources) == {stage for stage, law in stages.items() if law != 0}
    assert "exponential" not in path.read_text(encoding="utf-8")
    drawn = np.array([preset.stages(rng(seed), 16e9) for seed in range(200)])
    assert (drawn >= 0).all()
    assert drawn.sum(axis=1).std() > 1


@pytest.mark.parametrize(
    ("name", "sets", "least_s", "most_s"),
    [
        ("warm-node-nvme", SMALL, 45 * 0.85, 45 * 1.15),
        ("warm-node-nvme", (), 120 * 0.85, 120 * 1.15),
        ("new-node-eks-karpenter-s3", SMALL, 300 * 0.95, 480),
        ("new-node-eks-karpenter-s3", (), 300, 480),
        ("new-node-gke", SMALL, 300, 480),
    ],
)
def test_presets_come_out_at_the_usual_times(name: str, sets: tuple[str, ...], least_s: float, most_s: float) -> None:
    pool = load(BASE, [*sets, f"pools.p.boot={name}"]).pools["p"]
    drawn = np.array([pool.stages.stages(one, pool.weight_bytes) for one in [rng(3)] for _ in range(4000)])
    assert least_s < drawn.sum(axis=1).mean() < most_s
    assert pool.stages.mean_s(pool.weight_bytes) == pytest.approx(drawn.sum(axis=1).mean(), rel=0.03)


def test_a_preset_by_path_and_with_changes(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("node: 60s\nengine: {kind: histogram, file: engine.csv}\n")
    (tmp_path / "engine.csv").write_text("value,weight\n30,1\n")
    boot = of(f"boot={tmp_path}/mine.yaml")
    assert boot.stages.stages(rng()) == (60, 0, 0, 30), "the file is found beside the preset that names it"
    changed = of("boot={from: new-node-gp3, node: 0s}").stages
    assert (changed.name, changed.node, changed.image) == ("new-node-gp3", 0, of("boot=new-node-gp3").stages.image)
    assert of("boot=warm-node-nvme", "boot.weights.size=16GB").stages.needs_bytes, "the engine asks for them too"


# -- supply ------------------------------------------------------------------------------------------------------------

MIX = """supply=[
  {name: spot, market: spot, price: $1.20/h, most: 8, zones: 3, spot: {hazard: 0.05/h, notice: 30s, batch: 50%}},
  {name: dear, gpu: h200, gpus_per_replica: 2, region: eu, overhead: 40ms, boot: new-node-gke},
  {name: own, stock_out: {refused: 20%, delayed: {share: 50%, by: {kind: uniform, low: 1h, high: 2h}}}}]"""


def test_offers_are_pools_of_their_own() -> None:
    pool = of(MIX, "price={on_demand: $5/h}", "boot=warm-node-nvme")
    spot, dear, own = (pool.as_offered(offer) for offer in pool.offers)
    assert (spot.usd_per_replica_hour, own.usd_per_replica_hour) == (4 * 1.2, 4 * 5)
    alone = of("gpu=h200", "gpus_per_replica=2")
    assert dear.kv_tokens == alone.kv_tokens != pool.kv_tokens
    assert dear.law.tokens_s.tolist() == alone.law.tokens_s.tolist()
    assert dear.law.overhead_s == alone.law.overhead_s + 0.04
    assert dear.usd_per_replica_hour == alone.usd_per_replica_hour, "the pool's price is not that of another GPU"
    assert (dear.stages.name, own.stages.name) == ("new-node-gke", "warm-node-nvme")
    assert own.law.tokens_s.tolist() == pool.law.tokens_s.tolist()
    assert pool.offers[0].spot is not None
    assert pool.offers[0].spot.hazard_per_s == 0.05 / 3600


def test_what_was_worked_out_is_not_taken_over_to_an_offer() -> None:
    pool = of(MIX)
    before = pool.kv_tokens, pool.law.about, pool.stages.name
    assert pool.as_offered(pool.offers[1]).kv_tokens != before[0]
    assert (pool.kv_tokens, pool.law.about, pool.stages.name) == before


def test_spot_costs_the_spot_price_of_who_gives_one() -> None:
    spot = "supply=[{name: s, market: spot, spot: {hazard: 1/h}%s}]"
    both = "price={on_demand: $5/h, spot: $2/h}"
    assert [
        of(both, spot % own).as_offered(of(both, spot % own).offers[0]).usd_per_replica_hour / 4
        for own in ("", ", price: 1.5", ", price: {on_demand: 3, spot: 1}")
    ] == [2, 1.5, 1]
    assert wrong("price={on_demand: $5/h}", spot % "") == [
        "supply.0.price: is missing: no spot price is known for this GPU, such as $1.20/h"
    ]


def test_orders_are_refused_or_late_as_often_as_the_hour_says() -> None:
    stock_out = of(MIX).offers[2].stock_out
    assert stock_out is not None
    one = rng(1)
    answers = [stock_out.answer(0.0, one) for _ in range(4000)]
    there = [answer for answer in answers if answer is not None]
    late = [answer for answer in there if answer > 0]
    assert 1 - len(there) / len(answers) == pytest.approx(0.2, abs=0.02)
    assert len(late) / len(there) == pytest.approx(0.5, abs=0.025)
    assert all(3600 <= answer <= 7200 for answer in late)
    hours = ["0"] * 22 + ["100%", "0"]
    nights = of(f"supply=[{{name: a, stock_out: {{refused: [{', '.join(hours)}]}}}}]")
    refused = nights.offers[0].stock_out
    assert refused is not None
    assert [refused.answer(hour * 3600.0, one) for hour in (21, 22, 23, 46)] == [0, None, 0, None]


def test_reclaims_follow_the_hazard_of_the_hour() -> None:
    assert event_s(0.5, 10, 2.0) == 14
    assert event_s(0.0, 10, 2.0) == event_s((0.0,) * 24, 10, 2.0) == math.inf
    day = tuple(1 / 3600 if hour in (3, 20) else 0.0 for hour in range(24))
    assert event_s(day, 0, 0.5) == 3.5 * 3600
    assert event_s(day, 3.25 * 3600, 1.0) == pytest.approx(20.25 * 3600)
    assert event_s(day, 21 * 3600, 4.5) == pytest.approx((24 + 48 + 3.5) * 3600)


# -- faults, rollouts, billing, metrics --------------------------------------------------------------------------------


def test_crashes_are_as_frequent_as_llama_3s_gpus_by_default() -> None:
    crash, node = of("faults=[{kind: crash}, {kind: crash, scope: node, replicas_per_node: 2, mtbf: 800h}]").faults
    assert crash.kind == node.kind == "crash"
    assert 8 / crash.hazard_per_s(8) == pytest.approx(54 * 86_400 * 16_384 / 419, rel=1e-4)
    assert node.hazard_per_s(4) == pytest.approx(1 / (100 * 3600))
    assert crash.repair_s is None


def test_outages_are_of_zones_that_there_are() -> None:
    outage = "{kind: zone_outage, at: 10m, lasts: 5m, zone: "
    (fault,) = of(MIX, f"faults=[{outage}2}}]").faults
    assert fault.kind == "zone_outage"
    assert (fault.at_s, fault.until_s) == (600, 900)
    assert wrong(MIX, f"faults=[{outage}3}}, {outage}1, region: eu}}, {outage}0, region: us}}]") == [
        "faults.0.zone: must be at most 2, the last zone of the offers (`zones` in 'supply'); got 3",
        "faults.1.zone: must be at most 0, the last zone of the offers (`zones` in 'supply'); got 1",
        "faults.2.region: no offer is in 'us'; there are: '', 'eu'",
    ]


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "limits"),
    [
        ("25%", "25%", 10, (3, 2)),
        ("25%", "25%", 1, (1, 0)),
        ("0", "25%", 2, (0, 1)),
        ("7%", "0", 100, (7, 0)),
        (1, 0, 50, (1, 0)),
        (0, 80, 50, (0, 50)),
        (0.25, 0.25, 4, (1, 1)),
        ("100%", 0, 7, (7, 0)),
    ],
)
def test_rollouts_round_as_a_deployment_does(surge: Any, unavailable: Any, replicas: int, limits: Any) -> None:
    rollout = Rollout.model_validate({"at": "1m", "max_surge": surge, "max_unavailable": unavailable})
    assert rollout.limits(replicas) == limits


def test_versions_follow_one_another_and_offers_change_each() -> None:
    pool = of(
        "supply=[{name: a}, {name: b, gpu: h200}]",
        "rollouts=[{at: 10m}, {at: 20m, to: {model: llama-3-8b, gpus_per_replica: 1}}, {at: 30m, to: {boot: 5s}}]",
    )
    names = [(each.model.name, each.gpus_per_replica, each.boot) for each in pool.versions if each.model is not None]
    assert names == [("llama-3-70b", 4, 0), ("llama-3-70b", 4, 0), ("llama-3-8b", 1, 0), ("llama-3-8b", 1, 5)]
    last = pool.versions[3].as_offered(pool.offers[1])
    assert last.kv_tokens == of("model=llama-3-8b", "gpu=h200", "gpus_per_replica=1").kv_tokens
    assert last.stages.stages(rng())[3] == 5


def test_metrics_go_before_what_the_policy_has() -> None:
    assert of("metrics={scrape_interval: 5s}").pipeline == Pipeline(5, of().autoscaler.pipeline.delay_s)
    both = of("metrics={scrape_interval: 5s, delay: 30s}")
    assert both.pipeline == Pipeline(5, 30)


# -- whole scenarios ---------------------------------------------------------------------------------------------------


def everything() -> Scenario:
    sets = [
        MIX,
        "boot=new-node-eks-karpenter-s3",
        "drain={queued: stay, grace: 5m, lost: fail}",
        "faults=[{kind: crash, repair: {kind: lognormal, mean: 2h, cv: 1}}, {kind: zone_outage, at: 1m, lasts: 1h}]",
        "rollouts=[{at: 10m, max_surge: 100%, max_unavailable: 0, to: {precision: fp8}}]",
        "billing={granularity: 1m}",
        "metrics={delay: 1s}",
        "overhead=3ms",
    ]
    return load(BASE, [f"pools.p.{text}" for text in sets])


def test_a_resolved_scenario_says_it_all_again() -> None:
    scenario = everything()
    again = load(yaml.safe_load(scenario.to_yaml()))
    assert again == scenario
    assert again.pools["p"].stages == scenario.pools["p"].stages
    assert again.pools["p"].rollouts[0].limits(3) == (3, 0)
    assert pickle.loads(pickle.dumps(scenario)) == scenario


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (("boot=5 parsecs",), "boot: must be a duration, such as 90s, 5m, 24h or 250ms; got '5 parsecs'"),
        (("boot=warm-nod-nvme",), "boot: no boot preset is called 'warm-nod-nvme'; did you mean 'warm-node-nvme'?"),
        (("boot={kind: lognormal, mean: 2x, cv: 1}",), "boot.mean: must be a duration, such as 90s, 5m, 24h or 250ms;"),
        (("boot={nod: 3s}",), "boot.nod: no such key; did you mean 'node'?"),
        (("boot={node: {mean: 3s}}",), "boot.node: needs a 'kind', one of constant, exponential, erlang,"),
        (("boot={weights: {bytes_per_s: 3GB}}",), "boot.weights.bytes_per_s: must be a bandwidth in bytes per second"),
        (("drain={queued: redirct}",), "drain.queued: 'redirct' is not one of redirect, stay; did you mean 'redirect'"),
        (("supply=[{name: a, market: spot}]",), "supply.0.spot: is missing: how spot replicas are taken back, such as"),
        (("supply=[{name: a, spot: {hazard: 1/h}}]",), "supply.0.spot: says nothing for market 'on_demand'; remove it"),
        (("supply=[{name: a}, {name: a}]",), "supply.1.name: two offers are called 'a'; give each its own name"),
        (("supply=[{name: a, gpu: h20}]",), "supply.0.gpu: no GPU is called 'h20'; did you mean 'h200'?"),
        (("supply=[{name: a, gpu: l4}]",), "supply.0: 'llama-3-70b' does not fit on 4 x l4: 32.9 GiB"),
        (("supply=[{name: a, gpus_per_replica: 3}]",), "supply.0.gpus_per_replica: must divide the 64 attention heads"),
        (
            ("supply=[{name: a, stock_out: {refused: [1, 2]}}]",),
            "supply.0.stock_out.refused.1: must be between",
        ),
        (("supply=[{name: a, stock_out: {refused: [1]}}]",), "supply.0.stock_out.refused: must be 24 values, one for"),
        (
            ("supply=[{name: a, market: spot, price: 1, spot: {hazard: 5%}}]",),
            "supply.0.spot.hazard: must be a rate, such as 5/s, 4000/min or 10/h; got '5%'",
        ),
        (
            ("kv_capacity_tokens=100k", "supply=[{name: a, gpu: h200}]"),
            "supply.0.gpu: the pool's 'kv_capacity_tokens' holds for what it was given with; give 'kv_capacity_tokens'",
        ),
        (("supply=[{name: a, market: reserved}]",), "supply.0.price: is missing: no reserved price is known"),
        (("faults=[{kind: crsh}]",), "faults.0.kind: 'crsh' is not one of crash, zone_outage; did you mean 'crash'?"),
        (("faults=[{kind: crash, scope: node}]",), "faults.0.replicas_per_node: is missing: how many replicas fail"),
        (("faults=[{kind: crash, replicas_per_node: 2}]",), "faults.0.replicas_per_node: says nothing for scope"),
        (("rollouts=[{at: 2m}, {at: 1m}]",), "rollouts.1.at: must be later than the rollout before"),
        (
            ("rollouts=[{at: 1m, max_surge: 0, max_unavailable: 0%}]",),
            "rollouts.0.max_unavailable: must not be 0 when max_surge is 0: no replica could ever be replaced",
        ),
        (("rollouts=[{at: 1m, max_surge: 125.5%}]",), "rollouts.0.max_surge: must be between 0 and 1, got '125.5%'"),
        (("rollouts=[{at: 1m, to: {modl: x}}]",), "rollouts.0.to.modl: no such key; did you mean 'model'?"),
        (("rollouts=[{at: 1m, to: {model: llama-3-405b}}]",), "rollouts.0.to: 'llama-3-405b' does not fit on 4 x h100"),
        (
            ("rollouts=[{at: 1m, to: {replica: {kind: slots}}}]",),
            "rollouts.0.to.replica: must stay of kind 'batching', as requests are drawn for it",
        ),
        (("billing={granularity: -1}",), "billing.granularity: must be at least 0, got -1"),
        (("metrics={scrape_interval: 0}",), "metrics.scrape_interval: must be above 0, got 0"),
    ],
)
def test_one_thing_wrong(sets: tuple[str, ...], said: str) -> None:
    found = wrong(*sets)
    assert len(found) == 1, found
    assert found[0].startswith(said), found[0]


def test_errors_have_their_place_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pool = {"boot": "mine.yaml", "supply": [{"name": "a", "gpu": "h200"}, {"name": "b", "zones": "x"}]}
    Path("mine.yaml").write_text("node: 60 seconds\n")
    Path("s.yaml").write_text(yaml.safe_dump({**BASE, "pools": {"p": {**BASE["pools"]["p"], **pool}}}, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load("s.yaml")
    place, boot = (str(problem) for problem in caught.value.problems)
    assert place == "s.yaml:25:14: pools.p.supply.1.zones: must be a whole number, such as 8, 4k or 1.5M; got 'x'"
    assert boot.startswith("mine.yaml:1:7: pools.p.boot.node: must be a duration")


def test_slots_boot_by_a_preset_when_the_bytes_are_given() -> None:
    slots: dict[str, Any] = {"replica": {"kind": "slots"}, "gpu": "l4", "autoscaler": {"replicas": 1}}
    service = {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "constant", "value": 1}}
    base = {**BASE, "workload": service, "pools": {"p": slots}}
    with pytest.raises(ConfigError, match=r"pools.p.boot: needs the bytes of weights: give a 'model', or weights"):
        load(base, ["pools.p.boot=warm-node-gp3"])
    sizes = ["pools.p.boot=warm-node-gp3", "pools.p.boot.weights.size=7GB", "pools.p.boot.engine.size=7GB"]
    assert load(base, sizes).pools["p"].stages.stages(rng())[2] > 15
    with pytest.raises(ConfigError, match=r"rollouts.0.to.model: says nothing for replicas of kind slots"):
        load(base, ["pools.p.rollouts=[{at: 1m, to: {model: llama-3-8b}}]"])


def test_pools_that_hand_over_keep_their_kv_cache() -> None:
    two = {**BASE["pools"]["p"], "model": "llama-3-8b"}
    prefill = {**two, "kv_transfer": {"to": "decode", "bandwidth": "50GB/s"}}
    base = {**BASE, "pools": {"prefill": prefill, "decode": two}}
    assert load(base, ["pools.decode.rollouts=[{at: 1m, to: {precision: fp8}}]"])
    with pytest.raises(ConfigError, match=r"prefill.kv_transfer.to: a rollout here or in pool 'decode' changes the"):
        load(base, ["pools.decode.rollouts=[{at: 1m, to: {model: llama-3-70b}}]"])
