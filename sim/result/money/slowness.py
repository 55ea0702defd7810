"""What slow and missing answers of a run cost, beside its fleet. Owns the block `slowness` of a summary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED, OUTCOMES
from sim.pricing.slowness import AnySlowness, Charge, Seen
from sim.pricing.spans import DAY_S
from sim.result.attempts import ended_s
from sim.result.fleet import ratio
from sim.result.groups import limited_to, meant
from sim.result.latency import metric_s

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.result.window import Window
    from sim.scenario import Scenario


def slowness_block(
    scenario: Scenario, log: RunLog, window: Window, cost: Mapping[str, float | None]
) -> dict[str, dict[str, Any]]:
    """`{"slowness": ...}` for a scenario that has a price of slowness, else nothing; `cost`: the block of the fleet.

    `entries`, one a price, in the scenario's order: its `kind`, `metric`, `beyond_s`, `under_s`, `class` and `tenant`
    where it has them, the `requests` it is about, `usd`, `usd_per_day`, and what these rest on; `total_usd` and
    `usd_per_day` of all; the fleet's `fleet_usd` of the same window; and both together. None where the fleet has no
    price.
    """
    if not scenario.slowness:
        return {}
    entries = [
        _entry(price, window.length_s, *found)
        for price, found in zip(scenario.slowness, _charges(scenario, log, window), strict=True)
    ]
    total_usd = math.fsum(entry["usd"] for entry in entries)
    fleet_usd = cost["total_usd"]
    together_usd = None if fleet_usd is None else fleet_usd + total_usd
    a_day = [entry["usd_per_day"] for entry in entries]
    slowness_usd = None if None in a_day else math.fsum(a_day)
    fleet_a_day = cost["usd_per_day"]
    a_day_usd = None if fleet_a_day is None or slowness_usd is None else fleet_a_day + slowness_usd
    return {
        "slowness": {
            "entries": entries,
            "total_usd": total_usd,
            "usd_per_day": slowness_usd,
            "fleet_usd": fleet_usd,
            "fleet_plus_slowness_usd": together_usd,
            "fleet_plus_slowness_usd_per_day": a_day_usd,
        }
    }


def _charges(scenario: Scenario, log: RunLog, window: Window) -> list[tuple[int, Charge]]:
    """By price: the requests it is about, and what it comes to."""
    if log.tally is not None:
        return [slow.charge(log.end_s, window.length_s) for slow in log.tally.slow]
    views = [(price, seen(log, window, price)) for price in scenario.slowness]
    return [(len(of), price.charge(of)) for price, of in views]


def _entry(price: AnySlowness, window_s: float, requests: int, charge: Charge) -> dict[str, Any]:
    about = dict(zip(("class", "tenant"), limited_to(price), strict=True))
    said = {name: getattr(price, name, None) for name in ("metric", "beyond_s", "under_s")} | about
    return {
        "kind": price.kind,
        **{name: value for name, value in said.items() if value is not None},
        "requests": requests,
        "usd": charge.usd,
        "usd_per_day": _per_day(charge.usd, window_s) if charge.usd_per_day is None else charge.usd_per_day,
        **charge.facts,
    }


def _per_day(usd: float, window_s: float) -> float | None:
    return ratio(usd * DAY_S, window_s)


def seen(log: RunLog, window: Window, price: AnySlowness) -> Seen:
    """What the requests of the window that a price is about saw of the service."""
    rows = log.logical[window.rows]
    over_s = ended_s(rows) if log.calls is None else ended_s(log.requests)[rows["row"]]
    return seen_by(rows, price, meant(log, price).mask(rows), np.minimum(over_s, log.end_s), window.length_s)


def seen_by(
    rows: NDArray[np.void],
    price: AnySlowness,
    mask: NDArray[np.bool_] | None,
    over_s: NDArray[np.float64],
    window_s: float,
) -> Seen:
    """What some requests, those of the mask, saw; `over_s`: when each was over, at the latest at the run's end."""

    def those(values: NDArray[Any]) -> NDArray[Any]:
        return values if mask is None else values[mask]

    return Seen(
        wait_s={metric: those(_wait_s(rows, metric)) for metric in price.metrics},
        stayed_s=those(np.asarray(over_s - rows["arrival_s"])),
        outcome=those(rows["outcome"]),
        outcomes=OUTCOMES,
        window_s=window_s,
    )


def _wait_s(rows: NDArray[np.void], metric: str) -> NDArray[np.float64]:
    """A latency of every request, NaN for one that never came so far; one output token has no gaps to wait for."""
    value_s = metric_s(rows, metric)
    if metric == "tpot":
        value_s[(rows["outcome"] == COMPLETED) & (rows["output_tokens"] <= 1)] = 0.0
    return value_s
