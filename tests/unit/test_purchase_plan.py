"""Plans over time from end to end, on a small queue; sizes come from a function that is known."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sim.config.errors import ConfigError
from sim.scenario import Scenario, load
from sim.scenario.plan import Survive
from sim.study.executors.base import Here, tried
from sim.study.purchased.fleets import Make, make_of
from sim.study.purchased.headroom import survivors
from sim.study.purchased.purchases import Layer, Purchases
from sim.study.purchased.rounds import NoPlanError, candidates, plan_over_time
from sim.study.purchased.sizing import Need, levels

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "queue_vectors.json"
POOL = {
    "gpu": "h100-sxm",
    "gpus_per_replica": 4,
    "price": {"on_demand": 3.0, "reserved_1y": 1.8},
    "replica": {"kind": "slots"},
    "queue": {"kind": "central"},
    "autoscaler": {"kind": "fixed", "replicas": 4},
}
OWNED = {"kind": "owned", "capex": "$30k", "watts": {"idle": 100, "busy": 700}, "years": 4}


def scenario(over_time: dict[str, Any], pool: dict[str, Any] | None = None, **more: Any) -> Scenario:
    """Erlang C at one request a second of one second; two replicas keep the promise."""
    plan = {"over_time": over_time, **more.pop("plan", {})}
    base = {
        "name": "queue",
        "seed": 1,
        "horizon": "5m",
        "starts": "2026-12-01",
        "max_price_age": "3650d",
        "workload": {"arrivals": {"kind": "poisson", "rate": "1/s"}, "service": {"kind": "exponential", "mean": "1s"}},
        "pools": {"chat": {**POOL, **(pool or {})}},
        "slo": [{"metric": "queue_wait", "under": "3s", "share": "90%"}],
    }
    return load({**base, "plan": plan, **more})


@dataclass
class Linear:
    """So many replicas for the demand of today."""

    per: float = 4.0
    asked: list[float] = field(default_factory=list)

    def replicas(self, pool: str, make: Make, factor: float) -> int | None:
        self.asked.append(factor)
        return math.ceil(self.per * factor - 1e-9)


def planned(over_time: dict[str, Any], sizing: Linear | None = None, **more: Any) -> Purchases:
    found = plan_over_time(scenario(over_time, **more), sizing or Linear(), runs=1)
    json.dumps(found.as_document(), allow_nan=False)
    return found


def layers(found: Purchases, month: str) -> dict[str, float]:
    return {each.layer: each.gpus for each in found.layers if each.month == month}


def test_months_alone_give_a_plan() -> None:
    found = planned({"months": 2})
    assert layers(found, "2026-12") == {"on_demand": 16}
    assert layers(found, "2027-01") == {"reserved": 16}
    assert found.feasible
    assert found.usd_expected == pytest.approx(744 * 16 * (3.0 + 1.8))
    assert found.usd_without_commitments == pytest.approx(744 * 16 * 3.0 * 2)
    assert found.usd_after == pytest.approx(16 * 1.8 * (8760 - 744))


def test_a_reservation_is_ordered_its_lead_time_before() -> None:
    (order,) = planned({"months": 2, "lead_time": {"reserved": "30d"}}).orders
    assert (order.gpus, order.holds_from, order.order_by) == (16, "2027-01-01", "2026-12-02")
    assert not order.is_late
    assert "cheaper" in order.because


def test_what_is_owned_is_ordered_before_demand_outgrows_the_rest() -> None:
    """Without on demand; 16 GPUs there carry today's demand, and it grows by a quarter a month."""
    contracts = {"old": {"kind": "reserved", "gpus": 16, "term": "3y", "price": "$2/h"}}
    asked = {"months": 3, "growth": "25%/month", "options": [OWNED], "lead_time": {"owned": "20d"}}
    found = planned(asked, contracts=contracts)
    first = found.orders[0]
    assert (first.gpus, first.holds_from) == (8, "2027-01-01")
    assert first.needed_by < "2027-01-01"  # demand grows within the month
    assert first.order_by < first.needed_by
    assert first.is_late == (first.order_by < "2026-12-01")
    assert {each.gpus for each in found.layers if each.layer == "existing"} == {16}
    assert found.feasible


def test_is_short_until_the_first_delivery_and_says_so() -> None:
    found = planned({"months": 4, "options": [OWNED], "lead_time": {"owned": "45d"}})
    assert [month.probability_short for month in found.months] == [1, 1, 0, 0]
    assert not found.feasible
    assert [each.meets for each in found.verified] == [None, None, True, True]  # one replica at least is simulated


def test_no_more_is_bought_than_the_risk_asks_for() -> None:
    chances = {"base": (0.7, "0%"), "more": (0.26, "20%"), "rare": (0.04, "100%")}
    scenarios = {name: {"probability": p, "growth": growth} for name, (p, growth) in chances.items()}
    options = [{"kind": "reserved", "term": "1y", "price": "$2/h"}]
    asked = {"months": 3, "demand": {"scenarios": scenarios}, "options": options, "lead_time": {"reserved": "0s"}}
    found = planned(asked)
    assert [month.probability_short for month in found.months] == [0, 0.04, 0.04]
    assert layers(found, "2027-02") == {
        "reserved": 24 + 8
    }  # 4 * 1.44 = 6 replicas; the next node was needed in the tail
    careful = planned({**asked, "risk": {"short_at_most": "1%"}})
    assert layers(careful, "2027-02")["reserved"] >= 64
    assert careful.usd_expected > found.usd_expected


def test_each_region_has_its_share_its_prices_and_its_quota() -> None:
    eu = {"share": "40%", "prices": {"h100-sxm": {"on_demand": 4.0}}, "quotas": {"h100-sxm": 8}}
    found = planned({"months": 1, "regions": {"us": {"share": "60%"}, "eu": eu}})
    told = {(each.region, each.layer): (each.gpus, each.usd) for each in found.layers}
    assert told["us", "on_demand"] == pytest.approx((12, 744 * 12 * 3.0))
    assert told["eu", "on_demand"] == pytest.approx((8, 744 * 8 * 4.0))
    assert found.waterfalls[1].site == "chat@eu"


def test_a_quota_sends_the_rest_to_another_gpu() -> None:
    pools = {"chat": {"gpu": ["h100-sxm", "a100-80gb"]}}
    cheap = {"price": {"on_demand": 1.0}}
    found = planned({"months": 1, "quotas": {"h100-sxm": 8}}, pool=cheap, plan={"pools": pools})
    assert {each.gpu: each.gpus for each in found.layers} == pytest.approx({"h100-sxm": 8, "a100-80gb": 8})
    assert found.verified[0].replicas == {"h100-sxm": 2, "a100-80gb": 2}
    assert found.feasible


def test_spares_are_bought_and_not_counted_on() -> None:
    found = planned({"months": 1}, plan={"survive": {"replicas": 2}})
    assert found.months[0].replicas == {"chat": {"p50": 6, "p90": 6}}
    assert found.verified[0].replicas == {"h100-sxm": 4}


def test_the_waterfall_sums_to_the_fleet() -> None:
    asked = {"months": 2, "demand": {"growth": {"p50": "5%", "p90": "60%"}}}
    update = [{"at": "1m", "max_unavailable": 1, "max_surge": 0}]
    found = planned(asked, plan={"survive": {"nodes": 1}}, pool={"rollouts": update})
    for waterfall in found.waterfalls:
        lines = {line.what: line.replicas for line in waterfall.lines}
        assert lines["failure"] == 2  # a node holds two replicas
        assert lines["rollout"] == 1
        assert sum(lines.values()) == waterfall.replicas
        assert all(line.why for line in waterfall.lines)
    last = {line.what: line.replicas for line in found.waterfalls[1].lines}
    assert last["forecast error over the lead time"] > 0
    assert last["load"] + last["SLO"] == math.ceil(4 * 1.05)


def test_what_proves_too_small_is_raised_and_verified_again() -> None:
    """A sizing that is wrong: half a replica for a load of one."""
    found = planned({"months": 1}, Linear(1.0))
    assert [each.failed for each in found.rounds[:1]] == [1]
    assert found.rounds[-1].failed == 0
    assert found.verified[0].replicas["h100-sxm"] >= 2
    assert found.verified[0].seed == 1 + len(found.rounds) * 1_000_000_007
    assert found.feasible


def test_finds_sizes_itself() -> None:
    found = plan_over_time(scenario({"months": 1}), runs=2)
    assert found.sizes["chat"]["h100-sxm"] == [(1.0, 2)]


def test_the_same_plan_whoever_makes_the_runs() -> None:
    class Backwards(Here):
        def as_ended(self, work: Any, tasks: Any) -> Any:
            for place in reversed(range(len(tasks))):
                yield tried(work, tasks[place], place)

    asked = scenario({"months": 2, "growth": "40%"})
    found = plan_over_time(asked, Linear(2.0), executor=Backwards(), runs=2)
    assert found == plan_over_time(asked, Linear(2.0), runs=2)


def test_hours_follow_the_rate_of_the_workload() -> None:
    curve = {"kind": "curve", "points": [["0s", "0.5/s"], ["3h", "1/s"]], "interpolate": "step"}
    work = {"arrivals": curve, "service": {"kind": "exponential", "mean": "1s"}}
    found = planned({"months": 1, "hours": "demand"}, Linear(8), workload=work, horizon="4h")
    (layer,) = found.layers
    assert (layer.peak_gpus, layer.gpus) == (32, pytest.approx(0.75 * 16 + 0.25 * 32))


def test_a_savings_plan_is_a_pledge() -> None:
    options = [{"kind": "on_demand"}, {"kind": "savings_plan", "discount": "30%"}]
    found = planned({"months": 2, "options": options})
    (pledge,) = found.pledges
    assert pledge.usd_per_h == pytest.approx(16 * 3.0 * 0.7)
    assert found.usd_expected == pytest.approx(pledge.usd_per_h * 2 * 744)


def test_levels_and_needs_are_monotone() -> None:
    assert levels([1.0, 1.0]) == [1.0]
    found = levels([1.0, 2.0])
    assert (found[0], found[-1], len(found)) == (1.0, 2.0, 5)
    need = Need({1.0: 10, 1.5: 9, 2.0: 20})  # a search that was lucky at 1.5
    assert [need.at(factor) for factor in (0.5, 1.0, 1.5, 1.6, 2.0, 3.0)] == [10, 10, 10, 12, 20, 30]
    need.raised(1.0, 12)
    assert need.at(1.5) == 12


@pytest.mark.parametrize(
    ("over_time", "more", "told"),
    [
        ({"months": 1, "options": [{"kind": "spot"}]}, {}, "needs a 'price'"),
        ({"months": 1, "options": [{"kind": "reserved", "term": "2y"}]}, {}, "needs a 'price' or a 'discount'"),
        ({"months": 1, "options": [OWNED], "risk": {"short_at_most": "60%"}}, {}, "between 0 and 0.5"),
        ({"months": 1, "demand": {"growth": "5 a month"}}, {}, "5%/month"),
        ({"months": 0}, {}, "between 1 and 60"),
    ],
)
def test_mistakes_are_told_with_their_place(over_time: dict[str, Any], more: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        planned(over_time, **more)
    assert "plan.over_time" in str(error.value)


def test_a_pool_that_no_fleet_serves_has_no_plan() -> None:
    class Never(Linear):
        def replicas(self, pool: str, make: Make, factor: float) -> int | None:
            return None

    with pytest.raises(NoPlanError, match="no number of replicas"):
        plan_over_time(scenario({"months": 1}), Never())


def test_candidates_are_those_that_the_model_fits_in() -> None:
    work = {
        "arrivals": {"rate": "1/s"},
        "prompt_tokens": {"mean": 100, "cv": 1},
        "output_tokens": {"mean": 50, "cv": 1},
    }
    for law in ("arrivals", "prompt_tokens", "output_tokens"):
        work[law]["kind"] = "poisson" if law == "arrivals" else "lognormal"  # type: ignore[index]
    big = {"model": "llama-3-70b", "replica": {"kind": "batching"}, "queue": {"kind": "per_replica"}}
    slo = [{"metric": "ttft", "under": "1s", "share": "90%"}]
    pools = {"chat": {"gpu": ["l4", "h100-sxm"], "gpus_per_replica": [1, 4]}}
    found = candidates(scenario({"months": 1}, pool=big, workload=work, slo=slo, plan={"pools": pools}))
    assert [(make.name, make.gpus_per_replica) for make in found["chat"]] == [("h100-sxm", 4)]


def test_a_history_is_forecast(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    begin = datetime(2026, 8, 31, tzinfo=UTC)
    rows = [f"{(begin + timedelta(hours=hour)).isoformat()},{2 * 1.02 ** (hour / 168):.6f}" for hour in range(12 * 168)]
    file = tmp_path / "history.csv"
    file.write_text("\n".join(["time,rate_per_s", *rows]) + "\n", encoding="utf-8")
    found = planned({"months": 3, "demand": {"history": {"file": str(file)}}})
    growth = [month.demand_factor["p50"] for month in found.months]
    assert growth == sorted(growth)
    assert growth[0] > 1.0
    assert found.demand["notes"]


def test_layers_are_told_in_months() -> None:
    assert all(isinstance(each, Layer) for each in planned({"months": 1}).layers)


def test_the_planners_spares_are_those_of_the_vectors() -> None:
    if not REFERENCE.is_file():
        pytest.skip("needs ../shared/reference/queue_vectors.json")
    cases = json.loads(REFERENCE.read_text(encoding="utf-8"))["planning_vectors"]
    pool = scenario({"months": 1}).pools["chat"]
    for case in cases:
        if case["id"] == "n_plus_k":
            survive = Survive(availability=case["target"], unit_availability=case["unit_availability"])
            assert survivors(survive, make_of(pool), pool)(case["need"]) == case["k"]
        if case["id"] == "zone_redundancy":
            survive = Survive(zones=case["survive"], of=case["zones"])
            assert survivors(survive, make_of(pool), pool)(case["load_units"]) == case["total"] - case["load_units"]


def test_a_plan_for_a_fixed_fleet_takes_no_notice_of_the_autoscaler() -> None:
    policy = {"kind": "clairvoyant", "min_replicas": 1, "max_replicas": 40}
    asked = {"pools": {"chat": {"fixed": True}}}
    found = planned({"months": 1}, pool={"autoscaler": policy}, plan=asked)
    assert layers(found, "2026-12") == {"on_demand": 16}


def scaled_pool(**policy: Any) -> dict[str, Any]:
    metric = {"metric": "num_requests_running", "target": 0.5}
    return {"autoscaler": {"kind": "hpa", "min_replicas": 2, "max_replicas": 6, "metrics": [metric], **policy}}


def test_an_autoscaled_pool_is_as_large_as_its_policy_makes_it() -> None:
    """The demand of the last month is half as large again: so is the limit of the policy."""
    slo = [{"metric": "queue_wait", "under": "10s", "share": "80%"}]
    found = plan_over_time(scenario({"months": 2, "growth": "50%/month"}, pool=scaled_pool(), slo=slo), runs=2)
    sizes = dict(found.sizes["chat"]["h100-sxm"])
    assert 3 <= sizes[1.0] <= 6 < sizes[1.5] <= 9
    assert found.feasible
    assert all(not each.by_policy and each.replicas["h100-sxm"] <= 10 for each in found.verified)
    assert any("keeps its autoscaler" in note for note in found.notes)


def test_what_the_policy_misses_at_any_size_is_told_and_not_answered_with_replicas() -> None:
    """Replicas take two minutes to come, and the rate jumps: more of them to be had do not mend that."""
    jumps = {"kind": "curve", "points": [["0s", "0.3/s"], ["3m", "6/s"], ["6m", "0.3/s"]], "interpolate": "step"}
    work = {"arrivals": jumps, "service": {"kind": "exponential", "mean": "1s"}}
    pool = scaled_pool(max_replicas=40) | {"boot": {"node": "100s"}}
    asked = scenario({"months": 1}, pool=pool, workload=work, horizon="9m")
    found = plan_over_time(asked, runs=1)
    ((_, size),) = found.sizes["chat"]["h100-sxm"]
    assert size <= 40
    assert len(found.rounds) == 1
    assert [(each.meets, each.by_policy) for each in found.verified] == [(False, True)]
    assert not found.feasible
    assert any("however many replicas" in note for note in found.notes)
