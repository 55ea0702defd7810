"""Approximations, impatience, bursts, fluid and staffing: by hand, by their limits, and by the reference values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim import theory
from tests.validation.reference import ABSENT, section, vectors


def of(prefix: str) -> list[Any]:
    return [pytest.param(vector, id=vector["id"]) for vector in vectors() if vector["id"].startswith(prefix)]


def close(told: dict[str, float], vector: dict[str, dict[str, float]]) -> None:
    for name, value in told.items():
        assert value == pytest.approx(vector["expected"][name], rel=1e-6, abs=1e-12), name


# -- one server, two moments -------------------------------------------------------------------------------------------


def test_two_moments_are_exact_where_theory_is() -> None:
    assert theory.kingman(0.8, 2.0, 1.0, 0.0) == pytest.approx(theory.MG1(0.4, 2.0, 0.0).mean_wait_s)
    assert theory.allen_cunneen(1, 0.4, 2.0, 1.0, 3.0) == pytest.approx(theory.kingman(0.8, 2.0, 1.0, 3.0))
    assert theory.allen_cunneen(5, 4.0, 1.0, 1.0, 1.0) == pytest.approx(theory.MMc(5, 4.0).mean_wait_s)
    assert theory.cosmetatos(5, 4.0, 1.0, 1.0) == pytest.approx(theory.MMc(5, 4.0).mean_wait_s)
    assert theory.cosmetatos(1, 0.8, 1.0, 0.0) == pytest.approx(theory.MG1(0.8, 1.0, 0.0).mean_wait_s)


@pytest.mark.parametrize("vector", of("mdc_"))
def test_how_far_two_moments_are_off_a_line_of_constant_services(vector: dict[str, dict[str, float]]) -> None:
    servers, rate, exact = int(vector["params"]["c"]), vector["params"]["lam"], vector["expected"]["Wq"]
    assert theory.cosmetatos(servers, rate, 1.0, 0.0) == pytest.approx(exact, rel=0.01)
    plain = theory.allen_cunneen(servers, rate, 1.0, 1.0, 0.0)
    assert 0.01 < 1 - plain / exact < 0.065


@pytest.mark.parametrize("vector", of("gim1_"))
def test_a_round_robin_before_exponential_servers(vector: dict[str, dict[str, float]]) -> None:
    line = theory.GIM1(vector["params"]["lam"], 1.0, theory.erlang_gaps(4, vector["params"]["lam"]))
    told = {
        "P_wait": line.wait_share,
        "Wq": line.mean_wait_s,
        "W": line.mean_sojourn_s,
        "L": line.mean_in_system,
        "Wq_p95": line.wait_quantile_s(0.95),
        "Wq_p99": line.wait_quantile_s(0.99),
    }
    close(told, vector)


def test_poisson_gaps_make_an_m_m_1() -> None:
    line, plain = theory.GIM1(0.7, 1.0, theory.erlang_gaps(1, 0.7)), theory.MMc(1, 0.7)
    assert line.mean_wait_s == pytest.approx(plain.mean_wait_s)
    assert line.wait_exceeds(2.0) == pytest.approx(plain.wait_exceeds(2.0))
    assert line.sojourn_exceeds(2.0) == pytest.approx(plain.sojourn_exceeds(2.0))
    assert line.sojourn_quantile_s(0.9) == pytest.approx(plain.sojourn_quantile_s(0.9))
    with pytest.raises(ValueError, match="no steady state"):
        theory.GIM1(1.0, 1.0, theory.erlang_gaps(2, 1.0))


def test_batches_at_one_server_by_hand() -> None:
    # four at a time, each a second of exponential service, a batch every 5 s: 12.5 s in all (reference: mx_m1_X4)
    assert theory.batch_arrivals_one_server(0.2, 4, 16, 1.0, 1.0) + 1 == pytest.approx(12.5)
    # one at a time it is Pollaczek and Khinchine
    assert theory.batch_arrivals_one_server(0.6, 1, 1, 1.0, 0.25) == pytest.approx(theory.MG1(0.6, 1, 0.5).mean_wait_s)


def test_waits_by_mean_and_share_are_those_of_an_m_m_c() -> None:
    line = theory.MMc(4, 3.0)
    waits = theory.Waits(line.wait_share, line.mean_wait_s)
    assert waits.wait_exceeds(1.3) == pytest.approx(line.wait_exceeds(1.3))
    assert waits.wait_quantile_s(0.9) == pytest.approx(line.wait_quantile_s(0.9))
    assert waits.wait_quantile_s(0.1) == 0.0
    assert theory.Waits(0.0, 0.0).wait_exceeds(0.0) == 0.0


# -- impatience, closed populations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", of("erlangA_"))
def test_impatience(vector: dict[str, dict[str, float]]) -> None:
    params = vector["params"]
    line = theory.erlang_a(int(params["c"]), params["lam"], 1 / params["mu"], 1 / params["theta"])
    told = {
        "P_wait": line.wait_share,
        "P_abandon": line.abandoned_share,
        "Wq_all": line.mean_wait_s,
        "Lq": line.mean_waiting,
        "throughput": line.throughput_per_s,
        "utilization": line.utilization_share,
    }
    close(told, vector)
    assert line.mean_in_system == pytest.approx(line.mean_waiting + line.mean_running)


def test_endless_patience_is_none() -> None:
    assert theory.erlang_a(3, 2.0, 1.0, 1e9).mean_wait_s == pytest.approx(theory.MMc(3, 2.0).mean_wait_s, rel=1e-5)


@pytest.mark.parametrize("vector", of("closed_"))
def test_closed_populations(vector: dict[str, dict[str, float]]) -> None:
    params = vector["params"]
    line = theory.closed(int(params["N"]), int(params["c"]), 1 / params["think_rate"], 1 / params["mu"])
    told = {
        "throughput": line.throughput_per_s,
        "L": line.mean_in_system,
        "W": line.mean_sojourn_s,
        "Wq": line.mean_wait_s,
    }
    close(told, vector)


# -- bursts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", of("mmpp_"))
def test_bursts(vector: dict[str, dict[str, float]]) -> None:
    params = vector["params"]
    rates, leave = (params["lam1"], params["lam2"]), (params["rate12"], params["rate21"])
    line = theory.ModulatedLine(int(params["c"]), rates, leave, 1 / params["mu"])
    told = {
        "lam_mean": line.arrivals_per_s,
        "L": line.mean_in_system,
        "Lq": line.mean_waiting,
        "Wq": line.mean_wait_s,
        "W": line.mean_sojourn_s,
        "P_wait": line.wait_share,
    }
    close(told, vector)


def test_states_of_one_rate_are_no_bursts() -> None:
    line = theory.ModulatedLine(3, (2.0, 2.0, 2.0), (0.1, 5.0, 1.0))
    assert line.mean_wait_s == pytest.approx(theory.MMc(3, 2.0).mean_wait_s)
    assert line.wait_share == pytest.approx(theory.MMc(3, 2.0).wait_share)
    assert theory.dispersion_of_states((2.0, 2.0), (0.1, 5.0)) == pytest.approx(1.0)


def test_dispersion_of_two_states_by_hand() -> None:
    # 1 + 2 (r1 - r2)^2 a b / ((a + b)^2 (r1 b + r2 a)), for leaving rates a, b
    first, second, a, b = 4.0, 16.0, 0.1, 0.2
    by_hand = 1 + 2 * (first - second) ** 2 * a * b / ((a + b) ** 2 * (first * b + second * a))
    assert theory.dispersion_of_states((first, second), (a, b)) == pytest.approx(by_hand)


def test_dispersion_of_drift_by_its_limits() -> None:
    # a small spread: cv^2 is the variance, and the memory is one correlation time
    assert theory.dispersion_of_drift(10.0, 0.01, 60.0) == pytest.approx(1 + 2 * 10 * 60 * 1e-4, rel=1e-3)
    ages = np.linspace(0, 40, 400_001)
    square = math.log1p(1.5**2)
    integral = np.trapezoid(np.expm1(square * np.exp(-ages)), ages)
    assert theory.dispersion_of_drift(1.0, 1.5, 1.0) == pytest.approx(1 + 2 * integral, rel=1e-6)


def test_merged_streams_by_hand() -> None:
    assert theory.merged([1.0, 3.0], [1.0, 5.0]) == pytest.approx(4.0)
    assert theory.merged([0.0], [7.0]) == 1.0
    assert theory.dispersion_of_batches(2.0, 6.0) == 3.0


# -- fluid -------------------------------------------------------------------------------------------------------------


def test_ten_seconds_at_twice_the_capacity() -> None:
    at_s = np.linspace(0, 30, 3001)
    found = theory.backlog(at_s, np.minimum(2 * at_s, 20.0), 1.0)
    assert found.peak == pytest.approx(10.0)  # reference: fluid_DD1
    assert found.peak_at_s == pytest.approx(10.0)
    assert found.grows_from_s == 0.0
    assert found.worked_off_s == pytest.approx(20.0, abs=0.011)
    assert found.overloaded_s == pytest.approx(20.0, abs=0.011)
    assert found.mean_wait_s() == pytest.approx(5.0)
    assert found.longest_wait_s == pytest.approx(10.0)
    assert found.mean_waiting() == pytest.approx(100 / 30)
    assert found.wait_exceeds(5.0) == pytest.approx(0.5, abs=0.001)
    assert found.mean_wait_s(5.0) == pytest.approx(7.5, rel=1e-3)


def test_below_capacity_nobody_waits() -> None:
    at_s = np.linspace(0, 1e6, 10_001)
    found = theory.backlog(at_s, 0.999 * at_s, 1.0)
    assert found.peak == 0.0
    assert found.grows_from_s is None
    assert found.worked_off_s is None
    assert found.mean_wait_s() == 0.0


def test_a_queue_that_outlives_the_arrivals() -> None:
    at_s = np.linspace(0, 10, 11)
    found = theory.backlog(at_s, 3 * at_s, 2.0)
    assert found.worked_off_s == pytest.approx(15.0)
    assert theory.backlog(at_s, 3 * at_s, 0.0).worked_off_s is None


# -- staffing ----------------------------------------------------------------------------------------------------------


def test_the_square_root_rule_against_the_exact_least() -> None:
    rows = section("staffing_vectors")
    if not rows:
        pytest.skip(ABSENT)
    for row in rows:
        load, share = row["offered_load"], row["target_P_wait"]
        assert theory.halfin_whitt_beta(share) == pytest.approx(row["halfin_whitt_beta"], rel=1e-8)
        assert theory.square_root_servers(load, share) == row["c_sqrt_rule"]
        assert theory.least_servers(load, lambda c: theory.erlang_c(c, load) <= share) == row["c_min"]  # noqa: B023


def test_the_least_line_for_a_wait() -> None:
    rows = section("staffing_wait_quantile_vectors")
    if not rows:
        pytest.skip(ABSENT)
    for row in rows:

        def met(servers: int, row: dict[str, Any] = row) -> bool:
            line = theory.MMc(servers, row["offered_load"] / row["mean_service"], row["mean_service"])
            return line.wait_exceeds(row["wait_target"]) <= 1 - row["prob"]

        assert theory.least_servers(row["offered_load"], met) == row["c_min"]


def test_the_least_number_is_above_the_load() -> None:
    assert theory.least_servers(3.0, lambda _: True) == 4
    assert theory.least_servers(0.2, lambda c: c >= 3) == 3
    assert theory.least_servers(5.0, lambda _: False, most=50) is None


def test_the_reference_values_are_used_when_they_are_there() -> None:
    ids = [vector["id"] for vector in vectors()]
    if not ids:
        pytest.skip(ABSENT)
    for prefix, count in {"mdc_": 5, "gim1_": 1, "erlangA_": 5, "closed_": 4, "mmpp_": 2}.items():
        assert sum(name.startswith(prefix) for name in ids) == count, prefix
