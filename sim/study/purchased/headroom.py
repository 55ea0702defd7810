"""The headroom waterfall: what each replica beyond the bare load is for, line by line; never one percentage.

The lines are those of a fleet at one time: the load itself, the SLO, the error of the forecast over the lead time, a
lost failure domain, a rolling update, and what an autoscaler needs until ordered replicas are ready. Their sum is the
fleet.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.result.twin import twin
from sim.result.twin.traffic import horizon_of, traffic_of
from sim.scenario import Pool, Scenario
from sim.study.planned.survive import spares_of
from sim.study.purchased.fleets import Make, fixed, grown, made_of
from sim.study.purchased.purchases import Line

if TYPE_CHECKING:
    from sim.scenario.plan import Survive

Spares = Callable[[int], int]
"""From the replicas that requests take to those beside them."""


def survivors(survive: Survive | None, make: Make, pool: Pool) -> Spares:
    """How many replicas there are beside those needed, for a failure domain that is lost (N + k)."""
    if survive is None:
        return lambda need: 0
    made = made_of(pool, make)
    return lambda need: spares_of(need, made, survive).spare if need else 0


def told_survive(survive: Survive | None) -> str:
    """What may be lost, in words."""
    if survive is None:
        return "nothing is to survive (plan.survive)"
    if survive.availability is not None:
        return f"enough of them work {survive.availability:.4%} of the time, one {survive.unit_availability:.2%}"
    for noun in ("replicas", "nodes", "zones"):
        count = getattr(survive, noun)
        if count is not None:
            return f"{count} {noun if count > 1 else noun[:-1]} may be lost and the rest keeps the promises"
    raise AssertionError("one of them is given")


def updating(pool: Pool) -> Spares:
    """Replicas that a rolling update takes away at once."""
    if not pool.rollouts:
        return lambda need: 0
    rollouts = pool.rollouts

    def away(need: int) -> int:
        fleet = need
        while fleet - max(rollout.limits(fleet)[1] for rollout in rollouts) < need:
            fleet += 1
        return fleet - need

    return away


def reacting(scenario: Scenario, name: str, factor: float, per_replica_per_s: float | None) -> tuple[int, str]:
    """Replicas' worth of the rise in rate until ordered replicas are ready; and why."""
    pool = scenario.pools[name]
    if pool.autoscaler.kind == "fixed":
        return 0, "the fleet is fixed: it waits for no replica"
    homes = zip(scenario.workload.stream_names, scenario.stream_pools, strict=True)
    streams = [stream for stream, home in homes if home == name]
    traffic = traffic_of(scenario, streams, horizon_of(scenario)) if streams else None
    ready_s = pool.stages.mean_s(pool.weight_bytes) + pool.autoscaler.period_s
    if traffic is None or not traffic.parts or not per_replica_per_s:
        return 0, "nothing is known of how fast the rate rises"
    if traffic.steady:
        return 0, "the mean rate stays"
    ahead = max(round(ready_s / (traffic.at_s[1] - traffic.at_s[0])), 1)
    rates = traffic.rates_per_s
    rise = float((rates[ahead:] - rates[:-ahead]).max()) * factor if len(rates) > ahead else 0.0
    number = math.ceil(max(rise, 0.0) / per_replica_per_s - 1e-9)
    return number, f"the rate rises by up to {max(rise, 0.0):.3g}/s in the {ready_s:.0f} s until a replica is ready"


def bare(scenario: Scenario, name: str, make: Make, factor: float) -> tuple[int, float | None]:
    """Replicas that the load alone would take, each full all the time; and requests a second that one carries."""
    pool = fixed(scenario.pools[name], {make: max(round(8 * factor), 1)})
    told = twin(grown(scenario, factor, {name: pool})).pools[name]
    if not told.capacity_per_s or not told.replicas:
        return 0, None
    each = told.capacity_per_s / told.replicas
    return max(math.ceil(told.offered_per_s / each - 1e-9), 1), each


def lines(
    load: int, slo: int, forecast: int, failure: int, update: int, react: int, rounding: int, why: dict[str, str]
) -> tuple[Line, ...]:
    """The waterfall; what does not apply stays as a line of 0 with its reason."""
    return (
        Line("load", load, why["load"]),
        Line("SLO", slo, why["slo"]),
        Line("forecast error over the lead time", forecast, why["forecast"]),
        Line("failure", failure, why["failure"]),
        Line("rollout", update, why["rollout"]),
        Line("reaction time", react, why["reaction"]),
        Line("whole nodes", rounding, why["rounding"]),
    )
