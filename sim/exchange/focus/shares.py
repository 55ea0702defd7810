"""Whose a pool's usage is: of each tenant and class, by the work that was done there for their requests."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.result.attempts import attempts_of
from sim.result.money.allocation import work_by_stream_s
from sim.result.window import measured_window

if TYPE_CHECKING:
    from sim.result.log import RunLog
    from sim.scenario import Scenario


@dataclass(frozen=True)
class Party:
    """Who requests are of; None where nobody is named."""

    tenant: str | None = None
    class_name: str | None = None


NOBODY = Party()


def shares_of(scenario: Scenario, log: RunLog) -> list[dict[Party, float]]:
    """By pool: the share of each party, adding up to 1. They are averages over the whole window.

    A pool that did no work in it belongs to nobody, and so does all where requests have neither class nor tenant.
    """
    parties = _parties(log)
    if set(parties) == {NOBODY}:
        return [{NOBODY: 1.0} for _ in log.pools]
    window = measured_window(scenario, log)
    work_s = work_by_stream_s(log, window, attempts_of(log, window)).sum(axis=2)
    return [_of_pool(own_s, parties) for own_s in work_s]


def _parties(log: RunLog) -> list[Party]:
    """The party of each stream."""
    none = (-1,) * len(log.streams)
    tenants, classes = (*log.tenants, None), (*log.classes, None)  # the last one is place -1
    places = zip(log.stream_tenant or none, log.stream_class or none, strict=True)
    return [Party(tenants[tenant], classes[class_]) for tenant, class_ in places]


def _of_pool(work_s: NDArray[np.float64], parties: list[Party]) -> dict[Party, float]:
    total_s = float(work_s.sum())
    found: dict[Party, float] = defaultdict(float)
    for party, own_s in zip(parties, work_s.tolist(), strict=True):
        if own_s > 0:
            found[party] += own_s / total_s
    return dict(found) or {NOBODY: 1.0}
