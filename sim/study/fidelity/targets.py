"""What a calibration is to match of each operating point, and how well each number is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sim.study.fidelity import traps
from sim.study.fidelity.measured import OperatingPoint
from sim.study.fidelity.rerun import Outcome

NOISE = {"tpot": 0.02, "ttft": 0.05, "e2e": 0.02, "rate": 0.03}
TTFT_FLOOR_S = 0.001
QUEUED_SHARE = 0.25
"""A point whose requests wait for a seat this share of the TTFT tells nothing of the overhead."""
GROWN = 3.0
"""Times to first token this many times those of the lightest load of like prompts have a queue in them."""


@dataclass(frozen=True)
class Target:
    """One number to match: what was measured, how well it is known, and how to read it off an outcome."""

    point: int
    metric: str
    measured: float
    sd: float
    read: Callable[[Outcome], float]

    def error(self, outcome: Outcome) -> float:
        """In standard deviations; of logarithms, so that being half is as wrong as being double."""
        return math.log(self.read(outcome) / self.measured) * self.measured / self.sd


def targets(points: Sequence[OperatingPoint], starts: Sequence[Outcome], warm: bool) -> list[Target]:
    """Of every point, what the simulator has too: one token has no time per token.

    `starts` are the points before anything is fitted. `warm`: prompts seem to be cached, so no TTFT counts.
    """
    wanted = (target for at, start in enumerate(starts) for target in _of_point(points, at, start, warm))
    return [target for target in wanted if target.read(starts[target.point]) > 0]


def _of_point(points: Sequence[OperatingPoint], at: int, start: Outcome, warm: bool) -> list[Target]:
    """What was measured of a point. Its TTFT only where no queue is in it, and prompts were prefilled."""
    point, found = points[at], []
    if point.derived_tpot_s is not None:
        tpot = point.derived_tpot_s
        found.append(Target(at, "tpot", tpot, NOISE["tpot"] * tpot, lambda o: o.derived_tpot_s))
    elif point.tpot.mean is not None:
        found.append(Target(at, "tpot", point.tpot.mean, NOISE["tpot"] * point.tpot.mean, lambda o: o.tpot_s))
    elif point.e2e.mean is not None:
        found.append(Target(at, "e2e", point.e2e.mean, NOISE["e2e"] * point.e2e.mean, lambda o: o.e2e_s))
    queued = start.queue_wait_s > QUEUED_SHARE * start.ttft_s + 2.0 * start.tpot_s or _grown(points, point)
    if queued and point.achieved_per_s and _saturated(point):
        rate = point.achieved_per_s
        found.append(Target(at, "rate", rate, NOISE["rate"] * rate, lambda o: o.achieved_per_s))
    if queued or warm or point.ttft.mean is None:
        return found
    median = traps.is_cold(point) and point.ttft.p50 is not None
    ttft = point.ttft.p50 if median and point.ttft.p50 is not None else point.ttft.mean
    name = "ttft_s_p50" if median else "ttft_s_mean"
    found.append(Target(at, "ttft", ttft, NOISE["ttft"] * ttft + TTFT_FLOOR_S, lambda o: o.figures[name]))
    return found


def _grown(points: Sequence[OperatingPoint], point: OperatingPoint) -> bool:
    """Whether the measured TTFT is several times the lightest load's of like prompts: a queue is in it."""
    alike = [
        other.ttft.mean
        for other in points
        if other.ttft.mean is not None and 0.7 < (other.prompt_tokens + 1) / (point.prompt_tokens + 1) < 1.4
    ]
    return point.ttft.mean is not None and point.ttft.mean > GROWN * min(alike, default=math.inf)


def _saturated(point: OperatingPoint) -> bool:
    return point.rate_per_s is None or (point.achieved_per_s or 0.0) < traps.CAPPED_SHARE * point.rate_per_s
