"""What has changed between two plans, and why: their numbers side by side, and their inputs changed one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sim.config.errors import ConfigError, DataError
from sim.result.provenance import version
from sim.scenario import Scenario
from sim.study.compared.steps import Change, Step, changes, steps
from sim.study.planned.dossier import Dossier
from sim.study.planned.planner import planned
from sim.study.planned.runs import Runs
from sim.study.replanned.before import Before

MOST_STEPS = 6
"""Up to so many changes of the scenario, each is planned for on its own."""
STEP_BUDGET = 2_000_000
"""Requests for the plan of a step, about."""


@dataclass(frozen=True)
class Changed:
    """A number of the plan that is not what it was."""

    what: str
    before: Any
    after: Any

    @property
    def more(self) -> float | None:
        """By how much, where both are numbers."""
        if isinstance(self.before, int | float) and isinstance(self.after, int | float):
            return self.after - self.before
        return None


@dataclass(frozen=True)
class Strided:
    """The plan after some inputs were changed, those of the steps before included."""

    told: str
    replicas: dict[str, int] | None
    """None: no plan."""
    usd_per_hour: float | None


@dataclass(frozen=True)
class Diff:
    """A plan beside an earlier one."""

    file: str
    numbers: tuple[Changed, ...]
    """Empty: the same plan."""
    inputs: tuple[Change, ...]
    """Keys of the scenario."""
    others: tuple[Changed, ...]
    """Version and seed, where they are others."""
    walk: tuple[Strided, ...] = ()
    """From the earlier plan to this one; empty where nothing differs, or too much."""
    why_no_walk: str = ""

    def as_document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "numbers": [{"what": each.what, "before": each.before, "after": each.after} for each in self.numbers],
            "inputs": [{"key": each.key, "before": each.before, "after": each.after} for each in self.inputs],
            "others": [{"what": each.what, "before": each.before, "after": each.after} for each in self.others],
            "walk": [
                {"after": each.told, "replicas": each.replicas, "usd_per_hour": each.usd_per_hour} for each in self.walk
            ],
            "why_no_walk": self.why_no_walk or None,
        }


def diff_of(before: Before, now: Dossier, runs: Runs) -> Diff:
    """What has changed, and why."""
    document, scenario = now.as_document(), now.scenario
    numbers = tuple(
        Changed(what, one, other)
        for what, one, other in _side_by_side(dict(numbers_of(before.document)), dict(numbers_of(document)))
        if one != other
    )
    told = (("version", before.document["version"], version()), ("seed", before.document["seed"], scenario.seed))
    others = tuple(Changed(what, one, other) for what, one, other in told if one != other)
    inputs = tuple(changes(before.scenario, scenario))
    if not numbers or not (inputs or others):
        return Diff(before.file, numbers, inputs, others)
    same = {"seed": scenario.seed, "name": scenario.name, "description": scenario.description}
    way = steps(before.scenario.model_copy(update=same), scenario)
    if len(way) > MOST_STEPS:
        why = f"{len(way)} changes are more than {MOST_STEPS}, so they are not planned for one by one"
        return Diff(before.file, numbers, inputs, others, (), why)
    return Diff(before.file, numbers, inputs, others, tuple(_walk(before, now, way, others, runs)))


def _walk(before: Before, now: Dossier, way: list[Step], others: tuple[Changed, ...], runs: Runs) -> Iterator[Strided]:
    old = before.document
    yield Strided("the earlier plan", _replicas(old), old["usd_per_hour"])
    if others:
        told = " and ".join(f"{each.what} {each.before} → {each.after}" for each in others)
        same = {"seed": now.scenario.seed, "name": now.scenario.name, "description": now.scenario.description}
        yield _strided(told, before.scenario.model_copy(update=same), runs)
    for step in way[:-1]:
        yield _strided(_told(step), step.scenario, runs)
    last = _told(way[-1]) if way else "planned again"
    document = now.as_document()
    if way:
        yield Strided(last, _replicas(document), document["usd_per_hour"])


def _strided(told: str, scenario: Scenario, runs: Runs) -> Strided:
    try:
        found = planned(scenario, runs, STEP_BUDGET)
    except (ConfigError, DataError):
        return Strided(told, None, None)
    document = found.as_document()
    return Strided(told, _replicas(document) if found.feasible else None, document["usd_per_hour"])


def _told(step: Step) -> str:
    return ", ".join(change.text for change in step.changes)


def _replicas(document: dict[str, Any]) -> dict[str, int] | None:
    return {name: pool["replicas"] for name, pool in document["pools"].items()} or None


def numbers_of(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What of a plan is told in a diff, by a name in words."""
    yield "feasible", document["feasible"]
    yield "USD an hour", document["usd_per_hour"]
    for name, pool in document["pools"].items():
        for key, told in (
            ("replicas", "replicas"),
            ("need", "replicas without spares"),
            ("gpu", "GPU"),
            ("gpus_per_replica", "GPUs a replica"),
            ("gpus", "GPUs"),
            ("max_num_seqs", "max_num_seqs"),
            ("max_batched_tokens", "max_batched_tokens"),
        ):
            if pool.get(key) is not None:
                yield f"{name}: {told}", pool[key]
    for found in document["certificates"][:1]:
        yield "attained, certified", found["attained"]
    over_time = document.get("over_time")
    if over_time is not None:
        yield "USD of all months, expected", over_time["usd_expected"]
        yield "USD of all months, P90", over_time["usd_p90"]
        for order in over_time["orders"]:
            place = f" in {order['region']}" if order["region"] else ""
            yield f"{order['option']}, {order['gpu']}{place} from {order['holds_from']}: GPUs", order["gpus"]


def _side_by_side(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for what in dict.fromkeys([*before, *after]):
        yield what, before.get(what), after.get(what)
