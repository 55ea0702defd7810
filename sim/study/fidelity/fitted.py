"""What a calibration came to: coefficients with their uncertainty, residuals, cautions, and where it holds."""

from __future__ import annotations

from dataclasses import dataclass

from sim.hardware import Calibration, Holds


@dataclass(frozen=True)
class Coefficient:
    """One number of the law, as fitted or as kept."""

    name: str
    value: float
    sd: float
    """Posterior standard deviation; the prior's where it was kept."""
    prior: float
    prior_sd: float
    identified: bool
    why: str = ""
    """Why it was kept from the roofline."""


@dataclass(frozen=True)
class Residual:
    """Predicted beside measured, at one point."""

    point: str
    metric: str
    measured: float
    predicted: float
    used: bool
    """Whether the fit was to match it."""

    @property
    def error_share(self) -> float:
        """Signed error over measured."""
        return self.predicted / self.measured - 1.0


@dataclass(frozen=True)
class Fit:
    """What calibration came to."""

    calibration: Calibration
    coefficients: tuple[Coefficient, ...]
    residuals: tuple[Residual, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    """What was taken for granted."""
    holds: Holds
    """The loads that were measured."""
    formats: tuple[str, ...]
    """What the measurements came from."""
