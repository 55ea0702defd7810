"""The cheapest point of a sweep: where it is, what its neighbours cost, how to look further; and ranges of values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sim import simulate
from sim.config.errors import ConfigError
from sim.report.swept.cost_picture import of_curve
from sim.study.swept.cheapest import cheapest
from sim.study.swept.sweep import Axis, Run, axis_of, sweep
from tests.studies import REPLICAS, SCENARIO, THREE, points_of

KEY = "pools.chat.autoscaler.replicas"


def ran(fleet_usd: float | None, slowness_usd: float, **values: str) -> Run:
    summary = {"cost": {"usd_per_day": fleet_usd}, "slowness": {"usd_per_day": slowness_usd}}
    return Run({KEY if key == "at" else key: value for key, value in values.items()}, summary)


def axes(*keys: str) -> list[Axis]:
    return [Axis(key, ()) for key in keys]


U = [ran(40, 900, at="4"), ran(100, 5, at="10"), ran(60, 100, at="6"), ran(80, 30, at="8")]


def test_the_sum_decides_and_values_are_in_order() -> None:
    best = cheapest(axes(KEY), U)
    assert best is not None
    told = best.plain()
    assert told.pop("cheapest_within_slo") == best.cost.plain()
    assert told == {
        "set": {KEY: "10"},
        "fleet_usd_per_day": 100,
        "slowness_usd_per_day": 5,
        "fleet_plus_slowness_usd_per_day": 105,
        "within_slo": True,
        "runs": 1,
        "less": {
            "set": {KEY: "8"},
            "fleet_usd_per_day": 80,
            "slowness_usd_per_day": 30,
            "fleet_plus_slowness_usd_per_day": 110,
            "within_slo": True,
            "runs": 1,
        },
        "more": None,
        "at_end": "high",
        "wider": f"{KEY}=10..16:2",
    }
    inside = cheapest(axes(KEY), [*U, ran(120, 1, at="12")])
    assert inside is not None
    assert inside.more is not None
    assert (inside.cost.together_usd, inside.more.together_usd) == (105, 121)
    assert (inside.plain()["at_end"], inside.plain()["wider"]) == (None, None)


@pytest.mark.parametrize(
    ("values", "wider"),
    [
        (("6", "8", "10"), "2..6:2"),
        (("9", "10", "11"), "7..9:1"),
        (("2", "4", "20"), None),  # a step less is 0
        (("30s", "40s", "60s"), "10s..30s:10s"),
        (("10%", "20%"), None),
    ],
)
def test_at_the_low_end_there_may_be_less_to_try(values: tuple[str, ...], wider: str | None) -> None:
    best = cheapest(axes(KEY), [ran(10 * place, 1, at=value) for place, value in enumerate(values)])
    assert best is not None
    assert best.plain()["at_end"] == "low"
    assert best.plain()["wider"] == (None if wider is None else f"{KEY}={wider}")


def test_seeds_are_averaged_over() -> None:
    runs = [
        ran(60, 10, at="6", seed="1"),  # the cheapest run is not at the cheapest point
        ran(60, 200, at="6", seed="2"),
        ran(80, 20, at="8", seed="1"),
        ran(80, 40, at="8", seed="2"),
        Run({KEY: "7", "seed": "1"}, None, "failed"),
        ran(70, 0, at="7", seed="2"),  # with one seed of two: not to be compared
    ]
    best = cheapest(axes(KEY, "seed"), runs)
    assert best is not None
    assert (best.cost.values, best.cost.together_usd, best.cost.runs) == ({KEY: "8"}, 110, 2)
    assert best.less is not None
    assert best.less.together_usd == 165


def test_costs_are_the_means_of_replications() -> None:
    price = [{"kind": "linear", "metric": "queue_wait", "usd_per_hour": 4}]
    points = points_of(5, 6, seeds=(1,), source={**SCENARIO, "slowness": price})
    best = cheapest(axes(REPLICAS, "seed"), sweep(points, THREE))
    assert best is not None
    runs = [simulate(points[1].scenario, replication).summary() for replication in range(3)]
    slowness_usd = [summary["slowness"]["usd_per_day"] for summary in runs]
    (six,) = (cost for cost in best.curve.costs if cost.values[REPLICAS] == "6") if best.curve else ()
    assert six.slowness_usd == pytest.approx(sum(slowness_usd) / 3)
    assert (six.fleet_usd, six.runs) == (6 * 2 * 24, 1)


def test_the_cheapest_that_misses_nothing_is_told_too() -> None:
    runs = [ran(60, 10, at="6"), ran(80, 20, at="8"), ran(90, 20, at="9")]
    missed = Run(runs[0].values, {**(runs[0].summary or {}), "slo": [{"met": True}, {"met": False}]})
    best = cheapest(axes(KEY), [missed, *runs[1:]])
    assert best is not None
    assert best.within_slo is not None
    assert (best.cost.within_slo, best.cost.values, best.within_slo.values) == (False, {KEY: "6"}, {KEY: "8"})
    also = Run({KEY: "5"}, missed.summary)
    none = cheapest(axes(KEY), [missed, also])
    assert none is not None
    assert none.within_slo is None


def test_several_keys_and_words_have_no_neighbours() -> None:
    words = cheapest(axes("calendar"), [ran(2, 2, calendar="simpy"), ran(1, 1, calendar="compiled")])
    assert words is not None
    assert (words.cost.values, words.curve, words.less) == ({"calendar": "compiled"}, None, None)
    both = cheapest(axes(KEY, "warmup"), [ran(2, 2, at="1", warmup="0s"), ran(1, 1, at="1", warmup="9s")])
    assert both is not None
    assert both.plain()["set"] == {KEY: "1", "warmup": "9s"}
    assert both.plain()["at_end"] is None


def test_nothing_is_cheapest_of_one_or_without_a_price() -> None:
    assert cheapest(axes(KEY), U[:1]) is None
    assert cheapest(axes(KEY), [ran(None, 5, at="1"), ran(None, 5, at="2")]) is None
    assert cheapest(axes(KEY), [Run({KEY: str(n)}, {"cost": {"usd_per_day": 1.0}}) for n in range(3)]) is None


def test_the_picture_has_a_dot_a_number_and_leaves_out_what_is_far_above() -> None:
    best = cheapest(axes(KEY), [*U, ran(120, 1, at="12")])
    assert best is not None
    assert best.curve is not None
    drawn = of_curve(best.curve)
    fleet, slowness, together = drawn.plot["data"]
    assert fleet["text"] == [
        f"fleet, {at}: ${usd:.2f} a day" for at, usd in ((4, 40), (6, 60), (8, 80), (10, 100), (12, 120))
    ]
    assert together["y"] == [one + other for one, other in zip(fleet["y"], slowness["y"], strict=True)]
    assert drawn.title == "Cheapest at 10: $105.00 a day"
    assert drawn.plot["layout"]["shapes"][0]["x0"] == 10
    most = drawn.plot["layout"]["yaxis"]["range"][1]
    assert together["y"][0] > most > together["y"][1], "$940 is more than three times the cheapest"
    assert "is above it" in drawn.caption


def test_the_picture_has_the_intervals_of_the_runs_behind_it() -> None:
    runs = [replace_interval(run, 7.0) for run in U]
    best = cheapest(axes(KEY), runs)
    assert best is not None
    assert best.curve is not None
    fleet, _, together = of_curve(best.curve, runs).plot["data"]
    assert together["error_y"]["array"] == [7.0] * len(U)
    assert "error_y" not in fleet


def replace_interval(run: Run, half: float) -> Run:
    """The same with an interval of fleet and slowness together."""
    assert run.summary is not None
    path = "slowness.fleet_plus_slowness_usd_per_day"
    return replace(run, summary={**run.summary, "slo": [], "intervals": {path: [100 - half, 100 + half]}})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("4..7", ["4", "5", "6", "7"]),
        ("4..13:4", ["4", "8", "12"]),
        ("2,4..8:2,20", ["2", "4", "6", "8", "20"]),
        ("0.1..0.3:0.1", ["0.1", "0.2", "0.3"]),
        ("1s..2s:0.5s", ["1s", "1.5s", "2s"]),
        ("30%..10%:10", ["30%", "20%", "10%"]),
        ("100..300:100", ["100", "200", "300"]),
        ("../a.csv,b..c", ["../a.csv", "b..c"]),
    ],
)
def test_ranges(text: str, values: list[str]) -> None:
    assert list(axis_of(f"k={text}").values) == values


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1s..5m:1s", "must have one unit"),
        ("1s..5s", "needs a step"),
        ("0.5..2", "needs a step"),
        ("1..5:0", "the step must be above 0"),
        ("1..2000000", "2,000,000 values"),
        ("1..3,2", "'2' stands there twice"),
    ],
)
def test_ranges_that_make_no_sense(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        axis_of(f"k={text}")


def test_a_run_tells_its_slowness_only_where_it_has_a_price() -> None:
    summary: dict[str, Any] = {"requests": {"arrived": 0, "completed": 0}, "slo": []}
    assert "slowness_usd_per_day" not in Run({}, summary).metrics
    priced = {**summary, "slowness": {"usd_per_day": 3.0, "fleet_plus_slowness_usd_per_day": None}}
    assert Run({}, priced).metrics["slowness_usd_per_day"] == 3.0
