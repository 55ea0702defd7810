"""How long the hours, days, months and years of bills are."""

from __future__ import annotations

HOUR_S = 3600.0
HOURS = 24
DAY_S = HOURS * HOUR_S
DAYS_PER_MONTH = 30
"""A month of a bill, whatever the calendar says."""
MONTH_S = DAYS_PER_MONTH * DAY_S
MONTHS_PER_YEAR = 12
YEAR_S = 365 * DAY_S
HOURS_PER_YEAR = 8760.0
