"""What cannot be among the ways a scenario earns money: requests that are billed twice, or are free and pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.config.said import Problems
from sim.pricing.revenue import Free, Revenue

if TYPE_CHECKING:
    from sim.scenario import Scenario


def paid_twice(scenario: Scenario) -> Problems:
    """Entries that an earlier one contradicts. A subscription may stand beside a price by use: what is beyond a plan.

    Two prices by use for the same requests would both count them, and a free tier has no price at all.
    """
    labels = [(label.class_name, label.tenant) for label in scenario.labels.values()]
    covered = [{place for place, label in enumerate(labels) if _is_about(entry, *label)} for entry in scenario.revenue]
    found: Problems = []
    for index, entry in enumerate(scenario.revenue):
        for before in range(index):
            other = scenario.revenue[before]
            both = covered[index] & covered[before]
            if both and _clash(entry, other):
                stream = scenario.workload.stream_names[min(both)]
                told = (
                    f"counts requests that revenue[{before}] ({_name(other)}) counts too, such as those of stream "
                    f"'{stream}'; give each its own 'class' or 'tenant', or take one out"
                )
                found.append((("revenue", index), told))
                break
    return found


def _is_about(entry: Revenue, class_name: str | None, tenant: str | None) -> bool:
    return entry.class_name in (None, class_name) and entry.tenant in (None, tenant)


def _clash(one: Revenue, other: Revenue) -> bool:
    return (one.by_use and other.by_use) or isinstance(one, Free) != isinstance(other, Free)


def _name(entry: Revenue) -> str:
    return str(getattr(entry, "kind", type(entry).__name__))
