"""What a scenario asserts, from the file to the exit code: a capacity regression test for CI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sim.cli import main

QUEUE = """\
name: asserted
horizon: 300s
warmup: 50s
calendar: simpy
workload:
  arrivals: {kind: poisson, rate: 1.5}
  service: {kind: exponential, mean: 1}
pools:
  p:
    replica: {kind: slots, concurrency: 1}
    queue: {kind: central}
    autoscaler: {kind: fixed, replicas: 2}
    price: {on_demand: 3}
"""
SURE = "with 95% confidence"


def run(folder: Path, *sentences: str, options: tuple[str, ...] = ()) -> Result:
    path = folder / "q.yaml"
    path.write_text(QUEUE + "assert:\n" + "".join(f"  - {sentence}\n" for sentence in sentences))
    return CliRunner().invoke(main, ["run", str(path), "--quiet", "--check", "--no-save", "--workers", "1", *options])


@pytest.mark.parametrize(
    ("sentence", "code", "said"),
    [
        (f"mean queue_wait < 10s {SURE}", 0, "pass"),
        ("usd_per_day <= $144/day", 0, "pass"),
        (f"mean queue_wait < 10ms {SURE}", 99, f"fails: mean queue_wait < 10ms {SURE}; it is "),
        ("usd_per_day < $144/day", 99, "fails: usd_per_day < $144/day; it is $144.00"),
        (f"busy_share < 75% {SURE}", 99, f"undecided: busy_share < 75% {SURE}; the limit lies within what chance"),
        ("gross_margin_usd > 0", 99, "undecided: gross_margin_usd > 0; "),
    ],
)
def test_what_does_not_pass_fails_the_check(tmp_path: Path, sentence: str, code: int, said: str) -> None:
    done = run(tmp_path, sentence, options=("--replications", "4"))
    assert done.exit_code == code, done.stderr
    assert said in done.stdout


def test_without_check_nothing_fails(tmp_path: Path) -> None:
    run(tmp_path, "mean queue_wait < 10ms")
    done = CliRunner().invoke(main, ["run", str(tmp_path / "q.yaml"), "--quiet", "--no-save", "--replications", "1"])
    assert done.exit_code == 0


def test_json_has_every_assertion(tmp_path: Path) -> None:
    sentences = (f"mean queue_wait < 10s {SURE}", "rejected = 0")
    done = run(tmp_path, *sentences, options=("--replications", "4", "--json"))
    wait, rejected = json.loads(done.stdout)["assertions"]
    assert wait["interval"][0] < wait["value"] < wait["interval"][1] < wait["limit"] == 10
    assert {**wait, "value": 0, "interval": 0} == {
        "text": sentences[0],
        "quantity": "latency.queue_wait_s.mean",
        "value": 0,
        "interval": 0,
        "limit": 10,
        "verdict": "pass",
        "confidence": 0.95,
        "runs": 4,
        "why": None,
    }
    assert (rejected["verdict"], rejected["interval"], rejected["confidence"]) == ("pass", [0, 0], None)


def test_one_plain_run_tells_no_confidence(tmp_path: Path) -> None:
    done = run(tmp_path, f"mean queue_wait < 10s {SURE}", "rejected = 0", options=("--replications", "1", "--json"))
    assert done.exit_code == 99
    found: dict[str, Any] = json.loads(done.stdout)
    assert [each["verdict"] for each in found["assertions"]] == ["undecided", "pass"]
    assert "replications" not in found, "one run is told as it was"
    assert "one run says nothing of chance" in done.stderr


def test_a_wrong_sentence_is_told_with_its_place(tmp_path: Path) -> None:
    done = run(tmp_path, "p99 tft < 1s")
    assert done.exit_code == 2
    line = len(QUEUE.splitlines()) + 2
    assert f"q.yaml:{line}:5: assert.0: no quantity is called 'p99 tft'; did you mean 'p99 ttft'?" in done.stderr
