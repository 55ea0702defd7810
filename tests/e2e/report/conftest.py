"""What the tests of reports share: a browser, and an opened page that keeps what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.report.opened import CHROMIUM, Opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; skips where there is none. One a module: a process can have only one driver at a time."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright (dev extras)")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"needs Debian's package chromium ({CHROMIUM})")
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def opens(chromium: Any) -> Iterator[Callable[..., Opened]]:
    """Opens a file and waits until all of it is drawn: `opens(path, width=1280, theme="light")`."""
    contexts = []

    def opened(path: Path, width: int = 1280, theme: str = "light") -> Opened:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        found = Opened(context.new_page())
        found.open(path)
        return found

    yield opened
    for context in contexts:
        context.close()
