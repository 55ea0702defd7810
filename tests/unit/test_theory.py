"""Closed forms against values worked out by hand, each other, their limits, and the reference values when present."""

from __future__ import annotations

import math

import pytest

from sim import theory
from sim.theory import MG1, MMc
from tests.validation.reference import vectors

# Figures that everybody can check: Erlang's own tables, and a textbook call centre (Koole, "Call Center Optimization").
ERLANG_B = [(1, 1.0, 0.5), (2, 1.0, 0.2), (10, 4.461, 0.01), (15, 8.108, 0.01), (168, 158.333, 0.0291)]


@pytest.mark.parametrize(("servers", "load", "blocked"), ERLANG_B)
def test_erlang_b_tables(servers: int, load: float, blocked: float) -> None:
    assert theory.erlang_b(servers, load) == pytest.approx(blocked, rel=2e-3)


def test_erlang_c_by_hand() -> None:
    assert theory.erlang_c(1, 0.7) == pytest.approx(0.7)  # one server: busy with probability rho
    assert theory.erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert theory.erlang_c(3, 2.0) == pytest.approx(4 / 9)


def test_at_capacity_everybody_waits() -> None:
    assert theory.erlang_c(3, 3.0) == 1.0
    assert theory.erlang_c(3, 7.0) == 1.0


def test_no_steady_state_at_capacity() -> None:
    with pytest.raises(ValueError, match="no steady state"):
        MMc(3, 3.0)
    with pytest.raises(ValueError, match="no steady state"):
        MG1(1.0, 1.0, 0.5)
    with pytest.raises(ValueError, match="no steady state"):
        theory.mmck(2, 3.0, 1.0, None).mean_in_system  # noqa: B018 - computed when read


def test_one_server_by_hand() -> None:
    line = MMc(1, 4.5, 0.2)  # in units of the service: load 0.9
    assert line.mean_sojourn_s == pytest.approx(2.0)
    assert line.mean_wait_s == pytest.approx(1.8)
    assert line.mean_in_system == pytest.approx(9.0)
    assert line.mean_waiting == pytest.approx(8.1)
    # the sojourn is exponential
    assert line.sojourn_quantile_s(0.95) == pytest.approx(2.0 * math.log(20))
    assert line.wait_quantile_s(0.05) == 0.0
    assert line.wait_exceeds(line.wait_quantile_s(0.99)) == pytest.approx(0.01)


def test_a_sojourn_whose_two_parts_have_equal_rates() -> None:
    line = MMc(2, 1.0)  # the capacity left over is one service a second: an Erlang law
    at_s = 1.7
    one = math.exp(-at_s)
    assert line.sojourn_exceeds(at_s) == pytest.approx(2 / 3 * one + 1 / 3 * (1 + at_s) * one)
    near = MMc(2, 1.0 + 1e-9)
    assert near.sojourn_exceeds(at_s) == pytest.approx(line.sojourn_exceeds(at_s), rel=1e-8)


def test_the_far_tail_of_a_slow_queue_is_finite() -> None:
    line = MMc(1, 0.999)
    assert line.sojourn_quantile_s(0.9999) == pytest.approx(1000 * math.log(10_000), rel=1e-9)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (4, 3.2), (50, 45.0), (1000, 970.0)])
def test_two_ways_to_the_same_line(servers: int, load: float) -> None:
    formula, chain = MMc(servers, load), theory.mmck(servers, load, 1.0, None)
    for name in ("mean_in_system", "mean_waiting", "mean_wait_s", "mean_sojourn_s", "wait_share"):
        assert getattr(formula, name) == pytest.approx(getattr(chain, name), rel=1e-9), name
    assert theory.mmck(servers, load, 1.0, servers).rejected_share == pytest.approx(theory.erlang_b(servers, load))


def test_one_server_with_exponential_service_two_ways() -> None:
    general, line = MG1(0.8, 1.0, 1.0), MMc(1, 0.8)
    assert general.mean_wait_s == pytest.approx(line.mean_wait_s)
    assert general.mean_in_system == pytest.approx(line.mean_in_system)
    # E[S^3] = 6 for an exponential of mean 1, and the squared wait of an M/M/1 is 2 rho / (1 - rho)^2
    assert general.mean_square_wait_s2(6.0) == pytest.approx(2 * 0.8 / 0.2**2)


def test_constant_service_waits_half_as_long() -> None:
    assert MG1(0.8, 1.0, 0.0).mean_wait_s == pytest.approx(MG1(0.8, 1.0, 1.0).mean_wait_s / 2)


def test_an_engine_of_constant_speed_is_plain_processor_sharing() -> None:
    """With iteration time in proportion to the batch, the number there is geometric, as in an M/M/1."""
    engine = theory.batching(0.8, 100.0, 0.0, 0.01, 10_000)
    assert engine.mean_in_system == pytest.approx(4.0)
    assert engine.mean_sojourn_s == pytest.approx(5.0)
    assert engine.mean_waiting == 0.0


def test_an_engine_with_a_batch_of_one_is_an_m_m_1() -> None:
    engine, line = theory.batching(0.5, 100.0, 0.01, 0.0, 1), MMc(1, 0.5)
    assert engine.mean_wait_s == pytest.approx(line.mean_wait_s)
    assert engine.wait_share == pytest.approx(line.wait_share)
    assert engine.mean_running == pytest.approx(0.5)


# -- against the reference values --------------------------------------------------------------------------------------


def of(prefix: str) -> list[object]:
    return [pytest.param(vector, id=vector["id"]) for vector in vectors() if vector["id"].startswith(prefix)]


def close(told: dict[str, float], vector: dict[str, dict[str, float]]) -> None:
    for name, value in told.items():
        assert value == pytest.approx(vector["expected"][name], rel=1e-7, abs=1e-12), name


@pytest.mark.parametrize("vector", [*of("mmc_c"), *of("mm1_rho")])
def test_lines_of_servers(vector: dict[str, dict[str, float]]) -> None:
    line = MMc(int(vector["params"]["c"]), vector["params"]["lam"], 1 / vector["params"]["mu"])
    told = {
        "L": line.mean_in_system,
        "Lq": line.mean_waiting,
        "W": line.mean_sojourn_s,
        "Wq": line.mean_wait_s,
        "Wq_p50": line.wait_quantile_s(0.5),
        "Wq_p95": line.wait_quantile_s(0.95),
        "Wq_p99": line.wait_quantile_s(0.99),
        "W_p95": line.sojourn_quantile_s(0.95),
        "W_p99": line.sojourn_quantile_s(0.99),
    }
    if line.servers > 1:
        told |= {
            "P_wait": line.wait_share,
            "utilization": line.utilization_share,
            "P_Wq_gt_half_mean_service": line.wait_exceeds(0.5),
        }
    close(told, vector)


@pytest.mark.parametrize("vector", of("mmcK_"))
def test_lines_with_limited_room(vector: dict[str, dict[str, float]]) -> None:
    params = vector["params"]
    line = theory.mmck(int(params["c"]), params["lam"], 1 / params["mu"], int(params["K"]))
    told = {
        "P_block": line.rejected_share,
        "throughput": line.throughput_per_s,
        "L": line.mean_in_system,
        "Lq": line.mean_waiting,
        "Wq_accepted": line.mean_wait_s,
        "W_accepted": line.mean_sojourn_s,
        "P_wait_accepted": line.wait_share,
    }
    close(told, vector)


@pytest.mark.parametrize("vector", of("erlangB_"))
def test_loss(vector: dict[str, dict[str, float]]) -> None:
    params = vector["params"]
    blocked = theory.erlang_b(int(params["c"]), params["lam"] * params["mean_service"])
    close({"P_block": blocked, "L": params["lam"] * (1 - blocked)}, vector)


@pytest.mark.parametrize("vector", [*of("md1_"), *of("mh2_"), *of("mE"), *of("mlogn_"), *of("mu_")])
def test_one_server_with_any_service(vector: dict[str, dict[str, float]]) -> None:
    params = vector["params"]
    squares = {"deterministic": 0.0, "erlang": 1 / params.get("k", 1), "uniform": 1 / 12}
    square = squares.get(str(params["service"]), params.get("scv"))
    assert square is not None
    line = MG1(params["lam"], 1.0, math.sqrt(square))
    told = {"Wq": line.mean_wait_s, "W": line.mean_sojourn_s, "L": line.mean_in_system}
    cubes = {"deterministic": 1.0, "lognormal": (1 + square) ** 3, "uniform": (1.5**4 - 0.5**4) / 4}
    if params["service"] in cubes:
        told["EWq2"] = line.mean_square_wait_s2(cubes[str(params["service"])])
    close(told, vector)


@pytest.mark.parametrize("vector", [*of("statedepPS_"), *of("limitedPS_")])
def test_continuous_batching(vector: dict[str, dict[str, float]]) -> None:
    params = vector["params"]
    room = params.get("K")
    seats = int(params.get("B") or room or 100_000)
    engine = theory.batching(
        params["lam"],
        params["mean_tokens"],
        params["alpha"],
        params["beta"],
        seats,
        None if room is None else int(room),
    )
    told = {"L": engine.mean_in_system, "W": engine.mean_sojourn_s, "P0": float(engine.share[0])}
    if "B" in params:
        told |= {
            "Wq": engine.mean_wait_s,
            "Lq": engine.mean_waiting,
            "P_wait": engine.wait_share,
            "mean_batch": engine.mean_running,
        }
    else:
        told |= {"P_block": engine.rejected_share, "throughput": engine.throughput_per_s}
    close(told, vector)


def test_the_reference_values_are_used_when_they_are_there() -> None:
    """So that a renamed case is noticed, not skipped."""
    ids = [vector["id"] for vector in vectors()]
    if not ids:
        pytest.skip("no ../shared/reference/queue_vectors.json beside the checkout")
    for prefix, count in {
        "mmc_c": 8,
        "mm1_rho": 5,
        "mmcK_": 5,
        "erlangB_": 6,
        "limitedPS_": 3,
        "statedepPS_": 3,
    }.items():
        assert sum(name.startswith(prefix) for name in ids) == count, prefix
