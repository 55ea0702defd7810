"""What a GPU costs by a price book: the rates of its region in USD, as the plain values of a `price`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.config import catalogue
from sim.pricing.books.book import AssumedRate, BookRate, PriceBook
from sim.pricing.books.currency import USD

_KEYS = {
    "on_demand": ("on_demand", "source", "as_of"),
    "spot": ("spot", "spot_source", "spot_as_of"),
    "reserved 1y": ("reserved_1y", "reserved_source", "reserved_as_of"),
    "reserved 3y": ("reserved_3y", "reserved_source", "reserved_as_of"),
}
"""What is bought: the keys of a `price` for the figure, its source, its day."""

GIVEN = "given beside the price book"
"""The source of a figure that goes before the book's and names none."""


def chosen(book: PriceBook, gpu: str, region: str = "") -> dict[str, Any] | str:
    """The `price` of a GPU by this book, in USD per GPU-hour with sources and days; or why there is none.

    Rates of the region go before rates that hold everywhere; rules of thumb (`assumed`) fill what is not listed, and
    their source says so. Rates of market `capacity_block` are no part of it: such blocks are bought by contract.
    """
    found = found_rates(book, gpu, region)
    if isinstance(found, str):
        return found
    base = found.get("on_demand")
    if base is None:
        there = ", ".join(found)
        remedy = f"; it is listed on demand in {_sentence(_regions(book, gpu))}" if _regions(book, gpu) else ""
        return f"book '{book.name}' lists '{gpu}'{_where(book, region)} only as {there}, not on demand{remedy}"
    price: dict[str, Any] = {}
    for what, rate in found.items():
        if what in _KEYS:
            _add(price, what, book.usd(rate), _told(book, rate), _day(book, rate))
    for rule in book.assumed:
        if rule.what in _KEYS and rule.what not in found:
            usd = book.usd(base) * rule.of_on_demand_share
            _add(price, rule.what, usd, _thumb(rule), _day(book, base))
    return price


def found_rates(book: PriceBook, gpu: str, region: str = "") -> dict[str, BookRate] | str:
    """The rates of a GPU by what is bought (`on_demand`, `reserved 1y`, ...), at least one; or why there is none."""
    wanted = region or book.region or (book.regions[0] if len(book.regions) == 1 else "")
    if region and book.regions and region not in book.regions:
        such = f"; say which one is meant in book: {{from: {book.name}, region: {book.regions[0]}}}"
        return f"book '{book.name}' has no region '{region}'{catalogue.did_you_mean(region, book.regions)}{such}"
    mine = [rate for rate in book.rates if rate.gpu == gpu]
    if not mine:
        priced = sorted({rate.gpu for rate in book.rates})
        return f"book '{book.name}' has no price for '{gpu}'; it has {_sentence(priced)}"
    here = {rate.what: rate for rate in mine if not rate.region}
    here |= {rate.what: rate for rate in mine if rate.region and rate.region == wanted}
    if here:
        return here
    there = _sentence(list(dict.fromkeys(rate.region for rate in mine)))
    such = f"; say which one is meant in book: {{from: {book.name}, region: {mine[0].region}}}"
    return f"book '{book.name}' has no price for '{gpu}'{_where(book, region)}; it has one in {there}{such}"


def laid_over(price: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The book's price with a pool's own keys before it; the book's source and day go with the figures they are of."""
    merged = {**price, **own}
    for figure, source, day in _KEYS.values():
        if figure in own:
            merged[source] = own.get(source, GIVEN)
            merged.pop(day, None)
            merged |= {day: own[day]} if day in own else {}
    return merged


def _add(price: dict[str, Any], what: str, usd: float, source: str, day: str) -> None:
    """One figure with its source; two figures that share a source are told together, as old as the older."""
    figure, source_key, day_key = _KEYS[what]
    price[figure] = round(usd, 6)
    before = price.get(source_key)
    price[source_key] = source if before in (None, source) else f"{before}; {what.split()[-1]}: {source}"
    price[day_key] = min(day, price.get(day_key, day))


def _told(book: PriceBook, rate: BookRate) -> str:
    """Who says so, and of what."""
    about = [book.provider or book.name, rate.region, rate.sku]
    told = f"{', '.join(word for word in about if word)}: {rate.source or book.source}"
    currency = rate.currency or book.currency or USD
    if currency != USD:
        exchange = book.currencies[currency]
        told += f"; {rate.price:g} {currency} at {exchange.usd:g} USD ({exchange.source}, {exchange.as_of})"
    return f"{told}; {rate.note}" if rate.note else told


def _thumb(rule: AssumedRate) -> str:
    return f"assumed, {rule.of_on_demand_share:.4g} of the price on demand: {rule.source}"


def _day(book: PriceBook, rate: BookRate) -> str:
    """The day of the price, or of its rate of exchange if that is older."""
    days = [rate.as_of or book.as_of or ""]
    currency = rate.currency or book.currency or USD
    if currency != USD:
        days.append(book.currencies[currency].as_of)
    return min(days)


def _regions(book: PriceBook, gpu: str) -> list[str]:
    return list(dict.fromkeys(rate.region for rate in book.rates if rate.gpu == gpu and rate.market == "on_demand"))


def _where(book: PriceBook, region: str) -> str:
    wanted = region or book.region
    return f" in {wanted}" if wanted else ""


def _sentence(words: Sequence[str]) -> str:
    return ", ".join(words)
