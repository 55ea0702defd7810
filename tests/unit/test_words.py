"""Numbers as people say them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.result import words


@pytest.mark.parametrize(
    ("value_s", "said"),
    [
        (None, "n/a"), (math.nan, "n/a"), (math.inf, "forever"), (0.0, "0 s"), (2.5e-6, "2.5 µs"), (0.045, "45 ms"),
        (0.99949, "999 ms"), (0.9996, "1 s"), (1.2345, "1.23 s"), (59.94, "59.9 s"), (59.96, "1 min"), (60, "1 min"),
        (61, "1 min 1 s"), (3599.4, "59 min 59 s"), (3599.6, "1 h"), (12_000, "3 h 20 min"), (86_399, "1 d"),
        (187_200, "2 d 4 h"), (-75, "-1 min 15 s"),
    ],
)  # fmt: skip
def test_durations(value_s: float | None, said: str) -> None:
    assert words.duration(value_s) == said


@given(st.floats(1e-6, 1e9))
def test_a_duration_reads_back_within_its_last_figure(value_s: float) -> None:
    unit_s = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
    parts = re.findall(r"([\d.e+]+) (\S+)", words.duration(value_s))
    read_s = sum(float(number) * unit_s[unit] for number, unit in parts)
    least_s = {"s": 0.5, "min": 30.0, "h": 1800.0, "d": 43200.0}.get(parts[-1][1], 0.0) if len(parts) > 1 else 0.0
    if len(parts) == 1 and parts[0][1] in ("min", "h", "d"):
        least_s = {"min": 0.5, "h": 30.0, "d": 1800.0}[parts[0][1]]
    assert abs(read_s - value_s) <= max(0.006 * value_s if not least_s else 0.0, least_s) * 1.0001


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "n/a"), (math.nan, "n/a"), (0.0, "0%"), (1.0, "100%"), (0.923, "92.3%"), (0.9995, "99.95%"),
        (0.0004, "0.04%"), (1e-9, "<0.01%"), (1 - 1e-9, ">99.99%"), (0.99996, ">99.99%"), (0.5, "50.0%"),
    ],
)  # fmt: skip
def test_shares(value: float | None, said: str) -> None:
    assert words.share(value) == said


@given(st.floats(0, 1))
def test_a_share_is_never_called_all_or_nothing_falsely(value: float) -> None:
    said = words.share(value)
    assert (said == "100%") == (value == 1.0)
    assert (said == "0%") == (value == 0.0)
    assert float(said.strip("<>%")) not in (0.0, 100.0) or value in (0.0, 1.0)


near_one = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999]) | st.floats(0.5, 1)


@given(near_one, near_one.map(lambda share: round(share, 6)), st.sampled_from([0.0, 1e-9, -1e-9, 1e-6, -1e-4]))
def test_a_share_reads_as_its_target_only_where_it_is(value: float, target: float, off: float) -> None:
    for attained in (value, min(1.0, target + off)):
        told = float(words.share_beside(attained, target).strip("<>%"))
        aim = float(words.percent(target)[:-1])
        assert abs(told / 100 - attained) <= 0.00051
        if attained == target or abs(attained - target) > 1e-10:
            assert ((told > aim) - (told < aim)) == ((attained > target) - (attained < target))


@pytest.mark.parametrize(
    ("value", "target", "said"),
    [
        (0.98996, 0.99, "98.996%"), (0.9, 0.99, "90.0%"), (0.99, 0.99, "99%"), (0.95, 0.99, "95.0%"),
        (0.989999, 0.99, "98.9999%"), (0.99996, 0.95, ">99.99%"), (0.99996, 0.99999, "99.996%"),
        (0.99996, 0.9999, "99.996%"), (1.0, 0.99, "100%"), (0.0, 0.99, "0%"), (0.0, 1e-5, "0%"), (None, 0.99, "n/a"),
    ],
)  # fmt: skip
def test_a_share_beside_its_target_takes_as_many_figures_as_it_needs(
    value: float | None, target: float, said: str
) -> None:
    assert words.share_beside(value, target) == said


def test_a_target_reads_as_it_was_written() -> None:
    assert [words.percent(share) for share in (0.99, 0.9995, 0.07, 1.0)] == ["99%", "99.95%", "7%", "100%"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "n/a"), (0, "0"), (174, "174"), (12_345, "12,345"), (11_111_040, "11.1 million"), (0.0123456, "0.0123"),
        (99.94, "99.9"), (99.96, "100"), (999_499, "999,499"), (999_600, "1 million"), (2.5e9, "2.5 billion"),
    ],
)  # fmt: skip
def test_counts(value: float | None, said: str) -> None:
    assert words.count(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "n/a"), (0, "$0.00"), (100_224, "$100,224"), (23.92, "$23.92"), (0.00902, "$0.0090"),
        (1.2e-7, "$0.00000012"), (3.66e-5, "$0.000037"), (1e-12, "<$0.000000001"),
        (3_006_720, "$3.01 million"), (0.5, "$0.50"), (999.99, "$999.99"),
        (-1234.5, "-$1,234"),
    ],
)  # fmt: skip
def test_money(value: float | None, said: str) -> None:
    assert words.usd(value) == said


def test_plurals() -> None:
    assert words.plural(1, "replica") == "1 replica"
    assert words.plural(0, "replica") == "0 replicas"
    assert words.plural(1_200_000, "request") == "1.2 million requests"
