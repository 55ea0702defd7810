"""The page in a browser: sliders move the charts, variants are pinned and compared, states saved and shared."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.engine import simulate
from sim.scenario import load
from tests.e2e.ui.conftest import SIZE, TINY, Server

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)")

SHOWN = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """A page with the small scenario, whose console stays empty."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.address)
    playwright.expect(page.locator("#name")).to_have_text("tiny", timeout=SHOWN)
    settled(page)
    yield page
    context.close()
    elsewhere = [url for url in asked if not url.startswith((server.base, "data:", "blob:"))]
    assert not elsewhere, elsewhere
    assert not said, said


def paste(page: Any, text: str) -> None:
    """Open a scenario by its text, and wait for its charts."""
    page.get_by_role("button", name="Paste one").click()
    page.get_by_label("A scenario file's text").fill(text)
    page.get_by_role("button", name="Open it").click()
    playwright.expect(page.locator("#name")).to_have_text("tiny again", timeout=SHOWN)
    settled(page)


def settled(page: Any) -> None:
    """Wait until what is shown is of the present state."""
    playwright.expect(page.locator("body")).not_to_have_attribute("data-now", "working", timeout=SHOWN)
    playwright.expect(page.locator("#timeline .plot-container")).to_be_visible(timeout=SHOWN)
    page.wait_for_timeout(400)


def slide(page: Any, key: str, value: float) -> None:
    """Move a slider as a hand does."""
    page.locator(f'input[data-key="{key}"]').fill(str(value))
    settled(page)


def test_a_slider_moves_numbers_and_charts(page: Any) -> None:
    verdict, tiles = page.inner_text("#verdict"), page.inner_text("#tiles")
    command = page.inner_text("#command")
    curve = page.locator("#curve").inner_html()
    slide(page, SIZE, 6)
    assert f"--set {SIZE}=6" in page.inner_text("#command")
    assert page.inner_text("#verdict") != verdict
    assert page.inner_text("#tiles") != tiles
    assert page.inner_text("#command") != command
    assert page.locator("#curve").inner_html() != curve
    assert page.locator("#curve-table tbody tr").count() == 12
    names = [entry["name"] for entry in page.evaluate("performance.getEntriesByType('measure').map(e => e.toJSON())")]
    assert "slider to curve" in names
    page.get_by_role("button", name="Reset all").click()
    settled(page)
    assert page.inner_text("#verdict") == verdict


def test_a_price_is_shown_as_prices_are(page: Any) -> None:
    shown = page.locator('.knob:has(input[data-key^="pools.desk.price"]) output')
    assert shown.inner_text() == "$2.00/h"


def test_pinned_variants_are_compared_and_comparisons_cancelled(page: Any) -> None:
    compare = page.get_by_role("button", name="Compare with pinned")
    assert compare.is_disabled()
    page.get_by_role("button", name="Pin this").click()
    slide(page, SIZE, 6)
    assert "pinned: " in page.inner_text("#tiles")
    assert "pinned" in page.locator("#curve .legend").text_content()
    compare.click()
    rows = page.locator("#comparison-table tbody tr")
    playwright.expect(rows.first).to_be_visible(timeout=SHOWN)
    page.locator("#comparison-cancel").click()
    playwright.expect(page.locator("#comparison-said")).to_contain_text("cancelled")
    assert page.locator("#comparison").get_attribute("data-state") == "cancelled"
    compare.click()
    finished = page.locator('#comparison[data-state="done"]')
    playwright.expect(finished).to_be_visible(timeout=3 * SHOWN)
    assert "The present one" in page.inner_text("#comparison-said")
    assert rows.count() >= 2


def test_a_state_is_saved_and_survives_in_its_link(page: Any, server: Server, tmp_path: Path, browser: Any) -> None:
    slide(page, SIZE, 5)
    page.get_by_role("button", name="Pin this").click()
    slide(page, "pools.desk.price.on_demand", 4)
    verdict = page.inner_text("#verdict")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as scenario file").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert simulate(load(path)).verdict() == verdict
    page.get_by_role("button", name="Copy link").click()
    playwright.expect(page.locator("#done")).to_contain_text("link")
    link = page.url.partition("#")[2]
    assert link.startswith("s=")
    page.reload()
    playwright.expect(page.locator("#name")).to_have_text("tiny", timeout=SHOWN)
    settled(page)
    assert page.inner_text("#verdict") == verdict
    assert "pinned: " in page.inner_text("#tiles")
    other = Server(tmp_path)
    try:
        context = browser.new_context()
        elsewhere = context.new_page()
        elsewhere.goto(f"{other.address}#{link}")
        playwright.expect(elsewhere.locator("#name")).to_have_text("tiny", timeout=SHOWN)
        settled(elsewhere)
        assert elsewhere.inner_text("#verdict") == verdict
        context.close()
    finally:
        other.close()


def test_what_is_wrong_is_told_once_and_the_page_goes_on(browser: Any, server: Server) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{server.address}#s=brokenlink")
    alert = page.get_by_role("alert")
    playwright.expect(alert).to_contain_text("this link cannot be read", timeout=SHOWN)
    page.locator("#scenario").select_option(":given")
    playwright.expect(page.locator("#name")).to_have_text("tiny", timeout=SHOWN)
    settled(page)
    paste(page, TINY.replace("name: tiny", "name: tiny again"))
    assert page.get_by_role("alert").inner_text() == ""
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Paste one").click()
    page.get_by_label("A scenario file's text").fill("name: <img src=x onerror=alert(1)>\nhorizon: 1h\n")
    page.get_by_role("button", name="Open it").click()
    playwright.expect(alert).to_contain_text("must start with a letter", timeout=SHOWN)
    assert page.locator("img[src=x]").count() == 0
    context.close()


def test_it_is_used_by_keyboard(page: Any) -> None:
    slider = page.get_by_label(re.compile("^Replicas"))
    slider.focus()
    before = page.inner_text("#verdict")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    settled(page)
    assert page.inner_text("#verdict") != before
    assert slider.get_attribute("aria-valuetext") == "7"
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')]"
        ".filter(e => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).map(e => e.id)"
    )
    assert unnamed == []


def test_a_reload_finds_the_users_own_file_again(page: Any, server: Server) -> None:
    """As text it might not be readable, where it names a trace; and it would no longer follow its file."""
    command = page.inner_text("#command")
    assert "/scenario.yaml" in command
    slide(page, SIZE, 5)
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert "#s=" in page.url, "the way to the charts leaves the state in the address"
    page.reload()
    playwright.expect(page.locator("#name")).to_have_text("tiny", timeout=SHOWN)
    settled(page)
    assert page.inner_text("#command") == f"{command} --set {SIZE}=5"
    assert page.get_by_role("alert").inner_text() == ""
