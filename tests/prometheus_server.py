"""A real Prometheus server on loopback, for tests: with two weeks of samples written at once, or scraping an exporter.

Skipped, with the reason, where the programs `prometheus` and `promtool` are missing.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib import request

import numpy as np
import pytest
from numpy.typing import NDArray

BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Buckets of vLLM's length histograms for a context of 10,000 tokens."""

missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
needs_prometheus = pytest.mark.skipif(bool(missing), reason=f"no {' and no '.join(missing)} on PATH")


def histogram_lines(name: str, labels: str, counts: NDArray[np.float64], total: float, stamp: str) -> Iterator[str]:
    """A histogram as an exporter writes it, from the requests in each bucket and the sum of their lengths."""
    upto = np.cumsum(counts)
    for bound, count in zip((*map(float, BOUNDS), "+Inf"), (*upto, upto[-1]), strict=True):
        yield f'{name}_bucket{{{labels},le="{bound}"}} {count:.0f}{stamp}'
    yield f"{name}_sum{{{labels}}} {total:.1f}{stamp}"
    yield f"{name}_count{{{labels}}} {upto[-1]:.0f}{stamp}"


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def server(folder: Path, config: str = "", lines: list[str] | None = None) -> Iterator[str]:
    """The address of a server with this configuration, or with these lines of OpenMetrics as its past."""
    data = folder / "data"
    data.mkdir()
    if lines is not None:
        (folder / "past.om").write_text("\n".join([*lines, "# EOF"]) + "\n")
        made = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "past.om"), str(data)]
        subprocess.run(made, check=True, capture_output=True)
    (folder / "prometheus.yml").write_text(config)
    port = _free_port()
    wanted = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=10y",
        "--log.level=error",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(wanted, stdout=log, stderr=log, cwd=folder)
        try:
            _wait(f"http://127.0.0.1:{port}/-/ready", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            with request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"Prometheus was not ready in 30 s: {log.read_text()}")


@contextmanager
def exporter(page: Callable[[], str]) -> Iterator[int]:
    """The port of an exporter that serves this page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(serving.server_address[1])
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()
