"""Who gets in: only those with the token, by our own name, from our own page; and only so much, in so much time."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from sim.ui.wire.limits import Limits
from tests.e2e.ui.conftest import TOKEN, Server


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/about"), ("GET", "/openapi.json"), ("GET", "/page/app.js"), ("POST", "/api/look"), ("GET", "/nope")],
)
@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "\u00e9"])
def test_nothing_is_had_without_the_token(server: Server, method: str, path: str, token: str) -> None:
    headers = {"authorization": f"Bearer {token}".encode()} if token else {}
    answer = server.visitor().request(method, path, headers=headers)
    assert answer.status_code == 401
    assert "token" in answer.json()["problems"][0]["message"]


def test_the_printed_address_lets_a_browser_in(server: Server) -> None:
    browser = server.visitor(follow_redirects=False)
    assert browser.get("/").status_code == 401
    welcome = browser.get(server.address)
    assert welcome.status_code == 303
    assert welcome.headers["location"] == "/", "the token does not stay in the address"
    cookie = welcome.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = browser.get("/")
    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("<!doctype html>", ""), "it loads nothing from elsewhere"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "", "[::1", "@", "a b"]
)
def test_a_name_that_is_not_ours_is_refused(server: Server, host: str) -> None:
    """A name of somebody else's may resolve to this machine (DNS rebinding)."""
    answer = server.client.get("/api/about", headers={"host": host})
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1"])
def test_another_page_cannot_use_the_cookie(server: Server, origin: str | None) -> None:
    browser = server.visitor()
    browser.get(server.address)
    headers = {} if origin is None else {"origin": origin}
    refused = browser.post("/api/link", json={"link": "x"}, headers=headers)
    assert refused.status_code == 403
    ours = browser.post("/api/link", json={"link": "x"}, headers={"origin": server.base})
    assert ours.status_code == 422, "from the page itself it is looked at"


def test_a_large_body_is_refused_whether_it_says_so_or_not(server: Server) -> None:
    said = server.client.post("/api/link", content=b"x" * 1_000_001)

    def parts() -> Any:
        for _ in range(40):
            yield b"x" * 30_000

    unsaid = server.client.post("/api/link", content=parts())
    assert (said.status_code, unsaid.status_code) == (413, 413)
    assert "kB" in said.json()["problems"][0]["message"]


def test_slow_clients_do_not_keep_others_waiting(server: Server) -> None:
    host, port = server.base.removeprefix("http://").split(":")
    head = f"POST /api/link HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
    slow = []
    for _ in range(60):
        one = socket.create_connection((host, int(port)))
        one.sendall(f"{head}Content-Length: 500\r\n\r\n{{".encode())
        slow.append(one)
    began = time.monotonic()
    assert server.client.get("/api/about").status_code == 200
    assert time.monotonic() - began < 5
    for one in slow:
        one.close()


def test_who_asks_nothing_keeps_nobody_out_for_long(server: Server) -> None:
    """Silent, byte by byte, or going on after the answer: of more than there are places for, all are sent away."""
    limits, address = Limits(), ("127.0.0.1", int(server.base.rpartition(":")[2]))
    starts = (b"POST /api/link HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\n\r\n{", b"", b"G")
    others: list[socket.socket] = []

    def come(number: int, *starts: bytes) -> None:
        for place in range(number):
            others.append(socket.create_connection(address))
            others[-1].sendall(starts[place % len(starts)])
            others[-1].setblocking(False)

    try:
        come(210, *starts)
        began = time.monotonic()
        assert server.client.get("/api/about").status_code == 200, "half as many stop nobody"
        assert time.monotonic() - began < 5
        come(limits.connections, *starts[1:])
        assert server.visitor(TOKEN).get("/api/about").status_code == 503, "there is a limit in all"
        left, ends = set(others), time.monotonic() + limits.head_s + 10
        while left and time.monotonic() < ends:
            time.sleep(0.2)
            left = {one for place, one in enumerate(others) if one in left and _open(one, place % 3 != 1)}
        assert not left, f"{len(left)} of {len(others)} are still connected"
        assert server.visitor(TOKEN).get("/api/about").status_code == 200
    finally:
        for one in others:
            one.close()


def _open(one: socket.socket, more: bool) -> bool:
    """Whether the server still listens to this client, who sends another byte and reads what there is."""
    try:
        if more:
            one.send(b"a")
        while one.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@pytest.mark.parametrize(
    "path",
    [
        "/stored/../secret.html",
        "/stored/..%2f..%2fsecret.html",
        "/stored/%2e%2e/%2e%2e/secret.html",
        "/stored//etc/passwd",
        "/stored/tiny-run",
        "/stored/tiny-run/report.html",
        "/stored/00000000000000000000",
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e%2fapp.py",
        "/page/__init__.py",
    ],
)
def test_no_path_leads_to_a_file(server: Server, path: str) -> None:
    assert server.client.get(path).status_code in (404, 422)


def test_stored_pages_are_shown_in_a_box_of_their_own(server: Server) -> None:
    listed = server.client.get("/api/about").json()["stored"]
    by_name = {each["name"]: each for each in listed}
    run = by_name["tiny-run"]
    assert (run["kind"], run["has_page"], run["has_scenario"]) == ("run", True, True)
    assert not by_name.get("linked", {}).get("has_page", False), "a link leads out of the folder"
    page = server.client.get(f"/stored/{run['id']}")
    assert page.status_code == 200
    assert "fleetcast" in page.text
    assert page.headers["content-security-policy"].startswith("sandbox allow-scripts"), "its scripts cannot ask us"


def test_cookies_of_other_servers_do_not_lock_anybody_out(server: Server) -> None:
    """A browser sends what any port of this machine has set, and some of it is no cookie by the book."""
    browser = server.visitor(follow_redirects=False)
    cookie = browser.get(server.address).headers["set-cookie"].partition(";")[0]
    noisy = f'prefs={{"a":1,"b":[2]}}; x y=2; =; {cookie}; caf\u00e9=\u00e9'.encode()
    assert server.visitor().get("/api/about", headers={"cookie": noisy}).status_code == 200
    assert server.visitor().get("/api/about", headers={"cookie": "x" + cookie}).status_code == 401


def test_a_reader_who_does_not_read_costs_no_copy_of_what_is_sent(server: Server) -> None:
    """The library of the charts is megabytes: it must be sent as it is taken."""

    def resident_bytes() -> int:
        try:
            with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * 4096
        except OSError:
            pytest.skip("no /proc here")

    address = ("127.0.0.1", int(server.base.rpartition(":")[2]))
    before, idle = resident_bytes(), []
    for _ in range(20):
        idle.append(socket.create_connection(address))
        asked = f"GET /page/plotly.js HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        idle[-1].sendall(asked.encode())
    try:
        for each in idle:
            each.settimeout(10)
            assert each.recv(12) == b"HTTP/1.1 200"
        assert server.client.get("/api/about").status_code == 200
        assert resident_bytes() - before < 40e6
    finally:
        for each in idle:
            each.close()
