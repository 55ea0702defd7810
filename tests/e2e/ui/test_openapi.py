"""The OpenAPI document is true: schemathesis asks what it allows, and what it does not, and compares the answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.ui.conftest import TOKEN, Server

pytest.importorskip("schemathesis", reason="the document is tested with schemathesis (extra dev)")

OUTSIDE = "positive_data_acceptance"
"""The one check that is left out: what a scenario may say is more than a JSON schema can tell."""


def asked(server: Server, folder: Path, examples: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Schemathesis over the whole document."""
    command = ["from schemathesis.cli import schemathesis; schemathesis()", "run", f"{server.base}/openapi.json"]
    options = ["-H", f"Authorization: Bearer {TOKEN}", "--exclude-checks", OUTSIDE, "--seed", str(seed), "--no-color"]
    return subprocess.run(
        [sys.executable, "-c", *command, *options, "--max-examples", str(examples), "--request-timeout", "60"],
        capture_output=True,
        text=True,
        cwd=folder,
    )


def test_the_document_says_what_every_route_may_answer(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    assert document["security"] == [{"token": []}]
    assert set(document["paths"]) == {
        "/api/about",
        "/api/open",
        "/api/curve",
        "/api/look",
        "/api/scenario",
        "/api/link",
        "/api/jobs",
        "/api/jobs/{id_}",
        "/api/jobs/{id_}/cancel",
        "/stored/{id_}",
    }
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert {"401", "403"} <= set(route["responses"]), path
            assert route["description"], path
            if method == "post" and "requestBody" in route:
                assert {"400", "408", "413", "422"} <= set(route["responses"]), path


def test_schemathesis_finds_nothing(server: Server, tmp_path: Path) -> None:
    done = asked(server, tmp_path, examples=2, seed=1)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 5))
def test_schemathesis_finds_nothing_in_a_long_time(server: Server, tmp_path: Path, seed: int) -> None:
    done = asked(server, tmp_path, examples=150, seed=seed)
    assert done.returncode == 0, done.stdout[-3000:]
