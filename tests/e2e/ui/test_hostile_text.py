"""What somebody else has written, in the page: words are shown as they are typed, and no program runs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from sim.ui.wire.asked import Shared, Source, State
from sim.ui.wire.link import packed
from tests.e2e.ui.conftest import TINY, Server
from tests.e2e.ui.test_page import SHOWN, browser, playwright, pytestmark, settled

__all__ = ["browser", "pytestmark"]

WORDS = "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'>{{7*7}}</textarea><b>b</b>"


def _hostile() -> str:
    described = f"description: {json.dumps(WORDS)}\n"
    gpu = {"name": WORDS, "memory": "80GiB", "memory_bandwidth": "3TB/s", "source": WORDS}
    return TINY.replace("name: tiny\n", f"name: tiny again\n{described}") + f"x{WORDS[:8]}: {json.dumps(gpu)}\n"


def test_a_shared_link_runs_nothing_and_its_words_are_shown(browser: Any, server: Server) -> None:
    right = _hostile().rpartition("x<script")[0]
    for text, told in ((right, "tiny again"), (_hostile(), None)):
        state = State(source=Source(kind="text", value=text), moved={WORDS: WORDS} if told is None else {}, pool=None)
        link = packed(Shared(state=state, pinned=None))
        context = browser.new_context()
        page = context.new_page()
        asked: list[str] = []
        dialogs: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("dialog", lambda dialog, dialogs=dialogs: (dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(f"{server.address}#s={quote(link)}")
        if told is not None:
            playwright.expect(page.locator("#name")).to_have_text(told, timeout=SHOWN)
            settled(page)
            assert WORDS in page.evaluate("() => document.body.textContent")
        else:
            playwright.expect(page.get_by_text("no such key").first).to_be_visible(timeout=SHOWN)
        assert page.evaluate("() => window.hacked === undefined")
        assert page.query_selector_all("img[src=x]") == []
        context.close()
        assert dialogs == []
        assert [url for url in asked if not url.startswith((server.base, "data:", "blob:"))] == []


def test_a_link_leads_to_no_file_of_the_machine(server: Server) -> None:
    names = ("../secret", "../../etc/passwd", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "tiny\x00", "C:\\x", "~root")
    for kind in ("name", "stored"):
        for name in names:
            answer = server.post("/api/open", source={"kind": kind, "value": name})
            assert answer.status_code in (404, 422), (kind, name, answer.text)
            assert "root:" not in answer.text
    for line in ("workload: {trace: /etc/passwd}", "pools: {a: {gpu: /etc/passwd}}", "workload: {from: ../secret}"):
        key = line.partition(":")[0]
        text = "\n".join(part for part in TINY.split("\n") if part)
        kept = "name: a\nhorizon: 1m\n" + line + "\n" if key in text else text
        answer = server.post("/api/open", source={"kind": "text", "value": kept})
        assert answer.status_code == 422, answer.text
        assert "root:" not in answer.text
