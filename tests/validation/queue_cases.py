"""Reference cases of lines of slots with constant rates: one server, many, finite rooms, routers, bursts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tests.validation.cases import EXPONENTIAL, SHAPES, Vector, busy, case, memory_s, poisson, quantiles, queue, same
from tests.validation.replications import Case
from tests.validation.sizes import (
    WIDE_VARIANTS,
)


def mm1(vector: Vector) -> list[Case]:
    rate, expected = vector["params"]["lam"], vector["expected"]
    exact = same(vector, "Wq", "L", "Lq", "W", "mean_busy_period", idle_share="P0") | quantiles(vector)
    exact["EL2"] = expected["var_L"] + expected["L"] ** 2
    more: dict[str, Any] = {"service": EXPONENTIAL, "width": busy(rate)}
    return [case(vector, exact, queue(1), poisson(rate), rate, memory_s(rate, 1), **more)]


def mmc(vector: Vector) -> list[Case]:
    rate, servers, expected = vector["params"]["lam"], vector["params"]["c"], vector["expected"]
    exact = same(vector, "Wq", "P_wait", "L", "Lq", "W", "utilization", "P_Wq_gt_half_mean_service") | quantiles(vector)
    exact["EWq2"] = expected["var_Wq"] + expected["Wq"] ** 2
    pool = queue(*SHAPES.get(servers, (servers, 1)))
    if exact["P_Wq_gt_half_mean_service"] < 0.01:
        del exact["P_Wq_gt_half_mean_service"]  # too rare
    more: dict[str, Any] = {"given": {"mean_service_s": 1.0}, "service": EXPONENTIAL, "width": busy(rate / servers)}
    return [case(vector, exact, pool, poisson(rate), rate, memory_s(rate, servers), **more)]


def mmck(vector: Vector) -> list[Case]:
    rate, servers, room = (vector["params"][name] for name in ("lam", "c", "K"))
    exact = same(
        vector,
        *("P_block", "L", "Lq", "throughput", "utilization"),
        Wq="Wq_accepted",
        W="W_accepted",
        P_wait="P_wait_accepted",
    )
    pool = queue(*SHAPES.get(servers, (servers, 1)), kind="central", max_waiting=room - servers)
    return [case(vector, exact, pool, poisson(rate), rate, 10.0 * room / servers, service=EXPONENTIAL)]


def erlang_b(vector: Vector) -> list[Case]:
    rate, servers = vector["params"]["lam"], vector["params"]["c"]
    exact = same(vector, "P_block", "L", "utilization")
    ways = {
        "exponential": (EXPONENTIAL, queue(servers, 1, kind="central", max_waiting=0)),
        "constant": ({"kind": "constant", "value": 1.0}, queue(1, servers, kind="per_replica", max_waiting=0)),
        "lognormal": (
            {"kind": "lognormal", "mean": 1.0, "cv": 1.5},
            queue(servers, 1, kind="per_replica", router="least_outstanding", max_waiting=0),
        ),
    }
    return [
        case(
            *(vector, exact, pool, poisson(rate), rate, 5.0, variant),
            service=law,
            width={} if variant == "exponential" else WIDE_VARIANTS,
        )
        for variant, (law, pool) in ways.items()
    ]


def mg1(vector: Vector) -> list[Case]:
    params = vector["params"]
    rate = params["lam"]
    law, square = {
        "deterministic": ({"kind": "constant", "value": 1.0}, 0.0),
        "hyperexp2": (
            {"kind": "hyperexponential", "mean": 1.0, "cv": math.sqrt(params.get("scv", 1))},
            params.get("scv"),
        ),
        "erlang": ({"kind": "erlang", "phases": params.get("k", 1), "mean": 1.0}, 1 / params.get("k", 1)),
        "lognormal": ({"kind": "lognormal", "mean": 1.0, "cv": math.sqrt(params.get("scv", 1))}, params.get("scv")),
        "uniform": ({"kind": "uniform", "low": params.get("low"), "high": params.get("high")}, 1 / 12),
    }[params["service"]]
    exact = same(vector, "Wq", "L", "Lq", "W", "P_wait", "EWq2", busy_share="rho") | quantiles(vector)
    if params["service"] == "lognormal" and square > 1:
        del exact["EWq2"]
    memory = memory_s(rate, 1, (1 + square) / 2)
    return [case(vector, exact, queue(1), poisson(rate), rate, memory, service=law, width=busy(rate))]


def mdc(vector: Vector) -> list[Case]:
    rate, servers = vector["params"]["lam"], vector["params"]["c"]
    exact = same(vector, "Wq", "L", "Lq", "W", "P_wait") | quantiles(vector)
    more: dict[str, Any] = {"service": {"kind": "constant", "value": 1.0}, "width": busy(rate / servers)}
    return [case(vector, exact, queue(servers), poisson(rate), rate, memory_s(rate, servers), **more)]


def gim1(vector: Vector) -> list[Case]:
    """Erlang gaps to one server; and round robin over four, of which each sees just that."""
    rate = vector["params"]["lam"]
    exact = same(vector, "Wq", "W", P_wait="sigma") | quantiles(vector)
    gap = {"kind": "renewal", "gap": {"kind": "erlang", "phases": 4, "mean": 1 / rate}}
    router = queue(4, 1, kind="per_replica", router="round_robin")
    memory = memory_s(rate, 1)
    return [
        case(vector, exact | same(vector, "L"), queue(1), gap, rate, memory, "renewal", service=EXPONENTIAL),
        case(
            *(vector, exact | same(vector, L_per_server="L"), router, poisson(4 * rate), 4 * rate, memory, "router"),
            given={"servers": 4},
            service=EXPONENTIAL,
        ),
    ]


def routed(vector: Vector) -> list[Case]:
    rate, servers = vector["params"]["lam"], vector["params"]["k"]
    router = {"random": "random", "jsq": "least_outstanding"}[vector["params"]["policy"]]
    exact = same(vector, *(name for name in ("W", "L", "Wq") if name in vector["expected"]))
    pool = queue(servers, 1, kind="per_replica", router=router)
    memory = memory_s(rate / servers, 1)
    return [case(vector, exact, pool, poisson(rate), rate, memory, service=EXPONENTIAL)]


def mmpp(vector: Vector) -> list[Case]:
    params = vector["params"]
    law = {
        "kind": "mmpp",
        "rates": [params["lam1"], params["lam2"]],
        "leave": [params["rate12"], params["rate21"]],
    }
    exact = same(vector, "Wq", "L", "Lq", "W", "P_wait", arrival_rate="lam_mean")
    memory = 40 / (params["rate12"] + params["rate21"])
    rate = vector["expected"]["lam_mean"]
    return [case(vector, exact, queue(params["c"]), law, rate, memory, service=EXPONENTIAL)]


def batch_arrivals(vector: Vector) -> list[Case]:
    rate, size = vector["params"]["batch_rate"], vector["params"]["batch"]
    law = {"kind": "batch", "rate": rate, "size": {"kind": "constant", "value": size}}
    exact = same(vector, "W", "L", "utilization")
    memory = memory_s(rate * size, 1, (1 + size) / 2)
    return [case(vector, exact, queue(1), law, rate * size, memory, service=EXPONENTIAL)]


BUILDERS: dict[str, Callable[[Vector], list[Case]]] = {
    "mm1_rho": mm1,
    "mmc_c": mmc,
    "mmcK_": mmck,
    "erlangB_": erlang_b,
    "md1_": mg1,
    "mh2_": mg1,
    "mE": mg1,
    "mlogn_": mg1,
    "mu_": mg1,
    "mdc_": mdc,
    "gim1_": gim1,
    "router_": routed,
    "jsq": routed,
    "mmpp_": mmpp,
    "mx_": batch_arrivals,
}
