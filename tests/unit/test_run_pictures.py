"""Pictures of a run that say something of their own: heatmap, theory beside it, tails of those who are meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import Result, load, simulate
from sim.report.run.budget import alert_table, budget_figure, budget_notes, budget_table
from sim.report.run.heatmap import MOST_COLUMNS, MOST_ROWS, ttft_heatmap
from sim.report.run.page import page_of
from sim.report.run.tail import latency_tail
from sim.report.run.theory import theory_figure, theory_table
from sim.result.latency import metric_s

SLO = "slo=[{metric: e2e, under: 3s, share: 95%}, {metric: ttft, under: 1ms, share: 99%}]"


@pytest.fixture(scope="module")
def queue() -> Result:
    return simulate(load("mmc", ("horizon=40m", "warmup=4m", SLO)))


def test_every_column_of_the_heatmap_is_all_who_come_then(queue: Result) -> None:
    figure = ttft_heatmap(queue)
    assert figure is not None
    (trace,) = figure.plot["data"]
    share = np.array([[cell or 0.0 for cell in row] for row in trace["customdata"]])
    assert share.shape[0] <= MOST_ROWS
    assert share.shape[1] <= MOST_COLUMNS
    np.testing.assert_allclose(share.sum(axis=0), 1, rtol=1e-3)
    slowest_s = np.nanmax(metric_s(queue.log.logical, "ttft"))
    assert trace["y"][-2] < slowest_s <= trace["y"][-1]
    (limit,) = [shape["y0"] for shape in figure.plot["layout"]["shapes"] if shape["type"] == "line"]
    assert limit == 0.001


def test_the_budget_is_drawn_as_it_is_told(queue: Result) -> None:
    summary, figure = queue.summary(), budget_figure(queue)
    assert figure is not None
    told = [found["spent_share"] for found in summary["error_budget"]]
    drawn = [trace["y"][-1] for trace in figure.plot["data"] if "yaxis" not in trace]
    assert drawn == pytest.approx(told, rel=1e-4)
    assert figure.title == "Both error budgets are overspent"
    assert [row[3] for row in budget_table(summary).rows] != ["never", "never"]
    pages = {row[:2]: row[2] for row in alert_table(summary).rows}
    assert len(pages) == 4
    assert pages["TTFT ≤ 1 ms for 99%", "page: 14.4x over 6 min and 30 s"] != "no", "nobody is answered so quickly"
    assert "10 times shorter" in budget_notes(summary)[0]


def test_theory_stands_beside_every_number_that_it_gives(queue: Result) -> None:
    summary = queue.summary()
    assert len(theory_table(summary).rows) == len(summary["theory"])
    figure = theory_figure(summary)
    assert figure is not None
    (trace,) = figure.plot["data"]
    busy = trace["x"][trace["y"].index("busy share")]
    assert busy == pytest.approx(summary["utilization"]["busy_share"] / 0.8, rel=1e-3)
    low, high = figure.plot["layout"]["xaxis"]["range"]
    assert all(low <= np.log10(ratio) <= high for ratio in trace["x"]), "what is far off is drawn at the edge"


def test_an_objective_of_a_class_has_the_curve_of_that_class() -> None:
    stream: dict[str, Any] = {
        "arrivals": {"kind": "poisson", "rate": "2/s"},
        "service": {"kind": "constant", "value": 1},
    }
    slow = stream | {"class": "slow", "service": {"kind": "constant", "value": 3}}
    pool = {"replica": {"kind": "slots", "concurrency": 40}, "queue": {"kind": "central"}}
    made = {
        "name": "two",
        "seed": 1,
        "horizon": "5m",
        "classes": {"quick": {}, "slow": {}},
        "workload": {"streams": {"a": stream | {"class": "quick"}, "b": slow}},
        "pools": {"main": pool | {"autoscaler": {"kind": "fixed", "replicas": 1}}},
        "slo": [{"metric": "e2e", "under": "2s", "share": "99%", "class": "quick"}],
    }
    result = simulate(load(made))
    curves = {trace["name"]: trace for trace in latency_tail(result).plot["data"]}
    assert max(curves["E2E"]["x"]) >= 3
    assert max(curves["E2E of quick requests"]["x"]) < 2, "which does not enter its corner"
    page_of(result)
