"""What a service earns: how it is written, what it comes to, and what cannot be said of the same requests."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from sim.config.errors import ConfigError
from sim.pricing.revenue import AnyRevenue, Subscription, Use, together
from sim.pricing.spans import DAY_S, MONTH_S
from sim.scenario import load
from tests.laws import chat

DAY = Use(DAY_S, arrived=1000, completed=900, prompt_tokens=900_000, cached_tokens=300_000, output_tokens=200_000)


def revenue(**said: Any) -> Any:
    return TypeAdapter(AnyRevenue).validate_python(said)


def test_a_subscription_earns_by_the_day() -> None:
    entry = revenue(kind="subscription", users=300, price="$20/month")
    assert entry.usd(DAY) == pytest.approx(300 * 20 / 30)
    assert entry.usd(Use(MONTH_S)) == pytest.approx(6000), "whether anybody comes or not"
    assert revenue(kind="subscription", users="1k", price="$240/year").prices == {"usd_per_user_month": 20}


def test_without_their_number_users_are_those_that_the_requests_come_from() -> None:
    entry = revenue(kind="subscription", price="$30/month", requests_per_user_per_day=10)
    assert entry.users(DAY) == pytest.approx(100)
    assert entry.usd(DAY) == pytest.approx(100)


def test_a_subscription_is_split_by_the_requests_that_came() -> None:
    entry = revenue(kind="subscription", users=30, price="$20/month")
    assert entry.split([Use(DAY_S, arrived=1), Use(DAY_S, arrived=3)]) == pytest.approx([5, 15])
    assert entry.split([Use(DAY_S), Use(DAY_S)]) == pytest.approx([10, 10])


def test_tokens_and_answers_have_prices() -> None:
    by_token = revenue(kind="per_token", prompt="$0.50/Mtok", output="$0.002/ktok")
    assert by_token.usd(DAY) == pytest.approx(0.9 * 0.5 + 0.2 * 2)
    cached = revenue(kind="per_token", prompt="$0.50/Mtok", output=2, cached="$0.10/Mtok")
    assert cached.usd(DAY) == pytest.approx(0.6 * 0.5 + 0.3 * 0.1 + 0.2 * 2)
    assert revenue(kind="per_request", price="$0.01").usd(DAY) == pytest.approx(9), "of the answers, not of what came"
    assert revenue(kind="free").usd(DAY) == 0


@pytest.mark.parametrize("kind", ["per_token", "per_request", "subscription", "free"])
def test_parts_add_up_to_the_whole(kind: str) -> None:
    said = {"per_token": {"prompt": 1, "output": 3}, "per_request": {"price": 1}, "free": {}}
    entry = revenue(kind=kind, **said.get(kind, {"users": 7, "price": 3}))
    parts = [DAY, Use(DAY_S, 5, 4, 3, 2, 1), Use(DAY_S)]
    assert sum(entry.split(parts)) == pytest.approx(entry.usd(together(parts)))


# -- in a scenario ----------------------------------------------------------------------------------------------------

POOL = {
    "latency": {"base_s": 0.01, "prefill_s_per_token": 1e-4, "decode_s_per_seq": 1e-3, "attention_s_per_token": 1e-6},
    "kv_capacity_tokens": "400k",
    "autoscaler": {"kind": "fixed", "replicas": 1},
}
STREAMS = {"paying": {"class": "paid", "tenant": "acme"}, "trying": {"class": "free"}}


def scenario(*entries: dict[str, Any]) -> Any:
    workload = {"streams": {name: chat(**own) for name, own in STREAMS.items()}}
    return load({"name": "x", "horizon": "1m", "workload": workload, "pools": {"p": POOL}, "revenue": [*entries]})


SUBSCRIPTION = {"kind": "subscription", "class": "paid", "users": 10, "price": "$20/month"}


def test_a_plan_may_have_a_price_for_what_is_beyond_it() -> None:
    made = scenario(
        SUBSCRIPTION, {"kind": "per_token", "class": "paid", "output": 1}, {"kind": "free", "class": "free"}
    )
    assert isinstance(made.revenue[0], Subscription)
    assert load({**made.model_dump(mode="json", by_alias=True, exclude_none=True)}).revenue == made.revenue
    assert scenario(SUBSCRIPTION, {**SUBSCRIPTION, "price": 30, "users": 2}), "two plans of one class"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            [{"kind": "per_token", "output": 1}, {"kind": "per_request", "class": "paid", "price": 1}],
            "revenue.1: counts requests that revenue[0] (per_token) counts too, such as those of stream 'paying'; give "
            "each its own 'class' or 'tenant', or take one out",
        ),
        ([SUBSCRIPTION, {"kind": "free"}], "revenue.1: counts requests that revenue[0] (subscription) counts too"),
        ([{"kind": "free", "class": "payed"}], "revenue.0.class: no stream is of class 'payed'; did you mean 'paid'?"),
        ([{"kind": "free", "tenant": "acme", "class": "free"}], "revenue.0: no stream of class 'free' is of tenant"),
        ([{"kind": "subscription", "price": 20}], "revenue.0.users: is missing: how many pay, such as 2592; or give"),
        ([{"kind": "subscription", "users": 5, "price": "20 EUR"}], "revenue.0.price: must be a price per month"),
        ([{"kind": "subscription", "users": 5, "price": 0}], "revenue.0.price: must be above 0"),
        ([{"kind": "per_token"}], "revenue.0: needs a price above 0: 'prompt', 'output' or both"),
        ([{"kind": "per_token", "output": "$1/h"}], "revenue.0.output: must be a price per million tokens, such as"),
        ([{"kind": "donations"}], "revenue.0.kind: 'donations' is not one of subscription, per_token, per_request"),
    ],
)
def test_what_cannot_be_is_said(entries: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scenario(*entries)
    (problem,) = caught.value.problems
    assert said in str(problem)
