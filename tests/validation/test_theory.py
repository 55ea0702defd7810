"""The engine against closed forms of `sim.theory`: what the reference values prove at length, in short and anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from sim import theory
from sim.theory import MG1, MMc
from tests.validation.batching_cases import LENGTHS, NO_PROMPT
from tests.validation.cases import EXPONENTIAL, engine, poisson, queue
from tests.validation.replications import Case, judge, workers


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with workers() as made:
        yield made


def case(name: str, exact: dict[str, float], pool: dict[str, Any], rate: float, millions: float, **more: Any) -> Case:
    work = {key: more.pop(key) for key in ("service", "prompt_tokens", "output_tokens") if key in more}
    scenario = {
        "warmup": 200,
        "horizon": 200 + millions * 1e6 / 40 / rate,
        "workload": {"arrivals": poisson(rate), **work},
        "pools": {"pool": pool},
    }
    return Case(name, scenario, exact, replications=40, **more)


def line_of_two() -> Case:
    line = MMc(2, 1.0)
    exact = {
        "Wq": line.mean_wait_s,
        "L": line.mean_in_system,
        "P_wait": line.wait_share,
        "utilization": line.utilization_share,
        "W_p95": line.sojourn_quantile_s(0.95),
    }
    return case("a line of two", exact, queue(2), 1.0, 9, service=EXPONENTIAL)


def line_with_room_for_six() -> Case:
    line = theory.mmck(2, 1.8, 1.0, 6)
    exact = {"P_block": line.rejected_share, "Wq": line.mean_wait_s, "L": line.mean_in_system}
    pool = queue(2, 1, kind="central", max_waiting=4)
    return case("room for six", exact, pool, 1.8, 8, service=EXPONENTIAL)


def loss() -> Case:
    exact = {"P_block": theory.erlang_b(5, 4.0)}
    service = {"kind": "gamma", "mean": 1.0, "cv": 0.5}  # the law does not matter
    return case("no line", exact, queue(1, 5, kind="per_replica", max_waiting=0), 4.0, 2, service=service)


def one_server() -> Case:
    line = MG1(0.6, 1.0, 0.5)
    exact = {"Wq": line.mean_wait_s, "W": line.mean_sojourn_s, "L": line.mean_in_system}
    service = {"kind": "gamma", "mean": 1.0, "cv": 0.5}
    return case("one server", exact, queue(1), 0.6, 5, service=service)


def engine_with_a_line() -> Case:
    """Ten times the tokens at a tenth of the time each, again and again, is the fluid limit; here a thousand times."""
    base_s, decode_s, seats, tokens, scale = 0.02, 0.001, 8, 50, 1000
    model = theory.batching(4.0, tokens, base_s, decode_s, seats)
    exact = {
        "L": model.mean_in_system,
        "W": model.mean_sojourn_s,
        "mean_batch_seated": model.mean_running,
        "P_wait": model.wait_share,
    }
    return case(
        "an engine with a line",
        exact,
        engine(base_s / scale, decode_s / scale, seats),
        *(4.0, 10),
        prompt_tokens=NO_PROMPT,
        output_tokens=LENGTHS["exponential"](tokens * scale),
        given={"least_wait_s": (base_s + decode_s * seats) / scale},
    )


def engine_without_a_line() -> Case:
    base_s, decode_s, seats, tokens, scale = 0.02, 0.001, 8, 50, 100
    model = theory.batching(6.0, tokens, base_s, decode_s, seats, room=seats)
    exact = {"P_block": model.rejected_share, "L": model.mean_in_system, "W": model.mean_sojourn_s}
    return case(
        "an engine without a line",
        exact,
        engine(base_s / scale, decode_s / scale, seats, kind="per_replica", max_waiting=0),
        *(6.0, 3),
        prompt_tokens=NO_PROMPT,
        output_tokens=LENGTHS["lognormal"](tokens * scale),  # the law does not matter
    )


@pytest.mark.parametrize(
    "make", [line_of_two, line_with_room_for_six, loss, one_server, engine_with_a_line, engine_without_a_line]
)
def test_closed_form(make: Any, pool: ProcessPoolExecutor) -> None:
    verdicts = judge(make(), pool)
    told = "\n".join(map(str, verdicts))
    assert all(verdict.agrees for verdict in verdicts), told
    assert all(verdict.is_sharp for verdict in verdicts), told


def test_a_wrong_closed_form_is_noticed(pool: ProcessPoolExecutor) -> None:
    """The rule has teeth: two percent off is too much."""
    made = loss()
    off = Case(made.name, made.scenario, {"P_block": made.exact["P_block"] * 1.02}, replications=40)
    [verdict] = judge(off, pool)
    assert not verdict.agrees
    assert verdict.is_sharp
    assert verdict.z < -4
