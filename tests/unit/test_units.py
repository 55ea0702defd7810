"""Quantities as people write them."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from sim.config import units


def value_of(kind: object, text: object) -> float:
    return TypeAdapter(kind).validate_python(text)


def complaint(kind: object, text: object) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(text)
    assert caught.value.error_count() == 1
    return str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("kind", "text", "base"),
    [
        (units.Duration, 90, 90.0),
        (units.Duration, "90", 90.0),
        (units.Duration, "90s", 90.0),
        (units.Duration, " 5 m ", 300.0),
        (units.Duration, "5min", 300.0),
        (units.Duration, "24h", 86_400.0),
        (units.Duration, "250ms", 0.25),
        (units.Duration, "20us", 2e-5),
        (units.Duration, "2d", 172_800.0),
        (units.Duration, "1w", 604_800.0),
        (units.Duration, "1h30m", 5_400.0),
        (units.Duration, "1h 30m", 5_400.0),
        (units.Duration, "0.1s", 0.1),
        (units.Duration, ".5s", 0.5),
        (units.Duration, "1e3", 1000.0),
        (units.Duration, "+3s", 3.0),
        (units.Duration, 0, 0.0),
        (units.Duration, np.float64(1.5), 1.5),
        (units.Duration, np.int64(2), 2.0),
        (units.Rate, "5/s", 5.0),
        (units.Rate, "5 / s", 5.0),
        (units.Rate, "4000/min", 4000 / 60),
        (units.Rate, "10/h", 10 / 3600),
        (units.Rate, "1/d", 1 / 86_400),
        (units.Rate, "4k/s", 4000.0),
        (units.Amount, "1.5k", 1500.0),
        (units.Amount, 0.25, 0.25),
        (units.Count, "4k", 4000),
        (units.Count, "1.5M", 1_500_000),
        (units.Count, 12.0, 12),
        (units.Size, "80GiB", 80 * 2**30),
        (units.Size, "80GB", 80 * 10**9),
        (units.Size, "1.5 KiB", 1536),
        (units.Bandwidth, "3.35TB/s", 3.35e12),
        (units.UsdPerHour, "$2.99/h", 2.99),
        (units.UsdPerHour, "$ 3 /hour", 3.0),
        (units.UsdPerHour, 2.99, 2.99),
        (units.UsdPerKwMonth, "$150/kW-month", 150.0),
        (units.Share, "95%", 0.95),
        (units.Share, "99.9%", 0.999),
        (units.Share, 1, 1.0),
    ],
)
def test_reads(kind: object, text: object, base: float) -> None:
    got = value_of(kind, text)
    assert got == base
    assert type(got) is type(base)


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (units.Duration, "5 parsecs", "must be a duration, such as 90s, 5m, 24h or 250ms; got '5 parsecs'"),
        (units.Duration, "5/s", "must be a duration, such as 90s, 5m, 24h or 250ms; got '5/s'"),
        (units.Duration, "", "must be a duration, such as 90s, 5m, 24h or 250ms; got ''"),
        (units.Duration, True, "must be a duration, such as 90s, 5m, 24h or 250ms; got true"),
        (units.Duration, None, "must be a duration, such as 90s, 5m, 24h or 250ms; got nothing"),
        (units.Duration, {"a": 1}, "must be a duration, such as 90s, 5m, 24h or 250ms; got a mapping"),
        (units.Duration, "٣s", "must be a duration, such as 90s, 5m, 24h or 250ms; got '٣s'"),
        (units.Duration, "1 000s", "must be a duration, such as 90s, 5m, 24h or 250ms; got '1 000s'"),
        (units.Duration, "-5s", "must be at least 0, got '-5s'"),
        (units.Duration, -1e-300, "must be at least 0, got -1e-300"),
        (units.Duration, float("nan"), "must be a finite number, got nan"),
        (units.Duration, "inf", "must be a finite number, got 'inf'"),
        (units.Duration, "1e999", "must be a finite number, got '1e999'"),
        (units.Duration, 10**400, "must be a finite number, got a number of more than 20 digits"),
        (units.PositiveDuration, "0ms", "must be above 0, got '0ms'"),
        (units.PositiveDuration, "1e-999", "must be above 0, got '1e-999'"),
        (units.Rate, "5s", "must be a rate, such as 5/s, 4000/min or 10/h; got '5s'"),
        (units.PositiveRate, 0, "must be above 0, got 0"),
        (units.Count, 1.5, "must be a whole number, got 1.5"),
        (units.Count, "1.0005k", "must be a whole number, got '1.0005k'"),
        (units.Count, "8 tokens", "must be a whole number, such as 8, 4k or 1.5M; got '8 tokens'"),
        (units.Count, "1e13", "must be between 0 and 1e+12, got '1e13'"),
        (units.Size, "80 gb", "must be a size in bytes, such as 80GiB, 80GB or 512MiB; got '80 gb'"),
        (
            units.UsdPerHour,
            "3 EUR",
            "must be a price per hour, such as $2.99/h or 2.99; got '3 EUR'; all money is in USD here: "
            "convert it, or give a price book with 'currencies'",
        ),
        (units.Share, 95, "must be between 0 and 1, got 95; did you mean '95%'?"),
        (units.Share, "120%", "must be between 0 and 1, got '120%'"),
        (units.PositiveShare, "0%", "must be above 0, got '0%'"),
    ],
)
def test_refuses(kind: object, text: object, said: str) -> None:
    assert complaint(kind, text) == said


def test_long_text_is_cut_in_the_complaint() -> None:
    assert complaint(units.Duration, "9" * 500).endswith("got '" + "9" * 50 + "...'")


def test_limits_of_a_field() -> None:
    kind = units.COUNT.between(1, 100)
    assert kind.parse("0.1k") == 100
    with pytest.raises(Exception, match="must be between 1 and 100, got 0"):
        kind.parse(0)
