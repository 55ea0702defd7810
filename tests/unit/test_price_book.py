"""Price books: what a pool gets from one, by hand; what is wrong with one; and that those that ship are true."""

from __future__ import annotations

import csv
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from sim.config import catalogue
from sim.config.errors import ConfigError
from sim.pricing.books.book import PriceBook
from sim.pricing.books.lookup import chosen
from sim.scenario import Pool, Scenario, load
from tests.laws import complaint
from tests.sheets import CSV_NAMES, SHARED, plain

BOOKS = catalogue.names(catalogue.PRICES)

HERE = {"as_of": "2026-08-01", "source": "the list", "currency": "USD"}
BOOK: dict[str, Any] = {
    "name": "acme",
    "provider": "Acme",
    **HERE,
    "region": "north",
    "billing": {"granularity": "60s", "minimum": "10m", "source": "the terms"},
    "egress": {"price": "$0.08/GB", "as_of": "2026-08-01", "source": "the list"},
    "currencies": {"EUR": {"usd": 1.25, "as_of": "2026-07-15", "source": "the bank"}},
    "rates": [
        {"gpu": "h100-sxm", "market": "on_demand", "price": 4, "region": "north", "sku": "big.8"},
        {"gpu": "h100-sxm", "market": "on_demand", "price": 3, "region": "south", "currency": "EUR"},
        {"gpu": "h100-sxm", "market": "spot", "price": "$1.50/h", "as_of": "2026-08-09", "note": "volatile"},
        {"gpu": "h100-sxm", "market": "reserved", "term": "1y", "price": 2.5},
        {"gpu": "h200", "market": "on_demand", "price": 5},
        {"gpu": "h200", "market": "spot", "price": 2, "region": "south"},
        {"gpu": "l4", "market": "capacity_block", "price": 0.5},
    ],
    "assumed": [{"market": "reserved", "term": "3y", "of_on_demand": "40%", "source": "a guess"}],
}


def book(**changes: Any) -> PriceBook:
    return PriceBook.model_validate({**BOOK, **changes})


def scenario(**pool: Any) -> Scenario:
    return load(
        {
            "name": "x",
            "horizon": 60,
            "workload": {"arrivals": {"kind": "poisson", "rate": 1}, "service": {"kind": "constant", "value": 1}},
            "pools": {"p": {"gpu": "h100-sxm", "replica": {"kind": "slots"}, "autoscaler": {"replicas": 1}, **pool}},
        }
    )


def priced(**changes: Any) -> Pool:
    return scenario(**changes).pools["p"]


def problem(**changes: Any) -> str:
    with pytest.raises(ConfigError) as found:
        priced(**changes)
    return str(found.value)


def test_a_pool_is_priced_with_source_and_day() -> None:
    price = priced(book=BOOK).price
    assert price is not None
    assert price.model_dump(exclude_defaults=True) == {
        "on_demand": 4.0,
        "source": "Acme, north, big.8: the list",
        "as_of": "2026-08-01",
        "spot": 1.5,
        "spot_source": "Acme: the list; volatile",
        "spot_as_of": "2026-08-09",
        "reserved_1y": 2.5,
        "reserved_3y": 1.6,  # 40 % of 4
        "reserved_source": "Acme: the list; 3y: assumed, 0.4 of the price on demand: a guess",
        "reserved_as_of": "2026-08-01",
    }


def test_another_currency_is_told_in_usd_as_old_as_its_rate_of_exchange() -> None:
    price = chosen(book(), "h100-sxm", "south")
    assert isinstance(price, dict)
    assert price["on_demand"] == 3 * 1.25
    assert price["source"] == "Acme, south: the list; 3 EUR at 1.25 USD (the bank, 2026-07-15)"
    assert price["as_of"] == "2026-07-15"
    assert price["reserved_3y"] == 1.5
    assert price["spot"] == 1.5, "a rate without a region holds in all of them"


def test_what_is_written_down_names_no_book_and_loads_to_the_same() -> None:
    found = scenario(book=BOOK, supply=[{"name": "a", "gpu": "h200"}], rollouts=[{"at": 30, "to": {"gpu": "h200"}}])
    assert "book" not in found.model_dump(by_alias=True, exclude_none=True)["pools"]["p"]
    assert load(found).digest == found.digest
    assert load(found).pools["p"].price == found.pools["p"].price


def test_a_price_beside_the_book_goes_before_it_key_by_key() -> None:
    price = priced(book=BOOK, price={"spot": 0.9}).price
    assert price is not None
    assert (price.on_demand, price.spot, price.spot_source, price.spot_as_of) == (
        4.0,
        0.9,
        "given beside the price book",
        "",
    )
    assert price.reserved_1y == 2.5
    own = priced(book=BOOK, price={"on_demand": 1, "source": "my contract", "as_of": "2026-01-01"}).price
    assert own is not None
    assert (own.on_demand, own.source, own.as_of) == (1.0, "my contract", "2026-01-01")


def test_billing_and_the_price_of_egress_are_the_book_s_where_the_pool_says_none() -> None:
    pool = priced(book=BOOK, egress={"per_answer": "1MB"})
    assert (pool.billing.granularity_s, pool.billing.minimum_s) == (60, 600)
    assert pool.egress is not None
    assert pool.egress.usd_per_gb == 0.08
    own = priced(book=BOOK, billing={"granularity": 5}, egress={"per_answer": "1MB", "price": 1})
    assert (own.billing.granularity_s, own.billing.minimum_s) == (5, 0)
    assert own.egress is not None
    assert own.egress.usd_per_gb == 1
    assert priced(book=BOOK).egress is None


def test_offers_and_new_versions_are_priced_by_their_own_book_or_the_pool_s() -> None:
    spot = {"market": "spot", "spot": {"hazard": "0.01/h"}}
    pool = priced(
        book=BOOK,
        supply=[
            {"name": "same"},
            {"name": "spot", **spot},
            {"name": "newer", "gpu": "h200"},
            {"name": "south", "region": "south"},
            {"name": "away", "region": "my own name", "book": {**BOOK, "region": "south"}},
            {"name": "given", "gpu": "h200", "price": 7},
        ],
    )
    paid = [pool.as_offered(offer).usd_per_replica_hour for offer in pool.offers]
    assert paid == [4.0, 1.5, 5.0, 3.75, 3.75, 7.0]
    rolled = priced(book=BOOK, rollouts=[{"at": 30, "to": {"gpu": "h200"}}])
    assert [version.usd_per_replica_hour for version in rolled.versions] == [4.0, 5.0]


def test_an_offer_may_name_a_book_where_the_pool_names_none() -> None:
    pool = priced(supply=[{"name": "a"}, {"name": "b", "book": BOOK}])
    assert [pool.as_offered(offer).usd_per_replica_hour for offer in pool.offers] == [3.2, 4.0]
    assert pool.billing.minimum_s == 0, "the pool's terms are not those of one of its offers"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"book": "awz"}, "pools.p.book: no price book is called 'awz'; did you mean 'aws'?"),
        (
            {"book": BOOK, "gpu": "mi300x"},
            "pools.p.book: book 'acme' has no price for 'mi300x'; it has h100-sxm, h200, l4",
        ),
        ({"book": BOOK, "gpu": "l4"}, "pools.p.book: book 'acme' lists 'l4' in north only as capacity_block"),
        ({"book": {**BOOK, "region": "mars"}}, "pools.p.book.region: no rate is for region 'mars'"),
        ({"book": BOOK, "gpu": None}, "pools.p.book: needs a 'gpu'"),
        (
            {"book": BOOK, "supply": [{"name": "a", "region": "east"}]},
            "pools.p.supply.0: book 'acme' has no region 'east'; there are: north, south; "
            "say which one is meant in book: {from: acme, region: north}",
        ),
        (
            {"supply": [{"name": "a", "gpu": "h200", "market": "spot", "spot": {"hazard": 0}, "book": BOOK}]},
            "pools.p.supply.0.book: book 'acme' has no spot price for 'h200'; give price: {spot: $1.20/h}",
        ),
        ({"supply": [{"name": "a", "market": "reserved", "book": BOOK}]}, "pools.p.supply.0.book: does not say which"),
        ({"supply": [{"name": "a", "price": 3, "book": BOOK}]}, "pools.p.supply.0.book: says nothing beside 'price'"),
        (
            {"supply": [{"name": "a", "book": BOOK}], "rollouts": [{"at": 1, "to": {"gpu": "h200"}}]},
            "pools.p.supply.0.book: a rollout changes the pool's GPU",
        ),
    ],
)
def test_a_book_that_has_no_such_price_says_what_there_is(changes: dict[str, Any], told: str) -> None:
    found = problem(**changes)
    assert told in found
    assert "\n" not in found, "one mistake, one message"


RATE = {"gpu": "l4", "market": "on_demand", "price": 1}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"currency": None, "rates": [RATE]},
            "neither the rate nor the book says what its price is paid in",
        ),
        ({"rates": [{**RATE, "currency": "GBP"}]}, "no exchange rate for GBP: give the book currencies: {GBP: {usd:"),
        ({"currency": "GBP"}, "no exchange rate for GBP"),
        ({"currencies": {"EUR": {"usd": 1.1, "source": "x"}}}, "as_of: Field required"),
        ({"currencies": {"USD": BOOK["currencies"]["EUR"]}}, "is what everything is told in; remove it"),
        ({"as_of": None, "rates": [RATE]}, "is missing here and in the book: the day it was read"),
        ({"source": "", "rates": [RATE]}, "is missing here and in the book: who says so"),
        ({"rates": [{**RATE, "gpu": "h100"}]}, "no GPU is called 'h100'; did you mean 'h100-sxm'?"),
        (
            {"rates": [RATE, RATE], "region": ""},
            "second on_demand rate for 'l4'; the first is rates.0; keep one",
        ),
        ({"rates": [{**RATE, "as_of": "2026-02-30"}]}, "as_of: must be a day, such as 2026-08-26; got '2026-02-30'"),
        ({"as_of": "20260826"}, "must be a day"),
        ({"rates": [{**RATE, "market": "reserved"}]}, "term: is missing: a reserved price is for a term"),
        ({"rates": [{**RATE, "term": "1y"}]}, "term: says nothing for market 'on_demand'"),
        ({"rates": [{**RATE, "price": "$1/h", "currency": "EUR"}]}, "is written in $, and the currency is EUR"),
        ({"rates": []}, "must hold at least one rate"),
        ({"assumed": BOOK["assumed"] * 2}, "a second rule for reserved 3y"),
    ],
)
def test_what_is_wrong_with_a_book(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as found:
        book(**changes)
    assert told in "\n".join(complaint(found.value))


def test_a_dollar_sign_is_a_currency_and_an_own_gpu_may_be_named() -> None:
    found = book(currency=None, gpus=["b300"], region="", rates=[{**RATE, "gpu": "b300", "price": "$7.40/h"}])
    price = chosen(found, "b300")
    assert isinstance(price, dict)
    assert price["on_demand"] == 7.4


def test_a_mistake_in_a_book_file_is_told_at_its_line(tmp_path: Any) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ncurrency: USD\nas_of: 2026-08-01\nsource: x\nrates:\n"
        "  - {gpu: h100-sxm, market: on_demand, price: 3}\n  - {gpu: h100-smx, market: spot, price: 2}\n"
    )
    assert f"{file}:7:11: pools.p.book.rates.1.gpu: no GPU is called 'h100-smx'" in problem(book=str(file))


@pytest.mark.parametrize("name", BOOKS)
def test_every_shipped_book_prices_its_gpus_with_source_and_day(name: str) -> None:
    found = PriceBook.model_validate(plain(catalogue.PRICES, name))
    assert found.name == name
    assert found.description
    on_demand = [rate for rate in found.rates if rate.market == "on_demand"]
    assert on_demand
    for rate in on_demand:
        pool = priced(gpu=rate.gpu, book={"from": name, "region": rate.region})
        assert pool.price is not None
        assert pool.price.on_demand == pytest.approx(rate.price)
        assert pool.price.source
        told = pool.price.model_dump()
        for figure, key in (("on_demand", "as_of"), ("spot", "spot_as_of"), ("reserved_3y", "reserved_as_of")):
            assert told[figure] is None or date.fromisoformat(told[key]) > date(2025, 1, 1)
    for rule in found.assumed:
        assert not [rate for rate in found.rates if rate.what == rule.what], "a rule of thumb beside list prices"


SELLERS = {
    ("AWS", "on_demand"): ("aws", "on_demand"),
    ("AWS", "capacity_block"): ("aws", "capacity_block"),
    ("GCP", "on_demand"): ("gcp", "on_demand"),
    ("GCP", "spot"): ("gcp", "spot"),
    ("Azure", "on_demand"): ("azure", "on_demand"),
    ("Lambda", "on_demand"): ("lambda", "on_demand"),
    ("RunPod", "on_demand_secure"): ("runpod", "on_demand"),
    ("RunPod", "on_demand_community"): ("runpod-community", "on_demand"),
    ("RunPod", "lowest_tier"): ("runpod-community", "on_demand"),
    ("Hyperstack", "on_demand"): ("hyperstack", "on_demand"),
    ("Hyperstack", "spot"): ("hyperstack", "spot"),
    ("Hyperstack", "reserved_from"): ("hyperstack", "reserved 3y"),
    ("Nebius", "on_demand"): ("nebius", "on_demand"),
    ("Vast", "marketplace_median"): ("vast", "on_demand"),
    ("Akash", "marketplace_from"): ("akash", "on_demand"),
    ("SemiAnalysis model", "tco_hyperscaler"): ("semianalysis-hyperscaler", "on_demand"),
    ("SemiAnalysis model", "tco_neocloud"): ("semianalysis-neocloud", "on_demand"),
}
NOWHERE = {("SemiAnalysis model", "rental_3y")}
"""A price of a term whose seller has no other, so no book can hold it: for `price` in a contract."""


def test_the_shipped_books_say_what_the_reference_says() -> None:
    reference = SHARED / "reference" / "gpu_prices.csv"
    if not reference.exists():
        pytest.skip("../shared/reference/gpu_prices.csv is not there")
    with reference.open(encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["gpu"] in CSV_NAMES]
    expected: dict[tuple[str, str, str, str], tuple[float, str]] = {}
    for row in rows:
        if (row["provider"], row["tier"]) in NOWHERE:
            continue
        name, what = SELLERS[row["provider"], row["tier"]]
        region = row["region"].partition("/")[0]
        region = "" if region in ("any", "all", "-") else region
        read = {"2024-Q4": "2024-12-31"}.get(row["as_of"], row["as_of"])
        key = (name, CSV_NAMES[row["gpu"]], what, region)
        # of several machines, the one on which a GPU costs least
        expected[key] = min(expected.get(key, (1e9, "")), (float(row["usd_per_gpu_h"]), read))
    shipped: dict[tuple[str, str, str, str], tuple[float, str]] = {}
    for name in BOOKS:
        found = PriceBook.model_validate(plain(catalogue.PRICES, name))
        for rate in found.rates:
            day = rate.as_of or found.as_of
            assert day is not None
            shipped[name, rate.gpu, rate.what, rate.region] = (found.usd(rate), day)
    assert shipped == expected
