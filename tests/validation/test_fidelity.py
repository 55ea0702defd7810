"""Predictions against the measured runs that ship: the bars that the project has set itself.

`shipped` laws have seen these runs (their files say which figures rest on them); `held-out` ones have not seen the
experiment they predict; `roofline` is data sheets alone.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from sim.hardware.precisions import alike
from sim.study.fidelity.cases import Case, cases_of_file
from sim.study.fidelity.held_out import PRIOR_SD, refitted
from sim.study.fidelity.shipped import read_measured, shipped_files
from sim.study.fidelity.validate import KNEE, Comparison, Errors, Law, Validation, errors_of, validate

SIM2REAL, KUBECON, GRID, SPLITWISE, RTX = (
    "sim2real-h100",
    "kubecon-2025-h100",
    "operator-grid",
    "splitwise-2023",
    "rtx-pro-6000",
)


@cache
def shipped_cases() -> tuple[Case, ...]:
    return tuple(case for path in shipped_files() for case in cases_of_file(read_measured(path), path))


@cache
def found(law: Law) -> Validation:
    """Every shipped point, once for all tests."""
    return validate(shipped_cases(), law)


def errors(law: Law, source: str, metric: str, only: set[str] | None = None) -> Errors:
    rows = found(law).of(source, metric, lambda row: only is None or row.case in only)
    got = errors_of(rows)
    assert got is not None
    return got


@cache
def lightest() -> frozenset[str]:
    """The case of lowest rate of each sim2real experiment."""
    lowest: dict[str, tuple[float, str]] = {}
    for case in [case for case in shipped_cases() if case.source.name == SIM2REAL]:
        assert case.rate_per_s is not None
        lowest[case.experiment] = min(lowest.get(case.experiment, (np.inf, "")), (case.rate_per_s, case.name))
    return frozenset(name for _, name in lowest.values())


def test_all_points_are_there() -> None:
    v = found("shipped")
    assert [source.name for source in v.sources] == sorted([SIM2REAL, KUBECON, GRID, SPLITWISE, RTX])
    assert len(v.of(SIM2REAL, "tpot_s_mean")) == 72
    assert len({row.experiment for row in v.of(SIM2REAL, "tpot_s_mean")}) == 42
    assert len(v.of(KUBECON, "e2e_s_mean")) == 7
    assert all(row.predicted is not None and row.error_share is not None for row in v.rows)
    assert len({(row.case, row.metric) for row in v.rows}) == len(v.rows)


# --- serving runs, in closed simulation ---


@pytest.mark.parametrize("law", ["shipped", "held-out"])
def test_sim2real(law: Law) -> None:
    assert errors(law, SIM2REAL, "tpot_s_mean").mape_share <= 0.05
    e2e = errors(law, SIM2REAL, "e2e_s_mean")
    assert e2e.mape_share <= 0.06
    assert e2e.median_share <= 0.04
    light = errors(law, SIM2REAL, "ttft_s_mean", set(lightest()))
    assert light.points == 42
    assert light.mape_share <= 0.15


def test_held_out_is_worse_than_shipped_and_better_than_sheets() -> None:
    mape = {law: errors(law, SIM2REAL, "tpot_s_mean").mape_share for law in ("shipped", "held-out", "roofline")}
    assert mape["shipped"] < mape["held-out"] < mape["roofline"]


def test_shipped_coefficients_are_what_their_runs_give() -> None:
    of_pair: dict[tuple[str | int, ...], list[Case]] = {}
    for case in [case for case in shipped_cases() if case.source.name == SIM2REAL]:
        of_pair.setdefault(case.pair, []).append(case)
    assert len(of_pair) == 14
    for points in of_pair.values():
        setting = points[0].setting
        (row,) = [
            row
            for row in setting.model.calibrations
            if (row.gpus_per_replica, row.engine) == (setting.gpus_per_replica, "vllm-0.15")
            and alike(row.precision, setting.weights)
        ]
        assert row.experiments == len({case.experiment for case in points})
        off = refitted(points) - np.array([row.device_scale, row.seq_s])
        # other draws of the arrivals move them by a fraction of what the measurements leave open; twice as far where
        # two coefficients cannot follow the runs (a uniform choice of experts is wrong for this model)
        most = 0.5 if setting.model.name == "llama-4-scout-fp8" else 0.25
        assert np.all(np.abs(off) <= most * PRIOR_SD), (row, off)


def test_kubecon_up_to_saturation() -> None:
    v = found("shipped")
    e2e = v.of(KUBECON, "e2e_s_mean")
    assert len(e2e) == 7
    for row in e2e:
        assert abs(row.error_share or 0.0) <= 0.10, row
    sent = v.of(KUBECON, "sent_per_s")
    saturated = [row for row in sent if (row.measured or 0.0) > 100.0]
    assert len(saturated) == 3
    for row in saturated:
        assert abs((row.predicted or 0.0) / 106.0 - 1.0) <= 0.07, row
    (knee,) = v.of(KUBECON, KNEE)
    assert knee.measured == knee.predicted == 122.59


def test_rtx_pro_6000_of_like_requests() -> None:
    assert abs(errors("shipped", RTX, "e2e_s_mean").worst_share) <= 0.04
    assert abs(errors("shipped", RTX, "tpot_s_mean").worst_share) <= 0.03


# --- single iterations ---


def by_experiment(law: Law, source: str, metric: str) -> dict[str, list[Comparison]]:
    rows: dict[str, list[Comparison]] = {}
    for row in found(law).of(source, metric):
        rows.setdefault(row.experiment, []).append(row)
    return rows


@pytest.mark.parametrize(("source", "pairs"), [(GRID, 15), (SPLITWISE, 8)])
def test_decode_iterations_of_each_pair(source: str, pairs: int) -> None:
    rows = by_experiment("shipped", source, "iteration_s")
    assert len(rows) == pairs
    for name, of_pair in rows.items():
        decode = errors_of([row for row in of_pair if "+" not in row.case])
        assert decode is not None
        assert decode.mape_share <= 0.04, name


# --- data sheets alone ---


@pytest.mark.parametrize("source", [GRID, SPLITWISE])
def test_sheets_alone_on_iterations(source: str) -> None:
    for name, rows in by_experiment("roofline", source, "iteration_s").items():
        got = errors_of(rows)
        assert got is not None
        assert got.mape_share <= 0.20, name


def test_sheets_alone_on_serving_runs() -> None:
    for name, rows in by_experiment("roofline", SIM2REAL, "tpot_s_mean").items():
        got = errors_of(rows)
        assert got is not None
        assert got.mape_share <= 0.20, name
    assert errors("roofline", RTX, "tpot_s_mean").mape_share <= 0.20
    # the sweep carries no TPOT: (E2E - TTFT) over the 63 other tokens is it
    v = found("roofline")
    pairs = zip(v.of(KUBECON, "e2e_s_mean"), v.of(KUBECON, "ttft_s_mean"), strict=True)
    off = [(e.predicted - t.predicted) / (e.measured - t.measured) - 1 for e, t in pairs]  # type: ignore[operator]
    assert len(off) == 7
    assert np.abs(off).mean() <= 0.20


@pytest.mark.xfail(
    strict=True, reason="known limit: 31 % too slow one stage below the knee, where any error is amplified"
)
def test_sheets_alone_place_every_stage_of_the_sweep() -> None:
    assert abs(errors("roofline", KUBECON, "e2e_s_mean").worst_share) <= 0.10
