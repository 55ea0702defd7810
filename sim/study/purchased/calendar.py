"""Months and days of a plan: which month is the nth, how many hours it has, which day is so far before another."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from sim.pricing.spans import DAY_S, MONTH_S

_MEAN_DAYS = 365.25 / 12


@dataclass(frozen=True)
class Calendar:
    """The months from a first one on; without it, months of 30 days that have no date."""

    starts: str | None = None
    """As in 2026-12."""

    def label(self, month: int) -> str:
        """How a month is called: `2027-01`; without a first one `month 2`, from 1."""
        return f"{self.first_day(month):%Y-%m}" if self.starts is not None else f"month {month + 1}"

    def first_day(self, month: int) -> datetime.date:
        """The first day of the nth month, from 0; it must have a date."""
        assert self.starts is not None
        place = int(self.starts[:4]) * 12 + int(self.starts[5:]) - 1 + month
        return datetime.date(place // 12, place % 12 + 1, 1)

    def hours(self, month: int, months: int = 1) -> float:
        """Of so many months from the nth on."""
        if self.starts is None:
            return months * MONTH_S / 3600
        return (self.first_day(month + months) - self.first_day(month)).days * 24.0

    def day(self, month: int, before_s: float = 0.0) -> str:
        """The first day of a month, or one so long before it: a date, or days from the plan's first day."""
        if self.starts is None:
            return f"day {round(month * MONTH_S / DAY_S - before_s / DAY_S)}"
        return str(self.first_day(month) - datetime.timedelta(days=round(before_s / DAY_S)))

    def day_of(self, days: float, before_s: float = 0.0) -> str:
        """A number of days from the plan's first day, or so long before it."""
        whole = round(days - before_s / DAY_S)
        if self.starts is None:
            return f"day {whole}"
        return str(self.first_day(0) + datetime.timedelta(days=whole))

    def days(self, month: int) -> float:
        """From the plan's first day to the first of a month."""
        if self.starts is None:
            return month * MONTH_S / DAY_S
        return float((self.first_day(month) - self.first_day(0)).days)

    def months_until(self, seconds: float) -> int:
        """The first month that begins at least so long after the plan's first day."""
        month = 0
        while self.days(month) * DAY_S < seconds - 1:
            month += 1
        return month


def months_of(term_s: float) -> int:
    """Whole months that a term comes to, at least 1: 12 for a year."""
    return max(round(term_s / DAY_S / _MEAN_DAYS), 1)


def breakpoints(months: int, terms: Sequence[int]) -> list[int]:
    """Months beyond the plan's last at which anything bought within it may end, and the end of the last; increasing."""
    ends = {month + term for month in range(months) for term in terms}
    return sorted({months, *(end for end in ends if end > months)})
