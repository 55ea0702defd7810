"""Reports of runs in a browser: three that differ in what they have to show; all that ship behind `slow`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sim import load, simulate
from sim.config import catalogue
from sim.report import render
from tests.e2e.report.opened import Opened, check_phone, check_soon, check_whole

TOKENS = {"prompt_tokens": {"kind": "constant", "value": 400}, "output_tokens": {"kind": "constant", "value": 60}}
RETRY = {"kind": "exponential", "attempts": 3, "base": "1s", "cap": "10s"}
CLIENTS: Any = {
    "name": "clients",
    "seed": 3,
    "horizon": "10m",
    "warmup": "1m",
    "classes": {"paid": {}, "free": {}},
    "tenants": {"acme": {}, "globex": {}},
    "workload": {
        "streams": {
            "chat": {"class": "paid", "tenant": "acme", "arrivals": {"kind": "poisson", "rate": "6/s"}, **TOKENS},
            "code": {"class": "paid", "tenant": "globex", "arrivals": {"kind": "poisson", "rate": "4/s"}, **TOKENS},
            "bulk": {"class": "free", "arrivals": {"kind": "poisson", "rate": "5/s"}, **TOKENS},
        },
        "clients": {"total_timeout": "8s", "retry": RETRY},
    },
    "pools": {
        "main": {
            "model": "llama-3-8b",
            "gpu": "l4",
            "autoscaler": {"kind": "fixed", "replicas": 4},
            "queue": {"kind": "central", "max_waiting": 40},
        }
    },
    "slo": [
        {"metric": "ttft", "under": "1s", "share": "99%", "class": "paid"},
        {"metric": "e2e", "under": "6s", "share": "90%"},
    ],
}
"""Several classes and tenants that send again what fails."""
SAMPLE: dict[str, tuple[Any, tuple[str, ...]]] = {
    "plain queue": ("mmc", ("horizon=3h", "warmup=5m", "slo=[{metric: e2e, under: 4s, share: 95%}]")),
    "elastic": (
        "autoscale-hpa",
        ("horizon=40m", "workload.arrivals={kind: curve, points: [[0, 8], [20m, 40], [40m, 8]]}"),
    ),
    "classes, tenants, retries": (CLIENTS, ()),
}
STREAMED = "mmc"


@cache
def _page(name: str, sets: tuple[str, ...], stream: bool | None = None) -> str:
    source = next((one for one, _ in SAMPLE.values() if isinstance(one, dict) and one["name"] == name), name)
    return render(simulate(load(source, sets), stream=stream))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(params=list(SAMPLE))
def report(request: pytest.FixtureRequest, folder: Path) -> Path:
    return _written(folder, request.param, *SAMPLE[request.param])


def _written(folder: Path, called: str, name: Any, sets: tuple[str, ...] = (), stream: bool | None = None) -> Path:
    path = folder / called.replace(", ", "-").replace(" ", "-") / "report.html"
    if not path.exists():
        path.parent.mkdir()
        path.write_text(_page(name if isinstance(name, str) else name["name"], sets, stream), encoding="utf-8")
    return path


def test_a_report_is_whole_and_offline(report: Path, opens: Callable[..., Opened]) -> None:
    check_whole(opens(report))


def test_a_report_is_for_everybody(report: Path, opens: Callable[..., Opened]) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs the Python package axe-playwright-python (dev extras)")
    opened = opens(report)
    opened.page.click("[data-numbers] summary")
    opened.page.wait_for_selector("details[open] table td")
    opened.page.evaluate(FEW_ROWS)
    assert not opened.violations()
    opened.page.click("#theme")
    assert opened.page.evaluate(THEME) == "dark"
    assert not opened.violations()


def test_a_report_fits_a_phone_and_a_keyboard(report: Path, opens: Callable[..., Opened]) -> None:
    opened = opens(report, width=375)
    check_phone(opened)
    page = opened.page
    assert not page.query_selector_all("[tabindex]:not([tabindex='0']):not([tabindex='-1'])"), "the order is the text's"
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "verdict"
    seen = []
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.textContent.trim().slice(0, 11)"))
    assert seen[0] == "The numbers", "the hero's, which say in words what it shows"
    page.focus("[data-numbers] summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("details[open] table td")


def test_a_report_is_printed_with_all_its_pictures(report: Path, opens: Callable[..., Opened]) -> None:
    opened = opens(report, theme="dark")
    printed = opened.page.pdf(format="A4", print_background=True)
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= 3
    assert not opened.said
    assert opened.page.evaluate(THEME) == "dark", "and is as it was after that"
    on_screen = opened.page.evaluate(WIDEST)
    assert on_screen > 700
    opened.page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert opened.page.evaluate(THEME) == "light"
    assert opened.page.evaluate(WIDEST) <= 650, "as wide as paper"
    opened.page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert opened.page.evaluate(WIDEST) == on_screen


@pytest.mark.parametrize("name", ["mmc"])
def test_the_report_of_a_streamed_run_has_the_same_pictures(
    name: str, folder: Path, opens: Callable[..., Opened]
) -> None:
    sets = SAMPLE["plain queue"][1]
    opened = [
        opens(_written(folder, f"{name}-{stream}", name, sets, stream)).page.evaluate(_KEYS) for stream in (False, True)
    ]
    assert opened[0] == opened[1]
    assert {"tail", "time", "budget", "heatmap", "spend", "theory"} <= set(opened[0])


WIDEST = "() => Math.max(...[...document.querySelectorAll('.plot svg.main-svg')].map((one) => one.clientWidth))"
FEW_ROWS = "() => document.querySelectorAll('details tbody tr').forEach((one, at) => at > 20 && one.remove())"
"""Of thousands of cells that are all alike the checker needs a minute."""
THEME = "() => document.documentElement.dataset.theme"
_KEYS = "() => [...document.querySelectorAll('[data-plot]')].map((one) => one.dataset.plot)"

_NEEDS_DATA = ("trace-replay",)
"""Scenarios that say nothing without a file of the user's."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in catalogue.names(catalogue.SCENARIOS) if name not in _NEEDS_DATA])
def test_the_report_of_every_shipped_scenario(name: str, tmp_path: Path, opens: Callable[..., Opened]) -> None:
    path = _written(tmp_path, name, name)
    opened = opens(path)
    check_whole(opened)
    check_soon(opened)
    check_phone(opens(path, width=375))
    for theme in ("light", "dark"):
        assert not opens(path, theme=theme).violations()


@pytest.mark.slow
def test_ten_million_requests_open_as_quickly(tmp_path: Path, opens: Callable[..., Opened]) -> None:
    """Rows of such a run are more than a gigabyte; the page has what is left of them."""
    sets = ("horizon=350h", "warmup=1h")
    made = simulate(load(STREAMED, sets), stream=True)
    assert made.log.count > 10_000_000
    path = tmp_path / "report.html"
    path.write_text(render(made), encoding="utf-8")
    opened = opens(path)
    check_whole(opened)
    check_soon(opened)


def _ranges(page: Any, key: str) -> list[Any]:
    return list(
        page.evaluate(
            """(key) => [...document.querySelectorAll(`[data-plot="${key}"], [data-beside="${key}"]`)]
              .map((holder) => [holder._fullLayout.xaxis.range, holder._fullLayout.yaxis.range])""",
            key,
        )
    )


def test_two_reports_side_by_side_have_the_same_axes(folder: Path, opens: Callable[..., Opened]) -> None:
    paths = [_written(folder, called, *SAMPLE[called]) for called in ("plain queue", "elastic")]
    opened = opens(paths[0])
    alone = _ranges(opened.page, "tail")
    opened.page.set_input_files("#beside-file", paths[1])
    opened.page.wait_for_selector("html[data-beside=yes]", state="attached")
    for key in ("tail", "time", "busy"):
        opened.page.wait_for_selector(f'[data-beside="{key}"][data-drawn=yes]', state="attached")
        one, other = _ranges(opened.page, key)
        assert one == other, key
    assert one != alone[0]
    until = [page_range[0][1] for page_range in _ranges(opened.page, "time")]
    assert until == [3.0, 3.0], "hours, and not the other's minutes"
    last = opened.page.evaluate("() => document.querySelector('[data-beside=time]').data[0].x.at(-1)")
    assert last == pytest.approx(40 / 60, rel=0.02)
    assert "Beside it: autoscale-hpa" in opened.page.inner_text("#beside")
    assert not opened.said


def test_a_file_that_is_no_report_is_said_to_be_none(
    folder: Path, tmp_path: Path, opens: Callable[..., Opened]
) -> None:
    other = tmp_path / "other.html"
    other.write_text("<p>not one</p>")
    opened = opens(_written(folder, "plain queue", *SAMPLE["plain queue"]))
    opened.page.set_input_files("#beside-file", other)
    opened.page.wait_for_selector("#beside p")
    assert opened.page.inner_text("#beside") == "other.html is not a report of fleetcast."
