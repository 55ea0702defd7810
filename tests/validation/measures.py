"""What one replication says of each quantity that a theorem knows: a numerator and a denominator, or a quantile.

Wherever the summary of a run has the number, it is the summary's number that is tested; the rest comes from the rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import Result
from sim.model.tables import COMPLETED

Ratio = tuple[float, float]
"""Sums over one replication: of what is averaged, and of what it is averaged over (requests or seconds)."""


@dataclass(frozen=True)
class Tail:
    """A quantile of one replication, with what is needed to find the same quantile of all replications together."""

    quantile: float
    count: int
    below: int
    """Values under the window."""
    window: NDArray[np.float64]
    """All values in the window around the exact quantile, sorted."""


WINDOW = 0.25
"""Half the width of that window, relative to the exact quantile."""


class Run:
    """One replication of a case, seen through what theorems speak of."""

    def __init__(self, result: Result, given: Mapping[str, float], exact: Mapping[str, float]) -> None:
        self.result = result
        self.given = given
        self.exact = exact
        rows = result.log.requests
        start_s, end_s = result.scenario.warmup_s, float(result.log.edges_s[-1])
        first, last = np.searchsorted(rows["arrival_s"], (start_s, end_s))
        self.before = first
        self.rows = rows[first:last]
        self.length_s = end_s - start_s

    @cached_property
    def summary(self) -> dict[str, Any]:
        return self.result.summary()

    @cached_property
    def wait_s(self) -> NDArray[np.float64]:
        """Of those that started, shape (n,)."""
        wait_s = self.rows["start_s"] - self.rows["arrival_s"]
        return wait_s[~np.isnan(wait_s)]

    @cached_property
    def sojourn_s(self) -> NDArray[np.float64]:
        sojourn_s = self.rows["finish_s"] - self.rows["arrival_s"]
        return sojourn_s[~np.isnan(sojourn_s)]

    @cached_property
    def found(self) -> NDArray[np.int64]:
        """How many others each request of the window found in the system; in a run from an empty start."""
        rows = self.result.log.requests
        finish_s = rows["finish_s"].copy()
        turned_away = np.isnan(finish_s)
        finish_s[turned_away] = rows["arrival_s"][turned_away]
        finish_s.sort()
        place = self.before + np.arange(len(self.rows))
        return np.asarray(place - np.searchsorted(finish_s, self.rows["arrival_s"], side="right"))

    @cached_property
    def batches(self) -> int:
        """Distinct instants at which service began."""
        return len(np.unique(self.rows["start_s"]))


def _mean_over_time(block: str, name: str, scale: float = 1.0) -> Callable[[Run], Ratio]:
    return lambda run: (scale * run.summary[block][name] * run.length_s, run.length_s)


def _share_of_waits(run: Run, above_s: float) -> Ratio:
    return float(np.count_nonzero(run.wait_s > above_s)), float(len(run.wait_s))


def _mean_latency(metric: str) -> Callable[[Run], Ratio]:
    def measure(run: Run) -> Ratio:
        count = run.summary["requests"]["completed"]
        return run.summary["latency"][metric]["mean"] * count, count

    return measure


def _slowdown(run: Run) -> Ratio:
    """Sojourn over service alone, by the request's tokens."""
    alone_s = run.rows["output_tokens"] * run.given["s_per_token"]
    served = run.rows["outcome"] == COMPLETED
    return float((run.sojourn_s / alone_s[served]).sum()), float(served.sum())


def _sojourn_of_size_two(run: Run) -> Ratio:
    """Sojourns of the requests of size 2 or near it, scaled to 2: processor sharing is linear in the size."""
    size_s = run.rows["output_tokens"] * run.given["s_per_token"]
    near = (size_s > 1.5) & (size_s < 2.5) & (run.rows["outcome"] == COMPLETED)
    sojourn_s = run.rows["finish_s"] - run.rows["arrival_s"]
    return 2 * float(sojourn_s[near].sum()), float(size_s[near].sum())


def _at_time(run: Run, what: str, at_s: float) -> Ratio:
    """How many are there (EN), wait (EQ), are served (EB), are served beyond the later servers (E_surplus_busy), or
    whether all servers are busy (Pdelay), at one time of every turn.
    """
    turn_s = run.given["turn_s"]
    first_s = run.given["first_turn"] * turn_s + at_s % turn_s
    times_s = np.arange(first_s, float(run.result.log.edges_s[-1]), turn_s)
    rows = run.result.log.requests
    came = np.searchsorted(rows["arrival_s"], times_s, "right")
    here = came - np.searchsorted(np.sort(rows["finish_s"]), times_s, "right")
    if what == "EN":
        return float(here.sum()), float(len(times_s))
    servers = _servers(run, times_s)
    if what == "Pdelay":
        return float((here >= servers).sum()), float(len(times_s))
    # who is sent back to the line keeps the time of its first start
    # nor does everybody start where some give up
    counted = "evicts" in run.given or "from_count" in run.given
    waiting = np.maximum(here - servers, 0) if counted else came - _started(run, times_s)
    busy = here - waiting
    found = {"EQ": waiting, "EB": busy, "E_surplus_busy": np.maximum(busy - run.given.get("later_servers", 0), 0)}
    return float(found[what].sum()), float(len(times_s))


def _started(run: Run, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Requests that had started by each time."""
    return np.searchsorted(run.result.log.requests["start_s"], times_s, "right")


def _servers(run: Run, times_s: NDArray[np.float64]) -> Any:
    """Servers that take requests at each time: a number given, or what was last decided by then."""
    if "servers" in run.given:
        return run.given["servers"]
    decisions = run.result.log.decisions
    decided_s = np.array([row.at_s for row in decisions])
    return np.array([row.wanted for row in decisions])[np.searchsorted(decided_s, times_s, "right") - 1]


def _setups_s(run: Run) -> float:
    """Replica-seconds of setup in the window: from the order to ready or cancelled."""
    spans = run.result.log.spans
    start_s, end_s = run.result.scenario.warmup_s, float(run.result.log.edges_s[-1])
    until_s = np.minimum(np.minimum(spans["ready_s"], spans["gone_s"]), end_s)
    return float(np.maximum(until_s - np.maximum(spans["launched_s"], start_s), 0.0).sum())


def _waits_of_all(run: Run) -> NDArray[np.float64]:
    """How long each request waited, until it was started or its client gave up, shape (n,)."""
    rows = run.rows
    return np.asarray(np.where(np.isnan(rows["start_s"]), rows["finish_s"], rows["start_s"]) - rows["arrival_s"])


def _of_class(run: Run, metric: str, name: str) -> Ratio:
    """Mean latency of the requests of one class."""
    found = run.summary["classes"][name]
    count = found["requests"]["completed"]
    return found["latency"][_IN_SUMMARY[metric]]["mean"] * count, count


def _work_waiting(run: Run) -> Ratio:
    """What Kleinrock's law says does not depend on who goes first: waits, times the load of their class."""
    rows = run.rows[np.isfinite(run.rows["start_s"])]
    mean_s = np.array([run.given[f"mean_service_s_{name}"] for name in run.result.scenario.workload.stream_names])
    return float((rows["start_s"] - rows["arrival_s"]) @ mean_s[rows["stream"]]), run.length_s


def _setups(run: Run) -> Ratio:
    """Setups begun in the window, a request."""
    launched_s = run.result.log.spans["launched_s"]
    begun = (launched_s >= run.result.scenario.warmup_s) & (launched_s < float(run.result.log.edges_s[-1]))
    return float(np.count_nonzero(begun)), float(len(run.rows))


MEASURES: dict[str, Callable[[Run], Ratio]] = {
    "L": _mean_over_time("time_average", "in_system"),
    "Lq": _mean_over_time("time_average", "waiting"),
    "L_per_server": lambda run: (
        run.summary["time_average"]["in_system"] / run.given["servers"] * run.length_s,
        run.length_s,
    ),
    "mean_batch_seated": _mean_over_time("time_average", "running"),
    "W": _mean_latency("e2e_s"),
    "Wq": _mean_latency("queue_wait_s"),
    "utilization": _mean_over_time("utilization", "batch_share"),
    "busy_share": _mean_over_time("utilization", "busy_share"),
    "idle_share": lambda run: ((1 - run.summary["utilization"]["busy_share"]) * run.length_s, run.length_s),
    "P_wait": lambda run: _share_of_waits(run, run.given.get("least_wait_s", 0.0)),
    "P_Wq_gt_half_mean_service": lambda run: _share_of_waits(run, 0.5 * run.given["mean_service_s"]),
    "P_block": lambda run: (run.summary["requests"]["rejected"], run.summary["requests"]["arrived"]),
    "P_abandon": lambda run: (run.summary["requests"]["abandoned"], run.summary["requests"]["arrived"]),
    "Wq_all": lambda run: (float(_waits_of_all(run).sum()), float(len(run.rows))),
    "P_wait_all": lambda run: (float(np.count_nonzero(_waits_of_all(run) > 0)), float(len(run.rows))),
    "throughput": lambda run: (run.summary["throughput"]["requests_per_s"] * run.length_s, run.length_s),
    "arrival_rate": lambda run: (float(len(run.rows)), run.length_s),
    "tokens_per_s": lambda run: (
        run.summary["throughput"]["output_tokens_per_s"] / run.given["token_scale"] * run.length_s,
        run.length_s,
    ),
    "EWq2": lambda run: (float(run.wait_s @ run.wait_s), float(len(run.wait_s))),
    "EL2": lambda run: (float((run.found.astype(float) ** 2).sum()), float(len(run.found))),
    "P_N_eq_0": lambda run: (float(np.count_nonzero(run.found == 0)), float(len(run.found))),
    "P_N_ge_5": lambda run: (float(np.count_nonzero(run.found >= 5)), float(len(run.found))),
    "mean_busy_period": lambda run: (
        run.summary["utilization"]["busy_share"] * run.length_s,
        float(np.count_nonzero(run.wait_s == 0)),
    ),
    "mean_batch": lambda run: (float(len(run.wait_s)), float(run.batches)),
    "batch_rate": lambda run: (float(run.batches), run.length_s),
    "mean_busy": _mean_over_time("time_average", "running"),
    "mean_up": _mean_over_time("replicas", "mean"),
    "mean_on_or_setup": lambda run: (3600 * run.summary["replicas"]["replica_hours"], run.length_s),
    "mean_in_setup": lambda run: (_setups_s(run), run.length_s),
    "P_job_triggers_setup": _setups,
    "conservation_sum_rhoW": _work_waiting,
    "slowdown": _slowdown,
    "W_given_size_2": _sojourn_of_size_two,
}

AT_TIME = re.compile(r"(EN|EQ|EB|E_surplus_busy|Pdelay)_t([\d.]+)")
OF_CLASS = re.compile(r"(Wq|W)_(class\d+)")
QUANTILE = re.compile(r"(Wq|W)_p(\d+)")
_IN_SUMMARY = {"Wq": "queue_wait_s", "W": "e2e_s"}


def share_of(digits: str) -> float:
    """The share meant by the digits of a quantile's name: 95 is 0.95, 999 is 0.999."""
    return int(digits) / 10 ** len(digits)


def measure(run: Run, name: str) -> Ratio | Tail:
    """What this replication says of the quantity called `name`."""
    at_time = AT_TIME.fullmatch(name)
    if at_time is not None:
        return _at_time(run, at_time[1], float(at_time[2]))
    of_class = OF_CLASS.fullmatch(name)
    if of_class is not None:
        return _of_class(run, of_class[1], of_class[2])
    quantile = QUANTILE.fullmatch(name)
    if quantile is None:
        return MEASURES[name](run)
    metric, digits = quantile.groups()
    values_s = run.wait_s if metric == "Wq" else run.sojourn_s
    statistics = run.summary["latency"][_IN_SUMMARY[metric]]
    if f"p{digits}" in statistics:
        own = statistics[f"p{digits}"]
    else:
        own = float(np.quantile(values_s, share_of(digits)))
    exact = run.exact[name]
    low, high = (1 - WINDOW) * exact, (1 + WINDOW) * exact
    near = values_s[(values_s >= low) & (values_s <= high)]
    return Tail(own, len(values_s), int(np.count_nonzero(values_s < low)), np.sort(near))
