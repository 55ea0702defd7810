"""The document of a plan over time: what is to be bought by when, month by month, and when it does not hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim.report.page.render import render
from sim.report.plan.asked import decision, demand
from sim.report.plan.capacity import capacity, rows, timeline
from sim.report.plan.document import headline, markdown, plan_csv
from sim.report.plan.evidence import certificates
from sim.report.plan.page import page_of
from sim.study.planned.dossier import Dossier
from sim.study.planned.planner import planned
from sim.study.planned.runs import Runs
from sim.study.purchased.purchases import Layer, Line, MonthPlan, Order, Purchases, Round, Verified, Waterfall
from tests.unit.test_plan_drills import line

MONTHS = ("2026-12", "2027-01")


def bought(meets: bool = True) -> Purchases:
    def month(name: str, factor: float) -> MonthPlan:
        return MonthPlan(
            name,
            {"p10": factor / 1.1, "p50": factor, "p90": factor * 1.2},
            {"main": {"p50": 4, "p90": 5}},
            1000.0 * factor,
            900.0,
            1300.0,
            0.01,
        )

    def verified(scenario: str) -> Verified:
        return Verified("2027-01", scenario, "main", 1.5, {"l4": 5}, 7, 3, meets, (0.95 if meets else 0.8,), 0.0)

    order = Order(
        "reserved 1y", "reserved", "l4", "", 8, MONTHS[1] + "-01", "2028-01-01", MONTHS[1] + "-01", "2026-12-18", 14.0,
        "cheaper from then on than by the hour", 0.4, 28_032.0,
    )  # fmt: skip
    lines = (Line("load", 3, "the median"), Line("SLO", 1, "bunches"), Line("failure", 4, "a node"))
    return Purchases(
        months=tuple(month(name, factor) for name, factor in zip(MONTHS, (1.0, 1.5), strict=True)),
        orders=(order,),
        pledges=(),
        layers=(
            Layer(MONTHS[0], "", "l4", "on_demand", 8.5, 9, 4000.0),
            Layer(MONTHS[1], "", "l4", "reserved", 8, 8, 2400.0),
        ),
        waterfalls=tuple(Waterfall("main", name, "l4", lines) for name in MONTHS),
        verified=(verified("p50"), verified("p95"), verified("p99")),
        rounds=(Round(5000.0, 3, 0),),
        demand={
            "events": [{"name": "app", "probability": 0.6, "factors": [1.0, 1.4]}],
            "notes": ["seasonal, MASE 0.8 on the months held back"],
        },
        sizes={},
        usd_expected=6400.0,
        usd_p50=6300.0,
        usd_p90=7000.0,
        usd_without_commitments=8000.0,
        usd_after=25_000.0,
        risk_share=0.05,
        gap_share=0.0,
    )


@pytest.fixture(scope="module")
def dossier() -> Dossier:
    return Dossier(planned(line(), Runs(), 5_000), bought())


def test_the_decision_has_a_day(dossier: Dossier) -> None:
    said = " ".join(decision(dossier).text)
    assert "by 2026-12-18: 8 l4 reserved 1y" in said
    assert "Not to be decided" not in said


def test_a_month_that_misses_is_said_first(dossier: Dossier) -> None:
    failed = replace(dossier, purchases=bought(meets=False))
    assert failed.feasible is False
    assert decision(failed).text[0].startswith("Not to be decided as it stands")
    assert "do not hold" in headline(failed)
    assert failed.as_document()["feasible"] is False


def test_capacity_by_month_and_layer(dossier: Dossier) -> None:
    assert [(row.month, row.layer, row.gpus) for row in rows(dossier)] == [
        ("2026-12", "on_demand", 8.5),
        ("2027-01", "reserved", 8),
    ]
    assert plan_csv(dossier).splitlines()[1:] == [
        "2026-12,,,l4,on_demand,8.5,9,,4000.0",
        "2027-01,,,l4,reserved,8,8,,2400.0",
    ]
    headroom = capacity(dossier).tables[-1]
    assert headroom.rows[-1][:3] == ("fleet", "8", "8")


def test_demand_has_its_quantiles_its_events_and_its_back_test(dossier: Dossier) -> None:
    found = demand(dossier)
    assert found.tables[-1].heading[-1] == "app (60.0%)"
    assert found.tables[-1].rows[1] == ("2027-01", "1.36", "1.5", "1.8", "1.4")
    assert "MASE" in found.items[0]
    (picture,) = found.figures
    assert picture.plot["data"][-1]["y"] == [each.demand_factor["p50"] for each in dossier.purchases.months]  # type: ignore[union-attr]


def test_demand_scenarios_of_the_same_runs_stand_once(dossier: Dossier) -> None:
    table = certificates(dossier).tables[-1]
    (row,) = table.rows
    assert row[-1] == "3: p50 to p99"
    assert row[-2] == "meets"


def test_the_timeline_and_the_whole_document(dossier: Dossier) -> None:
    found = timeline(dossier)
    assert found is not None
    assert found.tables[0].rows[0][0] == "2026-12-18"
    assert "## 11. Buy-by timeline" in markdown(dossier, "fleetcast plan x")
    assert "Buy-by timeline" in render(page_of(dossier, "fleetcast plan x"))
