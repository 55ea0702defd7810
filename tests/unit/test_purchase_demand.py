"""Demand to come: growth, quantiles, scenarios, events, and the file of a forecast made elsewhere."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

from sim.config.errors import ConfigError, DataError
from sim.scenario.plan_over_time import OverTime
from sim.study.purchased.calendar import Calendar, breakpoints, months_of
from sim.study.purchased.demand import Outlook, outlook


def asked(months: int = 3, starts: str | None = "2026-12", **given: Any) -> Outlook:
    return outlook(OverTime.model_validate({"months": months, "starts": starts, **given}), starts)


def test_months_and_growth_are_enough() -> None:
    (path,) = asked(growth="5%/month").paths(0.05)
    assert path.probability == 1
    assert path.factors == pytest.approx((1, 1.05, 1.05**2))
    assert asked(growth="-10%").paths(0.05)[0].factors == pytest.approx((1, 0.9, 0.81))


def test_what_is_left_out_stays() -> None:
    (path,) = asked().paths(0.05)
    assert path.factors == (1, 1, 1)
    assert asked().exceeds(1, 0.99) == 1
    assert asked().exceeds(1, 1.0) == 0


def test_p90_growth_is_exceeded_one_time_in_ten() -> None:
    found = asked(demand={"growth": {"p50": "5%", "p90": "9%"}})
    assert found.exceeds(2, 1.05**2) == pytest.approx(0.5)
    assert found.exceeds(2, 1.09**2) == pytest.approx(0.1)
    assert found.quantile(2, 0.9) == pytest.approx(1.09**2)
    assert found.quantile(2, 0.1) == pytest.approx(1.05**4 / 1.09**2)


def test_scenarios_are_medians_of_their_shares_and_the_top_one_is_at_the_risk() -> None:
    found = asked(demand={"growth": {"p50": "5%", "p90": "9%"}})
    paths = found.paths(0.05)
    assert math.fsum(path.probability for path in paths) == pytest.approx(1)
    assert found.exceeds(2, paths[-1].factors[2]) == pytest.approx(0.05)
    sigma = (2 * math.log(1.09) - 2 * math.log(1.05)) / NormalDist().inv_cdf(0.9)
    assert paths[-1].factors[2] == pytest.approx(1.05**2 * math.exp(sigma * NormalDist().inv_cdf(0.95)))


def test_launches_that_may_not_happen_split_every_scenario() -> None:
    launches = {"app": {"month": "2027-01", "factor": 1.5, "probability": 0.4}}
    found = asked(growth="0%", launches=launches)
    paths = {path.name: path for path in found.paths(0.05)}
    assert paths["p50"].factors == (1, 1, 1)
    assert paths["p50"].probability == pytest.approx(0.6)
    assert paths["p50 + app"].factors == (1, 1.5, 1.5)
    assert found.exceeds(1, 1.2) == pytest.approx(0.4)
    assert found.quantile(1, 0.95) == pytest.approx(1.5)


def test_a_migration_away_takes_demand_for_good_or_for_a_while() -> None:
    gone = {"eu": {"month": "2027-01", "factor": 0.7, "months": 1}}
    assert asked(migrations=gone).paths(0.05)[0].factors == pytest.approx((1, 0.7, 1))


def test_scenarios_by_name_keep_their_probabilities() -> None:
    scenarios = {"base": {"probability": "60%", "growth": "2%"}, "high": {"probability": 0.4, "factors": [1, 2, 3]}}
    found = asked(demand={"scenarios": scenarios})
    assert [(path.name, path.probability) for path in found.paths(0.05)] == [("base", 0.6), ("high", 0.4)]
    assert found.exceeds(2, 2.9) == pytest.approx(0.4)
    assert found.quantile(2, 0.5) == pytest.approx(1.02**2)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"demand": {"scenarios": {"a": {"probability": 0.5, "growth": "2%"}}}}, "sum to 0.5"),
        ({"demand": {"scenarios": {"a": {"probability": 1, "factors": [1, 2]}}}}, "must be 3"),
        ({"demand": {"growth": "5%", "history": {"file": "a.csv"}}}, "takes one of"),
        ({"growth": "5%", "demand": {"growth": "4%"}}, "says nothing beside"),
        ({"growth": "5 percent"}, "5%/month"),
        ({"growth": 25}, "did you mean '25%'"),
        ({"launches": {"a": {"month": "2027-13", "factor": 2}}}, "must be a month"),
        ({"launches": {"a": {"month": "2027-03", "factor": 2}}}, "after the plan's last month"),
        ({"regions": {"us": {"share": "60%"}, "eu": {"share": "30%"}}}, "sum to 0.9"),
        ({"demand": {"growth": {"p50": "5%", "p90": "4%"}}}, "at least p50"),
    ],
)
def test_mistakes_are_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        OverTime.model_validate({"months": 3, "starts": "2026-12", **given})


def test_a_launch_needs_a_first_month() -> None:
    with pytest.raises(ConfigError, match="starts"):
        asked(starts=None, launches={"a": {"month": "2027-01", "factor": 2}})


def written(folder: Path, text: str) -> dict[str, Any]:
    file = folder / "forecast.csv"
    file.write_text(text, encoding="utf-8")
    return {"forecast": {"file": str(file), "unit": 100}}


def test_reads_quantiles_from_the_plans_first_month_on(tmp_path: Path) -> None:
    rows = "month,p10,p50,p90\n2026-11,1,2,3\n2026-12,90,100,120\n2027-01,90,110,150\n2027-02,95,120,180\n"
    found = asked(demand=written(tmp_path, rows))
    assert found.exceeds(1, 1.5) == pytest.approx(0.1)
    assert found.exceeds(1, 0.9) == pytest.approx(0.9)
    assert found.quantile(2, 0.5) == pytest.approx(1.2)


def test_reads_scenario_columns(tmp_path: Path) -> None:
    rows = "month,low,high\n2026-12,100,100\n2027-01,100,150\n2027-02,100,200\n"
    low, high = asked(demand=written(tmp_path, rows)).paths(0.05)
    assert (low.probability, high.factors) == (0.5, (1.0, 1.5, 2.0))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("", "is empty"),
        ("p50,month\n1,2026-12\n", "must begin with"),
        ("month,p10,p50,p90\n2026-12,1,2,3\n", "holds 1 months"),
        ("month,p50\n2027-01,1\n", "has no month 2026-12"),
        ("month,a\n2026-12,1\n2027-01,-3\n2027-02,1\n", "above 0"),
        ("month,a\n2026-12,1\n2027-01,nan\n2027-02,1\n", "above 0"),
        ("month,p10,p50,p90\n2026-12,1,3,2\n2027-01,1,2,3\n2027-02,1,2,3\n", "p10 <= p50"),
        ("month,a\n2026-12,1,7\n", "has 3 cells"),
    ],
)
def test_wrong_files_are_told_with_their_place(tmp_path: Path, rows: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as error:
        asked(demand=written(tmp_path, rows))
    assert "forecast.csv" in str(error.value)


def test_the_calendar_counts_real_months() -> None:
    days = Calendar("2026-12")
    assert [days.label(month) for month in range(3)] == ["2026-12", "2027-01", "2027-02"]
    assert days.hours(2) == 28 * 24
    assert days.day(1, before_s=14 * 86_400) == "2026-12-18"
    assert (days.months_until(0), days.months_until(14 * 86_400), days.months_until(90 * 86_400)) == (0, 1, 3)
    assert Calendar().label(0) == "month 1"
    assert Calendar().hours(5) == 720


def test_terms_in_months() -> None:
    assert [months_of(days * 86_400) for days in (7, 30, 365, 3 * 365)] == [1, 1, 12, 36]
    assert breakpoints(2, [12, 36]) == [2, 12, 13, 36, 37]
    assert breakpoints(6, []) == [6]
