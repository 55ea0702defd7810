"""How long it takes from a slider to the new curve, measured in the page: an hour of 10 requests a second, 12 points.

`python -m tests.benchmarks.test_ui_speed` prints the figures.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MOST_S = 0.3
PLACES = [place for place in range(428, 573, 6) if abs(place - 500) > 6]
"""Of the slider of the load: around 1, which itself has been shown already; all loads differ."""
REST_MS = 300
"""Between two moves: each begins at a page that has drawn the last one."""
MEASURES = ("slider to curve", "slider to all charts")
SETS = ("--set", "workload.arrivals.rate=10/s", "--set", "horizon=1h")
MOVE = """async (places) => {
  const slider = document.querySelector('input[data-key="load"]');
  for (const place of places) {
    await new Promise((done) => setTimeout(done, REST_MS));
    const before = document.body.dataset.shown;
    const shown = new Promise((done) => {
      const watch = new MutationObserver(() => {
        if (document.body.dataset.shown !== before) { watch.disconnect(); done(); }
      });
      watch.observe(document.body, { attributes: true });
    });
    slider.value = place;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await shown;
  }
}""".replace("REST_MS", str(REST_MS))
"""Moves the slider from within the page: nobody looks in from outside meanwhile, which takes time too."""
ENTRIES = "performance.getEntriesByType('measure').map(entry => entry.toJSON())"


def took_s() -> dict[str, list[float]]:
    """Seconds by measure, of moves of the load: each draws another demand and makes all twelve runs anew."""
    from playwright.sync_api import expect, sync_playwright

    from tests.e2e.ui.conftest import Server

    with TemporaryDirectory() as folder, sync_playwright() as driver:
        server = Server(Path(folder), "chat-h100", *SETS, plain=False)
        try:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(server.address)
            expect(page.locator("body[data-shown]")).to_be_visible(timeout=180_000)
            page.evaluate(MOVE, [425 + 6 * move for move in range(3)])  # these warm the caches of code up
            page.evaluate("performance.clearMeasures()")
            page.evaluate(MOVE, PLACES)
            entries: list[dict[str, Any]] = page.evaluate(ENTRIES)
            assert page.locator("#curve-table tbody tr").count() == 12
            browser.close()
        finally:
            server.close()
    return {name: [each["duration"] / 1e3 for each in entries if each["name"] == name] for name in MEASURES}


@pytest.mark.bench
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)")
def test_a_slider_moves_the_curve_at_once() -> None:
    pytest.importorskip("playwright", reason="needs playwright (extra dev)")
    found = took_s()
    assert len(found[MEASURES[0]]) >= len(PLACES) - 1
    assert median(found[MEASURES[0]]) < MOST_S


def main() -> None:
    """Print what was measured."""
    for name, values in took_s().items():
        low, high = min(values), max(values)
        sys.stdout.write(f"{name}: median {1e3 * median(values):.0f} ms ({1e3 * low:.0f} to {1e3 * high:.0f} ms)\n")


if __name__ == "__main__":
    main()
