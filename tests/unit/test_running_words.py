"""What is told while a study runs, and pictures of one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import load
from sim.cli.run import pictured
from sim.cli.shared import counting
from sim.cli.sweep import so_far
from sim.report.tables import running, sparklines
from sim.result import words
from sim.study.compared.compare import compare
from sim.study.replicated.replications import replicate

SMALL = ["horizon=3m", "warmup=0s"]


def test_a_line_has_the_lowest_and_the_highest_block_and_gaps() -> None:
    values = np.array([0.0, 1.0, np.nan, 7.0])
    assert sparklines.spark(values) == "▁▂ █"
    line = sparklines.Sparkline("p99 TTFT", values, words.duration, peaks=True)
    assert line.range == "0 to 7 s"
    assert line.blocks(2) == "▁█"  # two values a block, the largest of them
    assert not sparklines.Sparkline("same", np.full(5, 3.0), words.count).varies
    mean = sparklines.Sparkline("cost", np.array([1.0, 3.0, 5.0, 5.0]), words.usd)
    assert list(sparklines.shared(mean.values, 2)) == [2.0, 5.0]


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([np.nan, np.inf, -np.inf], "   "),
        ([3.0], "▁"),
        ([1.0, np.inf, 2.0], "▁ █"),
        ([1e308, -1e308, 0.0], "█▁▅"),
        ([5e-324, 0.0], "▁▁"),
    ],
)
def test_any_numbers_can_be_drawn(values: list[float], drawn: str) -> None:
    line = sparklines.Sparkline("x", np.array(values, float), words.count)
    assert sparklines.spark(line.values) == drawn
    assert len(sparklines.lines([line], 2000)) == 1


def test_lines_keep_within_the_width_or_are_left_out() -> None:
    made = [sparklines.Sparkline("replicas ready", np.arange(300.0), words.count)]
    for width in (40, 80, 200):
        (line,) = sparklines.lines(made, width)
        assert len(line) <= width
        assert line.endswith("  0 to 299")
    assert len(sparklines.lines(made, 200)[0]) == len("replicas ready") + 2 + 60 + 2 + len("0 to 299")
    assert sparklines.lines(made, 30) == []
    assert pictured.encodable("utf-8")
    assert not pictured.encodable("ascii")


def test_the_estimate_of_replications_is_that_of_their_summary() -> None:
    looked: list[Any] = []
    made = replicate(load("mmc", SMALL), 3, (), look=looked.append)
    told, path = made.summary(), "latency.queue_wait_s.mean"
    assert told["refused"].keys() >= {"latency.ttft_s.p99"}  # so the next number is told
    within = words.between(*told["intervals"][path], words.duration)
    shown = words.duration(told["latency"]["queue_wait_s"]["mean"])
    assert running.estimate(looked[0]) == f"mean queue wait {shown} ({within})"
    assert running.estimate(looked[0][:1]) == ""


def test_the_difference_so_far_is_that_of_the_comparison() -> None:
    mmc, more = load("mmc", SMALL), load("mmc", [*SMALL, "pools.servers.autoscaler.replicas=12"])
    looked: list[str] = []
    names = ("mmc", "twelve")
    _, (found,) = compare(
        [("mmc", mmc), ("twelve", more)], 3, look=lambda records: looked.append(running.difference(names, records))
    )
    wait = found.of("latency.queue_wait_s.mean")
    assert wait is not None
    within = words.between(wait.more.low, wait.more.high, words.duration)
    assert looked[-1] == f"twelve: mean queue wait {words.duration(wait.more.estimate)} ({within})"
    assert looked[:3] == ["", "", ""]


def test_lines_of_a_study_tell_what_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counting, "LINE_EVERY_S", 0.0)
    with counting.counted(False, "at most {} replications", estimate=lambda made: f"p99 TTFT {made[-1]} s") as watch:
        assert watch is not None
        watch(1, 100)
        watch.look([1, 2])
        watch(2, 100)
    err = capsys.readouterr().err.splitlines()
    assert err == ["1 of at most 100 replications", "2 of at most 100 replications: p99 TTFT 2 s"]


def test_the_best_point_so_far_is_the_cheapest_that_meets_the_slo() -> None:
    best = so_far.Best()

    def run(digest: str, usd: float | None, met: bool) -> Any:
        summary = {
            "cost": {"usd_per_day": usd},
            "latency": {"ttft_s": {"p99": 0.5 if digest == "a" else 0.25}},
            "slo": [{"met": met}],
        }
        return type("Run", (), {"failed": False, "key": (digest, 0), "document": lambda _: {"summary": summary}})()

    names = {"a": "replicas=6", "b": "replicas=8", "c": "replicas=9"}
    best.add(run("a", 100.0, False))
    assert best.words(names) == ""
    best.add(run("a", 100.0, True))
    best.add(run("b", 200.0, False))
    assert best.words(names) == "none meets the SLO so far"
    best.add(run("c", 300.0, True))
    assert best.words(names) == "best so far: replicas=9, $300.00 a day"
    best.points["b"].met = True
    assert best.words(names) == "best so far: replicas=8, $200.00 a day"
    for point in best.points.values():  # as of a key that costs nothing
        point.usd, point.met = 100.0 * point.runs, True
    assert best.words(names) == "best so far: replicas=8, p99 TTFT 250 ms"
