"""A Prometheus server, asked over HTTP for the series of an engine's metrics. Owns what goes wrong on the way.

A server answers at most 11,000 points a series, so a long time is asked for in parts. What tells when requests came is
wanted in short steps; lengths and sums only grow, so longer steps do.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib import error, parse, request

from sim.config.errors import DataError, Problem
from sim.exchange.documents import Fields
from sim.exchange.traffic.metrics import ENGINES, PREFIXES, EngineMetrics

MOST_POINTS = 11_000
_PART_POINTS = 10_000
_SUMS_STEP_S = 600.0
_LEAST_SUMS = 60
"""Steps of sums that even a short time is cut into: a restart within one is not seen."""
_MOST_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Server:
    """Where it is, and how to ask."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 60.0
    match: str = ""
    """Label matchers that every series must fit, such as `namespace="prod"`."""

    def series(self, start_s: float, end_s: float, step_s: float) -> Iterator[Fields]:
        """The answers for all metrics of the engine that the server knows. Raises `DataError`."""
        engine, known = self._engine()
        long_s = max(step_s, min(_SUMS_STEP_S, (end_s - start_s) / _LEAST_SUMS))
        for names, each_s in ((engine.counters(), step_s), (engine.sums(), math.ceil(long_s / step_s) * step_s)):
            for name in sorted(names & known):
                for begins_s, ends_s in parts(start_s, end_s, each_s):
                    asked = {"query": self._selector(name), "start": begins_s, "end": ends_s, "step": each_s}
                    yield Fields(self._answer("query_range", asked), self.name)

    def _engine(self) -> tuple[EngineMetrics, set[str]]:
        """The engine whose metrics the server knows, and the names of all of them."""
        names = self._answer("label/__name__/values", {}).get("data")
        known = {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
        engine = next((each for each in ENGINES if known & set(each.ended)), None)
        if engine is None:
            wanted = " or ".join(each.ended[0] for each in ENGINES)
            held = sorted(name for name in known if name.startswith(PREFIXES))
            told = (
                f"of an engine it has: {', '.join(held[:12])}"
                if held
                else f"of {len(known)} metrics none is an engine's"
            )
            raise DataError(Problem(f"has no counter of requests ({wanted}); {told}", "", self.name))
        return engine, known

    def _selector(self, name: str) -> str:
        return f"{name}{{{self.match}}}" if self.match else name

    @property
    def name(self) -> str:
        """The server without what may be secret in its address."""
        found = parse.urlsplit(self.url)
        return f"{found.hostname or found.path}{f':{found.port}' if found.port else ''}"

    def _base(self) -> tuple[str, dict[str, str]]:
        """The address without a user's name and password, and the header that these become."""
        found = parse.urlsplit(self.url.rstrip("/").removesuffix("/api/v1"))
        user, at, host = found.netloc.rpartition("@")
        secret = base64.b64encode(parse.unquote(user).encode()).decode()
        return found._replace(netloc=host).geturl(), {"Authorization": f"Basic {secret}"} if at else {}

    def _answer(self, what: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        base, own = self._base()
        query = f"?{parse.urlencode(asked)}" if asked else ""
        asking = request.Request(f"{base}/api/v1/{what}{query}", headers={**own, **self.headers})
        try:
            with request.urlopen(asking, timeout=self.timeout_s) as answer:
                text = answer.read(_MOST_BYTES + 1)
        except error.HTTPError as refused:
            raise self._wrong(_refusal(refused)) from None
        except TimeoutError:
            raise self._wrong(
                f"did not answer within {self.timeout_s:g} s; ask for less time, or raise --timeout"
            ) from None
        except (error.URLError, HTTPException, OSError, ValueError) as failed:
            reason = getattr(failed, "reason", None) or failed
            raise self._wrong(f"cannot be reached: {reason}") from None
        if len(text) > _MOST_BYTES:
            raise self._wrong("answers with more than 512 MiB; narrow it down with --match, or take a longer --step")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or found.get("status") not in ("success", "error"):
            raise self._wrong("does not answer as Prometheus does: is this the address of its API?")
        if found["status"] == "error":
            raise self._wrong(f"refuses: {found.get('error')}")
        return found

    def _wrong(self, message: str) -> DataError:
        return DataError(Problem(message, "", self.name))


def _refusal(refused: error.HTTPError) -> str:
    """A refusal in words, with the server's own if it gave any."""
    if refused.code in (401, 403):
        return f"wants authorization ({refused.code}): say --header 'Authorization: Bearer TOKEN'"
    if refused.code == 404:
        return "has no such page (404): is this the address of Prometheus, with its path prefix if it has one?"
    try:
        told = json.loads(refused.read(10_000)).get("error", "")
    except (ValueError, AttributeError, OSError, RecursionError):
        told = ""
    return f"refuses ({refused.code}){f': {told}' if told else ''}"


def parts(start_s: float, end_s: float, step_s: float) -> list[tuple[float, float]]:
    """From first to last time of each question; all times are whole steps after the first."""
    steps = int((end_s - start_s) / step_s + 1e-9)
    firsts = range(0, steps + 1, _PART_POINTS)
    return [
        (round(start_s + at * step_s, 3), round(start_s + min(at + _PART_POINTS - 1, steps) * step_s, 3))
        for at in firsts
    ]
