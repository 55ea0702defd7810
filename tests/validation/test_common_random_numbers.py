"""What common random numbers are worth: a true difference of 2 % in mean wait, known by theory, and the requests that
it takes to see it: on pairs of the same traffic, and on independent runs.

The half width of an interval falls with the root of the requests, so the requests that two ways need for the same
interval are to each other as the variances of their differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from sim import load
from sim.scenario import Scenario
from sim.study.compared.compare import WAIT, compare
from sim.study.executors import executor, usable_cores
from sim.study.replicated.replications import replicate
from sim.theory import MMc
from tests.validation.cases import poisson, queue

ARRIVALS_PER_S, SERVERS, TRUE_SHARE = 2.8, 4, 0.02
BASELINE = MMc(SERVERS, ARRIVALS_PER_S, 1.0)
TRUE_S = TRUE_SHARE * BASELINE.mean_wait_s
LEAST_WORTH = 3.0
"""Times fewer requests."""
SIZES = {"small": (40, 1000.0), "large": (200, 4000.0)}
"""Replications, and the seconds of each that are measured."""


@dataclass(frozen=True)
class Waits:
    """Mean waits of the replications: of the baseline, of the other on the same numbers, and on numbers of its own."""

    ours_s: NDArray[np.float64]
    paired_s: NDArray[np.float64]
    alone_s: NDArray[np.float64]

    @property
    def worth(self) -> float:
        """How many times fewer requests pairs need."""
        return float((self.ours_s.var(ddof=1) + self.alone_s.var(ddof=1)) / (self.paired_s - self.ours_s).var(ddof=1))

    @property
    def surely(self) -> float:
        """What it is at least, with 99.9 % or so: by the F of two variances, as if these were independent."""
        pairs = len(self.ours_s)
        return self.worth / float(stats.f.ppf(0.999, 2 * pairs - 2, pairs - 1))

    def half_width_s(self, paired: bool, replications: float) -> float:
        """Of the 95 % interval of the difference, from so many replications."""
        difference, alone = self.paired_s - self.ours_s, self.ours_s.var(ddof=1) + self.alone_s.var(ddof=1)
        return 1.96 * math.sqrt(float(difference.var(ddof=1) if paired else alone) / replications)

    def needed(self, paired: bool) -> int:
        """Replications from which that is half of what is to be seen: it leaves 0 nearly always."""
        return max(math.ceil((self.half_width_s(paired, 1) / (TRUE_S / 2)) ** 2), 2)


def slower(servers: int) -> float:
    """The mean service time with which so many servers have a mean wait longer by exactly 2 %."""
    wanted_s = (1 + TRUE_SHARE) * BASELINE.mean_wait_s
    most = servers / ARRIVALS_PER_S * 0.999
    return float(
        brentq(lambda mean_s: MMc(servers, ARRIVALS_PER_S, mean_s).mean_wait_s - wanted_s, 0.1, most, xtol=1e-12)
    )


def scenario(servers: int, mean_service_s: float, measured_s: float, seed: int = 1) -> Scenario:
    return load(
        {
            "name": "waits",
            "seed": seed,
            "calendar": "compiled",
            "warmup": 100,
            "horizon": 100 + measured_s,
            "workload": {
                "arrivals": poisson(ARRIVALS_PER_S),
                "service": {"kind": "exponential", "mean": mean_service_s},
            },
            "pools": {"pool": queue(servers)},
        }
    )


def measured(servers: int, size: str) -> Waits:
    replications, measured_s = SIZES[size]
    mean_s = slower(servers)
    ours, other = scenario(SERVERS, 1.0, measured_s), scenario(servers, mean_s, measured_s)
    with executor(usable_cores() if size == "large" else 1) as workers:
        baseline, (compared,) = compare([("ours", ours), ("other", other)], replications, workers)
        alone = replicate(scenario(servers, mean_s, measured_s, seed=2), replications, executor=workers)
    found = compared.of(WAIT)
    assert found is not None
    # weighted with the requests of each run, as it should be; the mean of the pairs is near
    values = [np.array(each.estimates.values(WAIT)) for each in (baseline, compared.replicated, alone)]
    waits = Waits(*values)
    assert found.more.estimate == pytest.approx((waits.paired_s - waits.ours_s).mean(), abs=found.more.half_width)
    assert found.is_distinguishable
    assert found.at(0.999).more.low < TRUE_S < found.at(0.999).more.high, "what is seen is the truth"
    return waits


CASES: list[tuple[str, int]] = [("service longer by a hair", SERVERS), ("five servers, slower", SERVERS + 1)]


@pytest.mark.parametrize(("name", "servers"), CASES)
@pytest.mark.parametrize("size", ["small", pytest.param("large", marks=pytest.mark.slow)])
def test_pairs_need_far_fewer_requests(
    name: str, servers: int, size: str, record_property: Callable[[str, object], None]
) -> None:
    waits = measured(servers, size)
    requests = ARRIVALS_PER_S * SIZES[size][1]
    needed = [round(waits.needed(paired) * requests) for paired in (True, False)]
    told = (
        f"{name}: {waits.worth:.0f} times fewer requests (at least {waits.surely:.1f} with 99.9 %); "
        f"of each scenario {needed[0]:,} in pairs, {needed[1]:,} in independent runs"
    )
    record_property("worth", told)
    print(told)
    assert waits.surely >= LEAST_WORTH, told
    assert needed[1] >= LEAST_WORTH * needed[0], told
