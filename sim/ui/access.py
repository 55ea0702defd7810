"""Who may ask: the token, the names that this server answers to, where a page comes from, how much may be sent.

A layer around the whole application, so that no route can forget it. Loopback alone is no protection: any page that a
browser shows can send requests there, and a name that resolves to 127.0.0.1 makes it the same origin. So the `Host`
must be ours, the `Origin` the same for whatever computes, and everything takes the token: as `Authorization: Bearer`
from programs, as a cookie from the page, which has it from the address that `fleetcast ui` prints.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sim.ui.wire.limits import Limits

__all__ = ["Access", "new_token"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Plotly writes styles
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
_NO_ENTRY = """<!doctype html><html lang="en"><meta charset="utf-8"><title>fleetcast</title>
<p>This page needs the address that <code>fleetcast ui</code> printed when it was started, with its token.</p></html>"""


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


class _TooLargeError(Exception):
    pass


class Access:
    """An ASGI application that lets through what may come in."""

    def __init__(self, app: App, token: str, host: str, port: int, limits: Limits) -> None:
        self.app, self.token, self.limits = app, token, limits
        self.names = {"localhost", host.lower()}
        self.cookie = f"fleetcast_{port}"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(scope, headers)
        if refused is not None:
            await refused(send)
            return
        await self._through(scope, receive, send)

    def _refused(self, scope: Message, headers: dict[str, str]) -> Callable[[Send], Awaitable[None]] | None:
        """What to answer instead, if anything."""
        if not self._is_ours(headers.get("host", "")):
            return _problem(403, "host", "this server answers to localhost, IP addresses and the --host it was given")
        by_header = self._same(headers.get("authorization", "").removeprefix("Bearer ").strip())
        if scope["path"] == "/" and scope["method"] == "GET":
            sent = parse_qs(scope["query_string"].decode("latin-1")).get("token")
            if sent is not None and self._same(sent[-1]):
                return self._welcome
        if not by_header and not self._same(self._cookie_of(headers)):
            if scope["path"] == "/":
                return _page(401, _NO_ENTRY)
            told = "this needs the token that `fleetcast ui` prints, as `Authorization: Bearer TOKEN`"
            return _problem(401, "authorization", told, {"www-authenticate": "Bearer"})
        if scope["method"] not in ("GET", "HEAD") and not by_header and not self._same_origin(headers):
            return _problem(403, "origin", "this must come from the page itself")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.limits.body_bytes:
            return self._too_large()
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a `Host` is an address or a name of ours: a name of somebody else's may lead here (rebinding)."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name.lower() in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _same(self, token: str) -> bool:
        return secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def _cookie_of(self, headers: dict[str, str]) -> str:
        """Ours alone: servers at other ports of this machine share a browser's cookies, and theirs may be anything."""
        pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
        return next((value for name, _, value in pairs if name == self.cookie), "")

    @staticmethod
    def _same_origin(headers: dict[str, str]) -> bool:
        origin = headers.get("origin", "")
        return origin in (f"http://{headers.get('host')}", f"https://{headers.get('host')}")

    async def _welcome(self, send: Send) -> None:
        """From the address with the token to the one without, which a link may hold."""
        cookie = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        await _answer(send, 303, b"", {"location": "/", "set-cookie": cookie})

    def _too_large(self) -> Callable[[Send], Awaitable[None]]:
        return _problem(413, "body", f"more than {self.limits.body_bytes // 1000} kB; a scenario is a few")

    async def _through(self, scope: Message, receive: Receive, send: Send) -> None:
        """Into the application, with the body read before: so much of it, and so long, and no more."""
        try:
            body = await asyncio.wait_for(self._body(receive), self.limits.body_s)
        except TimeoutError:
            await _problem(408, "body", f"not there after {self.limits.body_s:g} s")(send)
            return
        except _TooLargeError:
            await self._too_large()(send)
            return
        if body is None:
            return  # the client has gone
        first = True

        async def again() -> Message:
            nonlocal first
            if not first:
                return await receive()
            first = False
            return {"type": "http.request", "body": body, "more_body": False}

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in more if name not in given),
                ]
            await send(message)

        await self.app(scope, again, guarded)

    async def _body(self, receive: Receive) -> bytes | None:
        parts, seen, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            seen += len(parts[-1])
            more = message.get("more_body", False)
            if seen > self.limits.body_bytes:
                raise _TooLargeError
        return b"".join(parts)


def _problem(
    status: int, place: str, message: str, headers: dict[str, str] | None = None
) -> Callable[[Send], Awaitable[None]]:
    body = json.dumps({"problems": [{"place": place, "message": message}]}).encode()

    async def answer(send: Send) -> None:
        await _answer(send, status, body, {"content-type": "application/json", **(headers or {})})

    return answer


def _page(status: int, text: str) -> Callable[[Send], Awaitable[None]]:
    async def answer(send: Send) -> None:
        headers = {"content-type": "text/html; charset=utf-8", "www-authenticate": "Bearer"}
        await _answer(send, status, text.encode(), headers)

    return answer


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    every = {**HEADERS, **headers, "content-length": str(len(body))}
    started = [(name.encode(), value.encode("latin-1", "replace")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": started})
    await send({"type": "http.response.body", "body": body})
