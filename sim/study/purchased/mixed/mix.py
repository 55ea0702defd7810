"""The cheapest mix of GPU types for a pool: the MILP picks, the simulator counts; two or three rounds.

How full a replica may be is not known beforehand: it depends on how requests bunch, on pooling, and on who shares a
batch. The first round takes it from fleets of one type, each sized by simulation; every simulated mix corrects it for
the requests that the type has in that mix. Whoever is to be believed in the end is the simulator: the mix and the best
single type are sized in the same way, and their attainment is told from fresh seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from sim.config.errors import ConfigError, Problem
from sim.scenario import Scenario
from sim.scenario.replica import Batching
from sim.study.executors import Executor, Here
from sim.study.planned.search import Search
from sim.study.purchased.bench import Bench, Outcome
from sim.study.purchased.fleets import Make, made_of
from sim.study.purchased.mixed.assign import Assigned, assign
from sim.study.purchased.mixed.buckets import Bucket, buckets_of, limits_of, most_per_s
from sim.study.purchased.mixed.fleet import pool_name, with_mix
from sim.study.replicated.fresh import fresh_seed

ROUNDS = 3
_HOPELESS = 64
"""Times what theory says: if not even so many replicas do, none will."""
PROBE_RUNS, FRESH_RUNS = 3, 10
FIRST_LOAD_SHARE = 0.8
"""How full replicas are taken to be before any run, to begin the search."""


@dataclass(frozen=True)
class Single:
    """A fleet of one type."""

    gpu: str
    replicas: int
    usd_per_hour: float
    load_share: float
    """Of a replica's throughput by theory, that its requests are: how full it may be."""
    attained: tuple[float | None, ...] = ()
    """By objective, on fresh seeds."""
    meets: bool | None = None


@dataclass(frozen=True)
class Tried:
    """One round: what the MILP picked and said, and what the simulator made of it."""

    choice: tuple[str, ...]
    replicas: Mapping[str, int]
    usd_per_hour: float
    simulated_replicas: Mapping[str, int]
    simulated_usd_per_hour: float


@dataclass(frozen=True)
class Mix:
    """The cheapest fleet of several types, and the best of one."""

    pool: str
    buckets: tuple[Bucket, ...]
    throughput: tuple[Mapping[str, float], ...]
    """By bucket and GPU: requests a second of one replica, by theory."""
    choice: tuple[str, ...]
    """By bucket: the GPU that serves it."""
    replicas: Mapping[str, int]
    """By GPU."""
    usd_per_hour: float
    proposed_usd_per_hour: float
    """What the MILP said it would cost."""
    attained: Mapping[str, tuple[float | None, ...]]
    """By GPU and objective, of the requests that it serves, on fresh seeds."""
    meets: bool
    singles: tuple[Single, ...]
    """Of each type that serves all requests alone, the cheapest first."""
    rounds: tuple[Tried, ...]
    seed: int
    """Of the runs whose attainment is told."""
    runs: int
    scenario: Scenario = field(repr=False, compare=False)
    """With the mix in it: pools and routes."""

    @property
    def best_single(self) -> Single:
        """The cheapest fleet of one type."""
        return self.singles[0]

    @property
    def saved_share(self) -> float:
        """Of the cost of the best single type, as simulated."""
        return 1 - self.usd_per_hour / self.best_single.usd_per_hour

    @property
    def promised_share(self) -> float:
        """The same as the MILP said."""
        return 1 - self.proposed_usd_per_hour / self.best_single.usd_per_hour

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        buckets = [
            {
                "prompt_tokens": {"over": bucket.over, "at_most": bucket.at_most},
                "rate_per_s": bucket.rate_per_s,
                "prompt_tokens_mean": bucket.work.prompt,
                "output_tokens_mean": bucket.work.output,
                "throughput_per_s": dict(rates),
                "gpu": gpu,
            }
            for bucket, rates, gpu in zip(self.buckets, self.throughput, self.choice, strict=True)
        ]
        return {
            "pool": self.pool,
            "replicas": dict(self.replicas),
            "usd_per_hour": self.usd_per_hour,
            "proposed_usd_per_hour": self.proposed_usd_per_hour,
            "saved_share": self.saved_share,
            "promised_share": self.promised_share,
            "meets": self.meets,
            "attained": {gpu: list(each) for gpu, each in self.attained.items()},
            "buckets": buckets,
            "singles": [asdict(each) for each in self.singles],
            "rounds": [asdict(each) for each in self.rounds],
            "seed": self.seed,
            "runs": self.runs,
        }


def mix(
    scenario: Scenario,
    pool: str,
    makes: Sequence[Make],
    executor: Executor | None = None,
    *,
    bench: Bench | None = None,
    rounds: int = ROUNDS,
    probe_runs: int = PROBE_RUNS,
    fresh_runs: int = FRESH_RUNS,
    watch: Callable[[str], None] | None = None,
) -> Mix | None:
    """The cheapest mix of some makes for a pool whose fleet is fixed; None where no single type serves all requests.

    Raises `ConfigError` for a pool that has no tokens or no prices.
    """
    _check(scenario, pool, makes)
    return _Search(
        scenario, pool, makes, bench or Bench(executor or Here()), probe_runs, fresh_runs, watch or (lambda _: None)
    ).found(rounds)


def _check(scenario: Scenario, pool: str, makes: Sequence[Make]) -> None:
    own, place = scenario.pools[pool], f"plan.pools.{pool}.mix"
    if not isinstance(own.replica, Batching):
        raise ConfigError(Problem("is for batching replicas: requests of slots have no lengths to tell apart", place))
    if own.kv_transfer is not None or any(other.kv_transfer for other in scenario.pools.values()):
        raise ConfigError(Problem("is not for pools that hand requests over (kv_transfer)", place))
    unpriced = [make.name for make in makes if made_of(own, make).listed is None]
    if unpriced:
        raise ConfigError(Problem(f"needs a price of {', '.join(unpriced)}: give plan candidates with a price", place))


class _Search:
    def __init__(
        self,
        scenario: Scenario,
        pool: str,
        makes: Sequence[Make],
        bench: Bench,
        probe_runs: int,
        fresh_runs: int,
        watch: Callable[[str], None],
    ) -> None:
        self.scenario, self.pool, self.bench, self.watch = scenario, pool, bench, watch
        self.probe_runs, self.fresh_runs = probe_runs, fresh_runs
        self.makes = {make.name: make for make in makes}
        self.buckets = buckets_of(scenario, pool)
        pools = {name: made_of(scenario.pools[pool], make) for name, make in self.makes.items()}
        self.usd = {name: each.usd_per_replica_hour for name, each in pools.items()}
        rates = [
            {name: most_per_s(each, bucket, limits_of(scenario, bucket)) for name, each in pools.items()}
            for bucket in self.buckets
        ]
        self.throughput = tuple({name: rate for name, rate in each.items() if rate > 0} for each in rates)
        self.loads = [
            {name: bucket.rate_per_s / rate for name, rate in able.items()}
            for bucket, able in zip(self.buckets, self.throughput, strict=True)
        ]

    def found(self, rounds: int) -> Mix | None:
        singles = sorted((each for each in map(self._single, self.makes) if each), key=lambda each: each.usd_per_hour)
        if not singles:
            return None
        share = dict.fromkeys(self.makes, FIRST_LOAD_SHARE) | {each.gpu: each.load_share for each in singles}
        told: list[Tried] = []
        for turn in range(rounds):
            picked = assign(self.loads, self.usd, share)
            assert picked is not None, "a single type serves all"
            self.watch(f"round {turn + 1}: {dict(picked.replicas)} for ${picked.usd_per_hour:.2f}/h")
            counted = self._counted(picked)
            usd = sum(self.usd[name] * number for name, number in counted.items())
            told.append(Tried(picked.choice, picked.replicas, picked.usd_per_hour, counted, usd))
            share |= {name: picked.loads[name] / number for name, number in counted.items()}
            if any(before.choice == picked.choice for before in told[:-1]) or counted == picked.replicas:
                break
        best = min(told, key=lambda each: each.simulated_usd_per_hour)
        last = [each for each in told if each.choice == best.choice][-1]
        return self._verified(last, singles, told)

    def _single(self, name: str) -> Single | None:
        """The smallest fleet of one type, by simulation."""
        load = sum(able[name] for able in self.loads if name in able)
        if any(name not in able for able in self.loads):
            return None
        self.watch(f"{name} alone")
        choice = (name,) * len(self.buckets)
        guess = max(round(load / FIRST_LOAD_SHARE), 1)
        keeps = partial(self._keeps_with, choice, {}, name)
        number = Search(keeps, 1, guess * _HOPELESS).smallest(guess)
        return None if number is None else Single(name, number, number * self.usd[name], load / number)

    def _counted(self, picked: Assigned) -> dict[str, int]:
        """The fewest replicas of each make with which its own requests are served as promised."""
        found: dict[str, int] = {}
        for name, number in picked.replicas.items():
            ample = {other: found.get(other, many + max(many // 2, 1)) for other, many in picked.replicas.items()}
            keeps = partial(self._keeps_with, picked.choice, ample, name)
            count = Search(keeps, 1, number * _HOPELESS).smallest(number)
            assert count is not None, "theory serves these requests on this make"
            found[name] = count
        return found

    def _keeps_with(self, choice: Sequence[str], others: Mapping[str, int], name: str, count: int) -> bool:
        return self._keeps(choice, {**others, name: count}, name)

    def _keeps(self, choice: Sequence[str], replicas: Mapping[str, int], name: str) -> bool:
        outcome = self._outcome(choice, replicas, self.scenario.seed, self.probe_runs)
        return outcome.keeps(self._part(replicas, name))

    def _part(self, replicas: Mapping[str, int], name: str) -> str:
        return self.pool if len(replicas) == 1 else pool_name(self.pool, name)

    def _outcome(self, choice: Sequence[str], replicas: Mapping[str, int], seed: int, runs: int) -> Outcome:
        made = with_mix(self.scenario, self.pool, self.makes, self.buckets, choice, replicas)
        return self.bench.outcome(made.model_copy(update={"seed": seed}), runs)

    def _verified(self, best: Tried, singles: Sequence[Single], told: Sequence[Tried]) -> Mix:
        """The mix and the best single type on fresh seeds; a part that misses there is raised, one by one."""
        seed = fresh_seed(self.scenario.seed)
        replicas, attained, meets = self._raised(best.choice, dict(best.simulated_replicas), seed)
        cheapest = singles[0]
        alone = (cheapest.gpu,) * len(self.buckets)
        single, shown, kept = self._raised(alone, {cheapest.gpu: cheapest.replicas}, seed)
        number = single[cheapest.gpu]
        load = cheapest.load_share * cheapest.replicas
        checked = Single(
            cheapest.gpu, number, number * self.usd[cheapest.gpu], load / number, shown[cheapest.gpu], kept
        )
        return Mix(
            self.pool,
            self.buckets,
            self.throughput,
            best.choice,
            replicas,
            sum(self.usd[name] * count for name, count in replicas.items()),
            best.usd_per_hour,
            attained,
            meets,
            (checked, *singles[1:]),
            tuple(told),
            seed,
            self.fresh_runs,
            with_mix(self.scenario, self.pool, self.makes, self.buckets, best.choice, replicas),
        )

    def _raised(
        self, choice: Sequence[str], replicas: dict[str, int], seed: int, most: int = 5
    ) -> tuple[dict[str, int], dict[str, tuple[float | None, ...]], bool]:
        for _ in range(most):
            outcome = self._outcome(choice, replicas, seed, self.fresh_runs)
            parts = {name: self._part(replicas, name) for name in replicas}
            failing = [name for name, part in parts.items() if not outcome.keeps(part)]
            attained = {name: outcome.attained(part) for name, part in parts.items()}
            if not failing:
                return replicas, attained, True
            replicas = {name: number + (name in failing) for name, number in replicas.items()}
        return replicas, attained, False
