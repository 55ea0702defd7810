"""Calibrations fitted without one experiment: what the shipped ones would have said of a run they had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.hardware import Calibration, Pair
from sim.hardware.law import calibration_of
from sim.study.replay import POOL, Case, Floats, named, predict, scenario_of

PRIOR_SD = np.array([0.05, 20e-6])
"""Of the GPU time over roofline, and of the seconds added a sequence: the sheets are the prior, 1 and 0."""
NOISE_SHARE = 0.02
"""Of a measured TPOT."""
STEP = np.array([0.02, 5e-6])
"""How far coefficients are moved to see what they do."""

_ROOFLINE = np.array([1.0, 0.0])
_METRIC = "tpot_s_mean"


@dataclass(frozen=True, eq=False)
class _Point:
    """TPOT of one case near the shipped coefficients, linear in them."""

    experiment: str
    off: float
    """Log of predicted over measured, at the shipped coefficients."""
    slope: Floats
    """Of that, for each coefficient; shape (2,)."""


def held_out_changes(found: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """For every case, by name: what to lay over its pool so that its experiment has had no part in the law.

    The others of the same model, GPUs and engine are fitted again; where there are none, data sheets stand alone.
    """
    changes: dict[str, dict[str, Any]] = {}
    pairs: dict[tuple[str | None, ...], list[Case]] = {}
    for case in found:
        pairs.setdefault(case.pair, []).append(case)
    for cases in pairs.values():
        row = _shipped(cases[0])
        if row is None:
            changes |= {case.name: {} for case in cases}
            continue
        experiments = list(dict.fromkeys(case.experiment for case in cases if _METRIC in case.measured))
        points = [_point(case, row) for case in cases if _METRIC in case.measured] if len(experiments) > 1 else []
        for case in cases:
            others = [point for point in points if point.experiment != case.experiment]
            changes[case.name] = _with(case, row, _fitted(row, others)) if others else {"latency_source": "roofline"}
    return changes


def refitted(found: Sequence[Case]) -> Floats:
    """The two coefficients fitted to these cases of one pair, all of them; shape (2,)."""
    row = _shipped(found[0])
    assert row is not None
    return _fitted(row, [_point(case, row) for case in found])


def _shipped(case: Case) -> Calibration | None:
    """The calibration that the case's pool has."""
    pool = scenario_of(case).pools[POOL]
    if pool.law.source != "calibrated":
        return None
    assert pool.model is not None
    assert pool.gpu is not None
    assert pool.engine is not None
    return calibration_of(
        Pair(
            model=pool.model,
            gpu=pool.gpu,
            gpus=pool.gpus_per_replica,
            engine=pool.engine,
            precision=pool.precision or pool.model.precision,
            kv_precision=pool.kv_precision or pool.model.kv_precision,
            expert_parallel=pool.expert_parallel,
        )
    )


def _point(case: Case, row: Calibration) -> _Point:
    at = _coefficients(row)
    # what a coefficient does is seen on the same arrivals, so one run each will do
    one, *moved = (_log_error(case, row, at + step, replications=1) for step in (np.zeros(2), *(STEP * np.eye(2))))
    return _Point(case.experiment, _log_error(case, row, at), (np.array(moved) - one) / STEP)


def _log_error(case: Case, row: Calibration, at: Floats, replications: int | None = None) -> float:
    predicted = predict(case, _with(case, row, at), replications=replications)
    return float(np.log(predicted[_METRIC] / case.measured[_METRIC]))


def _coefficients(row: Calibration) -> Floats:
    return np.array([row.device_scale, row.seq_s])


def _fitted(row: Calibration, points: Sequence[_Point]) -> Floats:
    """Maximum a posteriori: the linear least squares of errors and prior together."""
    shipped = _coefficients(row)
    slopes = np.stack([point.slope for point in points]) / NOISE_SHARE
    left = np.vstack([slopes, np.diag(1.0 / PRIOR_SD)])
    right = np.concatenate([-np.array([point.off for point in points]) / NOISE_SHARE, (_ROOFLINE - shipped) / PRIOR_SD])
    return np.asarray(shipped + np.linalg.lstsq(left, right, rcond=None)[0])


def _with(case: Case, row: Calibration, at: Floats) -> dict[str, Any]:
    """The case's model with this one calibration."""
    changed: Mapping[str, Any] = row.model_copy(
        update={"device_scale": float(at[0]), "seq_s": float(at[1])}
    ).model_dump(mode="json", exclude_none=True)
    return {"model": {"from": named(case.setup.model, case), "calibrations": [changed]}}
