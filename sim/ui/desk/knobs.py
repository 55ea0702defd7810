"""The sliders that a scenario has, read off the scenario. Owns what each is called, its range, and what it changes.

A knob is a change of the scenario in the words of `--set`; nothing else knows what it means. To add one: write a
function that yields it, and name it in `OF_POOLS` or `OF_ALL`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.autoscaling.fixed import Fixed
from sim.config import catalogue
from sim.config.errors import ConfigError, Problem
from sim.config.loader import read_file
from sim.config.tunable import tunables
from sim.hardware import GpuSheet
from sim.scenario import Pool, Scenario
from sim.scenario.changes import Changes
from sim.scenario.replica import Batching
from sim.study.compared.steps import changes
from sim.ui.wire.told import KnobTold
from sim.workload.law import Distribution
from sim.workload.scaled import scaled

__all__ = ["LOAD", "Knob", "check", "knobs_of", "sets_of", "size_key", "sizes", "with_size"]

LOAD = "load"
_MOST_TARGETS = 2


@dataclass(frozen=True)
class Knob:
    """One slider, or one choice."""

    told: KnobTold
    sets: Callable[[float | str], list[str]]
    """`KEY=VALUE` changes that make the value so."""


def knobs_of(scenario: Scenario) -> list[Knob]:
    """All knobs of a scenario: those of the whole first, then pool by pool."""
    whole = [knob for find in OF_ALL for knob in find(scenario)]
    return whole + [knob for name, pool in scenario.pools.items() for find in OF_POOLS for knob in find(name, pool)]


def sets_of(knobs: list[Knob], moved: Mapping[str, float | str]) -> list[str]:
    """The `--set` changes of the knobs that were moved. Raises `ConfigError` for a knob or a value that is none."""
    check([knob.told for knob in knobs], moved)
    return [text for knob in knobs if knob.told.key in moved for text in knob.sets(moved[knob.told.key])]


def check(knobs: Sequence[KnobTold], moved: Mapping[str, float | str]) -> None:
    """Raise `ConfigError` for a knob that there is not, or a value that it cannot have."""
    known = {knob.key: knob for knob in knobs}
    problems = [problem for key, value in moved.items() if (problem := _wrong(known, key, value))]
    if problems:
        raise ConfigError(problems)


def _wrong(known: Mapping[str, KnobTold], key: str, value: float | str) -> Problem | None:
    told = known.get(key)
    if told is None:
        return Problem(f"this scenario has no such slider{catalogue.did_you_mean(key, known)}", f"moved.{key[:80]}")
    if told.kind == "choice":
        if value in told.choices:
            return None
        return Problem(f"must be one of {', '.join(told.choices)}", f"moved.{key}")
    if isinstance(value, str) or not told.low <= value <= told.high:
        return Problem(f"must be a number from {told.low:g} to {told.high:g}", f"moved.{key}")
    if told.step == 1 and value != round(value):
        return Problem(f"must be a whole number; got {value:g}", f"moved.{key}")
    return None


def size_key(pool_name: str, pool: Pool) -> str:
    """The knob of a pool's size; empty where its autoscaler has no bound that can be moved."""
    if isinstance(pool.autoscaler, Fixed):
        return f"pools.{pool_name}.autoscaler.replicas"
    has_bound = "max_replicas" in getattr(type(pool.autoscaler), "model_fields", {})
    return f"pools.{pool_name}.autoscaler.max_replicas" if has_bound else ""


def with_size(scenario: Scenario, pool_name: str, replicas: int) -> Scenario:
    """The same scenario with so many replicas in a pool; of an autoscaled one, at most so many."""
    pool = scenario.pools[pool_name]
    policy = pool.autoscaler
    name = "replicas" if isinstance(policy, Fixed) else "max_replicas"
    changed = policy.model_copy(update={name: replicas})  # type: ignore[union-attr]
    pools = {**scenario.pools, pool_name: pool.model_copy(update={"autoscaler": changed})}
    return scenario.model_copy(update={"pools": pools})


def sizes(knob: KnobTold, now: float, count: int) -> list[int]:
    """Fleet sizes of the curve, the present one among them; they hold still while that moves among them."""
    least, most, now = int(knob.low), int(knob.high), int(now)
    first = least if most - least < count else max(least, round(float(knob.own) / 4))
    if not first <= now:
        first = now
    steps = min(count, most - first + 1)
    found = {round(first + place * (most - first) / max(steps - 1, 1)) for place in range(steps)}
    if now not in found:
        found = {now} | found - {min(found, key=lambda size: abs(size - now))}
    return sorted(found)


def _number(
    key: str,
    label: str,
    own: float,
    low: float,
    high: float,
    *,
    pool: str = "",
    unit: str = "",
    whole: bool = False,
    log: bool = False,
    explained: str = "",
    sets: Callable[[float | str], list[str]] | None = None,
) -> Knob:
    def plain(value: float | str) -> list[str]:
        return [f"{key}={_text(value)}{unit}"]

    low, high = min(low, own), max(high, own)
    step = 1.0 if whole else _step(high - low)
    told = KnobTold(
        key=key, label=label, help=explained, pool=pool, kind="number", own=own, low=low, high=high, step=step,
        log=log and low > 0, unit=unit, choices=[],
    )  # fmt: skip
    return Knob(told, sets or plain)


def _step(wide: float) -> float:
    """A round step, about a two-hundredth of the range."""
    return 10.0 ** math.floor(math.log10(max(wide, 1e-9) / 100))


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else repr(int(value)) if value == int(value) else repr(value)


# -- of a pool ---------------------------------------------------------------------------------------------------------


def _size(name: str, pool: Pool) -> Iterator[Knob]:
    key, policy = size_key(name, pool), pool.autoscaler
    if isinstance(policy, Fixed):
        most = max(12, 2 * policy.replicas)
        yield _number(
            key, "Replicas", policy.replicas, 1, most, pool=name, whole=True, explained="Replicas of the pool."
        )
    elif key:
        least, own = max(policy.floor_replicas, policy.initial_replicas, 1), policy.most_replicas
        told = "The most replicas that the autoscaler may have."
        yield _number(key, "Most replicas", own, least, max(2 * own, least + 11), pool=name, whole=True, explained=told)


def _least(name: str, pool: Pool) -> Iterator[Knob]:
    policy = pool.autoscaler
    if isinstance(policy, Fixed) or "min_replicas" not in getattr(type(policy), "model_fields", {}):
        return
    if getattr(policy, "start_replicas", None) is not None:
        return
    key, told = f"pools.{name}.autoscaler.min_replicas", "The fewest replicas that the autoscaler keeps."
    own = policy.floor_replicas
    yield _number(key, "Fewest replicas", own, own and 1, policy.most_replicas, pool=name, whole=True, explained=told)


def _targets(name: str, pool: Pool) -> Iterator[Knob]:
    """What of the autoscaler usually makes a smaller fleet when it is larger, its first ones: targets, thresholds."""
    found = [each for each in tunables(pool.autoscaler) if each.cheaper == 1 and not each.unit and not each.left_out]
    for each in found[:_MOST_TARGETS]:
        path = ".".join(each.path)
        said = path.replace("_", " ").replace(".", " ")
        yield _number(
            f"pools.{name}.autoscaler.{path}",
            f"Autoscaler: {said}",
            each.own,
            each.low,
            each.high,
            pool=name,
            whole=each.whole,
            log=each.log,
            explained="What the autoscaler keeps a replica at; larger usually makes a smaller fleet.",
        )


def _batch(name: str, pool: Pool) -> Iterator[Knob]:
    replica, key = pool.replica, f"pools.{name}.replica"
    if isinstance(replica, Batching):
        own, most = replica.max_num_seqs, replica.max_batched_tokens // replica.verified
        told = "Sequences that a replica serves at once (max_num_seqs)."
        high = min(max(512, 2 * own), most)
        yield _number(
            f"{key}.max_num_seqs", "Batch limit", own, 1, high, pool=name, whole=True, log=True, explained=told
        )
    else:
        own, told = replica.concurrency, "Requests that a replica serves at once."
        yield _number(
            f"{key}.concurrency", "Concurrency", own, 1, max(16, 4 * own), pool=name, whole=True, explained=told
        )


def _gpu(name: str, pool: Pool) -> Iterator[Knob]:
    if pool.gpu is None or pool.model is None or pool.latency is not None or pool.supply or pool.rollouts:
        return
    fits = []
    for gpu in catalogue.names(catalogue.GPUS):
        path = catalogue.find(catalogue.GPUS, gpu)
        assert path is not None
        sheet = GpuSheet.model_validate(read_file(path).plain())
        if not pool.varied(Changes(gpu=sheet), pool.replica)[1]:
            fits.append(gpu)
    if pool.gpu.name not in fits or len(fits) < 2:
        return
    key = f"pools.{name}.gpu"
    told = KnobTold(
        key=key, label="GPU", help="Those that the model fits on.", pool=name, kind="choice", own=pool.gpu.name,
        low=0, high=0, step=0, log=False, unit="", choices=fits,
    )  # fmt: skip
    yield Knob(told, lambda value: [f"{key}={value}"])


def _price(name: str, pool: Pool) -> Iterator[Knob]:
    listed = pool.listed
    if listed is None or not listed.on_demand or pool.book is not None or (pool.supply and pool.price is None):
        return
    key, own = f"pools.{name}.price.on_demand", listed.on_demand
    low, high = round(own / 4, 2), round(3 * own, 2)
    told = "USD for an hour of one GPU, on demand."
    yield _number(key, "Price", own, low, high, pool=name, unit="$/h", explained=told, sets=lambda v: [f"{key}=${v}/h"])


def _boot(name: str, pool: Pool) -> Iterator[Knob]:
    if isinstance(pool.autoscaler, Fixed) and not pool.faults and not pool.rollouts:
        return
    own = pool.stages.mean_s(pool.weight_bytes)
    told = "From the order of a replica to its first request; moved, it is the same every time."
    key = f"pools.{name}.boot"
    yield _number(key, "Boot time", float(round(own)), 0, max(900, 2 * round(own)), pool=name, unit="s", explained=told)


OF_POOLS: tuple[Callable[[str, Pool], Iterator[Knob]], ...] = (_size, _least, _targets, _batch, _gpu, _price, _boot)


# -- of the whole ------------------------------------------------------------------------------------------------------


def _load(scenario: Scenario) -> Iterator[Knob]:
    try:
        scaled(scenario.workload, 2.0)
    except ConfigError:
        return  # a trace that is played once: it has the demand that it has

    def sets(value: float | str) -> list[str]:
        more = scenario.model_copy(update={"workload": scaled(scenario.workload, float(value))})
        return [f"{change.key}={json.dumps(_rounded(change.after))}" for change in changes(scenario, more)]

    told = "Every arrival rate times this: more or fewer requests of the same kind."
    yield _number(LOAD, "Load", 1.0, 0.25, 4.0, unit="x", log=True, explained=told, sets=sets)


def _rounded(value: Any) -> Any:
    """A rate, or all in a table of rates, as people write them: six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def _patience(scenario: Scenario) -> Iterator[Knob]:
    for name, stream in scenario.workload.by_name().items():
        patience = None if stream.clients is None else stream.clients.patience_s
        if patience is None:
            continue
        key = f"{'.'.join(scenario.stream_place(name))}.clients.patience"
        own: Any = patience
        if isinstance(patience, Distribution):
            own = getattr(patience, "mean", None)
            key = f"{key}.mean"
        if not isinstance(own, int | float) or own <= 0:
            continue
        of = "" if len(scenario.workload.stream_names) == 1 else f" of {name}"
        told = "Requests that are not started by then are abandoned."
        yield _number(key, f"Patience{of}", own, own / 10, own * 10, unit="s", log=True, explained=told)


OF_ALL: tuple[Callable[[Scenario], Iterator[Knob]], ...] = (_load, _patience)
