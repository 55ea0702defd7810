"""A server for these tests, and a small scenario that it answers in milliseconds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

httpx = pytest.importorskip("httpx", reason="the page's tests need httpx (extra dev)")
pytest.importorskip("fastapi", reason="the page needs FastAPI (extra ui)")

TOKEN = "a-token-for-tests"
TINY = """\
name: tiny
seed: 3
horizon: 2m
workload:
  arrivals: {kind: poisson, rate: 2/s}
  service: {kind: exponential, mean: 1s}
  clients: {patience: 30s}
pools:
  desk:
    replica: {kind: slots, concurrency: 1}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 4}
    price: {on_demand: $2/h}
slo:
  - {metric: queue_wait, under: 1s, share: 90%}
slowness:
  - {kind: linear, metric: queue_wait, usd_per_hour: 4}
"""
SIZE = "pools.desk.autoscaler.replicas"


class Server:
    """A running `fleetcast ui`."""

    def __init__(self, outputs: Path, *more: str, plain: bool = True) -> None:
        command = [sys.executable, "-m", "sim", "ui", "--port", "0", "--token", TOKEN, "--no-browser"]
        environment = os.environ | ({"NUMBA_DISABLE_JIT": "1"} if plain else {})
        self.process = subprocess.Popen(
            [*command, "--outputs", str(outputs), *more], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.base = self.address.partition("/?")[0]
        self.visitors: list[Any] = []
        self.client = self.visitor(TOKEN)
        self._wait()

    def visitor(self, token: str = "", **options: Any) -> Any:
        """A client with a token, or without."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.visitors.append(httpx.Client(base_url=self.base, headers=headers, timeout=60, **options))
        return self.visitors[-1]

    def _wait(self) -> None:
        for _ in range(200):
            try:
                self.client.get("/api/about")
                return
            except httpx.ConnectError:
                time.sleep(0.05)
        raise AssertionError("the server does not start")

    def post(self, path: str, **body: Any) -> Any:
        """What it answers to JSON."""
        return self.client.post(path, json=body)

    def close(self) -> int:
        """End it as Ctrl-C does."""
        for visitor in self.visitors:
            visitor.close()
        self.process.send_signal(2)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of outputs with one run, and something beside it that is nobody's business."""
    from sim.engine import simulate
    from sim.report import render
    from sim.scenario import load

    folder = tmp_path_factory.mktemp("ui")
    (folder / "scenario.yaml").write_text(TINY)
    (folder / "secret.html").write_text("nobody's business")
    outputs = folder / "outputs"
    outputs.mkdir()
    simulate(load(folder / "scenario.yaml")).save(outputs / "tiny-run", report=render)
    (outputs / "linked").mkdir()
    (outputs / "linked" / "manifest.json").write_text("{}")
    (outputs / "linked" / "report.html").symlink_to(folder / "secret.html")
    return outputs


@pytest.fixture(scope="session")
def server(stored: Path) -> Iterator[Server]:
    """A server on this machine, its simulator not compiled: small runs need no compiler."""
    running = Server(stored, str(stored.parent / "scenario.yaml"))
    yield running
    assert running.close() in (0, 130), "it ends when it is told to"


@pytest.fixture
def tiny() -> dict[str, Any]:
    """The small scenario as a source."""
    return {"kind": "text", "value": TINY}
