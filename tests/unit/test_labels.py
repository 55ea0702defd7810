"""What is compared has a name that leaves no doubt: the end of its key, and what its value comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.cli.sweep.tables import _known, _short
from sim.config.tails import keys_of, tail
from sim.study.compared.alternatives import alternatives
from sim.study.swept.sweep import Run

KEYS = ["workload.prompt_tokens.mean", "workload.output_tokens.mean", "pools.a.autoscaler.replicas", "horizon"]


@pytest.mark.parametrize(
    ("key", "known", "said"),
    [
        (KEYS[0], KEYS, "prompt_tokens.mean"),
        (KEYS[0], KEYS[:1], "prompt_tokens.mean"),  # the mean of what? no other is needed to ask
        (KEYS[2], KEYS, "replicas"),
        (KEYS[2], [*KEYS, "pools.b.autoscaler.replicas"], "a.autoscaler.replicas"),
        (KEYS[2], [*KEYS, "replicas"], "autoscaler.replicas"),
        ("slo.0.under", ["slo.0.under", "slo.1.under"], "slo.0.under"),
        ("horizon", KEYS, "horizon"),
    ],
)
def test_the_shortest_end_of_a_key_that_leaves_no_doubt(key: str, known: list[str], said: str) -> None:
    assert tail(key, known) == said


def test_the_keys_of_a_document_are_not_those_of_its_sheets() -> None:
    document = {"description": "x", "a": {"b": [{"c": 1}]}, "gpu": {"name": "h100", "description": "a GPU", "c": 2}}
    assert list(keys_of(document)) == ["description", "a", "a.b", "a.b.0", "a.b.0.c", "gpu"]


@pytest.mark.parametrize(
    ("source", "withs", "said"),
    [
        ("autoscale-hpa", ["pools.chat.autoscaler={kind: fixed, replicas: 8}"], ["autoscaler=fixed (replicas: 8)"]),
        (
            "spot-mix",
            [
                "pools.chat.supply=[{name: base, most: 4, zones: 3}, {name: on demand, zones: 3}]",
                "pools.chat.supply=[]",
                "slo.0.under=3s",
            ],
            ["supply=[base (most: 4), on demand]", "supply=[]", "slo.0.under=3s"],
        ),
        (
            "retry-storm",
            [
                "workload.clients.retry={kind: fixed, attempts: 2, base: 1s, budget: 10%}",
                "workload.clients.retry.budget=10%",
                "workload.prompt_tokens={kind: lognormal, mean: 2000, cv: 1}; workload.arrivals.rate=50/s",
                "workload.prompt_tokens.mean=2000",
                "workload.arrivals={kind: mmpp, rates: [20/s, 90/s], leave: [0.1/s, 0.05/s]}",
            ],
            [
                "retry=fixed (attempts: 2, base: 1s, budget: 10%)",
                "retry.budget=10%",
                "prompt_tokens=lognormal (mean: 2000), rate=50/s",
                "prompt_tokens.mean=2000",
                "arrivals=mmpp (rates: [20/s, 90/s], and 1 more)",
            ],
        ),
    ],
)
def test_what_alternatives_are_called(source: str, withs: list[str], said: list[str]) -> None:
    assert [each.name for each in alternatives([source], withs)] == [source, *said]


def test_names_that_say_the_same_are_given_as_typed(tmp_path: Path) -> None:
    """Two ways of writing one change: the long value is cut at the same place, so both are said whole."""
    one, two = ("workload.service={kind: exponential, mean: 0.5s}", "workload.service={mean: 0.5s, kind: exponential}")
    assert [each.name for each in alternatives(["mmc"], [one, two])] == ["mmc", one, two]


def test_a_head_of_a_sweep_names_the_pool_where_there_are_several() -> None:
    runs = [Run({KEYS[2]: "3"}, {"pools": {"a": {}, "b": {}}})]
    assert _short(KEYS[2], _known([KEYS[2]], runs)) == "a.autoscaler.replicas"
    assert _short(KEYS[2], _known([KEYS[2]], [Run({KEYS[2]: "3"}, {"pools": {"a": {}}})])) == "replicas"
    assert _short("workload.output_tokens.mean", _known(["workload.output_tokens.mean"], runs)) == "output_tokens.mean"
