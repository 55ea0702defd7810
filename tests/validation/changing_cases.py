"""Reference cases of what changes: rates that vary, servers that boot, break down, come and go."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tests.validation.cases import EXPONENTIAL, Vector, case, memory_s, poisson, queue, same
from tests.validation.fleet_policies import OffWhenIdle, RetireOnCompletion, Turns
from tests.validation.replications import Case
from tests.validation.scale_in import drained


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
    "mt_m_c_sin_overload": from_empty,
    "mt_g_inf_": many_servers,
    "mmc_setup_": setup_times,
    "mm1_detsetup_": cold_start,
    "breakdown_": breakdowns,
    "scaleout_step": switches,
    "scalein_preempt": switches,
    "scalein_graceful": retirement,
}
