"""The laws of one number: their moments, their shape, their errors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from sim.config.errors import DataError
from sim.workload.distributions import Distribution
from tests.laws import DISTRIBUTIONS, complaint, duration_law, example, rng, token_law

ALPHA = 1e-3
N = 100_000


def lognormal(mu: float, sigma: float) -> Any:
    return stats.lognorm(sigma, scale=math.exp(mu))


class Hyper:
    def __init__(self, shares: list[float], means: list[float]) -> None:
        self.shares, self.means = shares, means

    def cdf(self, x: Any) -> Any:
        return sum(p * -np.expm1(-x / m) for p, m in zip(self.shares, self.means, strict=True))


# Independent parametrisations: derived by hand from the keys in the examples.
TRUTH: dict[str, Any] = {
    "exponential": stats.expon(scale=2),
    "erlang": stats.gamma(3, scale=2 / 3),
    "gamma": stats.gamma(1 / 2.25, scale=4.5),
    "gamma by shape": stats.gamma(4, scale=0.5),
    "weibull by shape": stats.weibull_min(2, scale=3),
    "lognormal": lognormal(math.log(2) - math.log(2) / 2, math.sqrt(math.log(2))),
    "lognormal by mu": lognormal(3.18, 0.58),
    "lognormal by p99": lognormal(math.log(23), math.log(106 / 23) / stats.norm.ppf(0.99)),
    "lognormal by median and cv": lognormal(math.log(5), math.sqrt(math.log(1.25))),
    "uniform": stats.uniform(1, 4),
    "hyperexponential": Hyper([0.9, 0.1], [0.5, 5.5]),
    # balanced means: p1 m1 = p2 m2, p1 = (1 + sqrt(3/5)) / 2 for cv 2
    "hyperexponential by cv": Hyper(
        [0.8872983346207417, 0.1127016653792583], [1 / 0.8872983346207417, 8.872983346207418]
    ),
}


@pytest.mark.parametrize("name", TRUTH)
def test_draws_follow_the_law(name: str) -> None:
    assert stats.kstest(example(name).draw(rng(), N), TRUTH[name].cdf).pvalue > ALPHA


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_mean_is_that_of_the_draws(name: str) -> None:
    law = example(name)
    drawn = law.draw(rng(), N)
    assert drawn.shape == (N,)
    assert drawn.dtype == np.float64
    assert law.mean_value == pytest.approx(drawn.mean(), abs=4 * drawn.std() / math.sqrt(N) + 1e-12)


@pytest.mark.parametrize(("kind", "cv"), [("gamma", 0.3), ("gamma", 2.5), ("weibull", 0.3), ("weibull", 2.5)])
@pytest.mark.parametrize("mean", [0.02, 1500])
def test_mean_and_cv_are_kept(kind: str, cv: float, mean: float) -> None:
    drawn = token_law(kind, mean=mean, cv=cv).draw(rng(), 1_000_000)
    assert drawn.mean() == pytest.approx(mean, rel=0.02)
    assert drawn.std() / drawn.mean() == pytest.approx(cv, rel=0.03)


def test_weibull_by_cv_solves_for_the_shape() -> None:
    for cv in (0.01, 0.1, 1.0, 3.0, 100.0):
        law: Any = token_law("weibull", mean=1, cv=cv)
        shape, scale = law._shape_scale
        assert scale * math.gamma(1 + 1 / shape) == pytest.approx(1)
        assert math.sqrt(math.gamma(1 + 2 / shape) / math.gamma(1 + 1 / shape) ** 2 - 1) == pytest.approx(cv, rel=1e-6)
    assert law.kind == "weibull"


def test_published_image_generation_law_has_its_published_figures() -> None:
    drawn = duration_law("lognormal", mu=3.18, sigma=0.58).draw(rng(), N)
    assert np.quantile(drawn, [0.5, 0.9, 0.99]) == pytest.approx([24, 51, 93], rel=0.05)


def test_quantiles_interpolate_between_their_points() -> None:
    drawn = example("quantiles").draw(rng(), N)
    shares = [(drawn <= value).mean() for value in (1, 65, 129, 424, 601, 1000)]
    assert shares == pytest.approx([0, 0.25, 0.5, 0.9, 0.99, 1], abs=0.005)
    assert example("quantiles").mean_value == pytest.approx(0.5 * 65 + 0.4 * 276.5 + 0.09 * 512.5 + 0.01 * 800.5)


def test_a_step_in_the_quantiles_is_an_atom() -> None:
    drawn = token_law("quantiles", at={0: 10, 0.3: 10, 1: 20}).draw(rng(), N)
    assert (drawn == 10).mean() == pytest.approx(0.3, abs=0.01)


def test_histogram_draws_its_values_by_weight() -> None:
    values, counts = np.unique(example("histogram").draw(rng(), N), return_counts=True)
    assert values.tolist() == [1, 5, 20]
    assert stats.chisquare(counts, [N / 2, N / 4, N / 4]).pvalue > ALPHA


def test_histogram_from_a_file_is_the_inline_one(tmp_path: Path) -> None:
    file = tmp_path / "lengths.csv"
    file.write_text("value,weight\n1,2\n5,1\n20,1\n")
    read = token_law("histogram", file=str(file))
    assert np.array_equal(read.draw(rng(), 100), example("histogram").draw(rng(), 100))
    assert read.mean_value == example("histogram").mean_value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("value,weight\n1,0\n", "weight: is 0 in every row"),
        ("value,weight\n", "has no rows"),
        ("values,weight\n1,1\n", "1: value: column missing; the header is values,weight"),
        ("value,weight\n1,1\n2,-1\n", "3: weight: must be at least 0, got '-1'"),
        ("value,weight\n1,nan\n", "2: weight: must be a number, got 'nan'"),
    ],
)
def test_a_wrong_histogram_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "lengths.csv"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        token_law("histogram", file=str(file)).draw(rng(), 1)
    assert str(caught.value) in (f"{file}:{said}", f"{file}: {said}")


def test_clamped_draws_stay_within_and_the_mean_follows() -> None:
    law = token_law("exponential", mean=100, min=10, max=200)
    drawn = law.draw(rng(), N)
    assert drawn.min() == 10
    assert drawn.max() == 200
    exact = 10 + 100 * (math.exp(-0.1) - math.exp(-2))
    assert law.mean_value == pytest.approx(exact, rel=0.01)
    assert drawn.mean() == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_drawing_in_pieces_is_drawing_at_once(name: str) -> None:
    law, whole, pieces = example(name), rng(), rng()
    at_once = law.draw(whole, 1000)
    assert np.array_equal(at_once, np.concatenate([law.draw(pieces, n) for n in (1, 9, 490, 500)]))
    assert np.array_equal(at_once[:137], law.draw(rng(), 137))


def test_quantities_read_as_their_field_says() -> None:
    assert duration_law("uniform", low="250ms", high="2m").draw(rng(), N).max() == pytest.approx(120, rel=0.01)
    assert token_law("constant", value="4k").mean_value == 4000
    assert token_law("quantiles", at={"0%": 1, "50%": "1k", 1: 2000}).mean_value == pytest.approx(0.5 * 500.5 + 750)


def test_a_law_may_be_handed_over_as_an_object() -> None:
    inner = token_law("gamma", mean=3, cv=2)
    assert isinstance(inner, Distribution)
    assert token_law("gamma", mean=3, cv=2) == inner


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "constant", "value": -1}, "value: must be at least 0, got -1"),
    ({"kind": "constant", "value": math.nan}, "value: must be a finite number, got nan"),
    ({"kind": "constant", "value": math.inf}, "value: must be a finite number, got inf"),
    ({"kind": "constant", "value": "5s"}, "value: must be a number, such as 1024, 4k or 1.5M; got '5s'"),
    ({"kind": "constant", "value": None}, "value: must be a number, such as 1024, 4k or 1.5M; got nothing"),
    ({"kind": "exponential", "mean": 1, "cv": 2}, "cv: Extra inputs are not permitted"),
    ({"kind": "erlang", "phases": 0, "mean": 1}, "phases: must be above 0, got 0"),
    ({"kind": "erlang", "phases": 1.5, "mean": 1}, "phases: must be a whole number, got 1.5"),
    ({"kind": "gamma", "mean": 1, "shape": 2}, "gamma: takes one of: mean and cv; shape and scale; got mean and shape"),
    ({"kind": "gamma", "mean": 1}, "gamma: takes one of: mean and cv; shape and scale; got mean"),
    ({"kind": "weibull"}, "weibull: takes one of: mean and cv; shape and scale; got none of them"),
    ({"kind": "weibull", "shape": 0.01, "scale": 1}, "shape: must be at least 0.05, got 0.01"),
    ({"kind": "lognormal", "mean": 0, "cv": 1}, "mean: must be above 0, got 0"),
    ({"kind": "lognormal", "median": 5, "p99": 5}, "p99: must be above the median (5), got 5"),
    ({"kind": "lognormal", "mean": 5, "cv": 0}, "cv: must be between 0.001 and 1000, got 0"),
    ({"kind": "lognormal", "mu": 49, "sigma": 9}, "lognormal: has a mean above 1e+15: is the unit right?"),
    ({"kind": "uniform", "low": 5, "high": 1}, "low: must be at most high (1), got 5"),
    ({"kind": "uniform", "low": 5, "high": 6, "min": 9, "max": 1}, "min: must be at most max (1), got 9"),
    ({"kind": "hyperexponential", "p": [0.5, 0.4], "means": [1, 2]}, "p: must sum to 1, got 0.9"),
    ({"kind": "hyperexponential", "p": [0.5, 0.5], "means": [1]}, "means: must be as many as p (2), got 1"),
    (
        {"kind": "hyperexponential", "mean": 1, "cv": 0.5},
        "cv: must be at least 1 for a hyperexponential law, got 0.5; try gamma",
    ),
    ({"kind": "quantiles", "at": {}}, "at: must start at share 0 and end at share 1"),
    ({"kind": "quantiles", "at": {0: 1, 0.5: 2}}, "at: must start at share 0 and end at share 1"),
    ({"kind": "quantiles", "at": {0: 1, 0.9: 2, 0.5: 3, 1: 4}}, "at: shares must rise, got 0.5 after 0.9"),
    ({"kind": "quantiles", "at": {0: 1, 0.5: 3, 1: 2}}, "at: values must not fall, got 2 after 3"),
    ({"kind": "quantiles", "at": {0: 1, 0.5: 2, "50%": 3, 1: 4}}, "at: names the same share twice"),
    ({"kind": "quantiles", "at": {0: 1, 2: 3}}, "[key]: must be between 0 and 1, got 2; did you mean '2%'?"),
    ({"kind": "histogram", "values": [1, 2], "weights": [1]}, "weights: must be as many as values (2), got 1"),
    ({"kind": "histogram", "values": [1], "weights": [0]}, "weights: must sum to more than 0"),
    ({"kind": "histogram", "values": [1]}, "histogram: takes one of: values and weights; file; got values"),
]


@pytest.mark.parametrize(("keys", "said"), WRONG, ids=lambda value: str(value)[:60])
def test_wrong_parameters_are_told(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        token_law(keys["kind"], **{key: value for key, value in keys.items() if key != "kind"})
    assert complaint(caught.value) == [said]


@pytest.mark.parametrize("name", TRUTH)
def test_scv_is_that_of_the_law(name: str) -> None:
    law, truth = example(name), TRUTH[name]
    if isinstance(truth, Hyper):
        shares, means = np.array(truth.shares), np.array(truth.means)
        expected = 2 * float(shares @ means**2) / float(shares @ means) ** 2 - 1
    else:
        expected = float(truth.var() / truth.mean() ** 2)
    assert law.scv == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_scv_is_that_of_the_draws(name: str) -> None:
    law = example(name)
    drawn = law.draw(rng(), N)
    assert law.scv == pytest.approx(float(drawn.var() / drawn.mean() ** 2) if drawn.any() else 0.0, rel=0.15, abs=0.01)
