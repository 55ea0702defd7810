"""Cost by GPU time of prompts and answers, revenue and margins, and where they break even: worked by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import TypeAdapter

from sim import load, simulate
from sim.model.work import WorkLaw
from sim.pricing.contracts import Owned
from sim.pricing.revenue import AnyRevenue, Use
from sim.pricing.spans import MONTH_S
from sim.report import render
from sim.report.tables.economics import break_even_table, economics_sentence, economics_table, showback_tables
from sim.report.tables.run import fleet_table, tables
from sim.result import Result
from sim.result.money.earned import Earned
from sim.result.money.economics import economics_block
from sim.result.money.payback import payback_block
from tests.laws import chat
from tests.made_logs import calls, log, requests, scenario

LAW = WorkLaw(0, s_per_iteration=0.1, s_per_new_token=0.01, max_batched_tokens=1000)
TABLE = requests(
    # 1.1 s of prefill, 1.0 s of decoding
    {"prompt_tokens": 100, "output_tokens": 11, "start_s": 0.0, "first_token_s": 2.0, "finish_s": 4.0},
    # 100 tokens are cached: 1.1 s and 2.0 s
    {
        "stream": 1, "arrival_s": 1.0, "prompt_tokens": 200, "cached_tokens": 100, "output_tokens": 21,
        "start_s": 1.0, "first_token_s": 3.0, "finish_s": 9.0,
    },
    {"stream": 1, "arrival_s": 2.0, "outcome": "rejected"},
)  # fmt: skip
PARTIES: dict[str, Any] = {
    "streams": ("chat", "bulk"),
    "classes": ("paid", "free"),
    "tenants": ("acme",),
    "stream_class": (0, 1),
    "stream_tenant": (0, -1),
}
PREFILL, DECODE = 2.2 / 5.2, 3.0 / 5.2


def revenue(**said: Any) -> Any:
    return TypeAdapter(AnyRevenue).validate_python(said)


def result(*entries: Any, usd: float | None = 3600.0, table: Any = TABLE, **changes: Any) -> Result:
    """Ten seconds of one GPU at $1 a second."""
    made = log(table.copy(), [0.0, 10.0], [(0, 0, 0.0, math.inf)], **({"work": (LAW,)} | PARTIES | changes))
    return Result(scenario({"main": {"usd_per_replica_hour": usd}}, revenue=entries), made)


PLAN = revenue(**{"kind": "subscription", "class": "paid", "users": 1_296_000, "price": "$4/month"})
"""Ten seconds of a month are a 259,200th of it: $20."""


def test_prompts_and_answers_share_the_cost_by_gpu_time() -> None:
    cost = result().summary()["cost"]
    assert cost["prompt_usd"] == pytest.approx(10 * PREFILL)
    assert cost["output_usd"] == pytest.approx(10 * DECODE)
    assert cost["prompt_usd_per_million_tokens"] == pytest.approx(10 * PREFILL / 300 * 1e6)
    assert cost["output_usd_per_million_tokens"] == pytest.approx(10 * DECODE / 32 * 1e6)
    assert cost["usd_per_million_output_tokens"] == pytest.approx(10 / 32 * 1e6), "all of it, as ever"
    # 5.2 of the ten seconds were useful
    assert cost["marginal_usd_per_million_output_tokens"] == pytest.approx(5.2 / 32 * 1e6)


def test_tokens_computed_in_vain_are_paid_for_in_their_phase() -> None:
    table = TABLE.copy()
    table["outcome"][1], table["done_tokens"][1], table["finish_s"][1] = 4, 6, math.nan
    links = calls(table, {}, {"left_s": 9.0, "prefilled": 100}, {})
    found = result(table=table, calls=links).summary()
    # of the lost one: 100 tokens prefilled, five iterations after the first token
    assert found["cost"]["prompt_usd"] == pytest.approx(10 * 2.2 / (2.2 + 1.5))
    assert found["classes"]["free"]["cost"]["output_usd"] == pytest.approx(10 * 0.5 / 3.7)
    assert found["classes"]["free"]["cost"]["output_usd_per_million_tokens"] is None, "no answer came of it"


def test_a_prefill_pool_is_paid_by_prompts_and_a_decoding_one_by_answers() -> None:
    table = TABLE.copy()
    table["handed"][:2] = 3
    work = (WorkLaw(0, hands_over=True, s_per_iteration=1.0), WorkLaw(1, senders=(0,), s_per_iteration=1.0))
    spans = [(0, 0, 0.0, math.inf), (1, 0, 0.0, math.inf)]
    pools = {"prefill": {"usd_per_replica_hour": 3600.0}, "decode": {"usd_per_replica_hour": 7200.0}}
    made = log(table, [0.0, 10.0], spans, work=work, pools=tuple(pools), **PARTIES)
    found = Result(scenario(pools), made).summary()
    assert (found["cost"]["prompt_usd"], found["cost"]["output_usd"]) == (pytest.approx(10), pytest.approx(20))
    assert found["pools"]["prefill"]["cost"]["prompt_usd"] == pytest.approx(10)
    assert found["pools"]["decode"]["cost"]["output_usd"] == pytest.approx(20)
    # of the decoding, 10 iterations and 20
    assert found["classes"]["free"]["cost"]["output_usd"] == pytest.approx(20 * 2 / 3)


def test_without_revenue_there_is_no_economics() -> None:
    found = result().summary()
    assert "economics" not in found
    assert "revenue_usd" not in found["classes"]["paid"]
    assert economics_sentence(found) == ""
    assert not economics_table(found).rows
    assert not break_even_table(found).rows


def test_a_margin_and_where_it_is_gone() -> None:
    told = result(PLAN).summary()["economics"]
    assert (told["revenue_usd"], told["cost_usd"]) == (pytest.approx(20), pytest.approx(10))
    assert (told["gross_margin_usd"], told["gross_margin_share"]) == (pytest.approx(10), pytest.approx(0.5))
    assert told["revenue_usd_per_month"] == pytest.approx(4 * 1_296_000)
    assert told["usd_per_user_month"] == {
        "revenue": pytest.approx(4), "cost": pytest.approx(2), "variable_cost": 0.0,
    }  # fmt: skip
    assert told["break_even_users"] == pytest.approx(648_000)
    assert told["revenue"][0]["break_even_prices"] == {"usd_per_user_month": pytest.approx(2)}
    assert told["break_even_price_share"] == pytest.approx(0.5)
    # full means 32 tokens in 5.2 s; each brings 20 / 32 USD
    assert told["tokens_per_gpu_s_at_full"] == pytest.approx(32 / 5.2)
    assert told["utilization_share"] == pytest.approx(0.52)
    assert told["break_even_utilization_share"] == pytest.approx(0.26)
    assert told["revenue"][0]["measured_requests_per_user_per_day"] == pytest.approx(8640 / 1_296_000)


def test_the_margin_of_each_class_and_tenant() -> None:
    token = revenue(kind="per_token", prompt="$1000/Mtok", output="$10000/Mtok", cached=0, **{"class": "free"})
    found = result(PLAN, token).summary()
    paid, free = found["classes"]["paid"], found["classes"]["free"]
    assert (paid["revenue_usd"], free["revenue_usd"]) == (pytest.approx(20), pytest.approx(0.1 + 0.21))
    assert paid["cost"]["total_usd"] == pytest.approx(10 * 2.1 / 5.2)
    assert paid["gross_margin_usd"] == pytest.approx(20 - 10 * 2.1 / 5.2)
    assert free["gross_margin_share"] == pytest.approx((0.31 - 10 * 3.1 / 5.2) / 0.31)
    assert found["tenants"]["(none)"]["revenue_usd"] == pytest.approx(0.31)
    prices = found["economics"]["revenue"][1]["break_even_prices"]
    assert set(prices.values()) == {0.0}, "the subscriptions pay for all"
    assert found["economics"]["revenue"][1]["class"] == "free"


def test_a_price_that_others_do_not_make_up_for() -> None:
    token = revenue(kind="per_token", prompt=1000, output=10_000)
    answer = result(token).summary()["economics"]
    earned = 0.3 + 0.32
    assert answer["revenue"][0]["break_even_prices"] == {
        "prompt_usd_per_million_tokens": pytest.approx(1000 * 10 / earned),
        "output_usd_per_million_tokens": pytest.approx(10_000 * 10 / earned),
    }
    assert answer["users"] is None
    assert answer["break_even_users"] is None
    assert answer["break_even_utilization_share"] == pytest.approx(0.52 * 10 / earned), "more than there is"
    assert result(revenue(kind="per_request", price=4)).summary()["economics"]["revenue"][0]["break_even_prices"] == {
        "usd_per_request": pytest.approx(5)
    }


def test_nothing_earned_and_nothing_known() -> None:
    told = result(revenue(kind="free")).summary()["economics"]
    assert (told["revenue_usd"], told["gross_margin_usd"]) == (0.0, pytest.approx(-10))
    assert told["gross_margin_share"] is None
    assert told["break_even_utilization_share"] is None
    unpriced = result(PLAN, usd=None).summary()
    assert unpriced["economics"]["gross_margin_usd"] is None
    assert unpriced["economics"]["break_even_users"] is None
    assert unpriced["economics"]["revenue"][0]["break_even_prices"] == {"usd_per_user_month": None}
    assert unpriced["classes"]["paid"]["gross_margin_usd"] is None
    assert not showback_tables(unpriced)[0].rows
    assert economics_sentence(unpriced) == ""
    nobody = result(PLAN, table=TABLE[2:]).summary()
    assert nobody["classes"]["paid"]["revenue_usd"] == pytest.approx(20), "who has paid need not come"
    assert nobody["classes"]["paid"]["gross_margin_usd"] is None


def test_costs_that_grow_with_use_are_not_the_fleets() -> None:
    # 1000 users at $20; $50,000 are fixed, $7.50 a user are egress: 4000 users break even
    plan = revenue(kind="subscription", users=1000, price=20)
    use = Use(MONTH_S, arrived=30_000, completed=30_000)
    summary = {
        "measured_s": MONTH_S, "requests": {"arrived": 30_000}, "cost": {"total_usd": 57_500.0},
        "ledger": {"gpu_hours": {"useful": 0.0}},
        "invoice": [
            {"what": "usage", "usd": 50_000.0, "contract": None}, {"what": "egress", "usd": 7_500.0, "contract": None},
        ],
    }  # fmt: skip
    told = economics_block([Earned(plan, use, (20_000.0,))], summary, 0, {})
    assert told["fixed_usd_per_month"] == pytest.approx(50_000)
    assert told["usd_per_user_month"]["variable_cost"] == pytest.approx(7.5)
    assert told["break_even_users"] == pytest.approx(4000)


def test_owned_hardware_pays_for_itself() -> None:
    said = {
        "capex": "$36k",
        "residual": "25%",
        "years": 4,
        "cost_of_capital": "5%",
        "watts": {"idle": 300, "busy": 1300},
    }
    owned = Owned.model_validate({"kind": "owned", "gpus": 2, **said})
    # a year's depreciation 13,500 and interest 3,600: $17,100 of 17,520 GPU-hours that are in the cost and not paid.
    # A month of which the GPUs were there for 1460 hours: 1,425
    line = {"contract": "ours", "usd": 1_925.0, "list_usd": 4_500.0, "what": "usage", "gpu_hours": 1_000.0}
    idle = {"contract": "ours", "usd": 500.0, "list_usd": 900.0, "what": "unused", "gpu_hours": 460.0}
    power = {"contract": "ours", "usd": 0.0, "list_usd": 0.0, "what": "energy", "gpu_hours": 0.0}
    found = payback_block({"ours": owned}, [line, idle, power, {**line, "contract": None}], 575.0, 1.0)
    assert found == {
        "capex_usd": 72_000,
        "saved_usd_per_month": pytest.approx(4_500 - 2_425 + 1_425),
        "kept_usd_per_month": pytest.approx(2_000),
        "against_renting_months": pytest.approx(72_000 / 3_500),
        "by_margin_months": pytest.approx(36),
    }
    over_two = payback_block({"ours": owned}, [line, idle, power], 575.0, 2.0)
    assert over_two is not None
    assert (over_two["saved_usd_per_month"], over_two["kept_usd_per_month"]) == pytest.approx((3_500 / 2, 2_000 / 2))
    assert payback_block({"ours": owned}, None, 575.0, 1.0) is None
    assert payback_block({}, [line], 575.0, 1.0) is None
    losing = payback_block({"ours": owned}, [], -2_000.0, 1.0)
    assert losing is not None
    assert losing["by_margin_months"] is None


def test_the_tables_say_it() -> None:
    run = result(PLAN, revenue(**{"kind": "free", "class": "free"}))
    found = run.summary()
    assert economics_sentence(found) == (
        "A month of this earns $5.18 million, costs $2.59 million and leaves $2.59 million (50.0% of the revenue). "
        "It breaks even at 648,000 paying users."
    )
    rows = {row[0]: row[1:] for row in economics_table(found).rows}
    assert rows["revenue, subscriptions, paid requests"] == ("$20.00", "$5.18 million")
    assert rows["revenue, free, free requests"] == ("$0.00", "$0.00")
    assert rows["cost a paying user"] == ("", "$2.00")
    rows = {row[0]: row[1:] for row in break_even_table(found).rows}
    assert rows["paying users"] == ("1.3 million", "648,000")
    assert rows["price a user and month, paid requests"] == ("$4.00", "$2.00")
    assert rows["GPU time that is useful"] == ("52.0%", "26.0%")
    classes, tenants = showback_tables(found)
    assert [row[0] for row in classes.rows] == ["paid", "free", "all"]
    assert [row[0] for row in tenants.rows] == ["acme", "(none)", "all"]
    everybody = dict(zip(classes.heading, classes.rows[-1], strict=True))
    assert (everybody["of the cost"], everybody["cost"], everybody["margin"]) == ("100%", "$10.00", "$10.00")
    names = [row[0] for row in fleet_table(found).rows]
    assert "by GPU time, a million prompt tokens" in names
    assert {"Economics", "Break-even", "Showback classes"} <= {table.caption for table in tables(found)}
    assert "Break-even" in render(run)


def test_the_bill_of_a_run_says_what_grows_with_use_and_what_is_owned() -> None:
    """Two H100s of ours with room for all: what is left of renting them at $3 an hour pays for them."""
    pool = {
        "latency": {"base_s": 0.01, "prefill_s_per_token": 1e-5, "decode_s_per_seq": 1e-4, "attention_s_per_token": 0},
        "kv_capacity_tokens": "400k", "autoscaler": {"kind": "fixed", "replicas": 2}, "price": {"on_demand": "$3/h"},
        "egress": {"price": "$0.09/GB", "per_answer": "20MB"},
    }  # fmt: skip
    owned = {
        "kind": "owned", "gpus": 2, "capex": "$36k", "residual": "25%", "years": 4, "cost_of_capital": "5%",
        "watts": {"idle": 500, "busy": 500}, "pue": 1.2, "tariff": "$0.10/kWh",
    }  # fmt: skip
    run = simulate(
        load(
            {
                "name": "owned",
                "seed": 3,
                "horizon": "10m",
                "workload": chat(),
                "pools": {"p": pool},
                "contracts": {"ours": owned},
                "revenue": [{"kind": "per_request", "price": 0.01}],
            }
        )
    )
    found = run.summary()
    told, hours = found["economics"], 1 / 6
    answers = int((run.requests["finish_s"] < 600).sum())  # by the clock, as all cost
    egress_usd = answers * 0.02 * 0.09
    assert told["variable_usd_per_month"] == pytest.approx(egress_usd / hours * 720)
    energy_usd = 2 * 0.5 * 1.2 * hours * 0.10
    yearly_usd = 72_000 * (0.75 / 4 + 0.05)
    assert told["cost_usd"] == pytest.approx(yearly_usd / 8760 * hours + energy_usd + egress_usd)
    # a month of rent less energy: capital is in the cost, and put back
    saved = (2 * 3 - 0.12) * 720
    assert told["payback"]["against_renting_months"] == pytest.approx(72_000 / saved)
