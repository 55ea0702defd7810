"""What a tally can be asked: every number of a result that is of requests, from the sums alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.model.tables import COMPLETED
from sim.model.work import WorkLaw
from sim.result.cells import Cells
from sim.result.groups import EVERYBODY, Group
from sim.result.latency import METRICS, statistics_of
from sim.result.occupancy import Occupancy
from sim.result.tally.layout import POOL, Sums
from sim.statistics.histogram import Histogram, empty, merged

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Asked:
    """The sums over all requests of a run, and what follows from them."""

    def __init__(self, edges_s: Floats, party: Counts, pools: NDArray[Any], sums: Sums) -> None:
        self.edges_s = edges_s
        """Edges of the bins: those of the timeline, and the end of the warm-up."""
        self.party = party
        """By stream: class and tenant together, as a number; latencies are told of these."""
        assert pools.dtype == POOL
        self.pools = pools
        self.sums = sums

    def measured(self, groups: Mapping[Any, Group]) -> tuple[dict[Any, dict[str, Any]], Cells]:
        """The `latency` blocks of groups (by any keys) of the window's requests, and the counts of all of them."""
        latency = {
            key: {f"{metric}_s": statistics_of(found) for metric, found in self.latencies(group).items()}
            for key, group in groups.items()
        }
        return latency, Cells(self.sums.cells, self.sums.met)

    def latencies(self, group: Group = EVERYBODY) -> dict[str, Histogram]:
        """By metric: how long the requests of the window took, those of a group."""
        pools = range(len(self.sums.tails)) if group.pool is None else (group.pool,)
        # a class, a tenant, or both of them: whole parties
        parties = np.unique(self.party if group.streams is None else self.party[group.streams]).tolist()
        return {
            metric: merged([self._histogram(pool, party, place) for pool in pools for party in parties])
            for place, metric in enumerate(METRICS)
        }

    def _histogram(self, pool: int, party: int, metric: int) -> Histogram:
        tail = self.sums.tails[pool, party, metric]
        counts = self.sums.counts[pool, party, metric]
        return Histogram(counts, int(tail["zeros"]), float(tail["sum"]), float(tail["least"]), float(tail["most"]))

    def handed(self) -> list[tuple[int, int]]:
        """By pool: requests of the window that it has handed over, and their prompt tokens."""
        cells = self.sums.cells
        return [(int(own["handed"].sum()), int(own["handed_tokens"].sum())) for own in cells]

    def uses(self) -> list[list[float]]:
        """By stream: requests of the window, answers, their prompt, cached and output tokens."""
        cells = self.sums.cells
        outcomes = cells["outcomes"].sum(axis=0)
        columns = [outcomes.sum(axis=-1), outcomes[:, COMPLETED]]
        columns += [cells[name].sum(axis=0) for name in ("prompt_tokens", "cached_tokens", "output_tokens")]
        found: list[list[float]] = np.column_stack(columns).astype(np.float64).tolist()
        return found

    def work_by_stream_s(self, laws: Sequence[WorkLaw]) -> Floats:
        """As `sim.result.money.allocation.work_by_stream_s`, for laws by pool."""
        cells = self.sums.cells
        work_s = np.zeros((*cells.shape, 2))
        for law, own, pool, out_s in zip(laws, cells, self.pools, work_s, strict=True):
            out_s[:, 1] += own["service_s"] * law.s_per_service_s + own["decodes"] * law.s_per_iteration
            out_s[:, 0] += own["prefills"] * law.s_per_iteration + own["new_tokens"] * law.s_per_new_token
            out_s[:, 0] += own["squares"] * law.s_per_square
            if pool["next"] >= 0:
                work_s[pool["next"], :, 1] += own["decodes_next"] * laws[pool["next"]].s_per_iteration
        return work_s

    def binned(self, name: str, edges_s: Floats, pool: int | None = None) -> Counts:
        """A column of `BIN` between some of the edges, shape (len(edges_s) - 1,), of all pools or of one."""
        upto: Counts = np.cumsum(self._bins(name, pool))
        return np.diff(upto[self._places(edges_s)])

    def occupancy(self, edges_s: Floats, pool: int | None) -> Occupancy:
        """As `sim.result.occupancy.occupancy`, between some of the edges."""
        waiting_s, waiting = self._integral("waiting_s", "came", ("started", "gone"), pool)
        running_s, running = self._integral("running_s", "started", ("left",), pool)
        places = self._places(edges_s)
        bins = list(pairwise(places.tolist()))
        waiting_s, running_s = (
            np.array([part_s[first:last].sum() for first, last in bins]) for part_s in (waiting_s, running_s)
        )
        return Occupancy(waiting_s, running_s, waiting[places], running[places])

    def _integral(self, rest: str, came: str, gone: Sequence[str], pool: int | None) -> tuple[Floats, Counts]:
        count = self._bins(came, pool) - sum(self._bins(name, pool) for name in gone)
        there = np.cumsum(count)[: len(self.edges_s)]  # just before each edge
        return there[:-1] * np.diff(self.edges_s) + self._bins(rest, pool)[1 : len(self.edges_s)], there

    def by_arrival(self, edges_s: Floats, pool: int | None) -> tuple[Floats, Floats, Floats]:
        """Requests by bin of arrival, those at the last edge or later in the last one, and their TTFT: p50 and p99.

        Between some of the edges; shape (bins,) each, NaN without data.
        """
        offered = self.binned("came", edges_s, pool).astype(np.float64)
        places = self._places(edges_s)
        offered[-1] += self._bins("came", pool)[places[-1] + 1 :].sum()
        places[-1] = len(self.edges_s)
        p50_s, p99_s = np.full(len(offered), np.nan), np.full(len(offered), np.nan)
        for at, (first, last) in enumerate(pairwise(places.tolist())):
            found = self._ttft(first + 1, last + 1, pool)
            if found.count:
                p50_s[at], p99_s[at] = found.linear(0.5), found.linear(0.99)
        return offered, p50_s, p99_s

    def _ttft(self, first: int, last: int, pool: int | None) -> Histogram:
        pools = slice(None) if pool is None else slice(pool, pool + 1)
        bins = self.sums.bins[pools, first:last]
        if not bins.size:
            return empty()
        counts = self.sums.ttft[pools, first:last].sum(axis=(0, 1), dtype=np.int64)
        return Histogram(
            counts, int(bins["zeros"].sum()), np.nan, float(bins["least_s"].min()), float(bins["most_s"].max())
        )

    def ttft_over_time(self, edges_s: Floats) -> Counts:
        """As `sim.result.ttft_map.ttft_counts`, between some of the edges; shape (bins, BUCKETS)."""
        places = self._places(edges_s)
        counts = np.zeros((len(edges_s) - 1, self.sums.ttft.shape[-1]), np.int64)
        for at, (first, last) in enumerate(pairwise(places.tolist())):
            counts[at] = self.sums.ttft[:, first + 1 : last + 1].sum(axis=(0, 1), dtype=np.int64)
            counts[at, 0] += self.sums.bins[:, first + 1 : last + 1]["zeros"].sum()
        return counts

    def looks(self, edges_s: Floats) -> tuple[Floats, Floats, Floats]:
        """Requests that come, those of them that are answered in time, and answers by when they are there.

        Between some of the edges, what is at the last one included; shape (bins,) each.
        """
        offered, in_time, answered = (
            self.binned(name, edges_s).astype(np.float64) for name in ("came", "in_time", "answered")
        )
        for name, counts in (("came", offered), ("in_time", in_time), ("answered", answered)):
            counts[-1] += self.sums.marks[0][name]
        return offered, in_time, answered

    def budget(self, objective: int, edges_s: Floats) -> tuple[Floats, Floats]:
        """Requests of the window that an objective is about, by when they come, and those of them that are within it.

        Between some of the edges, what is at the last one included; shape (bins,) each.
        """
        found = []
        places = self._places(edges_s)
        for name in ("came", "met"):
            upto = np.cumsum(self.sums.budget[objective][name])
            counts = np.diff(upto[places])
            counts[-1] += upto[-1] - upto[places[-1]]
            found.append(counts.astype(np.float64))
        return found[0], found[1]

    @property
    def in_time_at_end_share(self) -> float | None:
        """As `sim.result.recovery.in_time_at_end_share`."""
        mark = self.sums.marks[0]
        return int(mark["last_in_time"]) / int(mark["last"]) if mark["last"] else None

    def _bins(self, name: str, pool: int | None) -> NDArray[Any]:
        column = self.sums.bins[name]
        return np.asarray(column.sum(axis=0) if pool is None else column[pool])

    def _places(self, edges_s: Floats) -> NDArray[np.int64]:
        places = np.searchsorted(self.edges_s, edges_s)
        assert np.array_equal(self.edges_s[places], edges_s), "edges that were not told before the run"
        return places
