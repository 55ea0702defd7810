"""Regret: what an autoscaler costs beyond one that knows the future and serves no worse, and the floor below both.

The same scenario is run again, with the same seed and so the same traffic, under the `clairvoyant` policy in place of
every elastic pool's own: with its bounds and its first size, a look ahead as long as the cold start, and the highest
utilization of a fixed list that keeps what was promised (or, where the policy does not, what it attained). That is a
sane policy with the one thing that no policy has; it is a reference, not a proven optimum: a regret can be below zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

from sim.autoscaling.own.clairvoyant import MOST_WINDOWS, Clairvoyant
from sim.config.errors import ConfigError, Problem
from sim.engine import simulate
from sim.engine.calendars import Progress
from sim.fleet import setup
from sim.model.work import work_law
from sim.result import Result
from sim.result.money import billing
from sim.result.window import measured_window
from sim.scenario import Pool, Scenario, Slots

UTILIZATIONS = tuple(round(1.5 * 0.94**step, 3) for step in range(31))
"""Shares of a replica's time that the clairvoyant may plan for work: 1.5 (some of it waits) to 0.234, in steps of 6 %.
Five of them are tried, by bisection."""

WINDOW_S = 60.0
"""The clairvoyant sizes a pool for the fullest of windows of this length."""

MARGIN_SHARE = 0.5
"""Of the mean boot time, added to it for the clairvoyant's lead: boots vary. Looking further costs little (twice the
mean instead of 1.25 times: 0.4 % more on `autoscale-hpa`), a replica that is late costs the promise."""

Block = dict[str, Any]
Watch = Callable[[str], AbstractContextManager[Progress | None]]
"""Called with what is about to be run; what it yields is told of the run's progress."""


@dataclass(frozen=True)
class PoolRegret:
    """What one pool's autoscaler costs beyond the clairvoyant, over the measured window.

    USD are None for a pool without a price. `regret_share` is of the clairvoyant's cost, or of its GPU-hours where
    there is no price.
    """

    policy_usd: float | None
    clairvoyant_usd: float | None
    regret_usd: float | None
    regret_share: float | None
    floor_usd: float | None
    """All that arrived in the window, on replicas that are full all the time and serve nothing late."""
    policy_gpu_hours: float
    clairvoyant_gpu_hours: float
    floor_gpu_hours: float
    utilization_share: float | None = None
    """Planned by the clairvoyant; None for several pools together."""
    lead_s: float | None = None
    """How far the clairvoyant looks ahead; None for several pools together."""
    slo: tuple[Block, ...] = ()
    """What the clairvoyant attains, as in a summary."""
    matched: bool = True
    """Whether it serves well enough; if not, it is the run with most room, and the regret says little."""
    leanest: bool = False
    """Whether it does so without any room, at the first of the utilizations: a policy that costs less serves worse."""


@dataclass(frozen=True)
class Regret:
    """The regret of every elastic pool, and of all of them together."""

    total: PoolRegret
    pools: dict[str, PoolRegret]
    runs: int
    """Of the clairvoyant fleet that it took."""

    def added_to(self, result: Result) -> Result:
        """The result with `regret` in its summary: that of all elastic pools, and in each pool's block its own."""
        pools = {name: _block(one) for name, one in self.pools.items()}
        return replace(result, regret={"all": {**_block(self.total), "runs": self.runs}, "pools": pools})


def _block(one: PoolRegret) -> Block:
    return {**asdict(one), "slo": [dict(target) for target in one.slo]}


def elastic_pools(scenario: Scenario) -> dict[str, Pool]:
    """The pools whose size a policy changes, by name. Raises `ConfigError` when there is none."""
    found = {
        name: pool
        for name, pool in scenario.pools.items()
        if pool.autoscaler.floor_replicas < pool.autoscaler.most_replicas
    }
    if not found:
        told = "regret is what an autoscaler costs beyond one that knows the future, and no pool has one: all are fixed"
        raise ConfigError(Problem(told, path="pools"))
    return found


def regret(of: Result | Scenario, replication: int = 0, watch: Watch | None = None) -> Regret:
    """What the autoscalers of a scenario cost beyond the clairvoyant policy, in USD.

    `of` is a scenario, or the result of running its `replication`. Each pool is compared with the cheapest of the
    clairvoyant runs that serve its requests well enough, see `well_enough`. Pools that hand over to each other are
    judged together. The same input gives the same numbers. Raises `ConfigError` when no pool is elastic.
    """
    watched: Watch = (lambda _: nullcontext()) if watch is None else watch
    scenario = of if isinstance(of, Scenario) else of.scenario
    elastic = elastic_pools(scenario)
    if isinstance(of, Scenario):
        with watched("the policy itself") as shown:
            of = simulate(of, replication, shown, stream=False)
    search = _Search(of, tuple(elastic), replication)
    while search.open():
        with watched(f"clairvoyant run {len(search.runs) + 1}") as shown:
            search.run(shown)
    found = {name: _of_pool(of, name, search) for name in elastic}
    return Regret(_total(list(found.values())), found, len(search.runs))


def clairvoyant(pool: Pool, utilization: float) -> Clairvoyant:
    """The policy that knows the future, within the bounds of a pool's own and with as many replicas at the start."""
    own = pool.autoscaler
    boot_s = max(make.stages.mean_s(make.weight_bytes) for make in map(pool.as_offered, pool.offers))
    lead_s = boot_s * (1 + MARGIN_SHARE)
    period_s = Clairvoyant().period_s
    return Clairvoyant(
        min_replicas=own.floor_replicas,
        max_replicas=max(getattr(own, "max_replicas", own.most_replicas), 1),
        start_replicas=own.initial_replicas,
        lead_s=lead_s,
        window_s=max(WINDOW_S, (lead_s + period_s) / MOST_WINDOWS),
        utilization=utilization,
    )


class _Search:
    """A bisection over `UTILIZATIONS` for every group of pools, all groups in the same runs."""

    def __init__(self, result: Result, elastic: tuple[str, ...], replication: int) -> None:
        self.scenario = result.scenario
        self.replication = replication
        self.elastic = elastic
        self.before = result.summary()["pools"]
        self.groups = _groups(self.scenario, elastic)
        self.worse = dict.fromkeys(self.groups, -1)
        """The last place in the list that is known not to do, by group."""
        self.good = dict.fromkeys(self.groups, len(UTILIZATIONS))
        """The first place that is known to do."""
        self.runs: list[tuple[dict[tuple[str, ...], int], dict[str, Block]]] = []
        """Places tried, by group, and the blocks of the pools."""

    def open(self) -> bool:
        return any(self.good[group] - self.worse[group] > 1 for group in self.groups)

    def run(self, progress: Progress | None) -> None:
        tried = {group: self._next(group) for group in self.groups}
        pools = dict(self.scenario.pools)
        for group, place in tried.items():
            for name in set(group) & set(self.elastic):
                policy = clairvoyant(pools[name], UTILIZATIONS[place])
                pools[name] = pools[name].model_copy(update={"autoscaler": policy})
        again = self.scenario.model_copy(update={"pools": pools})
        blocks = simulate(again, self.replication, progress, stream=False).summary()["pools"]
        self.runs.append((tried, blocks))
        for group, place in tried.items():
            if self._well_enough(group, blocks):
                self.good[group] = min(self.good[group], place)
            else:
                self.worse[group] = max(self.worse[group], place)

    def _next(self, group: tuple[str, ...]) -> int:
        """The middle of what is not known yet; of a group that is done, the place that was found, or the last."""
        if self.good[group] - self.worse[group] > 1:
            return (self.worse[group] + self.good[group]) // 2
        return min(self.good[group], len(UTILIZATIONS) - 1)

    def _well_enough(self, group: tuple[str, ...], blocks: dict[str, Block]) -> bool:
        return all(well_enough(blocks[name], self.before[name], self.scenario.pools[name]) for name in group)

    def best(self, name: str) -> tuple[int, Block, bool]:
        """The run that a pool is compared with: place in the list, its block, whether it serves well enough.

        The cheapest that does; if none does, that with most room.
        """
        (group,) = (group for group in self.groups if name in group)
        good = [(tried[group], blocks) for tried, blocks in self.runs if self._well_enough(group, blocks)]
        if good:
            place, blocks = min(good, key=lambda run: (sum(_spent(run[1][each]) for each in group), run[0]))
        else:
            place, blocks = max(((tried[group], blocks) for tried, blocks in self.runs), key=lambda run: run[0])
        return place, blocks[name], bool(good)


def well_enough(block: Block, policy: Block, pool: Pool) -> bool:
    """Whether a pool's requests are served as they were promised to be, or at least as by the policy.

    It attains the share of every SLO target, or as much as the policy did where that is less: who exceeds a target pays
    for it, and that is regret too. Without an SLO it completes as many, with no longer p99 of queue wait (slots) or of
    TTFT and TPOT (batching).
    """
    if policy["slo"]:
        targets = zip(block["slo"], policy["slo"], strict=True)
        return all(
            was["attained"] is None or one["attained"] >= min(was["attained"], was["share"]) for one, was in targets
        )
    if block["requests"]["completed"] < policy["requests"]["completed"]:
        return False
    metrics = ("queue_wait_s",) if isinstance(pool.replica, Slots) else ("ttft_s", "tpot_s")
    tails = [(block["latency"][metric]["p99"], policy["latency"][metric]["p99"]) for metric in metrics]
    return all(one is None or other is None or one <= other for one, other in tails)


def _groups(scenario: Scenario, elastic: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The pools that share requests, as groups with an elastic pool among them."""
    group_of = {name: name for name in scenario.pools}
    for name, pool in scenario.pools.items():
        if pool.kv_transfer is not None:
            old, new = group_of[name], group_of[pool.kv_transfer.to]
            group_of = {each: new if group == old else group for each, group in group_of.items()}
    groups = [
        tuple(name for name, group in group_of.items() if group == one) for one in dict.fromkeys(group_of.values())
    ]
    return tuple(group for group in groups if set(group) & set(elastic))


def _spent(block: Block) -> float:
    """USD, or GPU-hours where there is no price."""
    usd = block["cost"]["total_usd"]
    return float(block["replicas"]["gpu_hours"] if usd is None else usd)


def _of_pool(result: Result, name: str, search: _Search) -> PoolRegret:
    pool = result.scenario.pools[name]
    before = search.before[name]
    place, block, matched = search.best(name)
    usd, least_usd = before["cost"]["total_usd"], block["cost"]["total_usd"]
    floor_usd, floor_gpu_hours = floor(result, name)
    return PoolRegret(
        policy_usd=usd,
        clairvoyant_usd=least_usd,
        regret_usd=None if usd is None else usd - least_usd,
        regret_share=_share(_spent(before), _spent(block)),
        floor_usd=floor_usd if pool.priced else None,
        policy_gpu_hours=before["replicas"]["gpu_hours"],
        clairvoyant_gpu_hours=block["replicas"]["gpu_hours"],
        floor_gpu_hours=floor_gpu_hours,
        utilization_share=UTILIZATIONS[place],
        lead_s=clairvoyant(pool, 1.0).lead_s,
        slo=tuple(block["slo"]),
        matched=matched,
        leanest=place == 0,
    )


def floor(result: Result, name: str) -> tuple[float, float]:
    """USD and GPU-hours of a pool whose replicas were full all the time, for all that arrived in the window.

    Each in the make of replica (offer and version) that needs least of it. No fleet that serves everything can cost
    less, by the work that a full batch does (see `sim.model.work`).
    """
    scenario, log = result.scenario, result.log
    row = log.pools.index(name)
    rows = log.logical[measured_window(scenario, log).rows]
    specs, makes = setup.pool_specs(scenario)
    spec = specs[row]
    usd, gpu_hours = [], []
    hours: dict[int, float] = {}
    terms = billing.terms(scenario.pools[name])
    offers = len(scenario.pools[name].offers)
    for (offer, version), place in makes[row].specs.items():
        if place not in hours:
            make = spec if place == 0 else spec.makes[place - 1]
            hours[place] = float(work_law(specs, row, rows, make).work_s(rows).sum()) / 3600
        term = terms[version * offers + offer]
        usd.append(hours[place] * term.usd_per_replica_hour)
        gpu_hours.append(hours[place] * term.gpus_per_replica)
    return min(usd), min(gpu_hours)


def _total(pools: list[PoolRegret]) -> PoolRegret:
    """All elastic pools together."""

    def total(values: list[Any]) -> Any:
        return None if None in values else sum(values)

    usd, least_usd = total([one.policy_usd for one in pools]), total([one.clairvoyant_usd for one in pools])
    hours, least_hours = sum(one.policy_gpu_hours for one in pools), sum(one.clairvoyant_gpu_hours for one in pools)
    return PoolRegret(
        policy_usd=usd,
        clairvoyant_usd=least_usd,
        regret_usd=None if usd is None else usd - least_usd,
        regret_share=_share(hours, least_hours) if usd is None else _share(usd, least_usd),
        floor_usd=total([one.floor_usd for one in pools]),
        policy_gpu_hours=hours,
        clairvoyant_gpu_hours=least_hours,
        floor_gpu_hours=sum(one.floor_gpu_hours for one in pools),
        utilization_share=pools[0].utilization_share if len(pools) == 1 else None,
        lead_s=pools[0].lead_s if len(pools) == 1 else None,
        slo=pools[0].slo if len(pools) == 1 else (),
        matched=all(one.matched for one in pools),
        leanest=all(one.leanest for one in pools),
    )


def _share(spent: float, least: float) -> float | None:
    return (spent - least) / least if least > 0 else None
