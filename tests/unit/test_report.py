"""The report: one page, offline, that no text of a user can break, and pictures that lose no peak."""

from __future__ import annotations

import html.parser
import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.model.tables import REQUEST
from sim.report import render
from sim.report.drawing.downsample import extremes, short
from sim.report.drawing.figure import Figure
from sim.report.page.render import script_json
from sim.report.run.page import page_of
from sim.report.tables.run import tables
from sim.result import Result, words
from tests.made_logs import elastic_log, log, queue_log, scenario, target

HOSTILE = "</script><img src=x onerror=alert(1)><!-- <b>{{ 7 * 7 }}</b> ${alert(2)} ]]> &amp;"
PRICED = {"main": {"usd_per_replica_hour": 2.0, "floor_replicas": 8}}
SLO = (target("ttft", 1.0, 0.99), target("queue_wait", 0.5, 0.9))


@pytest.fixture(scope="module")
def result() -> Result:
    made = scenario(PRICED, name="made", description=HOSTILE, horizon_s=7200.0, slo=SLO)
    return Result(made, queue_log(20_000, 7200.0, 288, servers=8))


@pytest.fixture(scope="module")
def page(result: Result) -> str:
    return render(result)


class _Elements(html.parser.HTMLParser):
    """Every element with its attributes, and the text of the scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        else:
            self.words.append(data)


def test_the_page_holds_everything_and_fetches_nothing(page: str) -> None:
    elements = _Elements(page)
    assert len(page.encode()) < 6e6
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base"}
    for tag, attributes in elements.found:
        assert not {"src", "action", "data", "srcset"} & set(attributes), (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#"), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    (policy,) = [attributes["content"] for tag, attributes in elements.found if "http-equiv" in attributes]
    assert policy is not None
    assert policy.startswith("default-src 'none'"), "and the browser would refuse to fetch"
    assert 'data-theme="dark"' in style[1]


def test_what_a_user_writes_stays_text(page: str) -> None:
    elements = _Elements(page)
    assert HOSTILE in "".join(elements.words), "shown as it was written"
    assert "img" not in {tag for tag, _ in elements.found}
    assert "{{" in "".join(elements.words), "no template is run that a user wrote"


def test_nothing_ends_the_data_early() -> None:
    text = script_json({"name": HOSTILE, "line": "\u2028\u2029", "none": None})
    assert not re.search(r"[<>&\u2028\u2029]", text)
    assert json.loads(text) == {"name": HOSTILE, "line": "\u2028\u2029", "none": None}
    with pytest.raises(ValueError, match="JSON"):
        script_json(math.nan)


def test_names_in_the_pictures_are_escaped() -> None:
    made = scenario({"<b>a</b>": {}, "b": {}})
    spans = [(0, 0, 0.0, math.inf), (1, 0, 0.0, math.inf)]
    table = np.zeros(2, REQUEST)
    names = [
        line["name"]
        for figure in page_of(Result(made, log(table, [0.0, 5.0, 10.0], spans, pools=("<b>a</b>", "b")))).figures
        for line in figure.plot["data"]
    ]
    assert "replicas of &lt;b&gt;a&lt;/b&gt;" in names
    assert not [name for name in names if "<" in name]


def test_the_verdict_comes_before_the_pictures_and_the_numbers_after(page: str, result: Result) -> None:
    body = page[page.index("<main>") :]
    places = [body.index(part) for part in ('class="verdict', "data-plot=", "<caption>Latency")]
    assert places == sorted(places)
    assert result.verdict().split(":")[0] in body
    assert {"tail", "time", "budget", "heatmap", "queue", "busy", "cost"} == {
        figure.key for figure in page_of(result).figures
    }


def test_the_data_of_the_pictures_is_small_and_read_back_by_the_page(page: str) -> None:
    (data,) = re.findall(r'<script type="application/json" id="report">(.*?)</script>', page, re.S)
    assert len(data) < 1e6
    holders = {attributes["data-plot"] for _, attributes in _Elements(page).found if "data-plot" in attributes}
    assert holders == set(json.loads(data)["plots"])


def test_the_same_run_gives_the_same_page(page: str, result: Result) -> None:
    assert render(Result(result.scenario, result.log)) == page


@pytest.mark.parametrize("rows", [0, 1])
def test_a_page_of_hardly_anything(rows: int) -> None:
    table = np.zeros(rows, REQUEST)
    for name in ("start_s", "first_token_s", "finish_s"):
        table[name] = np.nan
    page = render(Result(scenario(slo=SLO), log(table, [0.0, 5.0, 10.0], [(0, 0, 0.0, math.inf)])))
    assert "NaN" not in re.findall(r'id="report">(.*?)</script>', page, re.S)[0]
    captions = re.findall("<caption>(.*?)</caption>", page)
    budgets = ["Error budget", "Alerts that would have fired"] if rows else []
    assert captions == ["SLO", *budgets, "Fleet and cost", "Outcomes"], "a table without rows is left out"


def _axis(figure: Figure, name: str = "xaxis") -> dict[str, Any]:
    axis: dict[str, Any] = figure.plot["layout"][name]
    return axis


def test_the_latency_axis_begins_where_something_happens() -> None:
    """Most wait for nothing, a few for microseconds: the picture is about those who wait."""
    made = queue_log(20_000, 7200.0, 288, servers=8, rejected=0.0)
    wait_s = made.requests["start_s"] - made.requests["arrival_s"]
    made.requests["start_s"][:20] = made.requests["arrival_s"][:20] + 1e-7
    (tail,) = [figure for figure in page_of(Result(scenario(horizon_s=7200.0), made)).figures if figure.key == "tail"]
    low = _axis(tail)["range"][0]
    assert 10**low > 1e-5
    assert 10**low < np.quantile(wait_s[wait_s > 0], 0.03)
    assert 10 ** _axis(tail)["range"][1] > np.nanmax(made.requests["finish_s"] - made.requests["arrival_s"])
    ticks = [tick for tick in _axis(tail)["tickvals"] if low <= math.log10(tick) <= _axis(tail)["range"][1]]
    assert 2 <= len(ticks) <= 7


@given(st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), min_size=1, max_size=400), st.integers(2, 50))
def test_fewer_points_and_the_same_peaks(values: list[float], most: int) -> None:
    series = np.array(values)
    kept = extremes(series, most)
    assert len(kept) <= max(most, 2)
    assert (np.diff(kept) > 0).all()
    if np.isfinite(series).any():
        assert np.nanmax(series[kept]) == np.nanmax(series)
        assert np.nanmin(series[kept]) == np.nanmin(series)


def test_numbers_of_a_picture_have_five_figures_and_no_nan() -> None:
    assert short(np.array([1 / 3, math.nan, 123456.0])) == [0.33333, None, 123460.0]


@pytest.fixture(scope="module")
def elastic() -> Result:
    pools = {"main": {"usd_per_replica_hour": 2.0, "floor_replicas": 2}}
    return Result(scenario(pools, horizon_s=7200.0), elastic_log())


def test_a_fleet_that_changes_is_drawn_by_state_with_what_the_policy_wants(elastic: Result) -> None:
    pictures = {figure.key: figure for figure in page_of(elastic).figures}
    assert list(pictures) == ["tail", "time", "heatmap", "fleet", "busy", "cost", "ledger"]
    lines = {line["name"]: line for line in pictures["fleet"].plot["data"]}
    stack = [name for name, line in lines.items() if "stackgroup" in line]
    assert stack == ["ready", "draining", "booting", "down"]
    columns = elastic.columns
    total = sum(np.array(lines[name]["y"]) for name in stack)
    np.testing.assert_allclose(total, columns["replicas"] + columns["booting"] + columns["down"], rtol=1e-4)
    wanted = lines["wanted"]
    changed = [1, *np.diff(elastic.decisions["wanted"])]
    assert len(wanted["y"]) == np.count_nonzero(changed) + 1, "a point a change, and one at the end"
    assert wanted["x"][-1] == 2.0, "hours"
    assert all(": &lt;b&gt;" in text for text in wanted["text"])


def test_the_ledgers_bar_and_table_are_those_of_the_summary(elastic: Result) -> None:
    told = elastic.summary()["ledger"]
    (bar,) = [figure for figure in page_of(elastic).figures if figure.key == "ledger"]
    shares = {part["name"].replace(" ", "_"): part["x"][0] for part in bar.plot["data"]}
    total = sum(told["gpu_hours"].values())
    assert shares == pytest.approx({name: part / total for name, part in told["gpu_hours"].items() if part}, rel=1e-4)
    (table,) = [table for table in tables(elastic.summary()) if table.caption == "Ledger"]
    assert len(table.rows) == len(shares)
    assert table.rows[0][0] == "useful: what full replicas would have taken"
    assert table.rows[0][-1] == words.usd(told["usd"]["useful"])


def test_money_for_replicas_that_are_not_ready_is_drawn_apart(elastic: Result) -> None:
    (cost,) = [figure for figure in page_of(elastic).figures if figure.key == "cost"]
    names = [part["name"] for part in cost.plot["data"]]
    assert names == ["busy", "idle", "not ready"]
    stacked = sum(np.array(part["y"]) for part in cost.plot["data"])
    np.testing.assert_allclose(stacked, elastic.columns["usd_per_hour"], rtol=1e-3)


def test_a_fleet_that_does_not_change_has_no_ledger_to_show(page: str, result: Result) -> None:
    assert "<caption>Ledger" not in page
    assert [table.caption for table in tables(result.summary())] == ["SLO", "Latency", "Fleet and cost", "Outcomes"]
    assert "replicas ordered" not in page
