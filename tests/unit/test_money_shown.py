"""The bill as people see it: its tables, what is said of contracts that lose, notes, the load-duration picture."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim import load, simulate
from sim.report import render
from sim.report.run.load_duration import load_duration_figures
from sim.report.run.page import page_of
from sim.report.tables.contracts import contract_notes
from sim.report.tables.ladder import ladder_table
from sim.report.tables.money import commitments_table, energy_table, invoice_table
from sim.report.tables.run import tables
from sim.result import Result
from sim.result.verdict import commitment_sentence

POOL = {
    "replica": {"kind": "slots", "concurrency": 1},
    "autoscaler": {"kind": "scheduled", "replicas": 2, "rows": [{"from": "12:00", "to": "18:00", "replicas": 6}]},
}
PRICE = {"on_demand": "$3/h", "as_of": "2026-08-20"}
WATTS = {"idle": 100, "busy": 1000}


def run(contracts: dict[str, Any] | None = None, pool: dict[str, Any] | None = None, **changes: Any) -> Result:
    """A day in which 8 replicas of one GPU are paid for at $3 an hour; those of `pool`, with its keys."""
    jobs = {"kind": "renewal", "gap": {"kind": "constant", "value": "1m"}}
    service = {"kind": "constant", "value": "1m"}
    own = {
        "replica": {"kind": "slots", "concurrency": 1},
        "autoscaler": {"kind": "fixed", "replicas": 8},
        "price": PRICE,
    }
    said = {
        "name": "shown",
        "horizon": "1d",
        "workload": {"arrivals": jobs, "service": service},
        "pools": {"a": own | (pool or {})},
        "contracts": contracts or {},
        **changes,
    }
    return simulate(load(said))


def row(table: Any, name: str) -> tuple[str, ...]:
    return next(row[1:] for row in table.rows if row[0] == name)


def test_a_plain_run_is_no_longer_than_before() -> None:
    result = run()
    shown = {table.caption for table in tables(result.summary())}
    assert not shown & {"Invoice", "Commitments", "Ladder", "Energy"}
    assert contract_notes(result.scenario, result.summary()) == []
    assert load_duration_figures(result) == []
    assert "ontract" not in result.verdict()


def test_the_lines_of_an_invoice() -> None:
    # 5 GPUs for a day at $1.80 instead of $3, 3 on demand; 1,439 answers of 1 MB at $0.09 a GB
    base = {"kind": "reserved", "gpus": 5, "price": "$1.80/h"}
    egress = {"price": "$0.09/GB", "per_answer": "1MB"}
    told = invoice_table(run({"base": base}, {"egress": egress}).summary())
    assert told.rows == (
        ("GPUs used", "on demand", "72", "$216.00", "$216.00"),
        ("GPUs used", "base", "120", "$216.00", "$360.00"),
        ("egress", "", "", "$0.13", ""),
        ("all", "", "192", "$432.13", "$576.00"),
    )


def test_several_pools_that_pay_by_the_hour_are_told_by_the_fleets_cost() -> None:
    lines = [
        {"pool": name, "what": "usage", "contract": None, "offer": "on_demand", "market": "on_demand"} for name in "ab"
    ]
    amounts = {"gpu_hours": 1.0, "usd": 2.0, "list_usd": 2.0}
    summary: dict[str, Any] = {"pools": {"a": {}, "b": {}}, "invoice": [line | amounts for line in lines]}
    assert invoice_table(summary).rows == ()
    # a second market in one of them is another matter
    summary["invoice"].append(
        lines[0] | {"offer": "cheap", "market": "spot", "gpu_hours": 4.0, "usd": 4.0, "list_usd": 4.0}
    )
    assert [line[:2] for line in invoice_table(summary).rows] == [
        ("GPUs used, pool a", "on demand"),
        ("GPUs used, pool b", "on demand"),
        ("GPUs used, pool a", "spot (cheap)"),
        ("all", ""),
    ]
    assert invoice_table(summary | {"invoice": None}).rows == ()


def test_a_contract_that_is_too_large() -> None:
    # 16 GPUs at $2 for 8 that are used: half is used, two thirds are needed. $768 for what costs $576 on demand
    result = run({"base": {"kind": "reserved", "gpus": 16, "price": "$2/h", "upfront": "25%"}})
    summary = result.summary()
    assert row(commitments_table(summary), "base") == (
        "reserved", "16", "50.0%", "66.7%", "$384.00", "-$192.00", "$209,664, 364 days",
    )  # fmt: skip
    sentence = "Contract 'base' is used for 50.0% of its hours and needs 66.7%: it costs $192.00 more than on demand."
    assert commitment_sentence(summary) == sentence
    assert sentence in result.verdict()
    # three quarters of $2 for 16 GPUs and 364 days
    assert contract_notes(result.scenario, summary) == [
        "Contract 'base' runs 364 days beyond the run: $209,664 remain to be paid, and are not in the bill."
    ]


def test_a_contract_of_which_nothing_is_used() -> None:
    contracts = {
        "base": {"kind": "reserved", "gpus": 8, "price": "$1/h", "term": "1d"},
        "more": {"kind": "capacity_block", "gpus": 2, "price": "$4/h", "from": "0s", "term": "1d"},
        "last": {"kind": "savings_plan", "commit": "$5/h", "discount": "10%", "term": "1d"},
    }
    result = run(contracts)
    summary = result.summary()
    # the block comes first, and both have the plan's part
    told = {name: found["used_share"] for name, found in summary["commitments"]["contracts"].items()}
    assert told == {"base": pytest.approx(0.75), "more": 1, "last": 0}
    assert contract_notes(result.scenario, summary) == [
        "Nothing of contract 'last' was used, for $120.00: what pool a paid for by the hour was on spot, or covered by "
        "other contracts, or there was nothing."
    ]
    # $4 instead of $3 for 2 GPUs and 24 h: a loss at any use, but the plan's is larger
    assert commitment_sentence(summary) == (
        "Nothing of contract 'last' is used: it costs $120.00 for nothing; 1 other contract loses too."
    )
    assert row(commitments_table(summary), "more")[3] == "never"
    del contracts["last"]
    assert commitment_sentence(run(contracts).summary()) == (
        "Contract 'more' costs $48.00 more than on demand, and would do so if all of it were used."
    )


def test_a_contract_that_ends_before_the_measured_time() -> None:
    result = run({"base": {"kind": "reserved", "gpus": 2, "price": "$1/h", "term": "1h"}}, warmup="2h")
    (note,) = contract_notes(result.scenario, result.summary())
    assert note == "Contract 'base' does not hold in the measured time: nothing of it is in the bill."
    assert commitment_sentence(result.summary()) == ""


def test_old_prices_of_one_day_are_one_note() -> None:
    pools = {name: {"replica": POOL["replica"], "autoscaler": {"kind": "fixed", "replicas": 1}} for name in "abcde"}
    own = {name: pool | {"price": PRICE} for name, pool in pools.items()}
    jobs = {"arrivals": {"kind": "poisson", "rate": "1/h"}, "service": {"kind": "constant", "value": "1s"}}
    streams = {"streams": {name: jobs | {"pool": name} for name in own}}
    scenario = load(
        {"name": "old", "horizon": "1h", "starts": "2026-09-01", "workload": streams, "pools": own, "contracts": {}}
    )
    assert contract_notes(scenario, {"commitments": None, "pools": {}}) == [
        "Prices of 2026-08-20, 12 days before the run's first day 2026-09-01: pools.a.price.as_of, "
        "pools.b.price.as_of, pools.c.price.as_of and 2 more."
    ]


RACK = {"kind": "owned", "gpus": 8, "capex": "$35040", "residual": "50%", "years": 4, "cost_of_capital": "0%"}


def test_energy_of_owned_hardware() -> None:
    # 8 GPUs draw 100 W all day, and one at a time 900 W more, from the first minute's end on; cooling half of that
    power = {"watts": WATTS, "pue": 1.5, "tariff": 0.1, "co2_g_per_kwh": 400}
    result = run({"rack": RACK | power})
    summary = result.summary()
    told = energy_table(summary)
    kwh = (8 * 24 * 0.1 + 1439 / 60 * 0.9) * 1.5
    assert summary["energy"]["kwh"] == pytest.approx(kwh)
    assert row(told, "electricity") == (f"{kwh:.1f} kWh", "1,835 kWh")
    assert row(told, "cost") == ("$6.12", "$183.53")
    assert row(told, "CO2") == ("24.5 kg", "734 kg")
    assert row(told, "mean draw") == ("2.55 kW", "")
    assert row(told, "mean draw a GPU") == ("319 W", "")
    # half of $35,040 over four years of 8,760 hours is $0.50 an hour, of $3 less the energy of an hour
    entry = summary["commitments"]["contracts"]["rack"]
    assert entry["break_even_share"] == pytest.approx(0.5 / (3 - kwh * 0.1 / (8 * 24)))
    (note,) = contract_notes(result.scenario, summary)
    assert note.startswith("Contract 'rack' serves 4 years beyond the run: $280,224 of its price are not written off")
    assert "CO2" not in [line[0] for line in energy_table(run({"rack": RACK | {"watts": WATTS}}).summary()).rows]


def test_without_a_list_price_nothing_is_said_of_savings() -> None:
    result = run({"rack": RACK | {"watts": WATTS}}, {"price": None})
    summary = result.summary()
    entry = summary["commitments"]["contracts"]["rack"]
    assert (entry["saved_usd"], entry["break_even_share"]) == (None, None)
    assert [line["list_usd"] for line in summary["invoice"] if line["what"] == "usage"] == [None]
    assert row(invoice_table(summary), "GPUs used")[3] == "n/a"
    assert row(commitments_table(summary), "rack")[3:6] == ("n/a", "$0.00", "n/a")
    assert commitment_sentence(summary) == ""


def scheduled(contracts: dict[str, Any] | None = None, **price: Any) -> Result:
    """2 GPUs by night, 6 from 12 to 18 o'clock: a quarter of the day."""
    return run(contracts, POOL | {"price": PRICE | price})


def test_the_ladder_of_a_day() -> None:
    # $1.20 over $3 is 40 %: 2 GPUs are used all day, the other 4 for 25 %. 48 h at $1.80 less than on demand
    told = ladder_table(scheduled(reserved_1y="$1.20/h", reserved_3y="$0.60/h").summary())
    assert told.heading == ("of each", "price", "worth it from (a year)", "GPUs", "unused", "on demand", "saves")
    one, three = told.rows
    assert one == ("reserved 1 year", "$1.20/h", "40.0% (3,504 h)", "2", "0%", "33.3%", "$86.40 (40.0%)")
    # 20 %: all six, 6 x 24 h at $0.60 instead of 72 h at $3
    assert three == ("reserved 3 years", "$0.60/h", "20.0% (1,752 h)", "6", "50.0%", "0%", "$129.60 (60.0%)")
    # half a day says nothing of a year
    short = run(None, POOL | {"price": PRICE | {"reserved_1y": "$1.20/h"}}, horizon="12h").summary()
    assert ladder_table(short).rows == ()


def test_the_picture_of_what_could_have_been_reserved() -> None:
    (figure,) = load_duration_figures(scheduled(reserved_1y="$1.20/h"))
    layers = {trace["name"]: trace for trace in figure.plot["data"]}
    assert list(layers) == ["reserved", "on demand", "worth reserving"]
    # each step twice: where it begins and where it ends
    assert layers["reserved"]["x"] == pytest.approx([0, 0.25, 0.25, 1])
    assert layers["reserved"]["y"] == pytest.approx([2, 2, 2, 2])
    assert layers["on demand"]["y"] == pytest.approx([6, 6, 2, 2])
    assert layers["on demand"]["text"][0] == "4 GPUs on demand"
    assert (layers["worth reserving"]["x"], layers["worth reserving"]["y"]) == ([0.4], [2])
    assert "2 GPUs reserved 1 year" in figure.caption


def test_the_picture_of_what_paid() -> None:
    contracts = {
        "rack": RACK | {"gpus": 1, "watts": WATTS},
        "base": {"kind": "reserved", "gpus": 3, "price": "$1/h"},
    }
    result = scheduled(contracts)
    (figure,) = load_duration_figures(result)
    tops = {trace["name"]: trace["y"] for trace in figure.plot["data"]}
    assert tops["owned"] == pytest.approx([1, 1, 1, 1])
    assert tops["reserved"] == pytest.approx([4, 4, 2, 2])
    assert tops["on demand"] == pytest.approx([6, 6, 2, 2])
    assert tops["paid for, not used"] == pytest.approx([6, 6, 4, 4])
    assert figure in page_of(result).figures
    json.dumps(figure.plot, allow_nan=False)
    colours = {trace["fillcolor"] for trace in figure.plot["data"] if "fillcolor" in trace}
    assert all(colour.startswith("var(--") for colour in colours), "for light and dark screens"
    page = render(result)
    assert "Load duration" in page
    assert "beyond the run" in page


def test_prices_by_rule_of_thumb_are_noted_where_something_rests_on_them() -> None:
    source = "assumed, 0.6 of the price on demand"
    pool = {"price": {**PRICE, "reserved_1y": "$1.80/h", "reserved_source": source}}
    told = "Reserved prices of pool a are a rule of thumb, no list prices: give your own in pools.a.price."
    for contracts, hours, is_told in (
        ({}, "1d", True),  # the ladder
        ({}, "1h", False),  # none of so short a run
        ({"year": {"kind": "reserved", "gpus": 2}}, "1h", True),
        ({"year": {"kind": "reserved", "gpus": 2, "price": "$1.70/h"}}, "1h", False),
    ):
        result = run(contracts, pool, horizon=hours)
        assert (told in contract_notes(result.scenario, result.summary())) == is_told


def test_a_day_with_a_warm_up_has_a_ladder() -> None:
    pool = {"price": {**PRICE, "reserved_1y": "$1.80/h"}}
    assert ladder_table(run(None, pool, warmup="10m").summary()).rows
    assert not ladder_table(run(None, pool, warmup="4h").summary()).rows


def test_of_a_contract_for_no_gpus_there_is_nothing_to_tell() -> None:
    """Such is the first point of a sweep over `contracts.base.gpus`."""
    none = {"kind": "reserved", "gpus": 0, "price": "$1/h"}
    result = run({"base": none})
    summary = result.summary()
    assert contract_notes(result.scenario, summary) == []
    assert summary["cost"]["total_usd"] == run().summary()["cost"]["total_usd"]
