"""Random mixes of contracts over random fleets: the bill is that of the state log, to the cent (I7)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sim import load, simulate
from tests.bill_invariants import billed_usd

HOURLY = [0.05] * 8 + [0.12] * 12 + [0.07] * 4

WHEN = {"from": st.sampled_from(["0s", "10m", "45m"])}
TERM = {"term": st.sampled_from(["20m", "1h", "1y"]), "upfront": st.sampled_from(["0%", "50%", "100%"])}


def _kind(kind: str, **keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    pools = {"pools": st.sampled_from([["a"], ["b"], ["a", "b"]])}
    return st.fixed_dictionaries({"kind": st.just(kind), **keys}, optional={**WHEN, **pools})


GPUS = st.integers(1, 12)
CONTRACTS = st.one_of(
    _kind("reserved", gpus=GPUS, price=st.sampled_from(["$0.50/h", "$1.9/h"]), **TERM),
    _kind("savings_plan", commit=st.sampled_from(["$1/h", "$7.5/h"]), discount=st.sampled_from(["0%", "30%"]), **TERM),
    _kind(
        "owned",
        gpus=GPUS,
        capex=st.just("$30k"),
        years=st.sampled_from([0.0001, 4]),
        availability=st.sampled_from(["90%", "100%"]),
        watts=st.sampled_from([{"idle": 100, "busy": 700}, {"idle": 50, "busy": 900, "off": 5, "at": {"20%": 600}}]),
        tariff=st.sampled_from([0.08, HOURLY]),
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("capacity_block"),
            "gpus": GPUS,
            "price": st.just("$4/h"),
            "from": st.sampled_from(["0s", "30m"]),
            "term": st.sampled_from(["5m", "2h"]),
        }
    ),
)
COMMITTED = st.fixed_dictionaries(
    {
        "kind": st.just("committed_spend"),
        "commit": st.sampled_from(["$10", "$200k"]),
        "discount": st.just("10%"),
        "term": st.sampled_from(["1h", "1y"]),
    },
    optional={**WHEN},
)
SPOT = st.sampled_from(
    [
        "$1/h",
        {"kind": "mean_reverting", "mean": "$1/h", "cv": 0.4, "reverts": "1h", "most": "$2/h"},
        {"kind": "by_hour", "usd": [1.0] * 12 + [1.5] * 12},
        {"kind": "listed", "usd": [1.2, 0.8]},
    ]
)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_bill_is_that_of_the_state_log(data: st.DataObject) -> None:
    contracts = {f"c{place}": one for place, one in enumerate(data.draw(st.lists(CONTRACTS, max_size=4)))}
    said = [{"from": "0s", **one} for one in contracts.values()]  # left out, a contract begins with the run
    unique = {name: one for name, one in contracts.items() if said.count({"from": "0s", **one}) == 1}
    if data.draw(st.booleans()):
        unique["spend"] = data.draw(COMMITTED)
    service = {"service": {"kind": "exponential", "mean": "20s"}}
    spot = {
        "name": "spot",
        "market": "spot",
        "spot": {"hazard": "2/h"},
        "price": {"on_demand": 3, "spot": data.draw(SPOT)},
    }
    scenario = load(
        {
            "name": "bills",
            "seed": data.draw(st.integers(0, 99)),
            "horizon": "2h",
            "warmup": data.draw(st.sampled_from(["0s", "17m"])),
            "workload": {
                "streams": {
                    "one": {"pool": "a", "arrivals": {"kind": "poisson", "rate": "0.1/s"}, **service},
                    "two": {"pool": "b", "arrivals": {"kind": "poisson", "rate": "0.05/s"}, **service},
                }
            },
            "pools": {
                "a": {
                    "gpus_per_replica": 2,
                    "replica": {"kind": "slots", "concurrency": 1},
                    "autoscaler": {"kind": "fixed", "replicas": 4},
                    "price": {"on_demand": "$2/h"},
                    "egress": {"price": "$0.09/GB", "per_answer": "20MB"},
                },
                "b": {
                    "replica": {"kind": "slots", "concurrency": 1},
                    "autoscaler": {"kind": "fixed", "replicas": data.draw(st.integers(1, 4))},
                    "boot": "40s",
                    "billing": {"granularity": "60s", "minimum": "5m"},
                    "supply": [spot | {"most": 2}, {"name": "rest", "price": "$2.50/h"}],
                },
            },
            "contracts": unique,
        }
    )
    result = simulate(scenario)  # which is checked against every invariant, this one among them
    told = result.summary()
    usd = billed_usd(scenario, result.log)
    assert abs(told["cost"]["total_usd"] - sum(usd.values())) < 0.005
    assert abs(sum(line["usd"] for line in told["invoice"]) - told["cost"]["total_usd"]) < 0.005
    assert abs(sum(told["ledger"]["usd"].values()) - told["cost"]["total_usd"]) < 0.005
    timeline = result.timeline
    if told["measured_s"] == told["simulated_s"]:
        hours = (timeline["end_s"] - timeline["start_s"]) / 3600
        assert abs((timeline["usd_per_hour"] * hours).sum() - told["cost"]["total_usd"]) < 0.005
