"""Arrival laws: the right law, the same points when demand is scaled, clear errors."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import integrate, optimize, stats

from sim.config.errors import ConfigError, DataError
from sim.workload.rates import RateCurve
from tests.laws import arrival_example, arrival_law, complaint, duration_law, rngs
from tests.validation.reference import SHARED

ALPHA = 1e-3


def unit_gaps(curve: RateCurve, times: Any) -> Any:
    """Gaps on the curve's own clock: exponential of mean 1 if the times are Poisson with its rate."""
    return np.diff([curve.expected(time) for time in times], prepend=0.0)


def fano(times: Any, window_s: float, horizon_s: float) -> float:
    counts = np.histogram(times, bins=np.arange(0, horizon_s + window_s / 2, window_s))[0]
    return float(counts.var(ddof=1) / counts.mean())


def test_poisson_gaps_are_exponential() -> None:
    times = arrival_law("poisson", rate="20/s").arrivals(rngs(), 5000.0)
    assert len(times) == pytest.approx(100_000, abs=4 * math.sqrt(100_000))
    assert stats.kstest(np.diff(times, prepend=0.0), stats.expon(scale=0.05).cdf).pvalue > ALPHA


@pytest.mark.parametrize("kind", ["erlang", "gamma", "hyperexponential"])
def test_renewal_gaps_follow_their_law(kind: str) -> None:
    gap: dict[str, Any] = {"mean": 0.1, **({"phases": 4} if kind == "erlang" else {"cv": 2})}
    times = arrival_law("renewal", gap={"kind": kind, **gap}).arrivals(rngs(), 5000.0)
    gaps = np.diff(times, prepend=0.0)
    again = duration_law(kind, **gap).draw(np.random.default_rng(5), 50_000)
    assert stats.ks_2samp(gaps, again).pvalue > ALPHA
    assert abs(stats.spearmanr(gaps[1:], gaps[:-1]).statistic) < 0.02


def test_constant_gaps_are_a_grid() -> None:
    law = arrival_law("renewal", gap={"kind": "constant", "value": 0.25})
    assert law.arrivals(rngs(), 1.0).tolist() == [0.25, 0.5, 0.75]
    assert law.mean_rate(1.0) == 4


def test_mmpp_starts_stationary() -> None:
    """From the first instant on, the mean rate is the stationary one: 2 * 5/6 + 20 * 1/6 = 5."""
    law = arrival_example("mmpp")
    counts = [len(law.arrivals(rngs(replication=r), 0.5)) for r in range(4000)]
    assert np.mean(counts) == pytest.approx(2.5, abs=4 * np.std(counts) / math.sqrt(4000))
    assert law.mean_rate(100.0) == pytest.approx(5)


def test_mmpp_is_as_bursty_as_it_should_be() -> None:
    """Index of dispersion over long windows: 1 + 2 (r1-r2)^2 l1 l2 / ((l1+l2)^2 (r1 l2 + r2 l1))."""
    law, r1, r2, l1, l2 = arrival_example("mmpp"), 2.0, 20.0, 0.1, 0.5
    times = law.arrivals(rngs(), 400_000.0)
    limit = 1 + 2 * (r1 - r2) ** 2 * l1 * l2 / ((l1 + l2) ** 2 * (r1 * l2 + r2 * l1))
    assert fano(times, 400.0, 400_000.0) == pytest.approx(limit, rel=0.2)
    assert len(times) / 400_000 == pytest.approx(5, rel=0.02)


def test_mmpp_walks_its_states_in_order_and_stays_as_long_as_it_should() -> None:
    law: Any = arrival_law("mmpp", rates=[100, 0, 1000], leave=[0.01, 0.02, 0.05])
    path = law._path(rngs()("arrival_states"), 3_000_000.0)
    following = {100.0: 0.0, 0.0: 1000.0, 1000.0: 100.0}
    assert all(following[before] == after for before, after in pairwise(path.rate.tolist()))
    for rate, mean_s in ((100, 100), (0, 50), (1000, 20)):
        stays_s = path.width_s[:-1][path.rate[:-1] == rate]
        assert stats.kstest(stays_s, stats.expon(scale=mean_s).cdf).pvalue > ALPHA


def test_batches_arrive_together() -> None:
    law = arrival_law("batch", rate=2, size={"kind": "constant", "value": 4})
    times = law.arrivals(rngs(), 1000.0)
    assert np.array_equal(
        times.reshape(-1, 4), np.repeat(arrival_law("poisson", rate=2).arrivals(rngs(), 1000.0), 4).reshape(-1, 4)
    )
    assert law.mean_rate(1.0) == 8


def test_batch_sizes_have_random_numbers_of_their_own() -> None:
    """So a busier run brings the same batches, earlier; and sizes know nothing of gaps."""
    size = {"kind": "exponential", "mean": 20}
    calm, busy = (arrival_law("batch", rate=rate, size=size).arrivals(rngs(), 1000.0) for rate in (2, 4))
    counts = [np.unique(times, return_counts=True) for times in (calm, busy)]
    n = len(counts[0][1])
    assert np.array_equal(counts[0][1], counts[1][1][:n])
    gaps = np.diff(counts[0][0], prepend=0.0)
    assert abs(stats.spearmanr(gaps, counts[0][1]).statistic) < 0.1


def test_a_batch_has_at_least_one_request() -> None:
    law = arrival_law("batch", rate=2, size={"kind": "exponential", "mean": 0.1})
    assert np.array_equal(law.arrivals(rngs(), 50.0), arrival_law("poisson", rate=2).arrivals(rngs(), 50.0))


def test_a_linear_curve_is_inverted_exactly() -> None:
    law: Any = arrival_example("curve")
    times = law.arrivals(rngs(), 1000.0)
    points = np.cumsum(rngs()("arrivals").standard_exponential(len(times)))
    assert [law.rate_curve.expected(time) for time in times] == pytest.approx(points.tolist(), rel=1e-12)
    assert stats.kstest(unit_gaps(law.rate_curve, times), stats.expon.cdf).pvalue > ALPHA
    assert not ((times > 120) & (times < 240)).any(), "the rate is 0 there"
    assert law.mean_rate(300.0) * 300 == pytest.approx(330 + 300 + 0 + 240)
    assert law.mean_rate(400.0) * 400 == pytest.approx(870 + 8 * 100), "the last rate goes on"


def test_a_curve_in_steps_holds_each_rate() -> None:
    law: Any = arrival_example("curve in steps, repeated")
    edges = np.cumsum([0] + [100, 50] * 200)
    counts = np.histogram(law.arrivals(rngs(), 30_000.0), bins=edges)[0]
    assert counts[::2].mean() == pytest.approx(100, rel=0.03)
    assert counts[1::2].mean() == pytest.approx(500, rel=0.01)
    assert [law.rate_curve.expected(t) for t in (50.0, 100.0, 150.0, 175.0, 300.0)] == [50, 100, 600, 625, 1200]


def test_a_closed_linear_curve_repeats_after_its_last_point() -> None:
    law: Any = arrival_law("curve", points=[[0, 2], [50, 6], [100, 2]], repeat=True)
    assert [law.rate_curve.expected(t) for t in (50.0, 100.0, 150.0, 1e6)] == [200, 400, 600, 4e6]
    times = law.arrivals(rngs(), 10_000.0)
    assert stats.kstest(unit_gaps(law.rate_curve, times), stats.expon.cdf).pvalue > ALPHA


def test_a_curve_may_start_late_and_be_scaled() -> None:
    law: Any = arrival_law("curve", points=[["1m", "10/s"], ["2m", "20/s"]], scale=0.5)
    assert [law.rate_curve.expected(t) for t in (60.0, 120.0, 180.0)] == pytest.approx([300, 750, 1350])


def test_a_curve_is_scaled_to_a_peak_or_a_mean() -> None:
    """10 to 20 in a minute, after a minute of 10: 600 + 900 in two minutes, a mean of 12.5."""
    points = [["1m", "10/s"], ["2m", "20/s"]]
    peak: Any = arrival_law("curve", points=points, peak="40/s").rate_curve
    mean: Any = arrival_law("curve", points=points, mean="25/s").rate_curve
    assert [peak.expected(t) for t in (60.0, 120.0, 180.0)] == [mean.expected(t) for t in (60.0, 120.0, 180.0)]
    assert [peak.expected(t) for t in (60.0, 120.0, 180.0)] == pytest.approx([1200, 3000, 5400])
    steps: Any = arrival_law("curve", points=[[0, 2], [50, 6], [100, 9]], interpolate="step", repeat=True, mean=8)
    assert steps.mean_rate(100.0) == pytest.approx(8)
    assert steps.rate_curve.highest == pytest.approx(12), "the last point's rate never holds"


def test_a_scaled_curve_keeps_the_points() -> None:
    points = [[0, 1], [100, 3]]
    times = arrival_law("curve", points=points, scale=4).arrivals(rngs(), 200.0)
    assert arrival_law("curve", points=points, peak=12).arrivals(rngs(), 200.0) == pytest.approx(times)


WEEK = SHARED / "data/traces/servegen_m-large_week1_rate_10min.csv"


@pytest.mark.skipif(not WEEK.exists(), reason=f"no ../shared/{WEEK.relative_to(SHARED)} beside the checkout")
def test_a_week_of_rates_is_read_by_its_own_column_names() -> None:
    law: Any = arrival_law("curve", file=str(WEEK), columns=["t", "total_rate_rps"], peak="50/s")
    table = np.loadtxt(WEEK, delimiter=",", skiprows=1)
    assert law.rate_curve.highest == pytest.approx(50)
    day = table[table[:, 0] <= 86_400]
    expected = float(np.sum((day[1:, 1] + day[:-1, 1]) / 2 * np.diff(day[:, 0]))) * 50 / table[:, 1].max()
    assert law.rate_curve.expected(86_400.0) == pytest.approx(expected)


def test_a_curve_from_a_file_is_the_inline_one(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("t_s,rate_per_s\n0,1\n60,10\n120,0\n240,0\n300,8\n")
    read = arrival_law("curve", file=str(file))
    assert np.array_equal(read.arrivals(rngs(), 500.0), arrival_example("curve").arrivals(rngs(), 500.0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t_s,rate_per_s\n0,1\n60,oops\n", ":3: rate_per_s: must be a number, got 'oops'"),
        ("t_s,rate_per_s\n0,1\n60,2\n30,1\n", ":4: t_s: must not fall, got 30 after 60"),
        ("t_s,rate_per_s\n0,0\n60,0\n", ": rate_per_s: is 0 in every row"),
        ("t,rate\n0,0\n", ":1: t_s: column missing; the header is t,rate"),
    ],
)
def test_a_wrong_curve_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        arrival_law("curve", file=str(file)).arrivals(rngs(), 10.0)
    assert str(caught.value) == f"{file}{said}"


def test_diurnal_has_its_mean_peak_hour_and_trough_hour() -> None:
    law: Any = arrival_law("diurnal", rate="128.6/s", peak=1.86, trough=0.30)
    hours = [law.rate_curve.expected(h * 3600.0) / 128.6 / 3600 for h in (2.5, 3.5, 14.5, 15.5, 24)]
    assert hours[4] == pytest.approx(24)
    assert hours[1] - hours[0] == pytest.approx(0.30, abs=1e-9)
    assert hours[3] - hours[2] == pytest.approx(1.86, abs=1e-9)


def test_diurnal_inversion_is_accurate_to_a_microsecond() -> None:
    """Against a root finder on the integral of the rate."""
    law: Any = arrival_law("diurnal", rate=10, peak=1.86, trough=0.30, peak_at="15h")
    a, b, c = law._shape

    def rate(t: float) -> float:
        x = math.cos(2 * math.pi * (t - 54_000) / 86_400)
        return 10 * (a + b * x + c * x * x)

    def expected(t: float) -> float:
        return float(integrate.quad(rate, 0, t, epsabs=1e-10, epsrel=1e-13, limit=200)[0])

    points = np.linspace(100.0, 860_000.0, 23)
    times = law.rate_curve.stretch(points.copy())
    for point, time in zip(points, times, strict=True):
        exact = optimize.brentq(lambda t, goal=point: expected(t) - goal, time - 60, time + 60, xtol=1e-12)
        assert time == pytest.approx(exact, abs=1e-6)


def test_diurnal_gaps_are_exponential_on_its_own_clock() -> None:
    law: Any = arrival_example("diurnal")
    times = law.arrivals(rngs(), 3600.0)
    assert stats.kstest(unit_gaps(law.rate_curve, times), stats.expon.cdf).pvalue > ALPHA


def test_a_flat_day_is_poisson() -> None:
    flat = arrival_law("diurnal", rate=5, peak=1, trough=1).arrivals(rngs(), 1000.0)
    assert flat.tolist() == pytest.approx(arrival_law("poisson", rate=5).arrivals(rngs(), 1000.0).tolist())


def test_spike_climbs_stays_and_falls() -> None:
    law: Any = arrival_example("spike")
    expected = [law.rate_curve.expected(t) for t in (120.0, 150.0, 210.0, 240.0, 300.0)]
    assert expected == pytest.approx([600, 600 + 375, 975 + 1200, 2175 + 375, 2550 + 300])


def test_an_outage_is_a_spike_of_factor_zero() -> None:
    times = arrival_law("spike", rate=50, factor=0, at=10, duration=10).arrivals(rngs(), 30.0)
    assert not ((times > 10) & (times < 20)).any()
    assert len(times) == pytest.approx(1000, abs=150)


def test_cox_rate_is_lognormal_with_its_cv_and_memory() -> None:
    law: Any = arrival_law("cox", rate=5, cv=0.5, correlation="20s")
    curve = law._path(rngs()("arrival_rate"), 2_000_000.0)
    every = curve.rate[::64]  # one a correlation time
    assert every.mean() == pytest.approx(5, rel=0.01)
    assert every.std() / every.mean() == pytest.approx(0.5, rel=0.02)
    logs = np.log(every)
    assert stats.kstest((logs - logs.mean()) / logs.std(), stats.norm.cdf).pvalue > ALPHA
    assert np.corrcoef(logs[1:], logs[:-1])[0, 1] == pytest.approx(math.exp(-1), abs=0.02)


def test_cox_starts_stationary() -> None:
    law: Any = arrival_law("cox", rate=5, cv=0.5, correlation="20s")
    first = np.log([law._path(rngs(replication=r)("arrival_rate"), 1.0).rate[0] for r in range(2000)])
    variance = math.log(1.25)
    assert stats.kstest(first, stats.norm(math.log(5) - variance / 2, math.sqrt(variance)).cdf).pvalue > ALPHA


def test_cox_counts_are_dispersed_as_theory_says() -> None:
    """In windows w = r tau of a rate with covariance (rate cv)^2 exp(-t/tau): 1 + 2 rate cv^2 tau (1 - (1-e^-r)/r)."""
    law = arrival_law("cox", rate=5, cv=0.2, correlation="50s")
    times = law.arrivals(rngs(), 500_000.0)
    for window_s in (10.0, 50.0):
        r = window_s / 50
        theory = 1 + 2 * 5 * 0.04 * 50 * (1 - (1 - math.exp(-r)) / r)
        assert fano(times, window_s, 500_000.0) == pytest.approx(theory, rel=0.05)


@pytest.mark.parametrize("name", ["poisson", "curve", "diurnal", "spike"])
def test_scaling_demand_keeps_the_same_points(name: str) -> None:
    """Common random numbers: point i of the busier run is point i of the calmer one, earlier."""
    law, more = arrival_example(name), 1.25
    calm = law.arrivals(rngs(), 900.0)
    if name == "curve":
        busier: Any = law.model_copy(update={"scale": more})
    else:
        busier = law.model_copy(update={"rate": 5 * more})
    busy = busier.arrivals(rngs(), 900.0)
    assert len(busy) > len(calm)
    assert (busy[: len(calm)] <= calm).all()
    curve = getattr(law, "rate_curve", None)
    mean = curve.expected if curve is not None else lambda time: 5 * time
    assert [mean(t) * more for t in busy[: len(calm)]] == pytest.approx([mean(t) for t in calm], rel=1e-7)


def test_scaling_a_random_rate_keeps_its_drift() -> None:
    calm: Any = arrival_example("cox")
    busy: Any = calm.model_copy(update={"rate": 10.0})
    rates = [law._path(rngs()("arrival_rate"), 600.0).rate for law in (calm, busy)]
    assert rates[1].tolist() == pytest.approx((2 * rates[0]).tolist())


@pytest.mark.parametrize("factor", [2.0, 0.25])
def test_stretching_time_stretches_every_arrival(factor: float) -> None:
    """No hidden absolute seconds: durations times k and rates over k give arrivals times k, to the bit for k = 2^m."""
    pairs = [
        (arrival_law("poisson", rate=4), arrival_law("poisson", rate=4 / factor)),
        (
            arrival_law("cox", rate=4, cv=0.5, correlation=16),
            arrival_law("cox", rate=4 / factor, cv=0.5, correlation=16 * factor),
        ),
        (
            arrival_law("mmpp", rates=[2, 16], leave=[0.125, 0.5]),
            arrival_law("mmpp", rates=[2 / factor, 16 / factor], leave=[0.125 / factor, 0.5 / factor]),
        ),
        (
            arrival_law("spike", rate=4, factor=3, at=64, duration=32, ramp=8),
            arrival_law("spike", rate=4 / factor, factor=3, at=64 * factor, duration=32 * factor, ramp=8 * factor),
        ),
    ]
    for law, stretched in pairs:
        times, slower = law.arrivals(rngs(), 512.0), stretched.arrivals(rngs(), 512.0 * factor)
        assert len(times) > 100
        assert np.array_equal(times * factor, slower), law.kind


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "poisson", "rate": 0}, "rate: must be above 0, got 0"),
    ({"kind": "poisson", "rate": "-5/s"}, "rate: must be above 0, got '-5/s'"),
    ({"kind": "poisson", "rate": math.nan}, "rate: must be a finite number, got nan"),
    ({"kind": "renewal", "gap": {"kind": "constant", "value": 0}}, "gap: has mean 0: infinitely many arrivals"),
    ({"kind": "mmpp", "rates": [1], "leave": [1]}, "rates: needs at least two states; for one, use poisson"),
    ({"kind": "mmpp", "rates": [1, 2], "leave": [1]}, "leave: must be as many as rates (2), got 1"),
    ({"kind": "mmpp", "rates": [0, 0], "leave": [1, 1]}, "rates: must not all be 0"),
    ({"kind": "mmpp", "rates": [0, 1], "leave": [1, 0]}, "1: must be above 0, got 0"),
    ({"kind": "batch", "rate": 1, "size": {"kind": "constant", "value": -1}}, "value: must be at least 0, got -1"),
    ({"kind": "curve"}, "curve: takes either points or file"),
    ({"kind": "curve", "points": [[0, 1]], "file": "x"}, "curve: takes either points or file"),
    ({"kind": "curve", "points": [[0, 1]], "columns": ["t", "rate"]}, "columns: is only used with file"),
    ({"kind": "curve", "points": [[0, 1]], "scale": 2, "peak": 3}, "curve: takes one of scale, mean and peak"),
    ({"kind": "curve", "points": []}, "points: must hold at least one pair of time and rate"),
    ({"kind": "curve", "points": [[0, 0], [9, 0]]}, "points: must not all have rate 0"),
    ({"kind": "curve", "points": [[5, 1], [2, 1]]}, "points: times must not fall, got 2 after 5"),
    ({"kind": "curve", "points": [[0, 1]], "period": 9}, "period: is only used with repeat: true"),
    ({"kind": "curve", "points": [[0, 1]], "repeat": True}, "repeat: needs a point after time 0, or a period"),
    (
        {"kind": "curve", "points": [[0, 1], [9, 1]], "repeat": True, "period": 5},
        "period: must be at least the last point's time (9 s), got 5 s",
    ),
    ({"kind": "diurnal", "rate": 1, "peak": 0.9, "trough": 0.5}, "peak: must be at least 1, got 0.9"),
    ({"kind": "diurnal", "rate": 1, "peak": 1.9, "trough": 1.5}, "trough: must be at most 1, got 1.5"),
    (
        {"kind": "diurnal", "rate": 1, "peak": 1.2, "trough": 0.001},
        "diurnal: peak 1.2 and trough 0.001 do not fit one smooth daily wave: between them the rate would turn twice; "
        "bring peak - 1 and 1 - trough closer together, or give a curve",
    ),
    (
        {"kind": "diurnal", "rate": 1, "peak": 2, "trough": 0},
        "trough: with peak 2 the rate would go below 0 in the trough; raise it",
    ),
    (
        {"kind": "spike", "rate": 1, "factor": 2, "at": 0, "duration": 0},
        "duration: must be above 0, got 0",
    ),
    ({"kind": "cox", "rate": 1, "cv": 0, "correlation": 1}, "cv: must be between 0.001 and 10, got 0"),
]


@pytest.mark.parametrize(("keys", "said"), WRONG, ids=lambda value: str(value)[:60])
def test_wrong_parameters_are_told(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        arrival_law(keys["kind"], **{key: value for key, value in keys.items() if key != "kind"})
    assert complaint(caught.value) == [said]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"kind": "renewal", "gap": {"kind": "lognormal", "mu": -50, "sigma": 10}},
            "arrivals.gap: draws gaps far below",
        ),
        ({"kind": "mmpp", "rates": [1, 2], "leave": ["1G/s", "1G/s"]}, "arrivals.leave: states change too often"),
        ({"kind": "cox", "rate": 1, "cv": 1, "correlation": "1us"}, "arrivals.correlation: is too short"),
        ({"kind": "poisson", "rate": "1G/s"}, "about 3.6e+12 requests before the horizon; one run holds at most"),
        (
            {"kind": "curve", "points": [[0, 0], [9, 1]], "interpolate": "step", "repeat": True},
            "arrivals: the rate is 0 at all times but the last point's",
        ),
    ],
)
def test_what_no_run_can_hold_is_refused(keys: dict[str, Any], said: str) -> None:
    law = arrival_law(keys["kind"], **{key: value for key, value in keys.items() if key != "kind"})
    with pytest.raises(ConfigError) as caught:
        law.arrivals(rngs(), 3600.0)
    assert str(caught.value).startswith(said)
