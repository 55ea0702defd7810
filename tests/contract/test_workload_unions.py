"""What every arrival law and every distribution must do, read from the unions: a new member is tested by being one."""

from __future__ import annotations

import pickle
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import TypeAdapter

from sim.workload import AnyArrivals, AnyDistribution, AnyWorkload
from sim.workload.distributions import DurationLaw, TokenLaw
from tests.laws import ARRIVALS, DISTRIBUTIONS, arrival_example, chat, example, rng, rngs, workload

LAWS = {law.model_fields["kind"].default: law for law in get_args(AnyDistribution)}
ARRIVAL_LAWS = {law.model_fields["kind"].default: law for law in get_args(get_args(AnyArrivals)[0])}


def test_every_member_has_an_example() -> None:
    assert {name.split()[0].strip(",") for name in DISTRIBUTIONS} == set(LAWS)
    assert {name.split()[0] for name in ARRIVALS} == set(ARRIVAL_LAWS)


@pytest.mark.parametrize("law", [*LAWS.values(), *ARRIVAL_LAWS.values()])
def test_every_member_says_what_it_is_and_is_frozen_and_closed(law: Any) -> None:
    assert law.__doc__
    assert law.__doc__.split("\n")[0].endswith(".")
    assert law.model_config["frozen"]
    assert law.model_config["extra"] == "forbid"


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("field", [DurationLaw, TokenLaw], ids=["duration", "tokens"])
def test_distributions_survive_dumping_and_pickling(name: str, field: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(field)
    law = adapter.validate_python({"kind": name, **DISTRIBUTIONS[name]})
    dumped = adapter.dump_python(law, mode="json", exclude_none=True)
    assert adapter.validate_python(dumped) == law
    assert adapter.validate_json(adapter.dump_json(law)) == law
    back = pickle.loads(pickle.dumps(law))
    assert back == law
    assert type(back) is type(law)
    assert np.array_equal(back.draw(rng(), 50), law.draw(rng(), 50))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions_draw_finite_numbers_of_at_least_zero(name: str) -> None:
    drawn = example(name).draw(rng(), 10_000)
    assert np.isfinite(drawn).all()
    assert (drawn >= 0).all()
    assert example(name).draw(rng(), 0).shape == (0,)
    again = example(name).draw(rng(), 10_000)
    drawn[:] = -1
    assert (again >= 0).all(), "every draw is a fresh array"


@pytest.mark.parametrize("name", ARRIVALS)
def test_arrivals_survive_dumping_and_pickling(name: str) -> None:
    law, adapter = arrival_example(name), TypeAdapter[Any](AnyArrivals)
    law.arrivals(rngs(), 100.0)
    assert adapter.validate_python(adapter.dump_python(law, mode="json", exclude_none=True)) == law
    assert pickle.loads(pickle.dumps(law)) == law


@pytest.mark.parametrize("name", ARRIVALS)
def test_arrivals_are_sorted_within_the_horizon_and_as_many_as_told(name: str) -> None:
    law = arrival_example(name)
    counts = []
    for replication in range(40):
        times = law.arrivals(rngs(replication=replication), 600.0)
        assert times.dtype == np.float64
        assert (np.diff(times) >= 0).all()
        assert ((times >= 0) & (times < 600)).all()
        counts.append(len(times))
    told = law.mean_rate(600.0) * 600
    assert np.mean(counts) == pytest.approx(told, abs=5 * np.std(counts, ddof=1) / np.sqrt(40) + 1)


@pytest.mark.parametrize("name", ARRIVALS)
@pytest.mark.parametrize("horizon_s", [0.001, 10.0, 150.0, 599.5, 600.0, 1500.0])
def test_arrivals_before_t_do_not_depend_on_the_horizon(name: str, horizon_s: float) -> None:
    law = arrival_example(name)
    short, long = law.arrivals(rngs(), horizon_s), law.arrivals(rngs(), 2000.0)
    assert np.array_equal(short, long[: np.searchsorted(long, horizon_s)])


@pytest.mark.parametrize("name", ARRIVALS)
def test_replications_differ(name: str) -> None:
    law = arrival_example(name)
    assert not np.array_equal(law.arrivals(rngs(), 200.0), law.arrivals(rngs(replication=1), 200.0))


def test_the_schema_names_every_member_over_its_quantity() -> None:
    schema = TypeAdapter[Any](AnyWorkload).json_schema()
    definitions = {definition["title"]: definition for definition in schema["$defs"].values()}
    for kind, law in ARRIVAL_LAWS.items():
        assert definitions[law.__name__]["properties"]["kind"]["const"] == kind
    for kind, law in LAWS.items():
        for quantity in ("Duration", "Token"):
            assert definitions[quantity + law.__name__]["properties"]["kind"]["const"] == kind
    assert "250ms" in definitions["DurationConstant"]["properties"]["value"]["examples"]
    assert "4k" in definitions["TokenConstant"]["properties"]["value"]["examples"]
    assert definitions["Replayed"]["properties"]["format"]["anyOf"][0]["enum"] == [
        "azure",
        "burstgpt",
        "mooncake",
        "plain",
    ]


def test_a_whole_workload_survives_dumping() -> None:
    one = workload(streams={"a": chat(service={"kind": "per_token", "output": "45ms"}, pool="p"), "b": chat()})
    adapter = TypeAdapter[Any](AnyWorkload)
    assert adapter.validate_python(adapter.dump_python(one, mode="json", exclude_none=True)) == one
