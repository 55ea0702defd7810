"""Invoices worked out by hand: every kind of contract, alone and together."""

from __future__ import annotations

from typing import Any

import pytest

from sim import load, simulate
from sim.pricing.contracts import Owned

YEAR_H = 8760.0
WATTS = {"idle": 200, "busy": 1200}


def run(contracts: dict[str, Any] | None = None, horizon: str = "10h", **changes: Any) -> dict[str, Any]:
    """The summary of 4 replicas of 2 GPUs at $3 an hour each: 8 GPUs, all busy from the first minute to the last."""
    pool = {
        "gpus_per_replica": 2,
        "replica": {"kind": "slots", "concurrency": 1},
        "autoscaler": {"kind": "fixed", "replicas": 4},
        "price": {"on_demand": "$3/h"},
        **changes.pop("pool", {}),
    }
    jobs = {"arrivals": {"kind": "renewal", "gap": {"kind": "constant", "value": 1}}}
    said = {
        "name": "invoice",
        "horizon": horizon,
        "workload": {**jobs, "service": {"kind": "constant", "value": "1h"}},
        "pools": {"a": pool},
        "contracts": contracts or {},
        **changes,
    }
    return simulate(load(said)).summary()


def lines(summary: dict[str, Any]) -> dict[tuple[str, str | None], tuple[float, float]]:
    """GPU-hours and USD by what and contract."""
    return {(line["what"], line["contract"]): (line["gpu_hours"], line["usd"]) for line in summary["invoice"]}


def approx(told: dict[Any, tuple[float, float]]) -> Any:
    return {key: pytest.approx(pair, abs=0.005) for key, pair in told.items()}


def test_all_on_demand() -> None:
    summary = run()
    assert lines(summary) == approx({("usage", None): (80, 240)})
    assert summary["cost"]["total_usd"] == pytest.approx(240)


def test_a_reservation_and_what_overflows() -> None:
    # 5 of 8 GPUs for $1.80: 50 h; the other 3 on demand: 30 h
    summary = run({"base": {"kind": "reserved", "gpus": 5, "discount": "40%"}})
    assert lines(summary) == approx({("usage", "base"): (50, 90), ("usage", None): (30, 90)})
    told = summary["commitments"]["contracts"]["base"]
    assert (told["used_share"], told["break_even_share"]) == (1, pytest.approx(0.6))
    assert told["saved_usd"] == pytest.approx(60)
    assert told["remaining_usd"] == pytest.approx(5 * 1.8 * (YEAR_H - 10))


def test_a_reservation_that_is_too_large() -> None:
    # 12 GPUs for $2, of which 8 are used: $160 and $80 for nothing; on demand all would have been the same $240
    summary = run({"base": {"kind": "reserved", "gpus": 12, "price": "$2/h"}})
    assert lines(summary) == approx({("usage", "base"): (80, 160), ("unused", "base"): (40, 80)})
    told = summary["commitments"]["contracts"]["base"]
    assert told["used_share"] == pytest.approx(told["break_even_share"])
    assert told["saved_usd"] == pytest.approx(0, abs=1e-6)
    assert summary["ledger"]["usd"]["unused"] == pytest.approx(80)


def test_a_capacity_block_covers_its_hours_only() -> None:
    # 6 GPUs from hour 2 to hour 5: 18 of the 80 hours
    block = {"kind": "capacity_block", "gpus": 6, "price": "$4.92/h", "from": "2h", "term": "3h"}
    summary = run({"block": block})
    assert lines(summary) == approx({("usage", "block"): (18, 88.56), ("usage", None): (62, 186)})
    assert summary["commitments"]["contracts"]["block"]["upfront_usd"] == pytest.approx(88.56)
    assert summary["commitments"]["contracts"]["block"]["remaining_usd"] == 0


def test_a_savings_plan() -> None:
    # $9 an hour at $3 less a quarter are 4 GPUs; the other 4 at $3
    summary = run({"plan": {"kind": "savings_plan", "commit": "$9/h", "discount": "25%"}})
    assert lines(summary) == approx({("usage", "plan"): (40, 90), ("usage", None): (40, 120)})
    # $27 an hour are more than 8 GPUs at $2.25 come to: $9 an hour for nothing
    summary = run({"plan": {"kind": "savings_plan", "commit": "$27/h", "discount": "25%"}})
    assert lines(summary) == approx({("usage", "plan"): (80, 180), ("unused", "plan"): (0, 90)})


def test_committed_spending() -> None:
    # a tenth off $240; $250 in 10 h are committed, $216 spent
    spend = {"kind": "committed_spend", "commit": "$219k", "term": "1y", "discount": "10%"}
    summary = run({"deal": spend})
    assert lines(summary) == approx(
        {("usage", None): (80, 240), ("discount", "deal"): (0, -24), ("shortfall", "deal"): (0, 34)}
    )
    summary = run({"deal": spend | {"commit": "$100k"}})
    assert lines(summary) == approx({("usage", None): (80, 240), ("discount", "deal"): (0, -24)})


def test_owned_hardware_with_its_energy() -> None:
    # 6 of 8 GPUs: 60 h of 1.2 kW and PUE 1.25 at 8 cents; the price by the formula of the class
    iron = {"kind": "owned", "gpus": 6, "capex": "$40k", "residual": "30%", "years": 4, "watts": WATTS}
    summary = run({"iron": iron})
    usd = 60 * (40_000 * 0.7 / 4 + 40_000 * 0.08) / YEAR_H
    energy_usd = 60 * 1.2 * 1.25 * 0.08
    told = {("usage", "iron"): (60, usd), ("energy", "iron"): (0, energy_usd), ("usage", None): (20, 60)}
    assert lines(summary) == approx(told)
    assert summary["energy"] == {
        "kwh": pytest.approx(90, rel=1e-3),
        "usd": pytest.approx(7.2, rel=1e-3),
        "co2_kg": None,
    }


def test_owned_hardware_without_work_draws_idle_power_and_what_is_off_less() -> None:
    iron = {"kind": "owned", "gpus": 10, "capex": "$40k", "watts": WATTS | {"off": 50}, "pue": 1, "co2_g_per_kwh": 400}
    idle = {"arrivals": {"kind": "renewal", "gap": {"kind": "constant", "value": "9h"}}}
    work = {**idle, "service": {"kind": "constant", "value": "1s"}}
    summary = run({"iron": iron}, workload=work)
    # 8 GPUs with replicas, 2 without; one job of a second
    assert summary["energy"]["kwh"] == pytest.approx(80 * 0.2 + 20 * 0.05, rel=1e-3)
    assert summary["energy"]["co2_kg"] == pytest.approx(summary["energy"]["kwh"] * 0.4)


def test_a_tariff_by_the_hour() -> None:
    tariff = [0.0] * 5 + [1.0] * 19
    iron = {"kind": "owned", "gpus": 8, "capex": "$40k", "watts": WATTS, "pue": 1, "tariff": tariff}
    assert run({"iron": iron})["energy"]["usd"] == pytest.approx(5 * 8 * 1.2, rel=1e-3)


def test_all_at_once_in_their_order() -> None:
    # 8 GPUs: 1 owned, 2 in the block for half the time, 3 reserved; then a plan for $2.70 an hour (1 GPU at $2.70);
    # a tenth off the rest, which is 3 GPUs before hour 5 and 1 after
    summary = run(
        {
            "deal": {"kind": "committed_spend", "commit": "$1", "discount": "10%"},
            "plan": {"kind": "savings_plan", "commit": "$2.70/h", "discount": "10%"},
            "base": {"kind": "reserved", "gpus": 3, "price": "$1.5/h"},
            "block": {"kind": "capacity_block", "gpus": 2, "price": "$2/h", "from": "5h", "term": "9h"},
            "iron": {"kind": "owned", "gpus": 1, "capex": "$17520", "years": 2, "cost_of_capital": 0, "watts": WATTS},
        }
    )
    told = {
        ("usage", "iron"): (10, 10),
        ("energy", "iron"): (0, 1.2),
        ("usage", "block"): (10, 20),
        ("usage", "base"): (30, 45),
        ("usage", "plan"): (10, 27),
        ("usage", None): (20, 60),
        ("discount", "deal"): (0, -6),
    }
    assert lines(summary) == approx(told)
    assert summary["cost"]["total_usd"] == pytest.approx(157.2, abs=0.005)


def test_a_moving_spot_price_and_egress() -> None:
    spot = {"kind": "by_hour", "usd": [1.0, 2.0] * 12}
    offer = {"name": "s", "market": "spot", "spot": {"hazard": 0}, "price": {"on_demand": 3, "spot": spot}}
    pool = {"supply": [offer], "egress": {"price": "$0.10/GB", "per_answer": "500MB"}}
    summary = run({"base": {"kind": "reserved", "gpus": 1, "price": "$1/h"}}, pool=pool, horizon="3h")
    # 8 GPUs for $1, $2 and $1; 4 replicas end an answer at each full hour, the last ones at the horizon are not billed
    assert lines(summary)["usage", None] == pytest.approx((24, 32))
    assert lines(summary)["unused", "base"] == pytest.approx((3, 3)), "contracts never cover spot"
    assert lines(summary)["egress", None] == pytest.approx((0, 8 * 0.05))


def test_two_pools_share_a_reservation_and_its_waste() -> None:
    def pool(replicas: int) -> dict[str, Any]:
        slots = {"kind": "slots", "concurrency": 1}
        return {"replica": slots, "autoscaler": {"kind": "fixed", "replicas": replicas}, "price": {"on_demand": 3}}

    said = {
        "name": "two",
        "horizon": "10h",
        "workload": {
            "pool": "a",
            "arrivals": {"kind": "poisson", "rate": "1/h"},
            "service": {"kind": "constant", "value": 1},
        },
        "pools": {"a": pool(6), "b": pool(2)},
    }
    summary = simulate(load(said | {"contracts": {"c": {"kind": "reserved", "gpus": 4, "price": 1}}})).summary()
    costs = {name: block["cost"]["total_usd"] for name, block in summary["pools"].items()}
    # 3 to 1 of the reserved GPUs, the rest on demand
    assert costs == pytest.approx({"a": 30 + 90, "b": 10 + 30})
    summary = simulate(load(said | {"contracts": {"c": {"kind": "reserved", "gpus": 12, "price": 1}}})).summary()
    costs = {name: block["cost"]["total_usd"] for name, block in summary["pools"].items()}
    assert costs == pytest.approx({"a": 60 + 30, "b": 20 + 10})


def test_the_published_cost_of_an_owned_h100() -> None:
    """About $1.30 a GPU-hour, energy included (SemiAnalysis' model for hyperscalers, 2026)."""
    iron = {"kind": "owned", "gpus": 8, "capex": "$40k", "residual": "30%", "years": 4, "cost_of_capital": "8%"}
    power = {"watts": {"idle": 1300, "busy": 1300}, "pue": 1.25, "tariff": "$0.08/kWh"}
    summary = run({"iron": iron | power})
    assert summary["cost"]["total_usd"] / summary["replicas"]["gpu_hours"] == pytest.approx(1.30, rel=0.03)
    price = Owned.model_validate(iron | power).usd_per_gpu_h()
    assert price == pytest.approx(0.799 + 0.365, abs=0.001)


@pytest.mark.parametrize(("spot", "gpu_hours"), [(1, 40), (3, 0), (4, 0)])
def test_the_ladder_has_spot_only_where_it_is_cheaper(spot: float, gpu_hours: float) -> None:
    price = {"on_demand": 3, "spot": spot, "reserved_1y": 2.9}
    layers = run(pool={"price": price, "interruptible": "50%"})["commitments"]["ladder"]["a"]["layers"]
    assert layers[0]["spot_gpu_hours"] == pytest.approx(gpu_hours)


def test_each_replication_sees_its_own_spot_price_and_all_pools_of_one_the_same() -> None:
    moves = {"kind": "mean_reverting", "mean": "$1/h", "cv": 0.5}
    offer = {"name": "s", "market": "spot", "spot": {"hazard": 0}, "price": {"on_demand": 3, "spot": moves}}
    sheet = {"name": "own", "memory": "1GiB"}
    pool = {
        "gpu": sheet,
        "replica": {"kind": "slots"},
        "autoscaler": {"kind": "fixed", "replicas": 1},
        "supply": [offer],
    }
    work = {"pool": "a", "arrivals": {"kind": "poisson", "rate": "1/h"}, "service": {"kind": "constant", "value": 1}}

    def costs(replication: int, beside: dict[str, Any]) -> dict[str, float]:
        said = load({"name": "spot", "horizon": "5h", "workload": work, "pools": {"a": pool, "b": beside}})
        pools = simulate(said, replication).summary()["pools"]
        return {name: block["cost"]["total_usd"] for name, block in pools.items()}

    first, again, other = (costs(replication, pool) for replication in (0, 0, 1))
    assert first == again
    assert first["a"] == first["b"] != other["a"] == other["b"]
    # it moves by the hour beside a price that does not move, too
    steady = pool | {"supply": [], "price": {"on_demand": 3}}
    assert costs(0, steady) == pytest.approx({"a": first["a"], "b": 15})


def test_a_pool_without_a_price_has_a_bill_if_contracts_cover_all_of_it() -> None:
    iron = {"kind": "owned", "gpus": 8, "capex": "$17520", "years": 2, "cost_of_capital": 0, "watts": WATTS, "pue": 1}
    summary = run({"iron": iron}, pool={"price": None})
    assert summary["cost"]["total_usd"] == pytest.approx(80 + 80 * 1.2 * 0.08, rel=1e-3)
    assert run({"iron": iron | {"gpus": 7}}, pool={"price": None})["cost"]["total_usd"] is None
