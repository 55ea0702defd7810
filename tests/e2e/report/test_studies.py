"""The report of every kind of study in a real browser: no error, no request, all drawn; and two side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sim.cli import main
from sim.report.drawing.figure import Figure
from sim.report.page.document import Page
from sim.report.page.read import Report
from sim.report.page.render import render
from tests.e2e.report.opened import Opened

SCENARIO = """
name: small
description: Is <b>this</b> & that enough?
seed: 3
horizon: 3m
calendar: simpy
workload: {arrivals: {kind: poisson, rate: 1/s}, service: {kind: exponential, mean: 3s}}
pools:
  main:
    gpu: l4
    boot: 10s
    replica: {kind: slots}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 4}
slo: [{metric: queue_wait, under: 2s, share: 90%}]
slowness: [{kind: linear, metric: queue_wait, beyond: 1s, usd_per_hour: $40/h}]
"""
METRICS = "metrics: [{metric: num_requests_running, target: 800m}]"
HPA = f"pools.main.autoscaler={{kind: hpa, min_replicas: 3, max_replicas: 8, {METRICS}}}"
KEY = "pools.main.autoscaler.replicas"
VERBS = {
    "run": ("run", "small.yaml", "--replications", "2", "--steady"),
    "compare": ("compare", "small.yaml", "--with", f"{KEY}=6", "--walk", "--replications", "3"),
    "sweep": ("sweep", "small.yaml", "--over", f"{KEY}=4,5,6", "--over", "seed=1,2", "--replications", "2"),
    "tune": (
        "tune",
        "small.yaml",
        "--set",
        HPA,
        "--budget",
        "12 runs",
        "--set",
        "tune={search_runs: 2, fresh_runs: 2, finalists: 2}",
    ),
    "plan": ("plan", "small.yaml", "--budget", "4000", "--no-drills"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outputs of each verb, by its name."""
    here = tmp_path_factory.mktemp("studies")
    (here / "small.yaml").write_text(SCENARIO)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(here)
        for name, words in VERBS.items():
            done = CliRunner().invoke(main, [*words, "--workers", "1", "--quiet", "--out", name])
            assert done.exit_code == 0, (name, done.output, done.stderr)
        done = CliRunner().invoke(main, ["report", "compare", "plan", "--out", "both.html"])
        assert done.exit_code == 0, done.output
    return here


def opened(chromium: Any, path: Path, wide: int = 1280) -> tuple[Any, list[str]]:
    """The page, all of it drawn, and what went wrong on it."""
    page, wrong = chromium.new_page(viewport={"width": wide, "height": 900}), []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda sent: wrong.append(sent.url) if not sent.url.startswith("file:") else None)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn=all]", state="attached", timeout=30_000)
    return page, wrong


@pytest.mark.parametrize("verb", VERBS)
def test_every_picture_of_a_study_is_drawn_and_nothing_is_asked_for(chromium: Any, folder: Path, verb: str) -> None:
    page, wrong = opened(chromium, folder / verb / "report.html", 390)
    holders = page.locator("[data-plot]")
    assert holders.count() >= 2
    assert page.locator("[data-plot] .main-svg >> nth=0").count() == 1
    assert page.locator("[data-plot][data-drawn=yes]").count() == holders.count()
    assert page.locator(".verdict p").first.inner_text()
    assert page.locator("h1").inner_text()
    assert page.locator("#provenance").count() == 1
    assert (folder / verb / "report.html").stat().st_size < 6_000_000
    assert wrong == []
    page.close()


def test_two_studies_stand_side_by_side_and_words_stay_words(chromium: Any, folder: Path) -> None:
    page, wrong = opened(chromium, folder / "both.html")
    assert "Beside it: Capacity plan: small" in page.locator("#beside").inner_text()
    assert wrong == []
    page.close()
    page, wrong = opened(chromium, folder / "plan" / "report.html")
    assert page.locator(".description").inner_text() == "Is <b>this</b> & that enough?"
    assert wrong == []
    page.close()


def test_what_cannot_be_drawn_beside_leaves_the_page_as_it_was(opens: Callable[..., Opened], tmp_path: Path) -> None:
    plot = {"data": [{"type": "scatter", "x": [0, 1], "y": [0, 1]}], "layout": {"xaxis": {}, "yaxis": {}}}
    own, other = tmp_path / "own.html", tmp_path / "other.html"
    own.write_text(render(Page("own", "So.", (), hero=Figure("one", "One", "So.", plot))), encoding="utf-8")
    broken = {"data": plot["data"], "layout": {"xaxis": None}}
    other.write_text(render(Page("other", "So.", (), hero=Figure("one", "One", "So.", broken))), encoding="utf-8")
    shown = opens(own)
    shown.page.set_input_files("#beside-file", str(other))
    shown.page.wait_for_selector("text=cannot be drawn")
    assert shown.page.locator(".plot").count() == 1
    shown.page.click("#theme")
    both = tmp_path / "both.html"
    both.write_text(Report(own).with_beside(Report(other)), encoding="utf-8")
    shown.open(both)
    shown.page.wait_for_selector("text=cannot be drawn")
    assert not shown.said
