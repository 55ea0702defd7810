"""The bill of a run: what every hour of every make costs, under which contract, and what is paid for nothing.

The one place where paid time becomes money. All lines are additive in time: contracts apply to how many GPUs are paid
at each instant, so a bill for a day is the sum of those of its hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from sim.model.tables import COMPLETED
from sim.pricing.contracts import CommittedSpend, Owned
from sim.pricing.egress import GB
from sim.pricing.spans import HOUR_S
from sim.result.money import energy
from sim.result.money.cover import Covered, covered, scope
from sim.result.money.flow import NOTHING, Array, Flow, added
from sim.result.money.usage import Make, Usage, usage_of
from sim.result.window import measured_window

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario

What = Literal["usage", "unused", "energy", "egress", "discount", "shortfall"]


@dataclass(frozen=True)
class Line:
    """One kind of charge to one pool."""

    pool: str
    what: What
    contract: str | None
    make: Make | None
    """Whose GPUs they are; None for charges that belong to the pool as a whole."""
    usd_flow: Flow
    list_flow: Flow = NOTHING
    """What the same would cost on demand."""
    gpu_s: Flow = NOTHING
    drawn: energy.Drawn | None = None
    """What the energy was."""

    @property
    def offer(self) -> str:
        """The offer that its replicas are from; empty where it is about no make."""
        return "" if self.make is None else self.make.terms.offer

    @property
    def market(self) -> str:
        """The market of that offer, or empty."""
        return "" if self.make is None else self.make.terms.market

    @property
    def region(self) -> str:
        """Its region, or empty."""
        return "" if self.make is None else self.make.terms.region

    @property
    def gpu(self) -> str:
        """The name of its GPU, or empty."""
        return "" if self.make is None else self.make.terms.gpu

    def usd(self, edges_s: Array) -> Array:
        """USD in each bin between increasing edges, shape (bins,)."""
        return self.usd_flow.bins(edges_s)

    def list_usd(self, edges_s: Array) -> Array:
        """What the same would cost on demand, shape (bins,)."""
        return self.list_flow.bins(edges_s)

    def gpu_hours(self, edges_s: Array) -> Array:
        """GPU-hours, shape (bins,)."""
        return self.gpu_s.bins(edges_s) / HOUR_S


@dataclass(frozen=True)
class Bill:
    """All charges of a run, from its start to its horizon."""

    lines: tuple[Line, ...]
    pools: tuple[str, ...]
    unknown: frozenset[str]
    """Pools of which some usage has no price."""
    window_s: Array
    """The two ends of the measured window, shape (2,)."""
    usage: Usage
    covered: tuple[Covered, ...]

    @cached_property
    def by_pool(self) -> dict[str, tuple[Line, ...]]:
        """The lines of each pool."""
        return {pool: tuple(line for line in self.lines if line.pool == pool) for pool in self.pools}

    def spent_usd(self, pools: Iterable[str], at_s: Array) -> Array | None:
        """What pools have cost from the run's start up to each instant, same shape, in USD.

        None when a price is not known: a sum that leaves something out would be taken for the whole.
        """
        chosen = tuple(pools)
        if self.unknown & set(chosen):
            return None
        return added([line.usd_flow for pool in chosen for line in self.by_pool[pool]], at_s)

    def of_make(self, pool: str, number: int) -> float:
        """USD of the measured window for the time of one make."""
        own = [line for line in self.by_pool[pool] if line.make is not None and line.make.number == number]
        return float(sum(line.usd(self.window_s)[0] for line in own))

    def of_what(self, pool: str, *what: What) -> float:
        """USD of the measured window for charges that belong to no make, of some kinds."""
        own = [line for line in self.by_pool[pool] if line.make is None and line.what in what]
        return float(sum(line.usd(self.window_s)[0] for line in own))

    def unused_gpu_hours(self, pool: str) -> float:
        """GPU-hours of the measured window that were paid for and that no replica had."""
        own = [line for line in self.by_pool[pool] if line.what == "unused"]
        return float(sum(line.gpu_hours(self.window_s)[0] for line in own))


def bill_of(scenario: Scenario, log: RunLog) -> Bill:
    """The bill of a run."""
    contracts = scenario.contracts.values()
    changes_s = [at_s for contract in contracts for at_s in (contract.begins_s, contract.ends_s)]
    usage = usage_of(scenario, log, changes_s)
    window = measured_window(scenario, log)
    window_s = np.array((window.start_s, window.end_s))
    found, left = covered(scenario, usage)
    pools = tuple(scenario.pools)
    lines = [
        *_rest(usage, left),
        *(line for one in found for line in _of_contract(one, usage, log, pools)),
        *_spending(scenario, usage, left, window_s, pools),
        *_egress(scenario, log),
    ]
    covers = {pool for pool in pools if any(contract.covers(pool) for contract in contracts)}
    unpriced = {make.pool for make in usage.makes if not make.terms.priced}
    short = {make.pool for make, gpus in zip(usage.makes, left, strict=True) if not make.terms.priced and gpus.any()}
    return Bill(tuple(lines), pools, frozenset((unpriced - covers) | short), window_s, usage, found)


def _rest(usage: Usage, left: Array) -> Iterator[Line]:
    """What no contract covers, at the price of its market."""
    for make, gpus, usd_per_h in zip(usage.makes, left, np.nan_to_num(usage.usd_per_gpu_h), strict=True):
        usd = Flow.of_rate(usage.edges_s, gpus * usd_per_h / HOUR_S)
        yield Line(make.pool, "usage", None, make, usd, usd, Flow.of_rate(usage.edges_s, gpus))


def _of_contract(one: Covered, usage: Usage, log: RunLog, pools: tuple[str, ...]) -> Iterator[Line]:
    """What a contract covers, what it is paid for nothing, and the energy of hardware that is owned."""
    edges_s = usage.edges_s
    listed = np.nan_to_num(usage.usd_per_gpu_h)
    bins_s = energy.bins_s(log) if isinstance(one.contract, Owned) else edges_s
    for row in np.flatnonzero(one.makes).tolist():
        make, gpus = usage.makes[row], one.gpus[row]
        usd = Flow.of_rate(edges_s, one.usd_per_h[row] / HOUR_S)
        at_list = Flow.of_rate(edges_s, gpus * listed[row] / HOUR_S)
        gpu_s = Flow.of_rate(edges_s, gpus)
        yield Line(make.pool, "usage", one.name, make, usd, at_list, gpu_s)
        if isinstance(one.contract, Owned):
            drawn = energy.running(log, make.place, gpu_s, one.contract, bins_s)
            yield Line(make.pool, "energy", one.name, make, drawn.usd, drawn=drawn)
    gpu_s = Flow.of_rate(edges_s, one.unused_gpus)
    usd = Flow.of_rate(edges_s, one.unused_usd_per_h / HOUR_S)
    for pool, share in _shares(one, usage, pools).items():
        yield Line(pool, "unused", one.name, None, usd.times(share), gpu_s=gpu_s.times(share))
        if isinstance(one.contract, Owned):
            drawn = energy.parked(gpu_s.times(share), one.contract, bins_s)
            yield Line(pool, "energy", one.name, None, drawn.usd, drawn=drawn)


def _shares(one: Covered, usage: Usage, pools: tuple[str, ...]) -> dict[str, float]:
    """Whose loss an unused contract is: of the pools it is for, as much as each has used of it; if none did, evenly."""
    length_s = np.diff(usage.edges_s)
    used = {pool: 0.0 for pool in pools if one.contract.covers(pool)}
    for make, usd_per_h in zip(usage.makes, one.usd_per_h, strict=True):
        if make.pool in used:
            used[make.pool] += float(usd_per_h @ length_s)
    total = sum(used.values())
    return {pool: part / total if total > 0 else 1 / len(used) for pool, part in used.items()}


def _spending(scenario: Scenario, usage: Usage, left: Array, window_s: Array, pools: tuple[str, ...]) -> Iterator[Line]:
    """Discounts for committed spending, and what is charged because too little was spent."""
    edges_s = usage.edges_s
    usd_per_h = left * np.nan_to_num(usage.usd_per_gpu_h)
    for name, contract in scenario.contracts.items():
        if not isinstance(contract, CommittedSpend):
            continue
        is_active = (edges_s[:-1] >= contract.begins_s) & (edges_s[:-1] < contract.ends_s)
        counted = np.where(is_active & scope(usage, contract, spot=True)[:, None], usd_per_h, 0.0)
        spent = dict.fromkeys((pool for pool in pools if contract.covers(pool)), 0.0)
        for make, rate in zip(usage.makes, counted, strict=True):
            if make.pool in spent:
                off = Flow.of_rate(edges_s, rate * (-contract.discount_share / HOUR_S))
                paid = Flow.of_rate(edges_s, rate * ((1 - contract.discount_share) / HOUR_S))
                spent[make.pool] += float(paid.bins(window_s)[0])
                yield Line(make.pool, "discount", name, make, off)
        yield from _shortfall(name, contract, spent, window_s, float(edges_s[-1]))


def _shortfall(
    name: str, contract: CommittedSpend, spent: dict[str, float], window_s: Array, end_s: float
) -> Iterator[Line]:
    """What is missing to the commitment in the measured window, spread over the time that it holds there."""
    from_s, to_s = max(contract.begins_s, window_s[0]), min(contract.ends_s, window_s[1])
    if to_s <= from_s:
        return
    total = sum(spent.values())
    missing = max(contract.commit_usd_per_h * (to_s - from_s) / HOUR_S - total, 0.0)
    edges_s = np.unique(np.array((0.0, from_s, to_s, end_s)))
    parts = np.where((edges_s[:-1] >= from_s) & (edges_s[:-1] < to_s), missing, 0.0).astype(np.float64)
    for pool, part in spent.items():
        share = part / total if total > 0 else 1 / len(spent)
        yield Line(pool, "shortfall", name, None, Flow.of_parts(edges_s, parts * share))


def _egress(scenario: Scenario, log: RunLog) -> Iterator[Line]:
    """What sending answers costs, when they are sent."""
    edges_s = np.unique(np.append(log.edges_s, float(scenario.warmup_s)))
    for place, (name, pool) in enumerate(scenario.pools.items()):
        if pool.egress is None:
            continue
        answers, tokens = _answers(log, place, edges_s)
        parts = pool.egress.answer_bytes * answers + pool.egress.token_bytes * tokens
        yield Line(name, "egress", None, None, Flow.of_parts(edges_s, parts * (pool.egress.usd_per_gb / GB)))


def _answers(log: RunLog, place: int, edges_s: Array) -> tuple[Array, Array]:
    """Answers of a pool, and their tokens, by when they are there; shape (bins,) each."""
    if log.tally is not None:
        found = [log.tally.binned(name, edges_s, place) for name in ("answered", "output_tokens")]
        return found[0].astype(np.float64), found[1].astype(np.float64)
    rows = log.requests
    own = rows[(rows["pool"] == place) & (rows["outcome"] == COMPLETED)]
    place_of = np.searchsorted(edges_s, own["finish_s"], side="right") - 1
    inside = place_of < len(edges_s) - 1
    tokens = own["output_tokens"][inside]
    answers = np.bincount(place_of[inside], minlength=len(edges_s) - 1).astype(np.float64)
    return answers, np.bincount(place_of[inside], weights=tokens, minlength=len(edges_s) - 1).astype(np.float64)
