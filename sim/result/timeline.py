"""The run over time: one row a bin, as plain columns. Bins are the engine's; no loop here goes over requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.result.fleet import integrals_at
from sim.result.latency import good_rows, metric_s
from sim.result.lives import stages
from sim.result.money.bill import bill_of
from sim.result.money.billing import paid_until_s
from sim.result.occupancy import CHUNK_ROWS, occupancy_of

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario

Columns = dict[str, NDArray[np.float64]]


def timeline_columns(scenario: Scenario, log: RunLog, pool: int | None = None) -> Columns:
    """The timeline of the whole fleet, or of one pool (its index): column name -> shape (bins,), NaN without data.

    `start_s`, `end_s`; `arrivals` (attempts); `offered` (requests, by their first attempts); `completed` (answers that
    end in the bin, within every objective of theirs); `waiting`, `running`, `replicas` (that serve), `booting`,
    `draining` (of those that serve), `down` (averages over the bin); `busy_share`, `batch_share`, `kv_share` (of
    the replicas that serve); `ttft_s_p50`, `ttft_s_p99` (of the requests that arrive in the bin and are completed);
    `usd_per_hour`.
    Warm-up included: a picture of a run starts where the run starts.
    """
    edges_s = log.edges_s
    length_s = np.diff(edges_s)
    chosen = {place: scenario.pools[name] for place, name in enumerate(log.pools) if pool in (None, place)}
    there = occupancy_of(log, edges_s, pool)
    used = {name: np.diff(column) for name, column in integrals_at(log.samples, edges_s, list(chosen)).items()}
    usd = bill_of(scenario, log).spent_usd([log.pools[place] for place in chosen], edges_s)
    seen = stages(log, paid_until_s(log.spans, chosen), np.isin(log.spans["pool"], list(chosen)))
    booting_s = seen.booting.bins_s(edges_s) + seen.lost_booting.bins_s(edges_s)
    down_draining_s = seen.down_draining.bins_s(edges_s)
    draining_s = seen.draining.bins_s(edges_s) - down_draining_s
    down_s = seen.down_serving.bins_s(edges_s) + down_draining_s
    offered, p50_s, p99_s = _by_arrival(scenario, log, pool)
    return {
        "start_s": edges_s[:-1].copy(),
        "end_s": edges_s[1:].copy(),
        "arrivals": offered if log.calls is None else _arrivals(log, pool),
        "offered": offered,
        "completed": _completed(scenario, log, pool),
        "waiting": _per(there.waiting_s, length_s),
        "running": _per(there.running_s, length_s),
        "replicas": _per(used["ready_s"], length_s),
        "booting": _per(booting_s, length_s),
        "draining": _per(draining_s, length_s),
        "down": _per(down_s, length_s),
        "busy_share": _per(used["busy_s"], used["ready_s"]),
        "batch_share": _per(used["running_s"], used["seats_s"]),
        "kv_share": _per(used["kv_tokens_s"], used["kv_capacity_s"]),
        "ttft_s_p50": p50_s,
        "ttft_s_p99": p99_s,
        "usd_per_hour": np.full(len(length_s), np.nan) if usd is None else _per(np.diff(usd) * 3600, length_s),
    }


def _by_arrival(
    scenario: Scenario, log: RunLog, pool: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Requests and TTFT quantiles by bin of arrival; a bin's requests are one slice, as rows stand in that order."""
    if log.tally is not None:
        return log.tally.by_arrival(log.edges_s, pool)
    first = np.searchsorted(log.logical["arrival_s"], log.edges_s, side="left")
    if scenario.horizon_s is None or log.calls is None:
        first[-1] = len(log.logical)  # an arrival at the very horizon belongs to the last bin
    bins = len(first) - 1
    offered, p50_s, p99_s = np.zeros(bins), np.full(bins, np.nan), np.full(bins, np.nan)
    for place in range(bins):
        rows = log.logical[first[place] : first[place + 1]]
        if pool is not None:
            rows = rows[rows["pool"] == pool]
        offered[place] = len(rows)
        ttft_s = metric_s(rows, "ttft")
        ttft_s = ttft_s[~np.isnan(ttft_s)]
        if len(ttft_s):
            p50_s[place], p99_s[place] = np.quantile(ttft_s, (0.5, 0.99), overwrite_input=True)
    return offered, p50_s, p99_s


def _arrivals(log: RunLog, pool: int | None) -> NDArray[np.float64]:
    """Attempts by bin of arrival; of those after the horizon, none."""
    arrival_s = log.requests["arrival_s"] if pool is None else log.requests["arrival_s"][log.requests["pool"] == pool]
    return np.diff(np.searchsorted(arrival_s, log.edges_s, side="left")).astype(np.float64)


def _completed(scenario: Scenario, log: RunLog, pool: int | None) -> NDArray[np.float64]:
    """Answers within every objective of theirs, by the bin in which they end."""
    if log.tally is not None:
        return log.tally.binned("good", log.edges_s, pool).astype(np.float64)
    counts = np.zeros(len(log.edges_s) + 1, np.int64)
    for first in range(0, len(log.logical), CHUNK_ROWS):
        rows = log.logical[first : first + CHUNK_ROWS]
        if pool is not None:
            rows = rows[rows["pool"] == pool]
        finish_s = rows["finish_s"][good_rows(log, rows, scenario.slo)]
        counts += np.bincount(np.searchsorted(log.edges_s, finish_s, side="right"), minlength=len(counts))
    return counts[1:-1].astype(np.float64)


def _per(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    share = np.full(len(part), np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share
