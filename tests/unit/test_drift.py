"""A rate that drifts at random around a curve: with a flat curve the law `cox`, on average the curve itself."""

from __future__ import annotations

import numpy as np
import pytest

from sim.config.errors import ConfigError
from sim.workload.arrivals import Cox, Curve
from sim.workload.randomness import going_on, rngs_of

DRIFT = {"cv": 0.4, "correlation": "2m"}
WAVE = Curve.model_validate({"points": [[0, 2], [1800, 8], [3600, 2]], "repeat": True, "drift": DRIFT})


def test_around_a_flat_curve_it_is_the_law_cox() -> None:
    flat = Curve.model_validate({"points": [[0, 5], [1000, 5]], "drift": DRIFT})
    cox = Cox.model_validate({"rate": 5, **DRIFT})
    rng_of = rngs_of(3, 0, "")
    np.testing.assert_allclose(flat.arrivals(rng_of, 20_000.0), cox.arrivals(rng_of, 20_000.0), rtol=1e-14)


def test_on_average_it_is_the_curve() -> None:
    runs = [np.histogram(WAVE.arrivals(rngs_of(seed, 0, ""), 7200.0), 24, (0, 7200))[0] for seed in range(150)]
    bare = WAVE.model_copy(update={"drift": None}).rate_curve
    expected = [bare.expected(300.0 * (i + 1)) - bare.expected(300.0 * i) for i in range(24)]
    np.testing.assert_allclose(np.mean(runs, axis=0), expected, rtol=0.12)
    assert np.var(runs, axis=0).sum() / np.sum(expected) > 20  # Poisson arrivals would have 1


def test_pieces_and_longer_horizons_begin_the_same() -> None:
    whole = WAVE.arrivals(rngs_of(1, 0, ""), 9000.0)
    parts = np.concatenate(list(WAVE.pieces(going_on(rngs_of(1, 0, "")), 9000.0, 1000)))
    np.testing.assert_array_equal(parts, whole)
    assert len(whole) > 10_000
    shorter = WAVE.arrivals(rngs_of(1, 0, ""), 4000.0)
    np.testing.assert_allclose(shorter, whole[: len(shorter)], rtol=1e-12)


def test_a_memory_too_short_for_the_horizon_is_told_with_its_key() -> None:
    law = Curve.model_validate({"points": [[0, 1]], "drift": {"cv": 1, "correlation": "1us"}})
    with pytest.raises(ConfigError, match=r"arrivals\.drift\.correlation: is too short"):
        law.arrivals(rngs_of(0, 0, ""), 1e6)
