"""Tables of the price books that ship: what they are, and what a GPU-hour costs in them."""

from __future__ import annotations

from collections.abc import Iterator

from sim.config import catalogue
from sim.config.loader import read_file
from sim.pricing.books.book import BookRate, PriceBook

_WHAT = ("on_demand", "spot", "reserved 1y", "reserved 3y", "capacity_block")


def _books() -> list[PriceBook]:
    folder = catalogue.root() / catalogue.PRICES
    return [PriceBook.model_validate(read_file(path).plain()) for path in sorted(folder.glob("*.yaml"))]


def price_books() -> str:
    """The books: whose prices, of which day, what is in them and how time is billed."""
    lines = ["| book | what it is | as of | regions | billed | egress |", "| --- | --- | --- | --- | --- | --- |"]
    for book in _books():
        billing = book.billing
        billed = "" if billing is None else f"by {_time(billing.granularity_s)}"
        billed += f", {_time(billing.minimum_s)} at least" if billing is not None and billing.minimum_s else ""
        egress = "" if book.egress is None else f"${book.egress.usd_per_gb:g} per GB"
        cells = (f"`{book.name}`", book.description, book.as_of, ", ".join(book.regions), billed, egress)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def book_prices() -> str:
    """USD per GPU-hour by book and GPU, in the region that the book means; rules of thumb are marked."""
    lines = ["| GPU | book | on demand | spot | reserved, 1 year | 3 years | capacity block |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    rows = [(gpu, book) for book in _books() for gpu in dict.fromkeys(rate.gpu for rate in book.rates)]
    for gpu, book in sorted(rows, key=lambda row: (row[0], row[1].name)):
        shown = [" / ".join(_figures(book, gpu, what)) for what in _WHAT]
        lines.append(f"| `{gpu}` | `{book.name}` | {' | '.join(shown)} |")
    return "\n".join(lines)


def _figures(book: PriceBook, gpu: str, what: str) -> Iterator[str]:
    """What is listed, with the region where it is not the book's own; else what is assumed, with a tilde."""
    listed = [rate for rate in book.rates if (rate.gpu, rate.what) == (gpu, what)]
    yield from (_listed(book, rate) for rate in listed)
    if not listed:
        base = next(rate for rate in book.rates if (rate.gpu, rate.what) == (gpu, "on_demand"))
        shares = [rule.of_on_demand_share for rule in book.assumed if rule.what == what]
        yield from (f"~${book.usd(base) * share:.2f}" for share in shares)


def _listed(book: PriceBook, rate: BookRate) -> str:
    where = "" if rate.region in ("", book.region) else f" ({rate.region})"
    return f"${book.usd(rate):g}{where}"


def _time(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def book_range(gpu: str) -> str:
    """The least and the most that a GPU is listed for on demand, as in `$2.40 to $13.70`; models of cost left out."""
    books = [book for book in _books() if not book.name.startswith("semianalysis-")]
    listed = [book.usd(rate) for book in books for rate in book.rates if (rate.gpu, rate.what) == (gpu, "on_demand")]
    return f"${min(listed):.2f} to ${max(listed):.2f}"
