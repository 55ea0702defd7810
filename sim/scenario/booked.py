"""Prices out of a price book: what `book` in a pool, an offer or a new version stands for, before it is validated.

A resolved scenario says its prices with their source and day, and no book: nothing that a provider changes in its list
changes a scenario that has been written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from sim.config.said import Problems
from sim.pricing.books.book import PriceBook
from sim.pricing.books.lookup import chosen, laid_over

BOOK = "book"
_At = tuple[str | int, ...]


def priced_by_books(raw: Mapping[str, Any]) -> tuple[dict[str, Any], Problems]:
    """A pool as it is written, prices in the place of books, and what keeps a book from giving one.

    An offer or a new version with another GPU or region, and neither a book nor a price of its own, is priced by the
    pool's book. Where a book is wrong in itself, all is left as it is: validating it says what is wrong.
    """
    named = _named_books(raw)
    if not named:
        return dict(raw), []
    if None in named:
        return _without_what_books_fill(raw), []
    pool = _Pool(book=_book(raw), gpu=_gpu_name(raw))
    told = _with_price(raw, pool.book, pool.gpu, "", (), pool.problems)
    if pool.book is not None:
        told = _with_terms(told, pool.book)
    if isinstance(raw.get("rollouts"), list | tuple):
        told["rollouts"] = [pool.rollout(index, _plain(each)) for index, each in enumerate(raw["rollouts"])]
    if isinstance(raw.get("supply"), list | tuple):
        priced = told.get("price")
        told["supply"] = [pool.offer(index, _plain(each), priced) for index, each in enumerate(raw["supply"])]
    return told, pool.problems


@dataclass
class _Pool:
    """What the parts of a pool need to know of it, and what is wrong so far."""

    book: PriceBook | None
    gpu: str | None
    problems: Problems = field(default_factory=list)
    later: str = ""
    """The GPU that the last rollout so far changes to."""

    def rollout(self, index: int, raw: Any) -> Any:
        """A rollout, the new version's price in it."""
        to = _plain(raw.get("to")) if isinstance(raw, Mapping) else None
        if not isinstance(to, Mapping):
            return raw
        gpu = _gpu_name(to)
        self.later = gpu or self.later
        book = _book(to)
        if book is None and to.get(BOOK) is None and to.get("price") is None and gpu not in (None, self.gpu):
            book = self.book
        at = ("rollouts", index, "to")
        return {**raw, "to": _with_price(to, book, gpu or self.later or self.gpu, "", at, self.problems)}

    def offer(self, index: int, raw: Any, pool_price: Any) -> Any:
        """An offer, its price in it."""
        if not isinstance(raw, Mapping):
            return raw
        own, named, at = _gpu_name(raw), raw.get(BOOK) is not None, ("supply", index)
        region = raw["region"] if isinstance(raw.get("region"), str) else ""
        book = _book(raw)
        if book is not None and region not in book.regions:
            region = ""  # a name of the user's own: the book's region is meant
        if not named and raw.get("price") is None and (region or own not in (None, self.gpu)):
            book = self.book
        before = len(self.problems)
        told = _with_price(raw, book, own or self.gpu, region, at, self.problems)
        if len(self.problems) == before:
            price = told.get("price", pool_price if own is None else None)
            why = self._misfit(raw, book or self.book, price, own)
            self.problems += [((*at, BOOK if named else "price"), why)] if why else []
        return told

    def _misfit(self, raw: Mapping[str, Any], book: PriceBook | None, price: Any, own: str | None) -> str:
        """What the price that a book gave an offer does not do for it; empty if it does."""
        named = raw.get(BOOK) is not None
        if book is None or not isinstance(price, Mapping) or (raw.get("price") is not None and not named):
            return ""
        if raw.get("market") == "spot" and price.get("spot") is None:
            return f"book '{book.name}' has no spot price for '{own or self.gpu}'; give price: {{spot: $1.20/h}}"
        if raw.get("market") == "reserved" and named:
            return "does not say which of a book's reserved prices is meant; give 'price', or write a contract"
        if (
            self.later not in ("", self.gpu)
            and own is None
            and raw.get("price") is None
            and (named or raw.get("region"))
        ):
            return "a rollout changes the pool's GPU: name this offer's 'gpu' too, or give its 'price'"
        return ""


def _with_price(
    raw: Mapping[str, Any], book: PriceBook | None, gpu: str | None, region: str, at: _At, problems: Problems
) -> dict[str, Any]:
    """The keys with a price in the place of the book; as they are if there is no book, or none that can be read."""
    if book is None:
        return dict(raw)
    told = {key: value for key, value in raw.items() if key != BOOK}
    own = _plain(raw.get("price"))
    if own is not None and not isinstance(own, Mapping):
        if at:  # a pool's own price cannot be one figure, which its validation says
            problems.append(((*at, BOOK), "says nothing beside 'price', which is one figure; remove one"))
        return told
    if gpu is None:
        if raw.get("gpu") is None:
            problems.append(((*at, BOOK), "needs a 'gpu', to know which of its prices are meant"))
        return told
    price = chosen(book, gpu, region)
    if isinstance(price, str):
        if own is not None and "on_demand" in own:
            return told
        problems.append(((*at, BOOK) if raw.get(BOOK) is not None else at, price))
        return told
    return {**told, "price": laid_over(price, dict(own or {}))}


def _with_terms(told: dict[str, Any], book: PriceBook) -> dict[str, Any]:
    """The pool with the book's billing, and its egress price, where it says none of its own."""
    if book.billing is not None and told.get("billing") is None:
        told["billing"] = {"granularity": book.billing.granularity_s, "minimum": book.billing.minimum_s}
    egress = _plain(told.get("egress"))
    if book.egress is not None and isinstance(egress, Mapping) and "price" not in egress:
        told["egress"] = {**egress, "price": book.egress.usd_per_gb}
    return told


def _named_books(raw: Mapping[str, Any]) -> list[PriceBook | None]:
    """Every book that a pool names, its offers' and new versions' included; None for one that is wrong."""
    supply, rollouts = (_key(raw, key) for key in ("supply", "rollouts"))
    parts = [raw]
    parts += supply if isinstance(supply, list | tuple) else ()
    parts += [_key(each, "to") for each in rollouts] if isinstance(rollouts, list | tuple) else ()
    return [_book({BOOK: named}) for part in parts if (named := _key(part, BOOK)) is not None]


def _without_what_books_fill(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The pool without what only a book could complete, so that it is not said to be incomplete."""
    egress = raw.get("egress")
    waits = isinstance(egress, Mapping) and "price" not in egress
    return {key: value for key, value in raw.items() if key != "egress" or not waits}


def _key(part: Any, key: str) -> Any:
    return part.get(key) if isinstance(part, Mapping) else getattr(part, key, None)


def _book(raw: Mapping[str, Any]) -> PriceBook | None:
    """The book named here; None if there is none, or one that is wrong."""
    try:
        return None if raw.get(BOOK) is None else PriceBook.model_validate(raw[BOOK])
    except ValidationError:
        return None


def _gpu_name(raw: Mapping[str, Any]) -> str | None:
    gpu = _plain(raw.get("gpu"))
    name = gpu.get("name") if isinstance(gpu, Mapping) else None
    return name if isinstance(name, str) else None


def _plain(value: Any) -> Any:
    """A model built in Python as the mapping that a file would have; anything else as it is."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_unset=True)
    return value
