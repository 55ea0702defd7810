"""What a comparison says: which way, by how much, how surely."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.config.errors import ConfigError
from sim.report.comparison.words import chosen, difference, footnotes, main, points, sentence, signed, stopped, table
from sim.report.tables.table import Table
from sim.statistics.intervals import Interval, student_t
from sim.statistics.tails import exact
from sim.study.compared.compare import COST, TAIL, WAIT, Comparison, Difference
from sim.study.replicated.record import Record
from sim.study.replicated.replications import Replicated
from tests.unit.test_replications import queue

PAIRS = 11
ATTAINED = "slo.0.attained"
WIDER = student_t(1 - 0.05 / 4, PAIRS - 1) / student_t(0.95, PAIRS - 1)
"""Four intervals together."""


def made(latencies: int = 20_000, slo: bool = True) -> Replicated:
    """Two runs with the main numbers; how large they are does not matter here."""
    records = []
    for replication in range(2):
        p99 = 0.6 + 0.1 * replication
        target = {"metric": "ttft", "under_s": 1.0, "share": 0.99, "attained": 0.985, "met": False}
        summary: dict[str, Any] = {
            "latency": {"ttft_s": {"p99": p99}, "queue_wait_s": {"mean": 0.05}},
            "slo": [target] if slo else [],
            "cost": {"usd_per_day": 2456.0},
            "pools": {},
            "requests": {"completed": latencies, "arrived": latencies},
        }
        records.append(Record(replication, summary, {"ttft_s": exact(np.full(latencies // 2, p99))}))
    return Replicated(queue(), tuple(records), "number")


def beside(*differences: tuple[str, float, float, float], latencies: int = 20_000, slo: bool = True) -> Comparison:
    """A comparison with these: path, baseline, difference, half width when all four are told together."""
    found = tuple(
        Difference(path, value, value + more, Interval(more, half_width / WIDER), PAIRS)
        for path, value, more, half_width in differences
    )
    return Comparison("B", made(latencies, slo), found)


def said(*differences: tuple[str, float, float, float], **more: Any) -> str:
    return sentence("A", made(**more), beside(*differences, **more))


CHEAPER = (COST, 2456.0, -212.0, 32.0)
SLOWER = (TAIL, 0.615, 0.12, 0.05)
BETTER = (ATTAINED, 0.985, 0.004, 0.002)
WORSE = (ATTAINED, 0.985, -0.05, 0.01)
NOTHING = (WAIT, 0.05, 0.001, 0.002)


def test_which_way_and_by_how_much() -> None:
    assert said(CHEAPER, SLOWER, BETTER, NOTHING) == (
        "B is better by 0.4 points in attainment of TTFT ≤ 1 s (0.2 to 0.6), "
        "slower by 120 ms in p99 TTFT (70 to 170 ms), "
        "cheaper by $212 a day ($180 to $244), mean wait not distinguishable."
    )


def test_the_most_telling_comes_first() -> None:
    """A tenth of the cost, beside a fifth of the tail, beside four times the misses."""
    told = said(CHEAPER, SLOWER, WORSE, NOTHING)
    places = [told.index(word) for word in ("worse by 5 points", "slower by 120 ms", "cheaper by $212")]
    assert places == sorted(places)
    few = (ATTAINED, 0.9994, 0.0005, 0.0001)
    assert said(CHEAPER, SLOWER, few, NOTHING).index("cheaper") < said(CHEAPER, SLOWER, few, NOTHING).index("better")


def test_without_chance_it_is_exact() -> None:
    told = said((COST, 2456.0, 307.2, 0.0), (TAIL, 0.615, 0.1, 0.2), (ATTAINED, 0.985, 0.0, 0.0), NOTHING)
    assert told == (
        "B is dearer by exactly $307.20 a day, with the same attainment of TTFT ≤ 1 s, "
        "p99 TTFT and mean wait not distinguishable."
    )


def test_nothing_is_distinguishable() -> None:
    vague = ((COST, 2456.0, 10.0, 32.0), (TAIL, 0.615, 0.1, 0.2), (ATTAINED, 0.985, 0.001, 0.002), NOTHING)
    names = "cost a day, attainment of TTFT ≤ 1 s, p99 TTFT and mean wait"
    assert said(*vague) == f"B is not distinguishable from A in {names}."
    same = [(path, value, 0.0, 0.0) for path, value, *_ in vague]
    assert said(same[0], *vague[1:]) == (
        "B has the same cost a day as A, attainment of TTFT ≤ 1 s, p99 TTFT and mean wait not distinguishable."
    )
    assert said(*same) == "A and B give the same numbers in everything."
    assert said(*same, ("replicas.mean", 3.0, 1.0, 0.0)) == f"B has the same {names} as A."


def test_rounding_is_no_difference() -> None:
    assert said((COST, 2456.0, 4e-12, 0.0), (WAIT, 0.05, -1e-17, 1e-18)) == (
        "A and B give the same numbers in everything."
    )


def test_a_tail_without_enough_requests_is_not_told() -> None:
    differences = (CHEAPER, (ATTAINED, 0.985, 0.004, 0.002), NOTHING)
    told = said(*differences, latencies=4000)
    assert told.endswith("mean wait not distinguishable, p99 TTFT needs 6,000 more requests.")
    sheet = table("A", made(4000), beside(*differences, latencies=4000), [])
    assert sheet.rows == (("p99 TTFT", "n/a", "n/a", "", "needs 6,000 more requests"),)


def test_intervals_of_one_sentence_hold_together() -> None:
    """A difference that leaves 0 alone, but not beside three others."""
    alone = (WAIT, 0.05, 0.001, 0.00101)
    assert beside(alone).differences[0].is_distinguishable
    assert "mean wait not distinguishable" in said(CHEAPER, SLOWER, BETTER, alone)
    found = main(made(), beside(CHEAPER, SLOWER, BETTER, alone))
    assert [round(each.confidence, 6) for each in found] == [0.9875] * 4
    assert (found[0].more.low, found[0].more.high) == (pytest.approx(-244), pytest.approx(-180))


def test_a_table_of_the_numbers_that_were_asked_for() -> None:
    other = beside(
        CHEAPER, SLOWER, ("throughput.requests_per_s", 40.0, 1.5, 0.0), ("latency.ttft_s.p90", 0.3, 0.2, 0.3)
    )
    sheet = table("A", made(), other, main(made(), other))
    assert sheet.heading == ("", "A", "B", "difference", "interval")
    assert [row[0] for row in sheet.rows] == ["cost a day", "p99 TTFT"]
    picked = chosen(other, ["throughput", "latency.ttft_s"])
    rows = table("A", made(), other, picked, with_refused=False).rows
    assert rows[0] == ("throughput.requests_per_s", "40", "41.5", "+1.5", "exactly")
    assert rows[1][:4] == ("p99 TTFT", "615 ms", "735 ms", "+120 ms")
    assert rows[2][0] == "latency.ttft_s.p90"
    assert rows[2][3:] == ("~ +200 ms", "-83.4 to +483 ms")
    assert footnotes([sheet]) == []
    assert footnotes([Table("B", (), rows)]) == ["~: not distinguishable from 0."]
    with pytest.raises(ConfigError, match=r"--metric: 'latency\.tft_s' is no number that both scenarios have"):
        chosen(other, ["latency.tft_s"])


@pytest.mark.parametrize(
    ("baseline", "more", "told", "interval"),
    [
        (0.001, 0.998, "+99.8 points", "+99.6 to +100"),
        (0.999, -0.998, "-99.8 points", "-100 to -99.6"),
        (1.0, -0.001, "~ -0.1 points", "-0.3 to 0"),
        (0.0, 0.001, "~ +0.1 points", "0 to +0.3"),
        (0.999, 0.001, "~ +0.1 points", "0 to +0.3"),
        (0.5, 0.4, "+40.0 points", "+39.8 to +40.2"),
    ],
)
def test_an_attainment_differs_by_no_more_than_it_can(baseline: float, more: float, told: str, interval: str) -> None:
    found = beside((ATTAINED, baseline, more, 0.002 * WIDER)).differences[0]
    assert difference(found) == (told, interval.replace("+100", "+100.0").replace("-100", "-100.0"))


def test_numbers_in_words() -> None:
    assert [points(value) for value in (0.0, 2e-6, 0.004, 0.0412, 0.123)] == ["0", "<0.001", "0.4", "4.1", "12.3"]
    assert signed("cost.usd_per_day", -1234.5) == "-$1,234"
    assert signed("latency.e2e_s.mean", 0.25) == "+250 ms"
    assert signed("utilization.busy_share", -0.02) == "-2 points"
    assert signed("throughput.requests_per_s", 0.0) == "0"
    assert stopped(made()).startswith("2 replications of each. ")
