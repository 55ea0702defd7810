"""What is kept of requests as they end, in a run that does not keep their rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.model.specs import PoolSpec
from sim.model.tables import REQUEST
from sim.model.work import Mix, WorkLaw, by_mix, unmixed_law
from sim.result.groups import Senders, meant
from sim.result.latency import METRICS
from sim.result.recovery import END_SHARE
from sim.result.tally import fold
from sim.result.tally.asked import Asked
from sim.result.tally.buckets import table
from sim.result.tally.layout import POOL, Plan, grid, new_sums
from sim.result.tally.ramps import Ramps
from sim.result.tally.slow import Slow

if TYPE_CHECKING:
    from sim.result.log import DecisionRow
    from sim.scenario import Scenario


class _Senders(NamedTuple):
    """As `sim.result.groups.Senders`."""

    classes: tuple[str, ...]
    tenants: tuple[str, ...]
    stream_class: tuple[int, ...]
    stream_tenant: tuple[int, ...]


class Tally(Asked):
    """Sums over the requests of a run. Made before the run; told of every request once; asked afterwards."""

    def __init__(
        self,
        scenario: Scenario,
        specs: Sequence[PoolSpec],
        streams: tuple[str, ...],
        stream_class: tuple[int, ...],
        stream_tenant: tuple[int, ...],
        edges_s: NDArray[np.float64],
        decisions: Callable[[], Sequence[DecisionRow]],
    ) -> None:
        """`specs`, `streams`, `stream_class`, `stream_tenant`, `edges_s`: as those of the run's log.

        `decisions`: gives all decisions of the run until now, in any order (`Fleet.decisions`).
        """
        ends_s = float(edges_s[-1])
        self.count = 0
        """Requests told of."""
        self.senders = _Senders(tuple(scenario.request_classes), tuple(scenario.customers), stream_class, stream_tenant)
        self.specs = tuple(specs)
        self.decisions = decisions
        self._decided = 0
        edges_s = np.unique(np.append(edges_s, float(scenario.warmup_s)))
        party = _parties(len(streams), stream_class, stream_tenant)
        self.plan = _plan(scenario, self.specs, party, self.senders, ends_s)
        parties = int(party.max(initial=0)) + 1
        sums = new_sums(len(specs), len(streams), parties, len(scenario.slo), len(edges_s))
        super().__init__(edges_s, party, self.plan.pools, sums)
        self.grid = grid(edges_s)
        self.ramps = Ramps(len(specs), edges_s)
        self.slow = [Slow(price, meant(self.senders, price)) for price in scenario.slowness]
        """By price of slowness: what it comes to."""
        self._pending = np.zeros(0, REQUEST)

    def add(self, rows: NDArray[np.void], now_s: float = math.inf) -> None:
        """Count some requests: rows of `REQUEST` in arrival order, each ended or, at the run's end, unfinished.

        `now_s`: how far the run is. What is decided later is decided at or after this time. The rows are not kept:
        they may be used again. Releases the interpreter for most of its time.
        """
        self.count += len(rows)
        self._cut()
        later = np.empty(len(rows), np.int64)
        ramps = self.ramps
        put_off = fold.count_all(
            rows, self.plan, self.sums, self.grid, ramps.grid, ramps.sums, float(now_s), later, np.empty(4)
        )
        self._pending = np.concatenate((self._pending, rows[later[:put_off]]))
        self._spread(now_s)
        if self.slow:
            window_s = self.plan.window_s
            inside = rows[(rows["arrival_s"] >= window_s[0]) & (rows["arrival_s"] < window_s[1])]
            for slow in self.slow:
                slow.add(inside)

    def laws(self) -> tuple[WorkLaw, ...]:
        """How much work requests are, by pool (`RunLog.work`), by the mix of all that were counted."""
        return tuple(self._law(row) for row in range(len(self.specs)))

    def _law(self, row: int) -> WorkLaw:
        law, mix = unmixed_law(self.specs, row, self.specs[row]), self.sums.mix[row]
        requests = int(mix["requests"])
        if not self.specs[row].batching or requests == 0:
            return law
        context_tokens = float(mix["context_tokens"]) / requests
        return by_mix(
            law,
            self.specs[row],
            Mix(
                new_tokens=float(mix["new_tokens"]) / requests,
                decodes=float(mix["decodes"]) / requests,
                held=float(mix["held"]) / requests,
                context_tokens=context_tokens,
                kv_tokens=context_tokens + float(mix["prefill_tokens"]) / requests,
            ),
        )

    def work_done_s(self, law: WorkLaw, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `sim.result.work.work_done_s` of batches, up to edges of bins and instants of decisions."""
        self._cut()
        self._spread(math.inf)
        return self.ramps.done_s(law, edges_s)

    def _cut(self) -> None:
        """Work is asked at decisions too."""
        decided = self.decisions()
        if len(decided) > self._decided:
            self._decided = len(decided)
            self.ramps.cut(row.at_s for row in decided)

    def _spread(self, now_s: float) -> None:
        """Count the work of those who have ended since: a client has its answer a little later than the replica."""
        known = self._pending["finish_s"] <= now_s
        fold.spread_all(self._pending[known], self.plan, self.ramps.grid, self.ramps.sums)
        self._pending = self._pending[~known]


def _plan(
    scenario: Scenario, specs: Sequence[PoolSpec], party: NDArray[np.int64], senders: Senders, ends_s: float
) -> Plan:
    pools = np.zeros(len(specs), POOL)
    for pool, spec in zip(pools, specs, strict=True):
        pool["batching"] = spec.batching
        pool["next"] = -1 if spec.next_pool is None else spec.next_pool
        pool["max_batched_tokens"] = max(spec.max_batched_tokens, 1)
        pool["tokens_per_step"] = spec.tokens_per_step
    from_s = float(scenario.warmup_s)
    last_s = ends_s - END_SHARE * (ends_s - min(from_s, ends_s))
    # without a horizon the last arrival, which is at the end, belongs to the window
    until_s = math.inf if scenario.horizon_s is None else ends_s
    about = np.ones((len(scenario.slo), len(party)), np.uint8)
    for place, target in enumerate(scenario.slo):
        streams = meant(senders, target).streams
        if streams is not None:
            about[place] = streams
    return Plan(
        pools,
        party,
        np.array([METRICS.index(target.metric) for target in scenario.slo], np.int64),
        np.array([target.under_s for target in scenario.slo], np.float64),
        about,
        table(),
        np.array((from_s, until_s, last_s, ends_s)),
    )


def _parties(streams: int, stream_class: tuple[int, ...], stream_tenant: tuple[int, ...]) -> NDArray[np.int64]:
    """By stream: the same number for the same class and tenant, from 0."""
    told = [part for part in (stream_class, stream_tenant) if part]
    if not told:
        return np.zeros(streams, np.int64)
    return np.unique(np.array(told), axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)
