"""Contracts and prices that cannot be meant: each is told with its place and what to do. Golden messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.config.errors import ConfigError
from sim.scenario import load
from sim.scenario.contracts import price_ages

GOOD = """\
name: good
horizon: 2d
starts: 2026-09-01
workload:
  streams:
    one: {pool: a, arrivals: {kind: poisson, rate: 1/s}, service: {kind: constant, value: 1s}}
    two: {pool: b, arrivals: {kind: poisson, rate: 1/s}, service: {kind: constant, value: 1s}}
pools:
  a:
    replica: {kind: slots, concurrency: 1}
    autoscaler: {kind: fixed, replicas: 4}
    price: {on_demand: $3/h, as_of: 2026-08-20}
  b:
    replica: {kind: slots, concurrency: 1}
    autoscaler: {kind: fixed, replicas: 4}
    price: {on_demand: $2/h, as_of: 2026-08-25, spot: $1/h, spot_as_of: 2026-09-05}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def complaints(*contracts: str, text: str = GOOD) -> list[str]:
    lines = "".join(f"  {contract}\n" for contract in contracts)
    Path("s.yaml").write_text(text + (f"contracts:\n{lines}" if contracts else ""), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("s.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_the_good_one_is_good() -> None:
    Path("s.yaml").write_text(GOOD + "contracts:\n  base: {kind: reserved, gpus: 2, pools: [a], discount: 40%}\n")
    assert load("s.yaml").contracts["base"].covers("a")


@pytest.mark.parametrize(
    ("contract", "told"),
    [
        (
            "base: {kind: reserved, gpus: 2, pools: [c], price: $1/h}",
            "s.yaml:18:43: contracts.base.pools.0: no pool is called 'c'; there are: a, b",
        ),
        (
            "base: {kind: reserved, gpus: 2, pools: [], price: $1/h}",
            "s.yaml:18:35: contracts.base.pools: must name at least one pool; leave it out for all of them",
        ),
        (
            "base: {kind: reserved, gpus: 2, pools: [a]}",
            "s.yaml:18:3: contracts.base: needs a 'price' or a 'discount': no reserved price of this term is known for "
            "the GPU",
        ),
        (
            "base: {kind: reserved, gpus: 2, discount: 40%}",
            "s.yaml:18:3: contracts.base: needs a 'price': its pools would have different ones ('a' $1.8/h, 'b' "
            "$1.2/h)",
        ),
        (
            "base: {kind: reserved, gpus: 2, price: $1/h, from: 2d}",
            "s.yaml:18:54: contracts.base.from: begins at 2d, and the run ends at 2d: nothing of it is ever used; "
            "remove it",
        ),
        (
            "base: {kind: reserved, gpus: 2, price: $1/h, discount: 40%}",
            "s.yaml:18:58: contracts.base.discount: says nothing beside 'price'; remove one",
        ),
    ],
)
def test_a_contract_that_cannot_be_meant(contract: str, told: str) -> None:
    assert complaints(contract) == [told]


def test_a_pool_without_a_price_has_nothing_to_discount() -> None:
    text = GOOD.replace("    price: {on_demand: $3/h, as_of: 2026-08-20}\n", "")
    (told,) = complaints("base: {kind: reserved, gpus: 2, pools: [a], discount: 40%}", text=text)
    assert told == ("s.yaml:17:3: contracts.base: needs a 'price', such as $1.80/h: the pools that it covers have none")


def test_committed_spending_that_overlaps() -> None:
    spend = "{kind: committed_spend, commit: $1M, discount: 10%, "
    (told,) = complaints(f"old: {spend}term: 10h}}", f"new: {spend}from: 6h}}")
    assert told == (
        "s.yaml:19:3: contracts.new: overlaps with 'old': from 6h to 10h each dollar counts for both; give them "
        "different 'pools', or let one begin when the other ends"
    )
    # one after the other, or for other pools, they may be
    for other in ("from: 10h}", "pools: [b]}"):
        first = "pools: [a]" if "pools" in other else "term: 10h"
        Path("s.yaml").write_text(f"{GOOD}contracts:\n  old: {spend}{first}}}\n  new: {spend}{other}\n")
        assert len(load("s.yaml").contracts) == 2


def test_the_same_contract_twice() -> None:
    one = "{kind: reserved, gpus: 2, price: $1/h}"
    (told,) = complaints(f"base: {one}", f"more: {one}")
    assert told == (
        "s.yaml:19:3: contracts.more: is the same as 'base' at the same time; write one of them, for the GPUs of both"
    )


def test_everything_wrong_is_told_at_once() -> None:
    found = complaints(
        "base: {kind: reserved, gpus: 2, pools: [c], price: $1/h}",
        "more: {kind: reserved, gpus: 2, pools: [], price: $1/h}",
    )
    assert [line.split(": ")[1] for line in found] == ["contracts.base.pools.0", "contracts.more.pools"]


def test_a_price_that_is_too_old() -> None:
    (told,) = complaints(text=GOOD + "max_price_age: 10d\n")
    assert told == (
        "s.yaml:12:37: pools.a.price.as_of: was read on 2026-08-20, 12 days before the run's first day 2026-09-01; "
        "give a newer price, or allow for it with max_price_age: 12d"
    )


def test_prices_older_than_the_run_are_known_with_their_age() -> None:
    Path("s.yaml").write_text(GOOD)
    told = {".".join(map(str, place)): age_s / 86_400 for place, _, age_s in price_ages(load("s.yaml"))}
    # that of spot was read after the run's first day
    assert told == {"pools.a.price.as_of": 12, "pools.b.price.as_of": 7}
    Path("s.yaml").write_text(GOOD.replace("starts: 2026-09-01\n", ""))
    assert list(price_ages(load("s.yaml"))) == []
