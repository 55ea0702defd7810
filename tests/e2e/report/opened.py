"""A report opened in a browser, and what is checked of every one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"
MOST_BYTES, MOST_MS = 6_000_000, 3000
PATIENCE_MS = 60_000

MARKS = """() => [...document.querySelectorAll("[data-plot]")].map((holder) => [
  holder.dataset.plot,
  holder.dataset.drawn === "yes" && holder.querySelector("svg.main-svg") !== null,
  holder.querySelectorAll(".cartesianlayer .trace, .cartesianlayer image").length,
])"""
LEVELS = """() => [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1]))"""
DRAWN_AT = "() => Number(document.documentElement.dataset.drawnAtMs || 0)"
WIDE = "() => document.documentElement.scrollWidth"


class Opened:
    """A page with what it said on its console and what it asked the network for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: Path) -> None:
        self.path = path
        self.page.goto(path.as_uri())
        self.settled()

    def settled(self) -> None:
        """Wait until every picture is drawn."""
        # a selector, not a function: the page's policy forbids to evaluate text
        self.page.wait_for_selector("html[data-drawn=all]", state="attached", timeout=PATIENCE_MS)

    def drawn_ms(self, tries: int = 4) -> float:
        """From navigation to the last picture, the best of some: others may use the machine."""
        found = float(self.page.evaluate(DRAWN_AT))
        for _ in range(tries):
            if found < MOST_MS:
                break
            self.page.reload()
            self.settled()
            found = min(found, float(self.page.evaluate(DRAWN_AT)))
        return found

    def violations(self) -> list[str]:
        """What axe-core finds against WCAG 2.0 and 2.1, levels A and AA, in words."""
        from axe_playwright_python.sync_playwright import Axe

        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
        # a picture is one image with its words to whoever reads with a machine; what it is drawn of takes axe a minute
        hidden = {"exclude": [[".plot > *"]]}
        found = Axe().run(self.page, context=hidden, options={"runOnly": {"type": "tag", "values": tags}})
        return [
            f"{each['id']}: {node['html'][:160]} ({node.get('failureSummary', '')[:200]})"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]


def check_whole(opened: Opened) -> None:
    """The promises of every report: offline, quiet, all drawn, small, in order."""
    assert not opened.said
    assert opened.asked == [opened.path.as_uri()], "nothing but the file itself"
    size = opened.path.stat().st_size
    assert size < MOST_BYTES
    plots = opened.page.evaluate(MARKS)
    assert plots, "no picture at all"
    for key, drawn, marks in plots:
        assert drawn, f"{key} is not drawn"
        assert marks, f"{key} shows nothing"
    levels = opened.page.evaluate(LEVELS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels


def check_soon(opened: Opened) -> None:
    """All pictures stand there soon; for a machine that has nothing else to do."""
    took_ms = opened.drawn_ms()
    size, pictures = opened.path.stat().st_size, len(opened.page.evaluate(MARKS))
    print(f"{opened.path.parent.name}: {size / 1e6:.2f} MB, all {pictures} pictures after {took_ms:.0f} ms")
    assert took_ms < MOST_MS


def check_phone(opened: Opened, width: int = 375) -> None:
    """Nothing is wider than the screen: tables scroll in themselves."""
    assert opened.page.evaluate(WIDE) <= width
