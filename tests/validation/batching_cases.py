"""Reference cases of continuous batching: shared and limited processors, speeds by state, batches in turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.validation.cases import Law, Vector, case, engine, memory_s, poisson, same
from tests.validation.replications import Case

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


BUILDERS: dict[str, Callable[[Vector], list[Case]]] = {
    "mg1_ps_": processor_sharing,
    "statedepPS_": state_dependent,
    "limitedPS_": limited_sharing,
    "dynbatch_": dynamic_batching,
}
