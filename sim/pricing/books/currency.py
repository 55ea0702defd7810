"""Currencies and days, as price books write them: three-letter codes, exchange rates with a date, ISO dates."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sim.config.said import said
from sim.config.units import AMOUNT, shown

USD = "USD"


def _code(text: str) -> str:
    if re.fullmatch("[A-Z]{3}", text) is None:
        raise said(f"must be a currency's three capital letters, such as USD or EUR; got {shown(text)}")
    return text


def iso_day(text: str) -> str:
    """A day as ISO 8601 writes it. Raises a complaint for anything else."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None:
            datetime.date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise said(f"must be a day, such as 2026-08-26; got {shown(text)}")


Currency = Annotated[str, AfterValidator(_code)]
"""A currency's code (ISO 4217)."""
Day = Annotated[str, AfterValidator(iso_day)]
"""A day as ISO 8601 writes it, so that days compare as text."""


_EARLIEST, _LATEST = 1970, 2999


def _first_day(value: object) -> object:
    """A day that a run may begin on; what is no text is left to pydantic, but for numbers, which it takes for times."""
    if isinstance(value, str | int | float):
        value = datetime.date.fromisoformat(iso_day(str(value)))
    if isinstance(value, datetime.date) and not _EARLIEST <= value.year <= _LATEST:
        raise said(f"must be a day of the years {_EARLIEST} to {_LATEST}; got {value}")
    return value


FirstDay = Annotated[datetime.date, BeforeValidator(_first_day)]
"""A run's first day."""
_Rate = Annotated[float, AMOUNT.between(1e-9, 1e9)]


class ExchangeRate(BaseModel):
    """What one unit of a currency is worth."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    usd: Annotated[_Rate, Field(description="USD for one unit.")]
    as_of: Annotated[Day, Field(description="The day of the rate, as in 2026-08-26.")]
    source: Annotated[str, Field(min_length=1, description="Who says so.")]


def no_rate(currency: str, rates: Mapping[str, ExchangeRate]) -> str:
    """Why an amount in this currency cannot be told in USD; empty if it can."""
    if currency == USD or currency in rates:
        return ""
    such = f"{{{currency}: {{usd: 1.08, as_of: 2026-08-26, source: ...}}}}"
    return f"no exchange rate for {currency}: give the book currencies: {such}"
