"""The reference cases that the model can express: how each is set up, how much of it is run, what is measured.

Also which of them it cannot express, and why. Every case of `queue_vectors.json` stands in exactly one of the tables.
The unit of time is the cases' own, taken as a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tests.validation.fleet_policies import OffWhenIdle, RetireOnCompletion, Turns
from tests.validation.measures import QUANTILE
from tests.validation.replications import Case
from tests.validation.scale_in import drained
from tests.validation.sizes import (
    FEWEST_REPLICATIONS,
    MILLIONS,
    MOST_A_REPLICATION,
    WIDE,
    WIDE_HERE,
    WIDE_VARIANTS,
    WIDE_WHEN_BUSY,
)

Vector = Mapping[str, Any]
Law = Mapping[str, Any]

WORK = ("service", "prompt_tokens", "output_tokens", "clients", "session")
"""Keys of a workload, beside its arrivals."""

EXPONENTIAL = {"kind": "exponential", "mean": 1.0}


def cases_of(vector: Vector, builders: Mapping[str, Callable[[Vector], list[Case]]]) -> list[Case]:
    """The case, or several variants of it that share the answer; builders are told by how its name begins."""
    for prefix, build in builders.items():
        if vector["id"].startswith(prefix):
            return build(vector)
    return []


# -- how a case is put ----------------------------------------------------------------------------------------------


def queue(replicas: int, concurrency: int = 1, **where: Any) -> dict[str, Any]:
    """A pool of slots; one line for all unless `where` says otherwise."""
    return {
        "replica": {"kind": "slots", "concurrency": concurrency},
        "queue": where or {"kind": "central"},
        "autoscaler": {"kind": "fixed", "replicas": replicas},
    }


def engine(base_s: float, decode_s_per_seq: float, max_num_seqs: int, **where: Any) -> dict[str, Any]:
    """A pool of one batching replica in which only decoding takes time and memory is no limit."""
    return {
        "replica": {"max_num_seqs": max_num_seqs, "max_batched_tokens": max(max_num_seqs, 8192)},
        "latency": {
            "base_s": base_s,
            "decode_s_per_seq": decode_s_per_seq,
            "prefill_s_per_token": 0,
            "attention_s_per_token": 0,
        },
        "kv_capacity_tokens": 10**12,
        "queue": where or {"kind": "per_replica"},
        "autoscaler": {"kind": "fixed", "replicas": 1},
    }


def poisson(rate: float) -> Law:
    return {"kind": "poisson", "rate": rate}


def case(
    vector: Vector,
    exact: Mapping[str, float],
    pool: Mapping[str, Any],
    arrivals: Law,
    rate: float,
    memory_s: float,
    variant: str = "",
    **more: Any,
) -> Case:
    """Put a case together; `memory_s` is about the time over which the system forgets how it started."""
    name = f"{vector['id']} {variant}".strip()
    requests = 1e6 * MILLIONS[name]
    replications = max(FEWEST_REPLICATIONS, math.ceil(requests / MOST_A_REPLICATION))
    warmup_s = 20 * memory_s
    work = {name: more.pop(name) for name in WORK if name in more}
    measured = {name: value for name, value in exact.items() if not (QUANTILE.fullmatch(name) and value == 0)}
    return Case(
        name=name,
        scenario={
            "horizon": warmup_s + requests / replications / rate,
            "warmup": warmup_s,
            "workload": {"arrivals": arrivals, **work},
            "pools": {"pool": pool},
        },
        exact=measured,
        replications=replications,
        width=WIDE | more.pop("width", {}) | WIDE_HERE.get(vector["id"], {}) | WIDE_HERE.get(name, {}),
        **more,
    )


def memory_s(load: float, servers: int, variability: float = 1.0, mean_service_s: float = 1.0) -> float:
    """About the relaxation time of a queue (exact for M/M/1 in heavy traffic), at least two services."""
    return max(2.0, 2 * variability / (servers * (1 - load / servers) ** 2)) * mean_service_s


def same(vector: Vector, *names: str, **renamed: str) -> dict[str, float]:
    """Expected values by the name of their measure, those first that are named first; `measure=key` renames."""
    expected = vector["expected"]
    return {name: expected[name] for name in names} | {name: expected[key] for name, key in renamed.items()}


def busy(utilization: float) -> dict[str, float]:
    return WIDE_WHEN_BUSY if utilization >= 0.9 else {}


def quantiles(vector: Vector) -> dict[str, float]:
    return {name: value for name, value in vector["expected"].items() if QUANTILE.fullmatch(name)}


# -- lines of slots ---------------------------------------------------------------------------------------------------

SHAPES = {8: (2, 4), 14: (7, 2), 16: (4, 4), 32: (4, 8), 50: (5, 10), 200: (25, 8)}
"""Servers as replicas of several slots; other numbers are replicas of one slot."""


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


# -- continuous batching ----------------------------------------------------------------------------------------------

NO_PROMPT = {"kind": "constant", "value": 0}
LENGTHS: dict[str, Callable[[float], Law]] = {
    "exponential": lambda mean: {"kind": "exponential", "mean": mean},
    "constant": lambda mean: {"kind": "constant", "value": mean},
    "hyperexponential": lambda mean: {"kind": "hyperexponential", "mean": mean, "cv": 2.0},
    "lognormal": lambda mean: {"kind": "lognormal", "mean": mean, "cv": 1.0},
}


def processor_sharing(vector: Vector) -> list[Case]:
    """An engine whose iteration takes time in proportion to the batch shares itself out evenly."""
    rate, tokens = vector["params"]["lam"], 40_000
    exact = same(vector, "W", "L", "slowdown", "W_given_size_2", "P_N_eq_0", "P_N_ge_5")
    pool = engine(0.0, 1 / tokens, 4096)
    more: dict[str, Any] = {"given": {"s_per_token": 1 / tokens}, "prompt_tokens": NO_PROMPT}
    return [
        case(
            vector,
            {name: value for name, value in exact.items() if law != "constant" or name != "W_given_size_2"},
            *(pool, poisson(rate), rate, memory_s(rate, 1, 2.0), law),
            output_tokens=length(tokens),
            **more,
        )
        for law, length in LENGTHS.items()
    ]


def state_dependent(vector: Vector) -> list[Case]:
    """Tokens scaled up and iterations down: the fluid limit, which does not know the law of the lengths."""
    params, scale = vector["params"], 100
    rate, tokens, seats = params["lam"], params["mean_tokens"] * scale, params["K"]
    exact = same(vector, "L", "W", "throughput") | {"tokens_per_s": vector["expected"]["tokens_per_s"]}
    where: dict[str, Any] = {}
    if seats is not None:
        exact = same(vector, "P_block") | exact
        where = {"kind": "per_replica", "max_waiting": 0}
    pool = engine(params["alpha"] / scale, params["beta"] / scale, seats or 4096, **where)
    more: dict[str, Any] = {"given": {"token_scale": scale}, "prompt_tokens": NO_PROMPT}
    return [
        case(vector, exact, pool, poisson(rate), rate, 50.0, law, output_tokens=LENGTHS[law](tokens), **more)
        for law in ("exponential", "constant", "lognormal")
    ]


def limited_sharing(vector: Vector) -> list[Case]:
    params, expected, scale = vector["params"], vector["expected"], 1000
    rate, tokens, seats = params["lam"], params["mean_tokens"] * scale, params["B"]
    iteration_s = (params["alpha"] + params["beta"] * seats) / scale
    exact = same(vector, "Wq", "L", "Lq", "W", "P_wait", mean_batch_seated="mean_batch")
    exact["tokens_per_s"] = expected["utilization_of_peak"] * seats / (params["alpha"] + params["beta"] * seats)
    pool = engine(params["alpha"] / scale, params["beta"] / scale, seats, kind="central")
    return [
        case(
            *(vector, exact, pool, poisson(rate), rate, 200.0),
            prompt_tokens=NO_PROMPT,
            output_tokens=LENGTHS["exponential"](tokens),
            # who finds a seat still waits for the iteration under way to end
            given={"token_scale": scale, "least_wait_s": iteration_s},
        )
    ]


def dynamic_batching(vector: Vector) -> list[Case]:
    """Answers of one token make an iteration a batch: whoever waits at its start is in it, and leaves at its end."""
    params, expected = vector["params"], vector["expected"]
    rate = params["lam"]
    exact = same(vector, "W", "L", "batch_rate")
    if params["b"] != 1:
        exact |= same(vector, "mean_batch")
    if expected["P_idle"] > 1e-3:
        exact |= same(vector, busy_share="utilization", idle_share="P_idle")
    pool = engine(params["tau0"], params["alpha"], params["b"] or 4096)
    one = {"kind": "constant", "value": 1}
    return [case(vector, exact, pool, poisson(rate), rate, 50.0, prompt_tokens=NO_PROMPT, output_tokens=one)]


# -- rates that vary --------------------------------------------------------------------------------------------------


def wave(mean: float, swing: float, period_s: float) -> Callable[[float], float]:
    return lambda at_s: mean + swing * math.sin(2 * math.pi * at_s / period_s)


def from_empty(vector: Vector, **more: Any) -> list[Case]:
    """Two periods of the wave from an empty start, again and again, with a pause between in which the line empties."""
    params = vector["params"]
    rate_at = wave(params["a"], params["b"], params["period"])
    length_s, turn_s = 2 * params["period"], 2 * params["period"] + 40
    points = [[0.05 * place, rate_at(0.05 * place)] for place in range(round(length_s / 0.05) + 1)]
    law = {"kind": "curve", "points": [*points, [length_s, 0.0]], "repeat": True, "period": turn_s}
    exact = dict(vector["expected"])
    rate = params["a"] * length_s / turn_s
    given = {"turn_s": turn_s, "first_turn": 0, "servers": params["c"]} | more.pop("given", {})
    return [case(vector, exact, queue(params["c"]), law, rate, 0.0, service=EXPONENTIAL, given=given, **more)]


def many_servers(vector: Vector) -> list[Case]:
    """A daily wave and slots for everybody: the number in service is the offered load."""
    params = vector["params"]
    period_s, service_s = params["period"], params["mean_service"]
    # of the wave, the mean over the hour about the peak, which is how `diurnal` is told its height
    half = math.pi / 24
    swing = params["b"] / params["a"] * math.sin(half) / half
    law = {
        "kind": "diurnal",
        "rate": params["a"],
        "peak": 1 + swing,
        "trough": 1 - swing,
        "peak_at": period_s / 4,
        "period": period_s,
    }
    exact = {name.replace("m_", "EN_"): value for name, value in vector["expected"].items()}
    service = {
        "exponential": {"kind": "exponential", "mean": service_s},
        "deterministic": {"kind": "constant", "value": service_s},
    }[params["service"]]
    given = {"turn_s": period_s, "first_turn": 1}
    return [case(vector, exact, queue(1, 400), law, params["a"], 0.0, service=service, given=given)]


# -- fleets that change size ------------------------------------------------------------------------------------------


def elastic(autoscaler: Any, **more: Any) -> dict[str, Any]:
    """Servers of one slot and one line, under a policy."""
    return {
        "replica": {"kind": "slots", "concurrency": 1},
        "queue": {"kind": "central"},
        "autoscaler": autoscaler,
        **more,
    }


def setup_times(vector: Vector) -> list[Case]:
    """Servers that are off when idle and take an exponential time to come up."""
    params = vector["params"]
    rate, servers = params["lam"], params["c"]
    exact = same(vector, "L", "W", "Wq", "mean_busy", "mean_in_setup", "mean_on_or_setup")
    pool = elastic(
        OffWhenIdle(max_replicas=servers, staggered=params["staggered"]),
        boot={"kind": "exponential", "mean": 1 / params["alpha"]},
        drain={"first": "least_busy"},
        billing={"granularity": 0},
    )
    memory = memory_s(rate, servers) + 1 / params["alpha"]
    return [case(vector, exact, pool, poisson(rate), rate, memory, service=EXPONENTIAL)]


def cold_start(vector: Vector) -> list[Case]:
    """One server that is off when idle and takes a fixed time to come up."""
    params = vector["params"]
    rate = params["lam"]
    pool = elastic(OffWhenIdle(max_replicas=1), boot=params["D"], drain={"first": "least_busy"})
    exact = same(vector, "Wq", "W", "P_job_triggers_setup")
    memory = memory_s(rate, 1) + params["D"]
    return [case(vector, exact, pool, poisson(rate), rate, memory, service=EXPONENTIAL)]


def breakdowns(vector: Vector) -> list[Case]:
    """Servers that fail, busy or idle, and are repaired; what they served goes on elsewhere, first of the line."""
    params = vector["params"]
    rate, servers = params["lam"], params["c"]
    crash = {"kind": "crash", "mtbf": 1 / params["xi"], "repair": {"kind": "exponential", "mean": 1 / params["eta"]}}
    pool = queue(servers) | {"faults": [crash], "drain": {"lost": "resume"}}
    memory = memory_s(rate / vector["expected"]["availability"], servers) + 1 / params["eta"]
    exact = same(vector, "L", "W", "mean_up")
    return [case(vector, exact, pool, poisson(rate), rate, memory, service=EXPONENTIAL)]


PAUSE_S = 30.0
"""After each turn nobody comes for so long: the fleet begins the next one empty."""


def in_turns(vector: Vector, rate: float, length_s: float, pool: Mapping[str, Any], **more: Any) -> Case:
    """Poisson arrivals for `length_s` from an empty start, again and again."""
    turn_s = length_s + PAUSE_S
    law = {"kind": "curve", "points": [[0.0, rate], [length_s, rate], [length_s, 0.0]], "repeat": True}
    given = {"turn_s": turn_s, "first_turn": 0} | more.pop("given", {})
    exact = more.pop("exact", None) or dict(vector["expected"])
    own = {"service": EXPONENTIAL, "given": given}
    return case(vector, exact, pool, law | {"period": turn_s}, rate * length_s / turn_s, 0.0, **own, **more)


def switches(vector: Vector) -> list[Case]:
    """The fleet changes size at a time: more at once, or fewer, whose requests go back to the head of the line."""
    (_, switch_s, rate, first), (_, _, _, second) = vector["params"]["segments"]
    last_s = max(float(name.rsplit("_t", 1)[1]) for name in vector["expected"])
    length_s = math.ceil(last_s)
    policy = Turns(turn_s=length_s + PAUSE_S, switch_s=switch_s, first=first, second=second)
    pool = elastic(policy, drain={"grace": 0, "lost": "resume"})
    return [in_turns(vector, rate, length_s, pool, given={"evicts": 1} if second < first else {})]


def retirement(vector: Vector) -> list[Case]:
    """The fleet shrinks as servers end their requests.

    The vector's law: whichever server ends first retires. The fleet has another: who drains is picked at once, and
    whoever else ends first takes the next of the line; its answer is computed here. By the vector's law a server that
    ends takes nobody; here it does, and gives one back to the head of the line, which for exponential services is the
    same.
    """
    params = vector["params"]
    rate, first, second, switch_s = (params[name] for name in ("lam", "c1", "c2", "t_switch"))
    length_s = 20
    times = {"turn_s": length_s + PAUSE_S, "switch_s": switch_s, "first": first, "second": second}
    given = {"later_servers": second}
    exact = {name: value for name, value in vector["expected"].items() if value > 0.01}
    retire = elastic(RetireOnCompletion(**times), drain={"first": "least_busy", "grace": 0, "lost": "resume"})
    drain = elastic(Turns(**times), drain={"first": "least_busy"})
    picked = {name: value for name, value in drained(params, [10, 10.5, 11, 12, 15, 20]).items() if value > 0.01}
    return [
        in_turns(vector, rate, length_s, retire, variant="first to end", given=given | {"evicts": 1}, exact=exact),
        in_turns(vector, rate, length_s, drain, variant="picked", given=given, exact=picked),
    ]


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
    "mg1_ps_": processor_sharing,
    "statedepPS_": state_dependent,
    "limitedPS_": limited_sharing,
    "dynbatch_": dynamic_batching,
    "mt_m_c_sin_overload": from_empty,
    "mt_g_inf_": many_servers,
    "mmc_setup_": setup_times,
    "mm1_detsetup_": cold_start,
    "breakdown_": breakdowns,
    "scaleout_step": switches,
    "scalein_preempt": switches,
    "scalein_graceful": retirement,
}
