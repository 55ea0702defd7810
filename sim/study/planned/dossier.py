"""All that a plan's document rests on, put together: the plan, the fleet as a scenario, drills, sensitivity, purchases.

Owns `plan.json`: what it holds, beside the plan itself, so that a later plan can be told from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.result.provenance import deciding, version
from sim.scenario import Scenario, is_name
from sim.study.planned.result import Plan

if TYPE_CHECKING:
    from sim.study.purchased.purchases import Purchases
    from sim.study.rehearsed.drill import Rehearsal
    from sim.study.replanned.diff import Diff
    from sim.study.sensitivity.tornado import Tornado

FORMAT = "fleetcast-plan-document"
"""Marks `plan.json` as ours: only a folder that has it is ever replaced."""
SCHEMA_VERSION = 1
_SUFFIX = "-planned"


@dataclass(frozen=True)
class Dossier:
    """A plan, and what was found out about it."""

    plan: Plan
    purchases: Purchases | None = None
    """Of a plan over time."""
    no_purchases: str = ""
    """Why there is no plan over time, where one was asked for."""
    drills: tuple[Rehearsal, ...] | None = None
    """None: not made."""
    tornado: Tornado | None = None
    """None: not made."""
    diff: Diff | None = None
    """What has changed since an earlier plan; None: none was given."""

    @property
    def scenario(self) -> Scenario:
        """What was planned for."""
        return self.plan.scenario

    @property
    def planned(self) -> Scenario | None:
        """The fleet that was chosen, spares included, as a scenario; None where no fleet will do."""
        return planned_scenario(self.plan) if self.plan.feasible else None

    @property
    def feasible(self) -> bool:
        """Whether what was asked for can be had: a fleet, and in all months of a plan over time."""
        months = self.purchases is None or self.purchases.feasible
        return self.plan.feasible and months and not self.no_purchases

    @property
    def reason(self) -> str:
        """Why it cannot."""
        if self.plan.feasible and self.no_purchases:
            return self.no_purchases
        if self.plan.feasible and not self.feasible:
            return "a month of the plan does not keep what is promised, or is short more often than is allowed"
        return self.plan.reason

    def as_document(self) -> dict[str, Any]:
        """JSON-ready: the plan's own keys first."""
        told: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "format": FORMAT}
        told |= self.plan.as_document()
        told |= {
            "feasible": self.feasible,
            "reason": self.reason or None,
            "version": version(),
            "software": deciding(),
            "config_sha256": self.scenario.digest,
            "drills": None if self.drills is None else [each.as_document() for each in self.drills],
            "sensitivity": None if self.tornado is None else self.tornado.as_document(),
            "over_time": None if self.purchases is None else self.purchases.as_document(),
            "diff": None if self.diff is None else self.diff.as_document(),
            "scenario": plain(self.scenario),
        }
        return told


def plain(scenario: Scenario) -> dict[str, Any]:
    """A resolved scenario as plain values; `load` makes the same of it."""
    found: dict[str, Any] = json.loads(scenario.model_dump_json(by_alias=True, exclude_none=True))
    return found


def planned_scenario(plan: Plan) -> Scenario:
    """The fleet of a plan as a scenario: loads and runs as it is, on the scenario's own seed."""
    assert plan.feasible, "there is no fleet to run"
    pools = {name: pool.design.with_replicas(pool.replicas) for name, pool in plan.pools.items()}
    name = plan.scenario.name + _SUFFIX
    changed = {"pools": pools, "plan": None, "name": name if is_name(name) else plan.scenario.name}
    return plan.base.model_copy(update=changed)
