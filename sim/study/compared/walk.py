"""From a baseline to another scenario one change at a time: what each change adds, on the same random numbers.

What a change is credited with depends on the order: it is what it adds to those before it. The steps add up to the
whole difference, whatever the order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sim.scenario import Scenario
from sim.study.compared.compare import Comparison, Difference, compare, differences
from sim.study.compared.steps import Step, steps
from sim.study.executors import Executor
from sim.study.replicated.replications import Replicated


@dataclass(frozen=True)
class Stride:
    """One step of a walk, and what it changes."""

    step: Step
    differences: tuple[Difference, ...]
    """Against the scenario before it."""

    def of(self, path: str) -> Difference | None:
        """The difference of one number; None if either has it not."""
        return next((each for each in self.differences if each.path == path), None)

    def plain(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {
            "changes": [{"key": each.key, "before": each.before, "after": each.after} for each in self.step.changes],
            "differences": [each.plain() for each in self.differences],
        }


def walk(
    baseline: tuple[str, Scenario],
    other: tuple[str, Scenario],
    replications: int | None = None,
    executor: Executor | None = None,
    watch: Callable[[int, int | None], None] | None = None,
    order: Sequence[str] = (),
    on_compile: Callable[[], None] | None = None,
) -> tuple[Replicated, Comparison, list[Stride]]:
    """Compare two scenarios and all on the way from one to the other: no strides where nothing differs.

    As many replications of each, as `compare` says. Raises as `compare` and `steps` do.
    """
    way = steps(baseline[1], other[1], order)
    between = [(_named(step), step.scenario) for step in way[:-1]]
    ours, compared = compare([baseline, *between, other], replications, executor, watch, on_compile=on_compile)
    reached = [ours, *(each.replicated for each in compared)]
    strides = [
        Stride(step, tuple(differences(before, after)))
        for step, before, after in zip(way, reached, reached[1:], strict=False)
    ]
    return ours, compared[-1], strides


def _named(step: Step) -> str:
    return f"{step.changes[-1].key} (on the way)"
