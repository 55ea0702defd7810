"""What is asked wrongly gets one clear answer with its place, and never more than is good for the machine."""

from __future__ import annotations

import base64
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ui.conftest import SIZE, TINY, Server

LOAD = {"load": 1.2}


def place_and_message(answer: Any) -> tuple[str, str]:
    """The first problem of a refusal."""
    problem = answer.json()["problems"][0]
    return problem["place"], problem["message"]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "scenario:1:1", "is empty"),
        ("a: [", "scenario:", "not valid YAML"),
        (
            TINY.replace("concurrency: 1", "concurrency: 0"),
            "scenario:10:41: pools.desk.replica.concurrency",
            "above 0",
        ),
        (TINY.replace("horizon: 2m", "horizon: 5 parsecs"), "scenario:3:10: horizon", "5 parsecs"),
        (TINY.replace("replicas: 4", "replica: 4"), "pools.desk.autoscaler", "did you mean 'replicas'"),
        (TINY.replace("rate: 2/s", "rate: 1000000/s"), "horizon", "requests arrive"),
        (TINY + "x: &a [1]\ny: *b\n", "scenario:", "alias"),
        (
            "a: &a ["
            + "b, " * 9
            + "b]\n"
            + "".join(f"{c}: &{c} [{', '.join([f'*{p}'] * 10)}]\n" for p, c in zip("abcdef", "bcdefg", strict=True)),
            "scenario:",
            "values",
        ),
        ("\ud800", "", ""),
    ],
)
def test_a_wrong_scenario_is_told_as_on_the_command_line(server: Server, text: str, place: str, said: str) -> None:
    body = json.dumps({"source": {"kind": "text", "value": text}, "moved": {}})
    answer = server.client.post("/api/scenario", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text[:300]
    where, message = place_and_message(answer)
    assert place in where
    assert said in message


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("workload:\n", "workload:\n  trace: /etc/passwd\n"), "workload.trace"),
        (("    price: {on_demand: $2/h}", "    gpu: /etc/passwd"), "pools.desk.gpu"),
        (("    price: {on_demand: $2/h}", "    gpu: {from: ../../secret}"), "pools.desk.gpu"),
        (
            ("autoscaler: {kind: fixed, replicas: 4}", "autoscaler: {manifest: hpa.yaml}"),
            "pools.desk.autoscaler.manifest",
        ),
        (("autoscaler: {kind: fixed, replicas: 4}", "autoscaler: {kind: 'os:system'}"), "pools.desk.autoscaler.kind"),
        (("replicas: 4}", "replicas: 4}\n    boot: scenario.yaml"), "pools.desk.boot"),
    ],
)
def test_a_pasted_scenario_reads_no_file(server: Server, change: tuple[str, str], place: str) -> None:
    text = TINY.replace(*change)
    assert text != TINY
    answer = server.post("/api/open", source={"kind": "text", "value": text})
    assert answer.status_code == 422
    assert place_and_message(answer)[0].endswith(place)
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ({"load": 1e9}, "a number from 0.25 to 4"),
        ({"load": "much"}, "a number from"),
        ({SIZE: 2.5}, "a whole number"),
        ({SIZE: -1}, "a number from 1"),
        ({"pools.desk.autoscaler.replica": 3}, "no such slider; did you mean"),
        ({"seed=1; rm": 3}, "no such slider"),
    ],
)
def test_a_slider_moves_within_its_range(server: Server, tiny: Any, moved: dict[str, Any], said: str) -> None:
    answer = server.post("/api/look", source=tiny, moved=moved)
    assert answer.status_code == 422
    place, message = place_and_message(answer)
    assert place == f"moved.{next(iter(moved))}"
    assert said in message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"source": 3}',
        b'{"source": {"kind": "name", "value": "no-such"}}',
        b'{"source": {"kind": "stored", "value": "../x"}}',
        b'{"source": {"kind": "name", "value": "mmc"}, "moved": {"load": NaN}}',
        b'{"source": {"kind": "name", "value": "mmc"}, "moved": {"load": 1e999}}',
        b'{"source": {"kind": "name", "value": "mmc"}, "moved": {"load": true}}',
        b'{"source": {"kind": "name", "value": "mmc"}, "pool": "no-such"}',
        b'{"source": {"kind": "name", "value": "mmc"}, "number": -1}',
        b'{"source": {"kind": "name", "value": "mmc"}, "more": 1}',
        b'{"source":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b"\xff\xfe{}",
    ],
)
@pytest.mark.parametrize("path", ["/api/look", "/api/curve", "/api/scenario"])
def test_a_malformed_question_is_refused(server: Server, path: str, body: bytes) -> None:
    answer = server.client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text[:200]
    assert place_and_message(answer)[1]


def squeezed(raw: bytes) -> str:
    """As a browser packs it."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.urlsafe_b64encode(squeeze.compress(raw) + squeeze.flush()).decode().rstrip("=")


STATE = {"version": 1, "state": {"source": {"kind": "name", "value": "mmc"}, "moved": LOAD, "pool": None}}


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("", "letters"),
        ("%%%", "letters"),
        ("\u00e9", "letters"),
        ("AAAA", "cut short"),
        (squeezed(json.dumps(STATE).encode())[:-6], "cut short"),
        (squeezed(b"[" * 100_000), "no state"),
        (squeezed(b"x" * 300), "no state"),
        (squeezed(json.dumps({**STATE, "version": 2}).encode()), "no state"),
        (squeezed(json.dumps({**STATE, "state": {"source": {"kind": "file"}}}).encode()), "no state"),
        (squeezed(b" " * 50_000_000), "more than"),
    ],
)
def test_a_malformed_link_is_refused(server: Server, link: str, said: str) -> None:
    answer = server.post("/api/link", link=f"#s={link}")
    assert answer.status_code == 422
    place, message = place_and_message(answer)
    assert place == "link"
    assert "this link cannot be read" in message
    assert said in message


def test_a_link_gives_its_state(server: Server) -> None:
    answer = server.post("/api/link", link="#s=" + squeezed(json.dumps(STATE).encode()))
    assert answer.status_code == 200
    assert answer.json()["state"] == STATE["state"]


def test_a_hundred_at_once_leave_the_server_up(server: Server) -> None:
    """Each is answered, or told to come back, or that it takes too long now; memory and processes stay as they were."""
    tiny = {"kind": "text", "value": TINY.replace("horizon: 2m", "horizon: 30s")}

    def one(place: int) -> Any:
        with server.visitor(server.client.headers["authorization"].removeprefix("Bearer ")) as visitor:
            return visitor.post("/api/look", json={"source": tiny, "moved": {"load": 1 + place / 100}, "number": place})

    server.post("/api/open", source=tiny)
    processes, before = family(server.process.pid)
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(one, range(100)))
    codes = {answer.status_code for answer in answers}
    assert {200, 429} <= codes <= {200, 202, 429}
    for place, answer in enumerate(answers):
        if answer.status_code != 429:
            assert answer.json()["number"] == place
        else:
            assert int(answer.headers["retry-after"]) >= 1
    assert server.post("/api/look", source=tiny, number=7).json()["number"] == 7
    processes_after, after = family(server.process.pid)
    assert processes_after == processes
    assert after - before < 300e6


def family(pid: int) -> tuple[int, float]:
    """How many processes a process has below it, and the memory of them all in bytes."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").iterdir():
            found += [int(text) for text in (task / "children").read_text().split()]
    pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in found]
    return len(found), 4096.0 * sum(pages)
