"""Tables of money: the price books that ship, the kinds of contracts, the blocks of a result that tell of the bill."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import get_args

from sim.config import catalogue
from sim.config.loader import read_file
from sim.pricing.book import BookRate, PriceBook

_WHAT = ("on_demand", "spot", "reserved 1y", "reserved 3y", "capacity_block")


TIME = "time of the window"
MONEY: dict[str, tuple[str, str, str]] = {
    "invoice": (
        "USD",
        TIME,
        "The lines of the bill, which add up to `cost.total_usd`; null where a price is not known. Of each: `pool`; "
        "`what`: `usage` (GPUs that replicas had), `unused` (paid under a contract, for nobody), `energy` (of owned "
        "hardware), `egress`, `discount` (negative) or `shortfall` (of committed spending); `contract`, null where "
        "the price is that of the market; `offer`, `market`, `region` and `gpu` of the replicas, null where the line "
        "is of the whole pool; `gpu_hours`; `usd`; and `list_usd`, what the GPU-hours would cost without a contract "
        "(on spot: what they cost; null where no price is given).",
    ),
    "commitments": (
        "",
        TIME,
        "Null where a pool has no price and there is no contract. `contracts`, by name: `kind`, `pools` that it "
        "covers, `gpus`, `usd_per_gpu_h`; `used_gpu_hours` and `unused_gpu_hours`; `usd`, all that it cost, and "
        "`unused_usd` of that for nothing; `used_share`, of what was paid for, in money, and `break_even_share`, from "
        "which on it is worth it (null where nothing was used); `saved_usd`: list price of what it covered, less "
        "`usd` (null where that is not known); `upfront_usd`, paid "
        "on signing, and after the run's end `remaining_s` and `remaining_usd` (of owned hardware: what is not written "
        "off). `ladder`, by pool with a price: `usd_per_gpu_h` on demand; `load_duration`, points [GPUs, share of the "
        "time with at least so many]; and `layers`, one a reserved price that is known (`name`: `reserved_1y`, "
        "`reserved_3y` or a contract): `usd_per_gpu_h`, `break_even_share` and `break_even_hours_per_year`, the "
        "`gpus` that are worth reserving at it, `used_gpu_hours`, `unused_gpu_hours`, `spot_gpu_hours` and "
        "`on_demand_gpu_hours` with so many, what that costs (`usd`), all of it on demand (`all_on_demand_usd`), and "
        "the difference (`saved_usd`).",
    ),
    "energy": (
        "",
        TIME,
        "Of hardware that is owned, cooling included: `kwh`, `usd`, which is part of the cost, and `co2_kg` (null "
        "where the scenario says nothing of the grid). Null where none is owned.",
    ),
}
"""The blocks of a summary that tell of the bill: unit, over what, what it is."""


def contract_kinds() -> str:
    """One row a kind of contract, from the union, in the order in which they cover usage."""
    from sim.pricing.contracts import AnyContract

    lines = ["| kind | what it is | keys |", "| --- | --- | --- |"]
    for kind in get_args(get_args(AnyContract)[0]):
        fields = {info.alias or name for name, info in kind.model_fields.items()} - {"kind", "pools", "from"}
        own = [info.alias or name for name, info in kind.model_fields.items() if (info.alias or name) in fields]
        cells = (f"`{get_args(kind.model_fields['kind'].annotation)[0]}`", _first_line(kind))
        lines.append(f"| {' | '.join(cells)} | {', '.join(f'`{name}`' for name in own)} |")
    return "\n".join(lines)


def spot_processes() -> str:
    """One row a way in which the price of spot moves, from the union."""
    from sim.pricing.spot import SpotProcess

    lines = ["| kind | what it is | keys |", "| --- | --- | --- |"]
    for kind in get_args(get_args(SpotProcess)[0]):
        keys = [f"`{info.alias or name}`" for name, info in kind.model_fields.items() if name != "kind"]
        tag = get_args(kind.model_fields["kind"].annotation)[0]
        lines.append(f"| `{tag}` | {_first_line(kind)} | {', '.join(keys)} |")
    return "\n".join(lines)


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


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
