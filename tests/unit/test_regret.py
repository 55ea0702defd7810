"""Regret against the policy that knows the future: by hand on a metronome, and never far below zero on a smooth day."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sim.config.errors import ConfigError
from sim.engine import simulate
from sim.report.tables.run import regret_table
from sim.result.verdict import regret_sentence
from sim.scenario import load
from sim.study.regret import UTILIZATIONS, Regret, clairvoyant, floor, regret, well_enough
from tests.elastic import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOT = {"kind": "slots", "concurrency": 1}
TOO_MANY = {
    "kind": "scheduled",
    "replicas": 4,
    "rows": [{"days": "sun", "from": "03:00", "to": "04:00", "replicas": 1}],
    "start_at": "mon 09:00",
}
"""Four replicas all along, of one to four."""


def pool(**changes: Any) -> dict[str, Any]:
    """Slots that are there at once, for 2 USD an hour each."""
    queue = {"kind": "central"}
    base = {"replica": SLOT, "queue": queue, "boot": 0, "autoscaler": TOO_MANY, "price": {"on_demand": 2}}
    return base | changes


def stream(gap_s: float = 0.5, service_s: float = 1.0) -> dict[str, Any]:
    gap = {"kind": "constant", "value": gap_s}
    return {"arrivals": {"kind": "renewal", "gap": gap}, "service": {"kind": "constant", "value": service_s}}


def scenario(pools: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Two requests a second for an hour to each pool: the work of two slots."""
    streams = {name: stream() for name in pools}
    return {"name": "metronome", "horizon": "1h", "workload": {"streams": streams}, "pools": pools, **changes}


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_four_replicas_where_two_are_enough_are_regretted_by_half() -> None:
    found = regret(load(scenario({"only": pool()})))
    one = found.pools["only"]
    assert (one.matched, one.leanest, one.lead_s) == (True, True, 0.0)
    assert one.utilization_share == 1.5, "even so the work of two replicas is not done by one"
    assert one.policy_usd == pytest.approx(4 * 2)
    assert one.clairvoyant_usd == pytest.approx(2 * 2)
    assert one.regret_usd == pytest.approx(4)
    assert one.regret_share == pytest.approx(1.0)
    assert one.floor_usd == pytest.approx(2 * 2, rel=1e-3), "7199 seconds of service, full replicas"
    assert [one.policy_gpu_hours, one.clairvoyant_gpu_hours] == pytest.approx([4, 2])
    assert found.total == one
    assert found.runs == 5


def test_the_clairvoyant_has_the_bounds_and_the_first_size_of_the_policy_and_looks_as_far_as_the_boot() -> None:
    boot = {"node": {"kind": "lognormal", "mean": "100s", "cv": 0.5}, "weights": "60s"}
    queue_length = {"kind": "queue_length", "target": 5, "min_replicas": 2, "max_replicas": 7, "start_replicas": 3}
    wanted = load(scenario({"only": pool(boot=boot, autoscaler=queue_length)}))
    made = clairvoyant(wanted.pools["only"], 0.5)
    assert (made.min_replicas, made.max_replicas, made.start_replicas) == (2, 7, 3)
    assert made.utilization == 0.5
    assert made.lead_s == pytest.approx(160 * 1.5)


def test_a_boot_of_a_day_is_looked_ahead_too() -> None:
    wanted = load(scenario({"only": pool(boot="24h")}))
    assert len(clairvoyant(wanted.pools["only"], 1.0).queries) <= 240


def test_it_keeps_what_was_promised_and_no_more() -> None:
    # 2 slots are busy with 2 requests a second: 1.9 of work wants two, whatever room is planned
    slo = [{"metric": "queue_wait", "under": "500ms", "share": "90%"}]
    found = regret(load(scenario({"only": pool()}, slo=slo)))
    assert found.pools["only"].clairvoyant_usd == pytest.approx(4)
    assert [target["met"] for target in found.pools["only"].slo] == [True]


def block(attained: float, share: float = 0.9, completed: int = 10, p99: float | None = 1.0) -> dict[str, Any]:
    latency = {metric: {"p99": p99} for metric in ("queue_wait_s", "ttft_s", "tpot_s")}
    slo = [{"attained": attained, "share": share}] if share else []
    return {"slo": slo, "requests": {"completed": completed}, "latency": latency}


def test_well_enough_is_the_target_or_what_the_policy_attained() -> None:
    slots = load(scenario({"only": pool()})).pools["only"]
    assert well_enough(block(0.91), block(0.99), slots), "both keep the promise"
    assert not well_enough(block(0.89), block(0.99), slots)
    assert well_enough(block(0.6), block(0.6), slots), "it was broken, and is broken no more"
    assert not well_enough(block(0.59), block(0.6), slots)
    assert well_enough(block(0, 0, p99=1.0), block(0, 0, p99=1.0), slots), "no promise: the tail"
    assert not well_enough(block(0, 0, p99=1.1), block(0, 0, p99=1.0), slots)
    assert not well_enough(block(0, 0, completed=9), block(0, 0), slots)
    assert well_enough(block(0, 0, completed=0, p99=None), block(0, 0, completed=0, p99=None), slots)


def test_who_cannot_be_matched_is_told_so() -> None:
    # a schedule orders 25 minutes ahead of the rush, the clairvoyant 15: the boot takes 10 on average, up to 20
    rush = {"kind": "spike", "rate": 0.05, "at": "30m", "factor": 60, "duration": "30m"}
    early = {**TOO_MANY, "replicas": 1, "rows": [{"from": "09:05", "to": "12:00", "replicas": 4}]}
    slow = pool(autoscaler=early, boot={"kind": "uniform", "low": "0s", "high": "20m"})
    day = {"arrivals": rush, "service": {"kind": "constant", "value": "1s"}}
    promise = [{"metric": "queue_wait", "under": "5s", "share": "99%"}]
    one = regret(load(scenario({"only": slow}, workload=day, slo=promise, seed=1))).pools["only"]
    assert not one.matched
    assert one.utilization_share == UTILIZATIONS[-1], "not with all the room that there is"
    assert [target["met"] for target in one.slo] == [False]


def test_pools_are_searched_apart_in_the_same_runs_and_fixed_ones_are_left_out() -> None:
    wanted = load(scenario({"a": pool(), "b": pool(price={"on_demand": 3}), "c": pool(autoscaler={"replicas": 3})}))
    found = regret(wanted)
    assert list(found.pools) == ["a", "b"]
    assert found.runs == 5
    assert found.pools["b"].regret_usd == pytest.approx(6)
    assert found.total.regret_usd == pytest.approx(4 + 6)
    assert found.total.policy_usd == pytest.approx(4 * 2 + 4 * 3)
    alone = regret(load(scenario({"a": pool()}))).pools["a"]
    assert found.pools["a"] == alone, "others change nothing"


def test_without_a_price_it_is_told_in_gpu_hours() -> None:
    unpriced = pool()
    del unpriced["price"]
    found = regret(load(scenario({"a": unpriced})))
    assert found.total.regret_usd is None
    assert found.total.floor_usd is None
    assert found.total.regret_share == pytest.approx(1.0)
    both = regret(load(scenario({"a": unpriced, "b": pool()})))
    assert both.total.policy_usd is None, "a sum that leaves something out would be taken for the whole"
    assert both.total.regret_share == pytest.approx(1.0)
    assert both.pools["b"].regret_usd == pytest.approx(4)


def test_the_floor_takes_the_offer_that_is_cheapest_for_the_work() -> None:
    spot = {"name": "spot", "market": "spot", "spot": {"hazard": 0}, "price": {"on_demand": 2, "spot": 1}, "most": 1}
    supply = [spot, {"name": "rest"}]
    result = simulate(load(scenario({"only": pool(supply=supply)})))
    usd, gpu_hours = floor(result, "only")
    assert usd == pytest.approx(1 * gpu_hours)
    assert gpu_hours == pytest.approx(2, rel=1e-3)


def test_pools_that_hand_over_are_judged_together() -> None:
    latency = {"base_s": 0.02, "prefill_s_per_token": 5e-5, "decode_s_per_seq": 2e-4, "attention_s_per_token": 1e-8}
    scaled = {"kind": "queue_length", "target": 1, "max_replicas": 4, "start_replicas": 4}
    model = {"model": "llama-3-8b", "gpu": "h100-sxm", "latency": latency, "kv_capacity_tokens": 50_000}
    model |= {"autoscaler": scaled, "price": {"on_demand": 2}}
    prefill = {**model, "kv_transfer": {"to": "decode", "bandwidth": "200GB/s"}}
    found = regret(
        load(
            {
                "name": "apart",
                "horizon": "10m",
                "workload": {
                    "arrivals": {"kind": "poisson", "rate": 4},
                    "prompt_tokens": {"kind": "constant", "value": 1000},
                    "output_tokens": {"kind": "constant", "value": 100},
                },
                "pools": {"prefill": prefill, "decode": model},
                "slo": [{"metric": "tpot", "under": "50ms", "share": "95%"}],
            }
        )
    )
    assert found.pools["prefill"].utilization_share == found.pools["decode"].utilization_share
    for one in found.pools.values():
        assert one.floor_usd is not None
        assert one.clairvoyant_usd is not None
        assert 0 < one.floor_usd < one.clairvoyant_usd, "each has its own work"


def test_a_fleet_without_an_autoscaler_has_nothing_to_regret() -> None:
    with pytest.raises(ConfigError, match="all are fixed"):
        regret(load(scenario({"only": pool(autoscaler={"replicas": 3})})))


# -- what users get ---------------------------------------------------------------------------------------------------


def test_the_same_twice_from_a_scenario_or_its_result_and_every_run_is_watched() -> None:
    wanted = load(scenario({"only": pool()}))
    steps: list[str] = []

    @contextmanager
    def watch(step: str) -> Iterator[None]:
        steps.append(step)
        yield None

    assert regret(wanted, watch=watch) == regret(simulate(wanted))
    assert steps == ["the policy itself", *(f"clairvoyant run {number}" for number in (1, 2, 3, 4, 5))]


def test_summary_sentence_and_table_tell_it() -> None:
    result = simulate(load(scenario({"a": pool(), "b": pool()})))
    plain = result.summary()
    assert "regret" not in plain
    assert regret_sentence(plain) == ""
    assert regret_table(plain).rows == ()
    found = regret(result)
    summary = found.added_to(result).summary()
    assert summary["regret"]["regret_usd"] == pytest.approx(8)
    assert summary["regret"]["runs"] == found.runs
    assert summary["pools"]["a"]["regret"]["regret_usd"] == pytest.approx(4)
    assert regret_sentence(summary) == (
        "An autoscaler that knows the future keeps this service for $8.00; this one costs $16.00, 100% more. "
        "Replicas that are full all the time would cost $8.00."
    )
    table = regret_table(summary)
    assert table.heading == ("for the measured time", "all", "pool a", "pool b")
    assert table.rows[2] == ("regret", "$8.00 (100%)", "$4.00 (100%)", "$4.00 (100%)")


def told(policy_usd: float | None, best_usd: float | None, **changes: Any) -> dict[str, Any]:
    usd = {"policy_usd": policy_usd, "clairvoyant_usd": best_usd, "floor_usd": None if policy_usd is None else 1.0}
    hours = {"policy_gpu_hours": 6.0, "clairvoyant_gpu_hours": 8.0, "floor_gpu_hours": 3.0}
    share = {"regret_share": -0.25, "regret_usd": None if policy_usd is None else -2.0}
    one = {**usd, **hours, **share, "matched": True, "leanest": False, **changes}
    return {"regret": one, "pools": {"only": {"regret": one}}}


def test_less_than_the_clairvoyant_no_price_and_no_match_are_told_as_such() -> None:
    assert "this one costs $6.00, 25.0% less." in regret_sentence(told(6.0, 8.0))
    assert regret_table(told(6.0, 8.0)).rows[2] == ("regret", "-$2.00 (-25.0%)")
    without = told(None, None)
    assert "keeps this service for 8 GPU-hours; this one costs 6 GPU-hours" in regret_sentence(without)
    assert regret_table(without).rows[2] == ("regret", "-2 (-25.0%)")
    assert "25.0% less by serving worse." in regret_sentence(told(6.0, 8.0, leanest=True))
    assert "does not keep this service" in regret_sentence(told(6.0, 8.0, matched=False))


# -- a smooth day -----------------------------------------------------------------------------------------------------


def smooth(autoscaler: dict[str, Any], replica: dict[str, Any] | None = None) -> dict[str, Any]:
    arrivals = {"kind": "diurnal", "rate": 0.5, "peak": 1.8, "trough": 0.3, "period": "2h"}
    day = {"arrivals": arrivals, "service": {"kind": "lognormal", "mean": 2, "cv": 0.5}}
    one = pool(autoscaler=autoscaler, boot="60s", replica=replica or SLOT)
    return {"name": "smooth", "seed": 3, "horizon": "2h", "workload": day, "pools": {"only": one}}


def share(found: Regret) -> float:
    assert found.total.regret_share is not None
    return found.total.regret_share


@pytest.mark.parametrize("utilization", [UTILIZATIONS[8], UTILIZATIONS[18]])
def test_the_clairvoyant_regrets_next_to_nothing(utilization: float) -> None:
    lead = {"lead": "90s", "utilization": utilization}
    found = regret(load(smooth({"kind": "clairvoyant", "min_replicas": 1, "max_replicas": 12, **lead})))
    assert found.total.utilization_share == utilization
    assert share(found) == 0.0


SLOT_METRICS = {"hpa", "keda", "knative", "ray_serve", "aws_target_tracking", "queue_length"}
"""Kinds whose metrics move with the load of slots."""


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        pytest.param(kind, keys, id=f"{kind} {place}")
        for place, (kind, keys) in enumerate(POLICIES)
        if kind in SLOT_METRICS
    ],
)
def test_nobody_is_much_cheaper_than_one_that_knows_the_future(kind: str, keys: dict[str, Any]) -> None:
    found = regret(load(smooth({"kind": kind, **keys})))
    one = found.total
    assert one.policy_usd is not None
    assert one.clairvoyant_usd is not None
    assert one.floor_usd is not None
    assert one.matched
    assert one.floor_usd < one.clairvoyant_usd
    if one.policy_usd < 1.1 * one.floor_usd:
        # its queue runs away: a fleet without any room costs more and serves better
        assert one.leanest
    else:
        assert share(found) >= -0.1, "beyond whole replicas and steps of 6 %"
