"""Price books (`configs/prices`): a provider's rates for GPUs by market, term and region, each with source and date.

Owns what a book may say and what is wrong with one; `sim.pricing.books.lookup` finds rates in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.config import catalogue
from sim.config.said import Problems, said, said_all
from sim.config.units import USD_PER_HOUR as _PER_HOUR
from sim.config.units import Duration, PositiveCount, PositiveShare, Quantity, UsdPerGb
from sim.pricing.books.currency import USD, Currency, Day, ExchangeRate, no_rate

_CLOSED = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

Market = Literal["on_demand", "spot", "reserved", "capacity_block"]
Term = Literal["1y", "3y"]

_PER_GPU_HOUR = Quantity(
    "a price per GPU-hour", _PER_HOUR.units, ("$2.99/h", "2.79/h", "2.99"), prefix="$", most=_PER_HOUR.most
)
_Price = Annotated[float, _PER_GPU_HOUR.positive()]


class _Kind(BaseModel):
    """What is bought: the market, and for how long."""

    model_config = _CLOSED

    market: Annotated[Market, Field(description="How it is had.")]
    term: Annotated[Term | None, Field(description="For how long; with market `reserved`.")] = None

    @model_validator(mode="after")
    def _term_fits(self) -> Self:
        if self.market == "reserved" and self.term is None:
            raise said("is missing: a reserved price is for a term, 1y or 3y", "term")
        if self.market != "reserved" and self.term is not None:
            raise said(f"says nothing for market '{self.market}'; remove it, or write market: reserved", "term")
        return self

    @property
    def what(self) -> str:
        """In a word: `on_demand`, `reserved 1y`."""
        return f"{self.market} {self.term}" if self.term else self.market


class BookRate(_Kind):
    """One price of one GPU."""

    gpu: Annotated[str, Field(min_length=1, description="The GPU's name, as in configs/gpus.")]
    region: Annotated[str, Field(description="Where it holds; left out: everywhere.")] = ""
    price: Annotated[_Price, Field(description="Per GPU-hour, in the currency; `$` says USD.")]
    currency: Annotated[Currency | None, Field(description="In what it is paid; left out: the book's.")] = None
    as_of: Annotated[Day | None, Field(description="The day it was read; left out: the book's.")] = None
    source: Annotated[str, Field(description="Who says so; left out: the book's.")] = ""
    sku: Annotated[str, Field(description="The provider's name of the machine.")] = ""
    gpus_per_instance: Annotated[PositiveCount | None, Field(description="GPUs of that machine.")] = None
    note: Annotated[str, Field(description="What else is to know.")] = ""

    @model_validator(mode="before")
    @classmethod
    def _dollars(cls, raw: Any) -> Any:
        """A `$` before the price says its currency."""
        price = raw.get("price") if isinstance(raw, Mapping) else None
        if not isinstance(price, str) or not price.strip().startswith("$"):
            return raw
        currency = raw.get("currency") or USD
        if currency != USD:
            raise said(f"is written in $, and the currency is {currency}; write the number alone", "price")
        return {**raw, "currency": USD}


class AssumedRate(_Kind):
    """A rule of thumb for rates that nobody lists: a share of the GPU's price on demand in the region."""

    of_on_demand_share: Annotated[
        PositiveShare, Field(alias="of_on_demand", description="Share of the price on demand.")
    ]
    source: Annotated[str, Field(min_length=1, description="Why so much.")]

    @model_validator(mode="after")
    def _not_of_itself(self) -> Self:
        if self.market == "on_demand":
            raise said("must not be on_demand, which it is a share of", "market")
        return self


class BookBilling(BaseModel):
    """How the provider counts paid time."""

    model_config = _CLOSED

    granularity_s: Annotated[
        Duration, Field(alias="granularity", description="Paid time is rounded up to this; 0: not rounded.")
    ] = 1.0
    minimum_s: Annotated[Duration, Field(alias="minimum", description="The least that a launch costs.")] = 0.0
    source: Annotated[str, Field(min_length=1, description="Who says so.")]


class BookEgress(BaseModel):
    """What traffic to the internet costs."""

    model_config = _CLOSED

    usd_per_gb: Annotated[UsdPerGb, Field(alias="price", description="USD per GB.")]
    as_of: Annotated[Day, Field(description="The day it was read.")]
    source: Annotated[str, Field(min_length=1, description="Who says so.")]


class PriceBook(BaseModel):
    """The prices of one provider. What the book says of currency, day and source holds for rates that say none."""

    model_config = _CLOSED

    name: Annotated[str, Field(min_length=1, description="Name of the book.")]
    provider: Annotated[str, Field(description="Whose prices they are.")] = ""
    description: Annotated[str, Field(description="What sort of prices they are.")] = ""
    currency: Annotated[Currency | None, Field(description="Of the rates that name none.")] = None
    as_of: Annotated[Day | None, Field(description="The day on which the rates were read.")] = None
    source: Annotated[str, Field(description="Who says so.")] = ""
    region: Annotated[str, Field(description="The region meant where none is asked for.")] = ""
    gpus: Annotated[
        tuple[str, ...], Field(description="Names of GPUs beside those of configs/gpus: of sheets of your own.")
    ] = ()
    currencies: Annotated[
        dict[Currency, ExchangeRate], Field(description="What other currencies than USD are worth.")
    ] = {}
    billing: Annotated[BookBilling | None, Field(description="How paid time is counted.")] = None
    egress: Annotated[BookEgress | None, Field(description="Traffic to the internet.")] = None
    rates: Annotated[tuple[BookRate, ...], Field(description="The prices.")]
    assumed: Annotated[tuple[AssumedRate, ...], Field(description="For rates that are not listed.")] = ()

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that rates are told for."""
        return tuple(dict.fromkeys(rate.region for rate in self.rates if rate.region))

    def usd(self, rate: BookRate) -> float:
        """USD per GPU-hour."""
        currency = rate.currency or self.currency
        return rate.price if currency in (USD, None) else rate.price * self.currencies[currency].usd

    @model_validator(mode="after")
    def _complete(self) -> Self:
        problems: Problems = [*self._currency_problems(), *self._rate_problems(), *self._region_problems()]
        if problems:
            raise said_all(problems)
        return self

    def _currency_problems(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        why = no_rate(self.currency or USD, self.currencies)
        if why:
            yield ("currency",), why
        for index, rate in enumerate(self.rates):
            if rate.currency is None and self.currency is None:
                told = "is missing: neither the rate nor the book says what its price is paid in, such as USD"
                yield ("rates", index, "currency"), told
            why = no_rate(rate.currency or USD, self.currencies)
            if why:
                yield ("rates", index, "currency"), why
        if USD in self.currencies:
            yield ("currencies", USD), "is what everything is told in; remove it"

    def _rate_problems(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        if not self.rates:
            yield ("rates",), "must hold at least one rate"
        known = (*catalogue.names(catalogue.GPUS), *self.gpus)
        seen: dict[tuple[str, str, str], int] = {}
        for index, rate in enumerate(self.rates):
            for key, such in (("as_of", "the day it was read, such as 2026-08-26"), ("source", "who says so")):
                if not (getattr(rate, key) or getattr(self, key)):
                    yield ("rates", index, key), f"is missing here and in the book: {such}"
            if rate.gpu not in known:
                rest = catalogue.did_you_mean(rate.gpu, known)
                own = "a GPU of your own sheet goes into the book's 'gpus'"
                yield ("rates", index, "gpu"), f"no GPU is called '{rate.gpu}'{rest} ({own})"
            key_of = (rate.gpu, rate.what, rate.region)
            if key_of in seen:
                where = f" in {rate.region}" if rate.region else ""
                told = f"is the second {rate.what} rate for '{rate.gpu}'{where}; the first is rates.{seen[key_of]}"
                yield ("rates", index, "gpu"), f"{told}; keep one"
            seen.setdefault(key_of, index)

    def _region_problems(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        if self.region and self.regions and self.region not in self.regions:
            rest = catalogue.did_you_mean(self.region, self.regions)
            yield ("region",), f"no rate is for region '{self.region}'{rest}"
        said_twice: set[str] = set()
        for index, rule in enumerate(self.assumed):
            if rule.what in said_twice:
                yield ("assumed", index, "market"), f"a second rule for {rule.what}; keep one"
            said_twice.add(rule.what)
