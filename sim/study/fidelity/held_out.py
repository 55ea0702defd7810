"""Calibrations fitted without one experiment: what the shipped ones would have said of a run they had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.hardware import Calibration
from sim.study.fidelity.cases import Case
from sim.study.fidelity.measured import Floats
from sim.study.fidelity.rerun import MANY, ONE, Effort
from sim.study.fidelity.setting import Setting

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


def held_out(found: Sequence[Case]) -> dict[str, Setting]:
    """For every case, by name: its setting under a law in which its experiment has had no part.

    The others of the same model, GPUs and engine are fitted again; where there are none, data sheets stand alone.
    """
    settings: dict[str, Setting] = {}
    pairs: dict[tuple[str | int, ...], list[Case]] = {}
    for case in found:
        pairs.setdefault(case.pair, []).append(case)
    for cases in pairs.values():
        row = cases[0].setting.calibration()
        if row is None:
            settings |= {case.name: case.setting for case in cases}
            continue
        experiments = {case.experiment for case in cases if _METRIC in case.measured}
        points = [_point(case, row) for case in cases if _METRIC in case.measured] if len(experiments) > 1 else []
        for case in cases:
            others = [point for point in points if point.experiment != case.experiment]
            settings[case.name] = _with(case, row, _fitted(row, others)) if others else case.setting.from_sheets()
    return settings


def refitted(found: Sequence[Case]) -> Floats:
    """The two coefficients fitted to these cases of one pair, all of them; shape (2,)."""
    row = found[0].setting.calibration()
    assert row is not None
    return _fitted(row, [_point(case, row) for case in found])


def _point(case: Case, row: Calibration) -> _Point:
    at = _coefficients(row)
    # what a coefficient does is seen on the same arrivals, so one block will do
    one, *moved = (_log_error(case, row, at + step, ONE) for step in (np.zeros(2), *(STEP * np.eye(2))))
    return _Point(case.experiment, _log_error(case, row, at), (np.array(moved) - one) / STEP)


def _log_error(case: Case, row: Calibration, at: Floats, effort: Effort = MANY) -> float:
    predicted = case.predict(_with(case, row, at), effort=effort)
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


def _with(case: Case, row: Calibration, at: Floats) -> Setting:
    """The case's setting with this one calibration."""
    return case.setting.calibrated(row.model_copy(update={"device_scale": float(at[0]), "seq_s": float(at[1])}))
